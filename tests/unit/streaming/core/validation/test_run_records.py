"""Run records of ledger entries: only JSON that PostgreSQL can store and the stream can merge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickstream_streaming.core.validation.run_records import read_run_record

_ROW = {"until_seconds": 1_764_000_001.5, "from_seconds": 1_764_000_002.5, "document": {"a": [1]}}


_INCIDENT = {
    "incident": "one",
    "kind": "CartFails",
    "scope": "all",
    "from_seconds": 1_764_000_060.0,
    "until_seconds": 1_764_000_120.0,
    "lost_orders": 7.25,
    "orders_tolerance": 3,
    "lost_revenue_minor": -700,
    "revenue_tolerance_minor": 900,
}


_ARM = {
    "experiment": "button",
    "arm": "green",
    "from_seconds": 1_764_000_060.0,
    "share": 0.5,
    "conversion": 0.1,
    "lift": -0.25,
}


def _text(*revisions: object, **more: object) -> str:
    return json.dumps({"start_seconds": 1_764_000_000, "revisions": [*revisions], **more})


@pytest.mark.parametrize(
    "text",
    [
        _text(),
        _text(_ROW),
        _text(_ROW, later=True),
        _text(incidents=[]),
        _text(incidents=[{**_INCIDENT, "later": {"a": 1}}]),
        _text(experiments=[]),
        _text(incidents=[_INCIDENT], experiments=[{**_ARM, "later": []}]),
        _text(experiments=[{**_ARM, "lift": None}]),
        _text({**_ROW, "document": None}, name="\u00e9"),
        _text(large=10**400, small=-(10**400), is_on=True, nothing=None),
    ],
)
def test_run_record_is_read(text: str) -> None:
    """A record with at most one revision is read, also with fields of a later version."""
    assert read_run_record(text) == json.loads(text)


def _nested(levels: int) -> Any:  # noqa: ANN401  any JSON
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        _text(_ROW, _ROW),
        _text(incidents={}),
        _text(incidents=[_INCIDENT, _INCIDENT]),
        _text(incidents=[7]),
        *(
            _text(incidents=[{**_INCIDENT, name: value}])
            for name, value in (
                ("incident", 7),
                ("scope", "x" * 2_001),
                ("lost_orders", "7"),
                ("lost_orders", True),
                ("lost_orders", None),
                ("lost_revenue_minor", 2.0**53),
                ("lost_revenue_minor", -(10**400)),
                ("from_seconds", 7),
                ("until_seconds", 1e300),
            )
        ),
        *(
            _text(incidents=[{key: _INCIDENT[key] for key in _INCIDENT if key != name}])
            for name in _INCIDENT
        ),
        _text(experiments=[_ARM, _ARM]),
        _text(experiments=None),
        *(
            _text(experiments=[{**_ARM, name: value}])
            for name, value in (
                ("arm", None),
                ("arm", "x" * 2_001),
                ("from_seconds", 7),
                ("conversion", None),
                ("lift", "0.1"),
                ("lift", True),
                ("lift", 10**400),
            )
        ),
        *(_text(experiments=[{key: _ARM[key] for key in _ARM if key != name}]) for name in _ARM),
        _text(5),
        _text({**_ROW, "from_seconds": "1764000000"}),
        _text({**_ROW, "from_seconds": True}),
        _text(start_seconds=None),
        _text(start_seconds=1e300),
        _text(start_seconds=-1),
        _text(start_seconds=float("nan")),
        json.dumps({"start_seconds": 1_764_000_000, "revisions": {}}),
        _text(name="a\0b"),
        _text(**{"\0": 1}),
        _text(name="\ud800"),
        _text(rate=float("inf")),
        '{"start_seconds": 1764000000, "revisions": [], "rate": 1e999}',
        _text(deep=_nested(40)),
        "[" * 60_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
    ],
)
def test_other_text_is_no_record(text: str) -> None:
    """A text that PostgreSQL or the merge of records would fail on is no record."""
    assert read_run_record(text) is None


def test_levels_have_a_bound() -> None:
    """A record may have as many levels as the bound, and no more."""
    assert read_run_record(_text(deep=_nested(39))) is not None


@pytest.mark.parametrize(
    ("seconds", "is_read"),
    [
        (946_684_799, False),
        (946_684_800, True),
        (32_503_679_999, True),
        (32_503_680_000, False),
    ],
)
def test_moments_have_bounds(seconds: int, *, is_read: bool) -> None:
    """A moment is from 2000 to 2999."""
    moved = {**_ROW, "from_seconds": seconds}

    assert (read_run_record(_text(start_seconds=seconds)) is not None) == is_read
    assert (read_run_record(_text(moved)) is not None) == is_read
