"""The ledger: which entry holds, which minutes are complete, and whether it fits the record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_judge.core.ledger import Ledger
from clickstream_judge.errors import TruthUnusable

RUN = UUID(int=7)


def _entry(shard: int, minute: int, events: int = 0, **more: Any) -> dict[str, Any]:  # noqa: ANN401  any figure
    return {
        **{field.name: 0 for field in LEDGER_COLUMNS},
        "kind": "minute",
        "run_id": str(RUN),
        "shard": shard,
        "minute": f"1970-01-01T00:{minute:02}:00.000Z",
        "events": events,
        "page_view_events": events,
        "shard_seq": events,
        **more,
    }


def _ledger(*rows: dict[str, Any], shards: int = 2) -> Ledger:
    return Ledger.read(rows, RUN, shards, "ledger.jsonl")


def test_later_entry_holds() -> None:
    """Of several entries of a minute, the one with more events holds, and the later of equals."""
    ledger = _ledger(
        _entry(0, 1, 10, revenue_minor=1), _entry(0, 1, 12, revenue_minor=2),
        _entry(0, 1, 5), _entry(0, 1, 12, revenue_minor=3), _entry(1, 1, 1),
    )  # fmt: skip

    (figures,) = ledger.minutes(None).values()

    assert (figures.events, figures.revenue_minor) == (13, 3)
    assert sum(figures.by_name) == 13
    assert ledger.last_seq == {0: 12, 1: 1}


@pytest.mark.parametrize("kind", ["run_start", "revision"])
def test_announced_shard_has_sent_nothing(kind: str) -> None:
    """An entry without figures is no sign that its shard has sent something."""
    announced = _entry(1, 0, kind=kind)

    with pytest.raises(TruthUnusable, match="no entry of shard 1"):
        _ledger(_entry(0, 1, 1), announced)
    assert _ledger(_entry(0, 1, 1), _entry(1, 2, 1), announced).closed_before() == 1


def test_closed_minutes() -> None:
    """While a shard runs, its last minute may still grow; after the run, none may."""
    rows = [_entry(0, 1, 1), _entry(0, 5, 1), _entry(1, 3, 1)]
    running = _ledger(*rows)
    ended = _ledger(*rows, _entry(1, 3, kind="shard_end"), _entry(0, 5, kind="shard_end"))

    assert (running.closed_before(), running.is_over) == (3, False)
    assert list(running.minutes(3)) == [1]
    assert (ended.closed_before(), ended.is_over) == (None, True)


def test_open_minutes() -> None:
    """A minute with late events to come is open while its shard runs."""
    ledger = _ledger(_entry(0, 1, 3), _entry(0, 4, 1), _entry(1, 1, 2))

    made = {(0, 1): 5, (1, 1): 2, (0, 4): 9, (1, 3): 1}

    assert ledger.open_minutes(made, before=4) == {1, 3}


@pytest.mark.parametrize("made", [{(0, 1): 2, (1, 1): 2}, {(0, 1): 5, (1, 1): 2}, {(1, 1): 2}])
def test_other_ledger(made: dict[tuple[int, int], int]) -> None:
    """A ledger that counts other events than the record makes is refused."""
    ledger = _ledger(_entry(0, 1, 3), _entry(0, 1, kind="shard_end"), _entry(1, 1, 2))

    with pytest.raises(TruthUnusable, match="counts 3 events of shard 0"):
        ledger.open_minutes(made)


def test_event_that_nobody_made() -> None:
    """A single event in a minute that the record does not have is another run's."""
    ledger = _ledger(_entry(0, 1, 3), _entry(1, 2, 1))

    with pytest.raises(TruthUnusable, match="counts 1 events of shard 1"):
        ledger.open_minutes({(0, 1): 3})


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([], "holds no entry"),
        ([_entry(0, 1, 1, run_id="another")], "holds run another, not run"),
        ([_entry(0, 1, 1)], "no entry of shard 1"),
        ([{"kind": "minute"}], "no ledger entry"),
        ([_entry(0, 1, 1) | {"minute": "noon"}], "no ledger entry"),
    ],
)
def test_bad_ledgers(rows: list[dict[str, Any]], part: str) -> None:
    """Ledgers of other runs and broken ones are refused with the reason."""
    with pytest.raises(TruthUnusable, match=part):
        _ledger(*rows)


def test_entries_without_figures() -> None:
    """A missing figure and an entry without a run are named, not a crash later."""
    broken = _entry(0, 1, 1)
    del broken["purchase_events"]
    with pytest.raises(TruthUnusable, match="has a line that is no ledger entry"):
        _ledger(broken)

    with pytest.raises(TruthUnusable, match="holds run"):
        _ledger({"run_id": None}, {"run_id": "other"})


def test_forgotten_minutes() -> None:
    """Earlier minutes are neither counted nor compared; the shards' positions stay."""
    ledger = _ledger(_entry(0, 1, 5), _entry(0, 2, 7), _entry(1, 2, 1))

    ledger.forget(2)

    assert [row.events for row in ledger.minutes(None).values()] == [8]
    assert ledger.open_minutes({(0, 2): 7, (1, 2): 1}) == set()
    assert ledger.last_seq == {0: 7, 1: 1}
