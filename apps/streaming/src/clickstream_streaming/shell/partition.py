"""What becomes of one partition's share of a batch: one transaction, from records to tables.

Owns the work of a Spark task: it runs in a Python worker, beside the data, so that partitions
are read and written at the same time. It does not know Spark's batches beyond the offsets that
it is told, nor what the statements mean.
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
from clickstream_streaming.core.statements import (
    CLEAR_STAGES,
    COLUMN_TYPES,
    COUNT_BATCH,
    COUNT_EXPIRED,
    COUNT_SHARDS,
    CREATE_STAGES,
    EVENT_STEPS,
    FIND_KNOWN,
    FORGET_KNOWN,
    HOLD_DAYS,
    HOLD_ROWS,
    KEPT_SINCE,
    LEDGER_STEPS,
    NEW_EVENT_COLUMNS,
    RAW_COLUMNS,
    REJECT_COLUMNS,
    REJECT_STEPS,
    SHARE_ROWS,
    SHARED_STEPS,
    STORE_OFFSETS,
    STORED_AT,
    STORED_END,
)
from clickstream_streaming.core.validation import ValidatedBatch, validate
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
"""What a task answers with, as Spark's DDL: one JSON text, see :class:`Outcome`."""
_KNOWN_SOURCES = 100_000
"""Of so many, what was stored last is remembered; then all is forgotten and looked for again."""
_PORTION_BYTES = 64 << 20
"""Records are written in portions of about so much memory, however large they are."""
_DAYS_AT_ONCE = 50
"""Each day's table takes locks until its transaction ends, and PostgreSQL has room for a number."""
_RETRYABLE = (
    *DISCONNECTED,
    errors.UniqueViolation,
    errors.CheckViolation,
)
"""The database is away, two writers met in a circle, another stored the same event first, or a
day's table is gone that was there before: retention has dropped it."""


@dataclass(frozen=True)
class BatchTask:
    """What a task must know of the batch that it is part of.

    Attributes:
        settings: Where the database is.
        query: The streaming query.
        checkpoint_id: Spark's id of its checkpoint.
        batch_id: Number of the batch.
        offsets_from: Where the batch before ended; partitions of a first batch are not in it.
        offsets_until: Where this one ends.
        logs: The logs that are read, as they were before; empty if Kafka was not asked.
        driver_pid: Who is to die at a failpoint.
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
    """What a task has done.

    Attributes:
        topic, partition: What it has read.
        rows: Records.
        skipped: Offsets without a committed record.
        stored: Events that were new.
        duplicates: Events that were known.
        late: New events before the watermark of their shard.
        rejects: Records that are no events, by reason.
        latencies: Count and sum of seconds from event to commit, per bucket of
            :data:`LATENCY_BOUNDS_SECONDS`.
        max_event_times: Of each run and shard the latest event time, of known events too, Unix
            seconds.
        arrived_at: When Kafka got the last record, Unix seconds.
        read_seconds, write_seconds: How long it took to get the records, and to write them.
        is_repeated: Whether all of this was in the tables already.
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


class _Connections:
    """The connection that this worker process keeps, and what it knows of the tables.

    Attributes:
        open: The connection.
        days: Those known to have a table.
        reached: The last number that this process has stored, by run, shard and partition.
    """

    open: Connection | None = None
    days: frozenset[date] = frozenset()
    reached: ClassVar[dict[tuple[str, int, int], int]] = {}


