"""Visits whose events change a row in every mart, written as the share of one partition.

Owns how a test writes a share in a separate process, beside other writers.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pyarrow as pa
from clickstream_contract.topics import EVENTS
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.shell.batch import BatchTask
from clickstream_streaming.shell.partition import PartitionWriter

if TYPE_CHECKING:
    from clickstream_streaming.settings import Settings

__all__ = ["visit", "write_share"]

_LINES = [
    {"product_id": name, "product_name": name, "brand": "b", "category": "c", "quantity": 1,
     "price_minor": 500}
    for name in ("p1", "p2")
]  # fmt: skip


def visit(user: int, number: int) -> list[bytes]:
    """Return the records of a user who looks at a product and buys two, and one that is none."""
    common = {
        "event_time": "2020-01-01T12:00:00.000Z",
        "sent_at": "2020-01-01T12:00:00.000Z",
        "session_id": str(UUID(int=user)),
        "user_id": f"u{user}",
    }
    steps: tuple[dict[str, Any], ...] = (
        {"price_minor": 0},  # odd: it is flagged, and counted
        {"order_id": str(uuid4()), "items": _LINES, "value_minor": 1_000, "cart_quantity": 2},
    )
    events = [
        sample_event(name)
        | common
        | step
        | {"event_id": str(uuid4()), "shard_seq": number + at, "session_seq": number + at}
        for at, (name, step) in enumerate(zip(("view_item", "purchase"), steps, strict=True))
    ]
    return [*(json.dumps(event).encode() for event in events), b"none"]


def write_share(settings: Settings, batch_id: int, partition: int, records: list[bytes]) -> None:
    """Write one partition's share of a batch; the last record must be no event."""
    count = len(records)
    first = 100 * batch_id
    task = BatchTask(
        settings=settings,
        query="events",
        checkpoint_id=str(UUID(int=1)),
        batch_id=batch_id,
        offsets_from={},
        offsets_until={EVENTS.name: {partition: first + count}},
        driver_pid=os.getpid(),
    )
    batch = pa.RecordBatch.from_pydict(
        {
            "topic": pa.array([EVENTS.name] * count),
            "partition": pa.array([partition] * count, pa.int32()),
            "offset": pa.array(range(first, first + count), pa.int64()),
            "timestamp": pa.array([datetime(2020, 1, 1, 12, 1, tzinfo=UTC)] * count,
                                  pa.timestamp("us", "UTC")),
            "key": pa.array([b"k"] * count, pa.binary()),
            "value": pa.array(records, pa.binary()),
        }
    )  # fmt: skip
    writer = PartitionWriter()
    outcome = writer.write(task, [batch])
    writer._reset()
    assert outcome is not None
    assert outcome.stored == count - 1
