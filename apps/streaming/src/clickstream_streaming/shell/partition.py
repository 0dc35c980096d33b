"""The task that writes one partition of a batch to the database, in one transaction.

Owns the work of a Spark task. It runs in a Python worker beside the data, so that Spark reads and
writes several partitions at the same time.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import time
from collections import ChainMap
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import errors

from clickstream_streaming.core.arrivals import arrivals_of
from clickstream_streaming.core.binary_rows import BinaryRows
from clickstream_streaming.core.sql.batch_steps import (
    COUNT_BATCH,
    COUNT_EXPIRED,
    COUNT_SHARDS,
    KEPT_SINCE,
    LEDGER_STEPS,
    LOCK_DAYS,
    LOCK_ROWS,
    LOCK_ROWS_SHARED,
    REJECT_STEPS,
    STORE_OFFSETS,
    STORED_AT,
    STORED_END,
)
from clickstream_streaming.core.sql.mart_steps import EVENT_STEPS, SHARED_STEPS
from clickstream_streaming.core.sql.stages import (
    CLEAR_STAGES,
    COLUMN_TYPES,
    CREATE_STAGES,
    DELETE_KNOWN,
    FIND_KNOWN,
    NEW_EVENT_COLUMNS,
    RAW_COLUMNS,
    REJECT_COLUMNS,
)
from clickstream_streaming.core.validation.batch import ValidatedBatch, validate
from clickstream_streaming.errors import (
    CheckpointBehindDatabase,
    DatabaseBehindCheckpoint,
    DaysDropped,
)
from clickstream_streaming.shell.checkpoint import QUERY
from clickstream_streaming.shell.database import DISCONNECTED, connect, copy_rows
from clickstream_streaming.shell.retry import GIVE_UP_SECONDS, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = [
    "LATENCY_BOUNDS_SECONDS",
    "OUTCOME",
    "BatchTask",
    "Outcome",
    "reached_event_times",
    "store_offsets",
    "timestamp",
    "write_partition",
]

_Result = TypeVar("_Result")

LATENCY_BOUNDS_SECONDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
OUTCOME = "outcome string"
"""The schema of a task's result as Spark's DDL: one JSON text, see :class:`Outcome`."""
_MOST_HIGH_WATER_MARKS = 100_000
"""A worker with more high-water marks clears them, and looks its next events up in the table."""
_PORTION_BYTES = 64 << 20
"""A task writes its records in portions of about this much memory."""
_PARTITIONS_PER_TRANSACTION = 50
"""Each day's table takes locks until the transaction ends, and PostgreSQL has a limited number."""
_RETRYABLE = (
    *DISCONNECTED,
    errors.UniqueViolation,
    errors.CheckViolation,
)
"""Errors after which a new transaction can succeed: the database does not answer, two writers wait
for each other, another writer stored the same event first, or retention dropped a day's table."""


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
    arrived_at: float
    read_seconds: float
    write_seconds: float
    is_repeated: bool = False


class _Worker:
    """The state that a worker process keeps between batches.

    Attributes:
        connection: The connection to the database.
        days: Days that have a table.
        high_water_marks: The highest ``shard_seq`` that this process has stored, by run, shard and
            partition.
    """

    connection: Connection | None = None
    days: frozenset[date] = frozenset()
    high_water_marks: ClassVar[dict[tuple[str, int, int], int]] = {}


