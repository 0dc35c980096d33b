"""Records as Spark's Kafka source gives them: valid, changed and damaged ones.

Owns the builders of events and of batches of records, and the Hypothesis strategy that damages
events.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_contract.topics import EVENTS
from clickstream_streaming.core.sample import sample_event
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ARRIVED",
    "FIRST_OFFSET",
    "PARTITION",
    "changed",
    "damaged",
    "ledger_record",
    "line",
    "order_of",
    "records_of",
]

ARRIVED = datetime(2026, 9, 21, 14, 20, tzinfo=UTC)
"""When Kafka got each record of a batch."""
PARTITION = 3
FIRST_OFFSET = 100

_NAMES = [*(field.name for field in EVENT_FIELDS), "extra"]
_PIECES = (
    b"", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b" ", b"\n", b"\r", b"0", b"\xff",
    b"\x00", b"\\u0000", b"\\ud800", b"\\ude00", b"\\ud83d\\ude00", b"NaN", b"Infinity",
    b'"a":NaN,', b'"city":"q",', b'"z":[{"user_id":5}],', b"{}", "é".encode(), b"\xc0\x80",
    b"\xed\xa0\x80", b"1.0", b"1e2", b"-0", b"null", b"//", b"'",
)  # fmt: skip
_TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "x" * 300, "é" * 256, "a\x00b", "1", "teleport", "purchase"]),
    st.sampled_from(["2026-09-21T14:13:20.000Z", "2026-02-30T00:00:00.000Z", "2026-09-21"]),
    st.uuids().map(str),
)
_NUMBERS = st.sampled_from(
    [0, 1, 5, -1, 101, 2**31, 2**63 - 1, 2**63, 2**70, 1.0, 1.5, 1e300],
)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=4,
)


def changed(name: str = "view_item", /, **values: object) -> bytes:
    """Return a valid event with some of its fields changed."""
    return json.dumps(sample_event(name) | values).encode()


def line(**values: object) -> dict[str, Any]:
    """Return a valid order line with some of its fields changed."""
    items: list[dict[str, Any]] = sample_event("purchase")["items"]
    return items[0] | values


def order_of(*lines: object) -> bytes:
    """Return a valid purchase with these order lines."""
    return changed("purchase", items=list(lines))


def ledger_record(**values: object) -> bytes:
    """Return a complete ledger record with some of its fields changed."""
    row: dict[str, object] = {
        field.name: 1 if field.type in {FieldType.INTEGER, FieldType.BIGINT} else "minute"
        for field in LEDGER_COLUMNS
    }
    row |= {
        "kind": "minute",
        "run_id": "00000000-0000-4000-8000-000000000007",
        "minute": "2026-01-31T12:00:00.000Z",
    }
    return json.dumps(row | values).encode()


def records_of(values: Sequence[bytes | None], topic: str = EVENTS.name) -> pa.RecordBatch:
    """Return the batch of Kafka records that have these values."""
    size = len(values)
    offsets = range(FIRST_OFFSET, FIRST_OFFSET + size)
    return pa.record_batch(
        {
            "topic": pa.array([topic] * size, pa.string()),
            "partition": pa.array([PARTITION] * size, pa.int32()),
            "offset": pa.array(offsets, pa.int64()),
            "timestamp": pa.array([ARRIVED] * size, pa.timestamp("us", "UTC")),
            "key": pa.array([b"k"] * size, pa.binary()),
            "value": pa.array(values, pa.binary()),
        }
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes | None:
    """Draw an event to which something may have happened."""
    event: dict[str, Any] = sample_event(draw(st.sampled_from(EVENT_NAMES)))
    for name in draw(st.lists(st.sampled_from(_NAMES), max_size=2)):
        if draw(st.booleans()):
            event[name] = draw(_LINES if name == "items" else _JSON)
        else:
            event.pop(name, None)
    indent = 1 if draw(st.integers(0, 9)) == 0 else None
    text = json.dumps(event, ensure_ascii=draw(st.booleans()), indent=indent)
    value = text.encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(value)))
        gone = draw(st.sampled_from([0, 0, 1, len(value)]))
        value = value[:at] + draw(st.sampled_from(_PIECES)) + value[at + gone :]
    return draw(st.sampled_from([value] * 30 + [None, b"", b"5", b" " + value, value + value]))


_LINES = st.lists(
    st.dictionaries(
        st.sampled_from([*(field.name for field in ITEM_FIELDS), "more"]), _JSON, max_size=5
    )
    | st.just(line())
    | _JSON,
    max_size=3,
)
