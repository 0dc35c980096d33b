"""Writers of several partitions at the same time, each in a separate transaction."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from clickstream_contract.topics import EVENTS
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.shell import partition as partition_module
from clickstream_streaming.shell.batch import BatchTask
from clickstream_streaming.shell.partition import PartitionWriter
from clickstream_streaming.shell.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_streaming.settings import Settings
    from databases import Database

pytestmark = pytest.mark.services

_WRITERS = 4
_PATIENCE_SECONDS = 60.0
_BATCH = 1
"""The batch that all writers write at the same time; the batch before makes the run known."""
_FIGURES = """
SELECT (SELECT count(*) FROM raw.events), (SELECT sum(events) FROM mart.traffic_minute),
    (SELECT sum(events) FROM mart.sessions_hour), (SELECT sum(stored_events) FROM ops.shards),
    (SELECT sum(events) FROM ops.latency_buckets), (SELECT sum(visitors) FROM mart.visitors_hour),
    (SELECT sum(orders) FROM mart.product_pairs), (SELECT sum(records) FROM ops.quality_minute)
"""
_LINES = [
    {"product_id": name, "product_name": name, "brand": "b", "category": "c", "quantity": 1,
     "price_minor": 500}
    for name in ("p1", "p2")
]  # fmt: skip


def _visit(user: int, number: int) -> list[bytes]:
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


def _write(settings: Settings, batch_id: int, partition: int, records: list[bytes]) -> None:
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


def _write_all(database: Database, shares: list[list[bytes]]) -> None:
    """Write the shares of a batch at the same time, each as a partition."""
    with ThreadPoolExecutor(len(shares)) as pool:
        write = partial(_write, database.settings, _BATCH)
        list(pool.map(write, range(len(shares)), shares))


def _meeting(writers: int) -> Callable[[BatchTask, str], None]:
    """Return a failpoint at which writers meet before they commit; it fails if one is missing."""
    barrier = Barrier(writers)

    def meet(task: BatchTask, place: str) -> None:
        if (task.batch_id, place) == (_BATCH, "before_sink_commit"):
            barrier.wait(_PATIENCE_SECONDS)

    return meet


def test_writers_do_not_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers of different users have all written every row before the first of them commits."""
    _write(database.settings, 0, 0, _visit(9, 1))
    monkeypatch.setattr(partition_module, "_failpoint", _meeting(_WRITERS))

    _write_all(database, [_visit(user, 10 * user) for user in range(1, _WRITERS + 1)])

    events = 2 * (_WRITERS + 1)
    assert database.ask(_FIGURES) == (
        events, events, events, events, events, _WRITERS + 1, _WRITERS + 1, 2 * (_WRITERS + 1),
    )  # fmt: skip
    assert set(rebuild(database.owner).values()) == {0}


def test_writers_with_one_number_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without different numbers, writers would wait for each other: the meeting shows it."""
    _write(database.settings, 0, 0, _visit(9, 1))
    monkeypatch.setattr(partition_module, "_failpoint", _meeting(2))
    monkeypatch.setattr(f"{__name__}._PATIENCE_SECONDS", 3.0)
    same = "SELECT set_config('clickstream.writer', '0', true)"
    monkeypatch.setattr(partition_module, "CLAIM_WRITER", same)

    with pytest.raises(BrokenBarrierError):
        _write_all(database, [_visit(user, 10 * user) for user in (1, 2)])


def test_user_in_many_partitions(database: Database) -> None:
    """Events of one session that come in several partitions at once are all counted once."""
    _write(database.settings, 0, 0, _visit(9, 1))

    _write_all(database, [_visit(1, 10 * part) for part in range(1, _WRITERS + 1)])

    events = 2 * (_WRITERS + 1)
    assert database.ask(_FIGURES)[:6] == (events, events, events, events, events, 2)
    assert database.ask("SELECT count(*), max(events) FROM mart.sessions") == (2, 2 * _WRITERS)
    assert set(rebuild(database.owner).values()) == {0}
