"""A batch: the task of one of its partitions, the outcome of that task, and the stored offsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clickstream_streaming.core.sql.batch_steps import STORE_OFFSETS
from clickstream_streaming.errors import DatabaseBehindCheckpoint
from clickstream_streaming.shell.checkpoint import QUERY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = [
    "LATENCY_BOUNDS_SECONDS",
    "OUTCOME",
    "BatchTask",
    "Outcome",
    "offsets_row",
    "reached_event_times",
    "store_offsets",
    "timestamp",
]

LATENCY_BOUNDS_SECONDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
OUTCOME = "outcome string"
"""The schema of a task's result as Spark's DDL: one JSON text, see :class:`Outcome`."""


@dataclass(frozen=True)
class BatchTask:
    """The batch of a task.

    Attributes:
        settings: All settings.
        query: The streaming query.
        checkpoint_id: Spark's id of the checkpoint.
        batch_id: The number of the batch.
        offsets_from: The end of the batch before; a partition without one is absent.
        offsets_until: The end of this batch.
        logs: The ends of Kafka's logs before the batch was read; empty if Kafka was not asked.
        driver_pid: The process that a failpoint kills.
    """

    settings: Settings
    query: str
    checkpoint_id: str
    batch_id: int
    offsets_from: Offsets
    offsets_until: Offsets
    driver_pid: int
    logs: LogPositions = field(default_factory=dict)


@dataclass
class Outcome:
    """The result of a task.

    Attributes:
        topic, partition: The partition.
        rows: Number of records.
        skipped: Number of offsets without a committed record.
        stored: Number of new events.
        duplicates: Number of events that were stored before.
        late: Number of new events before the watermark of their shard.
        rejects: Number of rejected records, by reason.
        latencies: Count and sum of the seconds from event to commit, by bucket of
            :data:`LATENCY_BOUNDS_SECONDS`.
        max_event_times: Run, shard and latest event time (Unix seconds); duplicates included.
        run_ids: Runs with an event, an expired event or a ledger record; duplicates included.
        arrived_at: When Kafka received the last record, Unix seconds.
        read_seconds, write_seconds: How long reading and writing took.
        is_repeated: Whether an earlier attempt had already stored the batch.
    """

    topic: str
    partition: int
    rows: int
    skipped: int
    stored: int
    duplicates: int
    late: int
    rejects: dict[str, int]
    latencies: list[tuple[int, float]]
    max_event_times: list[tuple[str, int, float]]
    run_ids: list[str]
    arrived_at: float
    read_seconds: float
    write_seconds: float
    is_repeated: bool = False


def store_offsets(
    cursor: Cursor, task: BatchTask, topic: str, partition: int, *, is_empty: bool = False
) -> None:
    """Store a partition's offsets in the transaction of its rows.

    Args:
        cursor: The cursor of the transaction.
        task: The batch.
        topic: The topic.
        partition: The partition.
        is_empty: Whether none of these offsets has a committed record.

    Raises:
        UniqueViolation: The offsets are already stored.
        DatabaseBehindCheckpoint: The stored offsets end before the batch begins: the database has
            lost the batches between.
    """
    row = offsets_row(task, topic, partition)
    began = row["from_offset"]
    skipped = row["until_offset"] - began if is_empty and began is not None else 0
    cursor.execute(STORE_OFFSETS, row | {"skipped": skipped})
    if not cursor.rowcount:
        raise DatabaseBehindCheckpoint(task.settings.checkpoint_dir / QUERY, task.batch_id - 1)


def offsets_row(task: BatchTask, topic: str, partition: int) -> dict[str, Any]:
    """Return the values of :data:`STORE_OFFSETS`."""
    log = task.logs.get((topic, partition))
    return {
        "query": task.query,
        "checkpoint_id": task.checkpoint_id,
        "batch_id": task.batch_id,
        "topic": topic,
        "partition": partition,
        "from_offset": task.offsets_from.get(topic, {}).get(partition),
        "until_offset": task.offsets_until[topic][partition],
        "topic_id": None if log is None else log.topic_id,
        "leader_epoch": None if log is None else log.leader_epoch,
    }


def reached_event_times(outcomes: Iterable[Outcome]) -> dict[tuple[str, int], float]:
    """Return the event time that all partitions have reached, by run and shard.

    A shard sends to all partitions, and a batch may read one partition further than another.
    Partitions without events of the shard do not count.
    """
    reached: dict[tuple[str, int], float] = {}
    for outcome in outcomes:
        for run_id, shard, seconds in outcome.max_event_times:
            reached[run_id, shard] = min(seconds, reached.get((run_id, shard), seconds))
    return dict(sorted(reached.items()))


def timestamp(unix_seconds: float) -> datetime:
    """Return a Unix time as a timestamp with time zone."""
    return datetime.fromtimestamp(unix_seconds, tz=UTC)