def write_partition(task: BatchTask, batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Write the records of one partition; while the database is away it is tried again.

    Raises:
        DatabaseUnreachable: It stays away for five minutes.
    """
    began = time.monotonic()
    _settle_in()
    portions = _portions(task, batches, lambda: _patiently(task, lambda: _kept_since(task)))
    first = next(portions, None)
    if first is None:
        return
    read_seconds = time.monotonic() - began
    if first.is_last:
        outcome = _patiently(task, lambda: _write(task, iter([first])))
    else:
        outcome = _write_once(task, chain([first], portions))
    outcome.read_seconds = read_seconds
    outcome.write_seconds = time.monotonic() - began - read_seconds
    _fail(task, "after_sink_commit")
    yield pa.RecordBatch.from_pydict({"outcome": [json.dumps(vars(outcome))]})


def _patiently(task: BatchTask, work: Callable[[], _Result]) -> _Result:
    """Return the result of some work; repeat it on a new connection if it fails."""
    return retry(
        work,
        _RETRYABLE,
        GIVE_UP_SECONDS,
        f"cannot write batch {task.batch_id} of {task.query}",
        on_error=lambda _: _forget_connection(),
    )


def _write_once(task: BatchTask, portions: Iterator[_Read]) -> Outcome:
    """Write portions that cannot be read again; if it fails, Spark runs the task again."""
    try:
        return _write(task, portions)
    except _RETRYABLE:
        _forget_connection()
        raise


@cache
def _settle_in() -> None:
    """Make this process fit for many batches, once."""
    # One worker for each core is what Spark gives; threads of Arrow's would only be in their way.
    pa.set_cpu_count(1)
    # What is imported stays: the collector need not look through it again and again.
    gc.freeze()


@dataclass(frozen=True)
class _Read:
    """A portion of what a task gets from Kafka.

    Attributes:
        topic, partition: Where from.
        rows: Records.
        skipped: Offsets without a committed record; in the last portion also those behind it.
        arrived_at: When Kafka got the last record, Unix seconds.
        validated: What the records are.
        kept_since: Retention had dropped all days before, when they were validated.
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
) -> Iterator[_Read]:
    """Validate records as they come, in portions; keep the results, not the bytes.

    Args:
        task: What the records are part of.
        batches: The records.
        kept_since: Says since when days are kept; asked once, and only if there is a record.
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
        yield _Read(
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
    """Return how many offsets lie between ascending ones, and before the first of them.

    Args:
        offsets: Of records, in their order.
        following: The offset after the record before them.
    """
    steps = np.diff(offsets.to_numpy(), prepend=following - 1)
    return int(np.maximum(steps - 1, 0).sum())


def _kept_since(task: BatchTask) -> datetime | None:
    """Return the day before which retention has dropped all days; ``None`` if it has not."""
    with _connected(task) as connection, connection.cursor() as cursor:
        cursor.execute(KEPT_SINCE)
        row: tuple[datetime] | None = cursor.fetchone()
    return None if row is None else row[0]


def _connected(task: BatchTask) -> Connection:
    """Return the connection that this process keeps."""
    if _Connections.open is None:
        _Connections.open = connect(task.settings)
    return _Connections.open


def _write(task: BatchTask, portions: Iterator[_Read]) -> Outcome:
    """Write everything in one transaction."""
    read: _Read | None
    read = next(portions)
    outcome = Outcome(
        topic=read.topic,
        partition=read.partition,
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
    _make_days(connection, _missing_days(read.validated.events))
    written = _Written()
    with connection, connection.cursor() as cursor:
        cursor.execute(CREATE_STAGES)
        outcome.is_repeated = not _claim(cursor, task, outcome.topic, outcome.partition)
        cursor.execute(SHARE_ROWS if read.is_last else HOLD_ROWS)
        while read is not None:
            if outcome.rows:
                _prepare_next(cursor, task, read)
            _take_in(outcome, read, written)
            if not outcome.is_repeated:
                _store(cursor, read, outcome, written)
            read = None  # the next portion needs its memory
            read = next(portions, None)
        outcome.max_event_times = [(*key, seconds) for key, seconds in written.latest.items()]
        if outcome.is_repeated:
            return outcome
        counts = {"rejected": sum(outcome.rejects.values()), "ledger": written.ledger}
        cursor.execute(
            COUNT_BATCH,
            _offsets_row(task, outcome.topic, outcome.partition) | vars(outcome) | counts,
        )
        _fail(task, "before_sink_commit")
    if len(_Connections.reached) > _KNOWN_SOURCES:
        _Connections.reached.clear()
    _Connections.reached |= written.reached
    if written.event_times:
        _measure(outcome, pa.chunked_array(written.event_times))
    return outcome


@dataclass
class _Written:
    """What a transaction has written so far, beside its outcome.

    Attributes:
        latest: The latest event time of each run and shard, Unix seconds.
        reached: The last number of each run, shard and partition.
        event_times: Of the new events.
        ledger: Records of the ledger.
    """

    latest: dict[tuple[str, int], float] = field(default_factory=dict)
    reached: dict[tuple[str, int, int], int] = field(default_factory=dict)
    event_times: list[pa.Array] = field(default_factory=list)
    ledger: int = 0


def _prepare_next(cursor: Cursor, task: BatchTask, read: _Read) -> None:
    """Empty the stages, and make the days of a portion that is not the first."""
    cursor.execute(CLEAR_STAGES)
    missing = _missing_days(read.validated.events)
    if missing:
        with closing(connect(task.settings)) as apart:
            _make_days(apart, missing)


def _take_in(outcome: Outcome, read: _Read, written: _Written) -> None:
    """Count a portion's records, and how far its shards have come."""
    outcome.rows += read.rows
    outcome.skipped += read.skipped
    outcome.arrived_at = max(outcome.arrived_at, read.arrived_at)
    # Of known ones too: who has stored them may have died before the batch was closed.
    for run_id, shard, seconds in _max_event_times(read.validated.events):
        known = written.latest.get((run_id, shard), seconds)
        written.latest[run_id, shard] = max(known, seconds)