def write_partition(task: BatchTask, batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Write the records of one partition; repeat while the database does not answer.

    Raises:
        DatabaseUnreachable: The database does not answer for five minutes.
    """
    began = time.monotonic()
    _init_worker()
    portions = _portions(task, batches, lambda: _with_retries(task, lambda: _kept_since(task)))
    first = next(portions, None)
    if first is None:
        return
    read_seconds = time.monotonic() - began
    if first.is_last:
        outcome = _with_retries(task, lambda: _write(task, iter([first])))
    else:
        outcome = _write_once(task, chain([first], portions))
    outcome.read_seconds = read_seconds
    outcome.write_seconds = time.monotonic() - began - read_seconds
    _failpoint(task, "after_sink_commit")
    yield pa.RecordBatch.from_pydict({"outcome": [json.dumps(vars(outcome))]})


def _with_retries(task: BatchTask, work: Callable[[], _Result]) -> _Result:
    """Return the result of some work; repeat it on a new connection if it fails."""
    return retry(
        work,
        _RETRYABLE,
        GIVE_UP_SECONDS,
        f"cannot write batch {task.batch_id} of {task.query}",
        on_error=lambda _: _reset_worker(),
    )


def _write_once(task: BatchTask, portions: Iterator[_Portion]) -> Outcome:
    """Write portions that cannot be read a second time; after a failure Spark repeats the task."""
    try:
        return _write(task, portions)
    except _RETRYABLE:
        _reset_worker()
        raise


@cache
def _init_worker() -> None:
    """Configure this worker process, once."""
    # Spark starts one worker per core: more threads of Arrow would compete with them.
    pa.set_cpu_count(1)
    # Imported objects live as long as the process: exclude them from garbage collection.
    gc.freeze()


@dataclass(frozen=True)
class _Portion:
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


def _portions(
    task: BatchTask,
    batches: Iterable[pa.RecordBatch],
    kept_since: Callable[[], datetime | None],
) -> Iterator[_Portion]:
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
        yield _Portion(
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


def _kept_since(task: BatchTask) -> datetime | None:
    """Return the first day that retention has kept; ``None`` if it has kept all days."""
    with _connected(task) as connection, connection.cursor() as cursor:
        cursor.execute(KEPT_SINCE)
        row: tuple[datetime] | None = cursor.fetchone()
    return None if row is None else row[0]


def _connected(task: BatchTask) -> Connection:
    """Return the worker's connection; open it first if necessary."""
    if _Worker.connection is None:
        _Worker.connection = connect(task.settings)
    return _Worker.connection


def _write(task: BatchTask, portions: Iterator[_Portion]) -> Outcome:
    """Write all portions in one transaction; return the result."""
    portion: _Portion | None
    portion = next(portions)
    outcome = Outcome(
        topic=portion.topic,
        partition=portion.partition,
        rows=0,
        skipped=0,
        stored=0,
        duplicates=0,
        late=0,
        rejects={},
        latencies=[],
        max_event_times=[],
        arrived_at=0.0,
        read_seconds=0.0,
        write_seconds=0.0,
    )
    connection = _connected(task)
    _ensure_partitions(connection, _missing_partitions(portion.validated.events))
    written = _Written()
    with connection, connection.cursor() as cursor:
        cursor.execute(CREATE_STAGES)
        outcome.is_repeated = not _claim_offsets(cursor, task, outcome.topic, outcome.partition)
        cursor.execute(LOCK_ROWS_SHARED if portion.is_last else LOCK_ROWS)
        while portion is not None:
            if outcome.rows:
                _prepare_next(cursor, task, portion)
            _count_portion(outcome, portion, written)
            if not outcome.is_repeated:
                _store(cursor, portion, outcome, written)
            portion = None  # frees its memory for the next portion
            portion = next(portions, None)
        outcome.max_event_times = [(*key, seconds) for key, seconds in written.latest.items()]
        if outcome.is_repeated:
            return outcome
        counts = {"rejected": sum(outcome.rejects.values()), "ledger": written.ledger}
        cursor.execute(
            COUNT_BATCH,
            _offsets_row(task, outcome.topic, outcome.partition) | vars(outcome) | counts,
        )
        _failpoint(task, "before_sink_commit")
    if len(_Worker.high_water_marks) > _MOST_HIGH_WATER_MARKS:
        _Worker.high_water_marks.clear()
    _Worker.high_water_marks |= written.high_water_marks
    if written.event_times:
        _measure_latencies(outcome, pa.chunked_array(written.event_times))
    return outcome


@dataclass
class _Written:
    """Intermediate results of a transaction.

    Attributes:
        latest: The latest event time of each run and shard, Unix seconds.
        high_water_marks: The highest ``shard_seq`` of each run, shard and partition.
        event_times: The times of new events.
        ledger: Number of ledger records.
    """

    latest: dict[tuple[str, int], float] = field(default_factory=dict)
    high_water_marks: dict[tuple[str, int, int], int] = field(default_factory=dict)
    event_times: list[pa.Array] = field(default_factory=list)
    ledger: int = 0


def _prepare_next(cursor: Cursor, task: BatchTask, portion: _Portion) -> None:
    """Empty the staging tables and create the missing partitions for the next portion."""
    cursor.execute(CLEAR_STAGES)
    missing = _missing_partitions(portion.validated.events)
    if missing:
        with closing(connect(task.settings)) as other:
            _ensure_partitions(other, missing)


def _count_portion(outcome: Outcome, portion: _Portion, written: _Written) -> None:
    """Add a portion's records and latest event times to the totals."""
    outcome.rows += portion.rows
    outcome.skipped += portion.skipped
    outcome.arrived_at = max(outcome.arrived_at, portion.arrived_at)
    # Includes duplicates: the process that stored them may have died before the batch was final.
    for run_id, shard, seconds in _latest_event_times(portion.validated.events):
        known = written.latest.get((run_id, shard), seconds)
        written.latest[run_id, shard] = max(known, seconds)


def _store(cursor: Cursor, portion: _Portion, outcome: Outcome, written: _Written) -> None:
    """Write one portion."""
    events = portion.validated.events
    known = ChainMap(written.high_water_marks, _Worker.high_water_marks)
    marks, may_be_known = _update_high_water_marks(events, portion.partition, known)
    written.high_water_marks |= marks
    _lock_days(cursor, portion)
    new_events, rows = _stage_new_events(cursor, events, may_be_known=may_be_known)
    outcome.stored += new_events.num_rows
    outcome.duplicates += events.num_rows - new_events.num_rows
    if new_events.num_rows:
        outcome.late += _write_events(cursor, new_events, rows)
        written.event_times += new_events["event_time"].chunks
    # Last, since all writers update the rows that count rejects.
    _write_rejects_and_ledger(cursor, portion.validated, outcome)
    written.ledger += portion.validated.ledger.num_rows


def _update_high_water_marks(
    events: pa.Table, partition: int, stored: Mapping[tuple[str, int, int], int]
) -> tuple[dict[tuple[str, int, int], int], bool]:
    """Return the new high-water marks, and whether an event may be a duplicate.

    A shard sends its events in the order of ``shard_seq``, so a number that is not above the
    high-water mark may be a duplicate. If a duplicate slips through, the primary key of
    ``raw.events`` aborts the transaction; the retry has no marks and looks every event up.

    Args:
        events: The events.
        partition: Their partition.
        stored: The high-water marks so far, by run, shard and partition.
    """
    numbers = events.group_by(["run_id", "shard"]).aggregate(
        [("shard_seq", "min"), ("shard_seq", "max")]
    )
    marks, may_be_known = {}, False
    for row in numbers.to_pylist():
        source = (row["run_id"], row["shard"], partition)
        known = stored.get(source)
        may_be_known |= known is None or row["shard_seq_min"] <= known
        marks[source] = max(row["shard_seq_max"], known or 0)
    return marks, may_be_known


def _missing_partitions(events: pa.Table) -> list[date]:
    """Return the days of events without a known table."""
    # Not the whole range: one very old event must not create tables for all years since.
    days = frozenset(pc.unique(events["event_time"].cast(pa.date32())).to_pylist())
    return sorted(days - _Worker.days)


def _ensure_partitions(connection: Connection, days: list[date]) -> None:
    """Create the tables of days, a few per transaction: each table takes locks until its end."""
    for at in range(0, len(days), _PARTITIONS_PER_TRANSACTION):
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT ops.ensure_event_partitions(day, day) FROM unnest(%s::date[]) AS day",
                (days[at : at + _PARTITIONS_PER_TRANSACTION],),
            )
    _Worker.days |= frozenset(days)


