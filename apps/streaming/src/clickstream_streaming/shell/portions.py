"""The records of a task in portions: validated as they come, so that a task needs little memory."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickstream_streaming.core.validation.batch import ValidatedBatch, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from clickstream_streaming.shell.batch import BatchTask

__all__ = ["Portion", "latest_event_times", "portions", "unix_seconds"]

_PORTION_BYTES = 64 << 20
"""A task writes its records in portions of about this much memory."""


@dataclass(frozen=True)
class Portion:
    """A portion of a task's records.

    Attributes:
        topic, partition: The partition.
        rows: Number of records.
        skipped: Number of offsets without a committed record; the last portion includes those after
            its last record.
        arrived_at: When Kafka received the last record, Unix seconds.
        validated: The validated records.
        kept_since: The first day that retention had kept when the records were validated.
        is_last: Whether no other portion follows.
    """

    topic: str
    partition: int
    rows: int
    skipped: int
    arrived_at: float
    validated: ValidatedBatch
    kept_since: datetime | None
    is_last: bool = True


def portions(
    task: BatchTask,
    batches: Iterable[pa.RecordBatch],
    kept_since: Callable[[], datetime | None],
) -> Iterator[Portion]:
    """Validate records as they come, in portions; keep the results, not the bytes.

    Args:
        task: The batch.
        batches: The records.
        kept_since: Returns the first kept day; called once, and only if there is a record.
    """
    batches = filter(attrgetter("num_rows"), batches)
    batch = next(batches, None)
    if batch is None:
        return
    topic, partition = batch["topic"][0].as_py(), batch["partition"][0].as_py()
    kept = kept_since()
    mark = None if kept is None else np.datetime64(kept.replace(tzinfo=None), "us")
    oldest_days = task.settings.oldest_event_days
    following = task.offsets_from.get(topic, {}).get(partition, batch["offset"][0].as_py())
    while batch is not None:
        parts: list[ValidatedBatch] = []
        rows, skipped, arrived_at = 0, 0, 0.0
        while batch is not None and sum(part.nbytes for part in parts) < _PORTION_BYTES:
            rows += batch.num_rows
            skipped += _skipped(batch["offset"], following)
            following = batch["offset"][-1].as_py() + 1
            arrived_at = max(arrived_at, pc.max(batch["timestamp"]).as_py().timestamp())
            parts.append(validate(batch, kept_since=mark, oldest_days=oldest_days))
            batch = next(batches, None)
        if batch is None:
            skipped += task.offsets_until[topic][partition] - following
        yield Portion(
            topic,
            partition,
            rows,
            skipped,
            arrived_at,
            ValidatedBatch.joined(parts),
            kept,
            is_last=batch is None,
        )


def _skipped(offsets: pa.Array, following: int) -> int:
    """Return the number of offsets without a record.

    Args:
        offsets: The records' offsets, ascending.
        following: The offset after the last record of the batch before.
    """
    steps = np.diff(offsets.to_numpy(), prepend=following - 1)
    return int(np.maximum(steps - 1, 0).sum())


def latest_event_times(events: pa.Table) -> list[tuple[str, int, float]]:
    """Return the latest event time of each run and shard, Unix seconds."""
    latest = events.group_by(["run_id", "shard"]).aggregate([("event_time", "max")])
    seconds = unix_seconds(latest["event_time_max"]).tolist()
    return list(
        zip(latest["run_id"].to_pylist(), latest["shard"].to_pylist(), seconds, strict=True)
    )


def unix_seconds(event_time: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return timestamps as Unix seconds."""
    seconds: np.ndarray[Any, np.dtype[np.float64]] = (
        pc.cast(event_time, pa.int64()).to_numpy() / 1e6
    )
    return seconds
