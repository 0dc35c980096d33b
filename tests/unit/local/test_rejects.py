"""Rejects as text: listed, mended, read back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from clickstream_local.errors import RejectUnknown
from clickstream_local.rejects import Reject, mended_from
from hypothesis import given
from hypothesis import strategies as st


def _reject(payload: bytes | None) -> Reject:
    return Reject("clickstream.events.v1", 2, 17, "shape.json", "2026-11-27T08:00:00Z", payload)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"a": 1}', {"payload": '{"a": 1}'}),
        (b"", {"payload": ""}),
        (None, {"payload": None}),
        ("ü".encode(), {"payload": "ü"}),
        (b"\xff\x00", {"payload_base64": "/wA="}),
    ],
)
def test_rejects_are_shown_as_text(payload: bytes | None, shown: dict[str, object]) -> None:
    """A payload is shown as text if it is UTF-8, else as base64."""
    assert _reject(payload).to_json() == {
        "topic": "clickstream.events.v1",
        "partition": 2,
        "offset": 17,
        "rule": "shape.json",
        "arrived_at": "2026-11-27T08:00:00Z",
        **shown,
    }


def test_cut_reject_tells_its_length() -> None:
    """A payload of which only the first bytes are kept is shown with the length it had."""
    shown = replace(_reject(b"x" * 8_192), payload_bytes=70_000).to_json()

    assert shown["payload_bytes"] == 70_000
    assert "payload_bytes" not in _reject(b"x").to_json()


@given(st.none() | st.binary(max_size=40))
def test_shown_rejects_are_read_back(payload: bytes | None) -> None:
    """Reading what was shown gives the same place and the same bytes."""
    (found,) = mended_from([json.dumps(_reject(payload).to_json())])

    assert found == Reject("clickstream.events.v1", 2, 17, "", "", payload)


def test_empty_lines_are_skipped() -> None:
    """Lines without text hold no reject, and the others keep their order."""
    lines = [json.dumps({"topic": "t", "partition": 0, "offset": at}) for at in range(2)]

    assert [row.offset for row in mended_from(["", lines[0], "  ", lines[1], ""])] == [0, 1]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "5",
        "[]",
        "{}",
        '{"topic": "t", "partition": "x", "offset": 1}',
        '{"topic": "t", "partition": 1, "offset": 1, "payload": 5}',
        '{"topic": "t", "partition": 1, "offset": 1, "payload": 0}',
        '{"topic": "t", "partition": 1, "offset": 1, "payload_base64": "?"}',
    ],
)
def test_unreadable_line_is_named(line: str) -> None:
    """A line that is no reject is named by its number, and none is read."""
    good = '{"topic": "t", "partition": 1, "offset": 1}'

    with pytest.raises(RejectUnknown, match=r"^line 3 cannot be read"):
        mended_from([good, "", line])