def _claim_offsets(cursor: Cursor, task: BatchTask, topic: str, partition: int) -> bool:
    """Store the offsets as the first statement; return false if they were stored before.

    Raises:
        CheckpointBehindDatabase: The database has the batch with another end.
        DatabaseBehindCheckpoint: The database has lost the batch before.
    """
    cursor.execute("SAVEPOINT claim")
    try:
        store_offsets(cursor, task, topic, partition)
    except errors.UniqueViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT claim")
        row = _offsets_row(task, topic, partition)
        cursor.execute(STORED_END, row)
        (end,) = cursor.fetchone() or (None,)
        if end != row["until_offset"]:
            raise CheckpointBehindDatabase(task.settings.checkpoint_dir, task.batch_id) from None
        return False
    return True


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
    row = _offsets_row(task, topic, partition)
    began = row["from_offset"]
    skipped = row["until_offset"] - began if is_empty and began is not None else 0
    cursor.execute(STORE_OFFSETS, row | {"skipped": skipped})
    if not cursor.rowcount:
        raise DatabaseBehindCheckpoint(task.settings.checkpoint_dir / QUERY, task.batch_id - 1)


def _offsets_row(task: BatchTask, topic: str, partition: int) -> dict[str, Any]:
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


def _lock_days(cursor: Cursor, portion: _Portion) -> None:
    """Keep retention from dropping a day until the transaction ends.

    Raises:
        DaysDropped: Retention has dropped a day of these events since their validation.
    """
    cursor.execute(LOCK_DAYS)
    (kept_since,) = cursor.fetchone() or (None,)
    events = portion.validated.events
    if kept_since == portion.kept_since or kept_since is None or not events.num_rows:
        return
    if _unix_seconds(events["event_time"]).min() < kept_since.timestamp():
        raise DaysDropped(kept_since.date())


