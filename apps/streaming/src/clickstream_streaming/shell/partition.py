"""What becomes of one partition's share of a batch: one transaction, from records to tables.

Owns the work of a Spark task: it runs in a Python worker, beside the data, so that partitions
are read and written at the same time. It does not know Spark's batches beyond the offsets that
it is told, nor what the statements mean.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import errors

from clickstream_streaming.core.statements import (
    CREATE_STAGES,
    EVENT_STEPS,
    FIND_KNOWN,
    FRESH_COLUMNS,
    LEDGER_STEPS,
    RAW_COLUMNS,
    REJECT_COLUMNS,
    REJECT_STEPS,
    SHARED_STEPS,
    STORE_OFFSETS,
)
from clickstream_streaming.errors import DatabaseUnreachable
from clickstream_streaming.shell.database import connect, copy_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = [
    "LATENCY_BOUNDS_SECONDS",
    "OUTCOME",
    "BatchTask",
    "Outcome",
    "offsets_row",
    "timestamp",
    "write_partition",
]

_LOG = logging.getLogger(__name__)

LATENCY_BOUNDS_SECONDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
OUTCOME = "outcome string"
"""What a task answers with, as Spark's DDL: one JSON text, see :class:`Outcome`."""
_RETRY_SECONDS = 1.0
_GIVE_UP_SECONDS = 300.0
_WRITE_AGAIN = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    DatabaseUnreachable,
    errors.UniqueViolation,
)
"""The database is away, two writers met in a circle, or another stored the same event first."""


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
        late_before: Unix seconds; what happened before is behind the watermark.
        driver_pid: Who is to die at a failpoint.
    """

    settings: Settings
    query: str
    checkpoint_id: str
    batch_id: int
    offsets_from: Offsets
    offsets_until: Offsets
    late_before: float | None
    driver_pid: int


@dataclass
class Outcome:
    """What a task has done.

    Attributes:
        topic, partition: What it has read.
        rows: Records.
        stored: Events that were new.
        duplicates: Events that were known.
        late: New events behind the watermark.
        rejects: Records that are no events, by reason.
        latencies: Count and sum of seconds from event to commit, per bucket of
            :data:`LATENCY_BOUNDS_SECONDS`.
        max_event_time: The latest event time, Unix seconds.
        arrived_at: When Kafka got the last record, Unix seconds.
        read_seconds, write_seconds: How long it took to get the records, and to write them.
        is_repeated: Whether all of this was in the tables already.
    """

    topic: str
    partition: int
    rows: int
    stored: int
    duplicates: int
    late: int
    rejects: dict[str, int]
    latencies: list[tuple[int, float]]
    max_event_time: float | None
    arrived_at: float
    read_seconds: float
    write_seconds: float
    is_repeated: bool = False


class _Connections:
    """The connection that this worker process keeps, and the days known to have a table."""

    open: Connection | None = None
    days: frozenset[date] = frozenset()


def write_partition(task: BatchTask, batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Write the records of one partition; while the database is away it is tried again.

    Raises:
        DatabaseUnreachable: It stays away for five minutes.
    """
    began = time.monotonic()
    parts = list(batches)
    if not sum(part.num_rows for part in parts):
        return
    records = pa.Table.from_batches(parts)
    read_seconds = time.monotonic() - began
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while True:
        try:
            outcome = _write(task, records)
            break
        except _WRITE_AGAIN as error:
            _forget_connection()
            if time.monotonic() > deadline:
                raise
            _LOG.warning("batch %d of %s is tried again: %s", task.batch_id, task.query, error)
            time.sleep(_RETRY_SECONDS)
    outcome.read_seconds = read_seconds
    outcome.write_seconds = time.monotonic() - began - read_seconds
    _fail(task, "after_sink_commit")
    yield pa.RecordBatch.from_pydict({"outcome": [json.dumps(vars(outcome))]})


def _write(task: BatchTask, records: pa.Table) -> Outcome:
    """Write everything in one transaction."""
    topic, partition = records["topic"][0].as_py(), records["kafka_partition"][0].as_py()
    outcome = Outcome(
        topic=topic,
        partition=partition,
        rows=records.num_rows,
        stored=0,
        duplicates=0,
        late=0,
        rejects={},
        latencies=[],
        max_event_time=None,
        arrived_at=pc.max(records["kafka_timestamp"]).as_py().timestamp(),
        read_seconds=0.0,
        write_seconds=0.0,
    )
    if _Connections.open is None:
        _Connections.open = connect(task.settings)
    connection = _Connections.open
    events = _where_valid(records, "event_id")
    _see_to_days(connection, events)
    with connection, connection.cursor() as cursor:
        cursor.execute(CREATE_STAGES)
        if not _claim(cursor, task, topic, partition):
            outcome.is_repeated = True
            return outcome
        fresh = _fresh(cursor, events)
        outcome.stored = fresh.num_rows
        outcome.duplicates = events.num_rows - fresh.num_rows
        _write_rest(cursor, records, outcome)
        if fresh.num_rows:
            _write_events(cursor, fresh)
        _fail(task, "before_sink_commit")
    if fresh.num_rows:
        _measure(outcome, fresh["event_time"], task.late_before)
    return outcome