def _store(cursor: Cursor, read: _Read, outcome: Outcome, written: _Written) -> None:
    """Write one portion."""
    events = read.validated.events
    known = ChainMap(written.reached, _Connections.reached)
    reached, may_be_known = _numbers(events, read.partition, known)
    written.reached |= reached
    _hold_days(cursor, read)
    new_events, rows = _stage_new_events(cursor, events, may_be_known=may_be_known)
    outcome.stored += new_events.num_rows
    outcome.duplicates += events.num_rows - new_events.num_rows
    if new_events.num_rows:
        outcome.late += _write_events(cursor, new_events, rows)
        written.event_times += new_events["event_time"].chunks
    # Counts of rejects are rows that all writers want, too.
    _write_rest(cursor, read.validated, outcome)
    written.ledger += read.validated.ledger.num_rows


def _numbers(
    events: pa.Table, partition: int, stored: Mapping[tuple[str, int, int], int]
) -> tuple[dict[tuple[str, int, int], int], bool]:
    """Look how the events' numbers go on from those that this process has stored.

    A shard's events come in the order of their numbers, so one that comes again goes back. It is
    no proof: what is stored already after all breaks the key of ``raw.events``, and the
    transaction is tried again by a process that has forgotten what it knew.

    Args:
        events: The events.
        partition: Where they come from.
        stored: The last number that is stored, by run, shard and partition.

    Returns:
        The last numbers of each run, shard and partition, and whether any may be stored already.
    """
    numbers = events.group_by(["run_id", "shard"]).aggregate(
        [("shard_seq", "min"), ("shard_seq", "max")]
    )
    reached, goes_back = {}, False
    for row in numbers.to_pylist():
        source = (row["run_id"], row["shard"], partition)
        known = stored.get(source)
        goes_back |= known is None or row["shard_seq_min"] <= known
        reached[source] = max(row["shard_seq_max"], known or 0)
    return reached, goes_back


def _missing_days(events: pa.Table) -> list[date]:
    """Return the days of events that are not known to have a table."""
    # Only those that occur: one event of long ago does not ask for all the years since.
    days = frozenset(pc.unique(events["event_time"].cast(pa.date32())).to_pylist())
    return sorted(days - _Connections.days)


def _make_days(connection: Connection, days: list[date]) -> None:
    """Make days' tables, some in each transaction: each takes locks until its end."""
    for at in range(0, len(days), _DAYS_AT_ONCE):
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT ops.ensure_event_partitions(day, day) FROM unnest(%s::date[]) AS day",
                (days[at : at + _DAYS_AT_ONCE],),
            )
    _Connections.days |= frozenset(days)