def _stage_new_events(
    cursor: Cursor, events: pa.Table, *, may_be_known: bool
) -> tuple[pa.Table, BinaryRows]:
    """Stage the events that are not stored yet; of several with one id, the first.

    Args:
        cursor: The cursor of the transaction.
        events: The events.
        may_be_known: Whether some of the events may be stored already.

    Returns:
        The new events, and their rows for COPY.
    """
    if not events.num_rows:
        return events, BinaryRows(events, COLUMN_TYPES)
    numbers = np.arange(events.num_rows, dtype=np.int32)
    events = events.append_column("number", pa.array(numbers))
    if pc.count_distinct(events["event_id"]).as_py() < events.num_rows:
        grouped = events.group_by(["event_id", "event_time"]).aggregate([("number", "min")])
        events = events.take(np.sort(grouped["number_min"].to_numpy()))
    rows = BinaryRows(events, COLUMN_TYPES)
    copy_rows(cursor, "new_events", rows, NEW_EVENT_COLUMNS)
    if not may_be_known:
        return events, rows
    cursor.execute(FIND_KNOWN)
    known = [number for (number,) in cursor.fetchall()]
    if not known:
        return events, rows
    cursor.execute(DELETE_KNOWN, (known,))
    events = events.filter(pc.invert(pc.is_in(events["number"], pa.array(known, pa.int32()))))
    return events, BinaryRows(events, COLUMN_TYPES)


def _write_rejects_and_ledger(cursor: Cursor, validated: ValidatedBatch, outcome: Outcome) -> None:
    """Write rejects and ledger records."""
    if validated.rejects.num_rows:
        for row in pc.value_counts(validated.rejects["reason"]).to_pylist():
            reason = row["values"]
            outcome.rejects[reason] = outcome.rejects.get(reason, 0) + row["counts"]
        rejects = BinaryRows(validated.rejects, COLUMN_TYPES)
        copy_rows(cursor, "staged_rejects", rejects, REJECT_COLUMNS)
        for step in REJECT_STEPS:
            cursor.execute(step)
    if validated.expired.num_rows:
        cursor.execute(COUNT_EXPIRED, validated.expired.to_pydict())
    if validated.ledger.num_rows:
        ledger = BinaryRows(validated.ledger, COLUMN_TYPES)
        copy_rows(cursor, "staged_ledger", ledger, validated.ledger.column_names)
        for step in LEDGER_STEPS:
            cursor.execute(step)


def _write_events(cursor: Cursor, new_events: pa.Table, rows: BinaryRows) -> int:
    """Write new events and all rows that follow from them; return the number of late events."""
    for step in EVENT_STEPS:
        cursor.execute(step)
    copy_rows(cursor, "raw.events", rows, RAW_COLUMNS)
    for step in SHARED_STEPS:
        cursor.execute(step)
    first = new_events["event_id"][0].as_py(), new_events["event_time"][0].as_py()
    cursor.execute(STORED_AT, first)
    (ingested_at,) = cursor.fetchone() or (None,)
    cursor.execute(COUNT_SHARDS, arrivals_of(new_events, ingested_at))
    (late,) = cursor.fetchone() or (0,)
    return int(late)


def _latest_event_times(events: pa.Table) -> list[tuple[str, int, float]]:
    """Return the latest event time of each run and shard, Unix seconds."""
    latest = events.group_by(["run_id", "shard"]).aggregate([("event_time", "max")])
    seconds = _unix_seconds(latest["event_time_max"]).tolist()
    return list(
        zip(latest["run_id"].to_pylist(), latest["shard"].to_pylist(), seconds, strict=True)
    )


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


def _unix_seconds(event_time: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    seconds: np.ndarray[Any, np.dtype[np.float64]] = (
        pc.cast(event_time, pa.int64()).to_numpy() / 1e6
    )
    return seconds


def _measure_latencies(outcome: Outcome, event_time: pa.ChunkedArray) -> None:
    """Measure the time from each event until now, right after the commit."""
    seconds = _unix_seconds(event_time)
    # A clock that was set back must not give a negative latency.
    taken = np.maximum(time.time() - seconds, 0.0)
    bucket = np.searchsorted(LATENCY_BOUNDS_SECONDS, taken)
    size = len(LATENCY_BOUNDS_SECONDS) + 1
    counts = np.bincount(bucket, minlength=size)
    sums = np.bincount(bucket, weights=taken, minlength=size)
    outcome.latencies = list(zip(counts.tolist(), sums.tolist(), strict=True))


def _reset_worker() -> None:
    """Close the connection and clear all knowledge about the tables."""
    if _Worker.connection is not None:
        _Worker.connection.close()
        _Worker.connection = None
    _Worker.days = frozenset()
    _Worker.high_water_marks.clear()


def _failpoint(task: BatchTask, place: str) -> None:
    """Kill the job at this place if a test has asked for it."""
    settings = task.settings
    if settings.failpoint == place and task.batch_id >= settings.failpoint_batch:
        os.kill(task.driver_pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def timestamp(unix_seconds: float) -> datetime:
    """Return a Unix time as a timestamp with time zone."""
    return datetime.fromtimestamp(unix_seconds, tz=UTC)