def _where_valid(records: pa.Table, column: str) -> pa.Table:
    """Return the rows that have a value in a column; all of them without copying."""
    missing = records[column].null_count
    if missing == records.num_rows:
        return records.slice(0, 0)
    return records.filter(pc.is_valid(records[column])) if missing else records


def _see_to_days(connection: Connection, events: pa.Table) -> None:
    """Make the days' tables that are missing, in a transaction of its own: it waits for all."""
    if not events.num_rows:
        return
    bounds = pc.min_max(events["event_time"])
    first, last = bounds["min"].as_py().date(), bounds["max"].as_py().date()
    days = frozenset(first + timedelta(days=at) for at in range((last - first).days + 1))
    if not days <= _Connections.days:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT ops.ensure_event_partitions(%s, %s)", (first, last))
        _Connections.days |= days


def _claim(cursor: Cursor, task: BatchTask, topic: str, partition: int) -> bool:
    """Note the offsets, before all else; say whether nobody has done so before."""
    cursor.execute("SAVEPOINT claim")
    try:
        cursor.execute(STORE_OFFSETS, offsets_row(task, topic, partition))
    except errors.UniqueViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT claim")
        return False
    return True


def offsets_row(task: BatchTask, topic: str, partition: int) -> dict[str, Any]:
    """Return the values of :data:`STORE_OFFSETS`."""
    return {
        "query": task.query,
        "checkpoint_id": task.checkpoint_id,
        "batch_id": task.batch_id,
        "topic": topic,
        "partition": partition,
        "from_offset": task.offsets_from.get(topic, {}).get(partition),
        "until_offset": task.offsets_until[topic][partition],
    }


def _fresh(cursor: Cursor, events: pa.Table) -> pa.Table:
    """Return the events that are new; of two with the same id the first counts."""
    if not events.num_rows:
        return events
    keys = events.select(["event_id", "event_time"])
    numbered = keys.append_column("number", pa.array(np.arange(events.num_rows, dtype=np.int32)))
    first = numbered
    if pc.count_distinct(events["event_id"]).as_py() < events.num_rows:
        grouped = numbered.group_by(["event_id", "event_time"]).aggregate([("number", "min")])
        first = grouped.rename_columns({"number_min": "number"})
    copy_table(cursor, "arrived", first.select(["event_id", "event_time", "number"]))
    cursor.execute(FIND_KNOWN)
    is_new = np.zeros(events.num_rows, dtype=bool)
    is_new[first["number"].to_numpy()] = True
    is_new[[number for (number,) in cursor.fetchall()]] = False
    return events if is_new.all() else events.filter(pa.array(is_new))


def _write_rest(cursor: Cursor, records: pa.Table, outcome: Outcome) -> None:
    """Write what is no event: rejects and the ledger."""
    rejected = _where_valid(records, "reason")
    if rejected.num_rows:
        counts = pc.value_counts(rejected["reason"]).to_pylist()
        outcome.rejects = {row["values"]: row["counts"] for row in counts}
        copy_table(cursor, "rejected", rejected.select(list(REJECT_COLUMNS)))
        for step in REJECT_STEPS:
            cursor.execute(step)
    told = _where_valid(records, "ledger")
    if told.num_rows:
        copy_table(cursor, "told", told.select(["ledger"]))
        for step in LEDGER_STEPS:
            cursor.execute(step)


def _write_events(cursor: Cursor, fresh: pa.Table) -> None:
    copy_table(cursor, "fresh", fresh.select(list(FRESH_COLUMNS)))
    for step in EVENT_STEPS:
        cursor.execute(step)
    copy_table(cursor, "raw.events", fresh.select(list(RAW_COLUMNS)))
    for step in SHARED_STEPS:
        cursor.execute(step)


def _measure(outcome: Outcome, event_time: pa.ChunkedArray, late_before: float | None) -> None:
    """Measure how long events took until now, when they are committed."""
    seconds = pc.cast(event_time, pa.int64()).to_numpy() / 1e6
    taken = time.time() - seconds
    bucket = np.searchsorted(LATENCY_BOUNDS_SECONDS, taken)
    size = len(LATENCY_BOUNDS_SECONDS) + 1
    counts = np.bincount(bucket, minlength=size)
    sums = np.bincount(bucket, weights=taken, minlength=size)
    outcome.latencies = list(zip(counts.tolist(), sums.tolist(), strict=True))
    outcome.max_event_time = float(seconds.max())
    outcome.late = 0 if late_before is None else int((seconds < late_before).sum())


def _forget_connection() -> None:
    if _Connections.open is not None:
        _Connections.open.close()
        _Connections.open = None


def _fail(task: BatchTask, place: str) -> None:
    """Let the job die here, if a test wants that."""
    wanted = task.settings
    if wanted.failpoint == place and task.batch_id >= wanted.failpoint_batch:
        os.kill(task.driver_pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def timestamp(unix_seconds: float) -> datetime:
    """Return a moment as PostgreSQL takes it."""
    return datetime.fromtimestamp(unix_seconds, tz=UTC)