def _claim(cursor: Cursor, task: BatchTask, topic: str, partition: int) -> bool:
    """Note the offsets, before all else; say whether nobody has done so before.

    Raises:
        CheckpointBehindDatabase: Somebody has, and with another end: what lies between is not ours
            to pass over.
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
    """Note a partition's offsets, in the transaction of its rows.

    Args:
        cursor: Of the transaction.
        task: What was read.
        topic: Where.
        partition: Where.
        is_empty: Whether none of these offsets has a committed record.

    Raises:
        UniqueViolation: They are noted already.
        DatabaseBehindCheckpoint: What is stored does not end where the batch begins: what lies
            between was lost by the database, and is not to be passed over.
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


def _hold_days(cursor: Cursor, read: _Read) -> None:
    """Let no day be dropped until the transaction ends.

    Raises:
        DaysDropped: A day of these events was dropped since they were validated.
    """
    cursor.execute(HOLD_DAYS)
    (kept_since,) = cursor.fetchone() or (None,)
    events = read.validated.events
    if kept_since == read.kept_since or kept_since is None or not events.num_rows:
        return
    if _unix_seconds(events["event_time"]).min() < kept_since.timestamp():
        raise DaysDropped(kept_since.date())


def _stage_new_events(
    cursor: Cursor, events: pa.Table, *, may_be_known: bool
) -> tuple[pa.Table, BinaryRows]:
    """Put the events that are new into ``new_events``; of two with the same id the first counts.

    Args:
        cursor: Of the transaction.
        events: What has come.
        may_be_known: Whether some of it may be stored already.

    Returns:
        Them, and their rows.
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
    cursor.execute(FORGET_KNOWN, (known,))
    events = events.filter(pc.invert(pc.is_in(events["number"], pa.array(known, pa.int32()))))
    return events, BinaryRows(events, COLUMN_TYPES)


def _write_rest(cursor: Cursor, validated: ValidatedBatch, outcome: Outcome) -> None:
    """Write what is no event: rejects and the ledger."""
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
    """Write events and all that follows from them; return how many are late."""
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


def _max_event_times(events: pa.Table) -> list[tuple[str, int, float]]:
    """Return run, shard and the latest event time of each shard, Unix seconds."""
    latest = events.group_by(["run_id", "shard"]).aggregate([("event_time", "max")])
    seconds = _unix_seconds(latest["event_time_max"]).tolist()
    return list(
        zip(latest["run_id"].to_pylist(), latest["shard"].to_pylist(), seconds, strict=True)
    )


def reached_event_times(outcomes: Iterable[Outcome]) -> dict[tuple[str, int], float]:
    """Return, by run and shard, the event time that every partition with events of it has reached.

    A shard sends to all partitions, and a batch may read one of them further than another.
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


def _measure(outcome: Outcome, event_time: pa.ChunkedArray) -> None:
    """Measure how long events took until now, when they are committed."""
    seconds = _unix_seconds(event_time)
    # A clock that was set back does not make them come before they happened.
    taken = np.maximum(time.time() - seconds, 0.0)
    bucket = np.searchsorted(LATENCY_BOUNDS_SECONDS, taken)
    size = len(LATENCY_BOUNDS_SECONDS) + 1
    counts = np.bincount(bucket, minlength=size)
    sums = np.bincount(bucket, weights=taken, minlength=size)
    outcome.latencies = list(zip(counts.tolist(), sums.tolist(), strict=True))


def _forget_connection() -> None:
    if _Connections.open is not None:
        _Connections.open.close()
        _Connections.open = None
    _Connections.days = frozenset()
    _Connections.reached.clear()


def _fail(task: BatchTask, place: str) -> None:
    """Let the job die here, if a test wants that."""
    wanted = task.settings
    if wanted.failpoint == place and task.batch_id >= wanted.failpoint_batch:
        os.kill(task.driver_pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def timestamp(unix_seconds: float) -> datetime:
    """Return a moment as PostgreSQL takes it."""
    return datetime.fromtimestamp(unix_seconds, tz=UTC)
