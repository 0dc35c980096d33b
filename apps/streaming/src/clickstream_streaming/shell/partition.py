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
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import errors

from clickstream_streaming.core.sql.batch_steps import (
    CLAIM_WRITER,
    COUNT_BATCH,
    KEPT_SINCE,
    LOCK_ROWS,
    LOCK_ROWS_SHARED,
    STORED_END,
)
from clickstream_streaming.core.sql.stages import CLEAR_STAGES, CREATE_STAGES
from clickstream_streaming.errors import CheckpointBehindDatabase
from clickstream_streaming.shell.batch import (
    LATENCY_BOUNDS_SECONDS,
    Outcome,
    offsets_row,
    store_offsets,
)
from clickstream_streaming.shell.database import DISCONNECTED, connect
from clickstream_streaming.shell.portion_rows import (
    lock_days,
    stage_new_events,
    write_events,
    write_rejects_and_ledger,
)
from clickstream_streaming.shell.portions import latest_event_times, portions, unix_seconds
from clickstream_streaming.shell.retry import GIVE_UP_SECONDS, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date, datetime

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.shell.batch import BatchTask
    from clickstream_streaming.shell.portions import Portion

__all__ = ["PartitionWriter", "write_partition"]

_Result = TypeVar("_Result")

_MOST_HIGH_WATER_MARKS = 100_000
"""A worker with more high-water marks clears them, and looks its next events up in the table."""
_PARTITIONS_PER_TRANSACTION = 50
"""Each day's table takes locks until the transaction ends, and PostgreSQL has a limited number."""
_RETRYABLE = (
    *DISCONNECTED,
    errors.UniqueViolation,
    errors.CheckViolation,
)
"""Errors after which a new transaction can succeed: the database does not answer, two writers wait
for each other, another writer stored the same event first, or retention dropped a day's table."""


class PartitionWriter:
    """The writer of one worker process: a transaction for each partition of a batch.

    Between batches it keeps the connection, the days that have a table, and the highest
    ``shard_seq`` that it has stored, by run, shard and partition.
    """

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._days: frozenset[date] = frozenset()
        self._high_water_marks: dict[tuple[str, int, int], int] = {}

    def write(self, task: BatchTask, batches: Iterable[pa.RecordBatch]) -> Outcome | None:
        """Write the records of one partition; return nothing if there are none.

        Raises:
            DatabaseUnreachable: The database does not answer for five minutes.
        """
        began = time.monotonic()
        parts = portions(
            task, batches, lambda: self._with_retries(task, lambda: self._kept_since(task))
        )
        first = next(parts, None)
        if first is None:
            return None
        read_seconds = time.monotonic() - began
        if first.is_last:
            outcome = self._with_retries(task, lambda: self._write(task, iter([first])))
        else:
            outcome = self._write_once(task, chain([first], parts))
        outcome.read_seconds = read_seconds
        outcome.write_seconds = time.monotonic() - began - read_seconds
        return outcome

    def _with_retries(self, task: BatchTask, work: Callable[[], _Result]) -> _Result:
        """Return the result of some work; repeat it on a new connection if it fails."""
        return retry(
            work,
            _RETRYABLE,
            GIVE_UP_SECONDS,
            f"cannot write batch {task.batch_id} of {task.query}",
            on_error=lambda _: self._reset(),
        )

    def _write_once(self, task: BatchTask, parts: Iterator[Portion]) -> Outcome:
        """Write portions that cannot be read again; after a failure Spark repeats the task."""
        try:
            return self._write(task, parts)
        except _RETRYABLE:
            self._reset()
            raise

    def _kept_since(self, task: BatchTask) -> datetime | None:
        """Return the first day that retention has kept; ``None`` if it has kept all days."""
        with self._connected(task) as connection, connection.cursor() as cursor:
            cursor.execute(KEPT_SINCE)
            row: tuple[datetime] | None = cursor.fetchone()
        return None if row is None else row[0]

    def _connected(self, task: BatchTask) -> Connection:
        """Return the worker's connection; open it first if necessary."""
        if self._connection is None:
            self._connection = connect(task.settings)
        return self._connection

    def _write(self, task: BatchTask, parts: Iterator[Portion]) -> Outcome:
        """Write all portions in one transaction; return the result."""
        portion: Portion | None
        portion = next(parts)
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
            run_ids=[],
            arrived_at=0.0,
            read_seconds=0.0,
            write_seconds=0.0,
        )
        connection = self._connected(task)
        self._ensure_partitions(connection, self._missing_partitions(portion.validated.events))
        written = _Written()
        with connection, connection.cursor() as cursor:
            cursor.execute(CREATE_STAGES)
            outcome.is_repeated = not _claim_offsets(cursor, task, outcome.topic, outcome.partition)
            cursor.execute(LOCK_ROWS_SHARED if portion.is_last else LOCK_ROWS)
            cursor.execute(CLAIM_WRITER)
            while portion is not None:
                if outcome.rows:
                    self._prepare_next(cursor, task, portion)
                _count_portion(outcome, portion, written)
                if not outcome.is_repeated:
                    self._store(cursor, portion, outcome, written)
                portion = None  # frees its memory for the next portion
                portion = next(parts, None)
            outcome.max_event_times = [(*key, seconds) for key, seconds in written.latest.items()]
            outcome.run_ids = sorted(written.run_ids)
            if outcome.is_repeated:
                return outcome
            counts = {"rejected": sum(outcome.rejects.values()), "ledger": written.ledger}
            cursor.execute(
                COUNT_BATCH,
                offsets_row(task, outcome.topic, outcome.partition) | vars(outcome) | counts,
            )
            _failpoint(task, "before_sink_commit")
        if len(self._high_water_marks) > _MOST_HIGH_WATER_MARKS:
            self._high_water_marks.clear()
        self._high_water_marks |= written.high_water_marks
        if written.event_times:
            _measure_latencies(outcome, pa.chunked_array(written.event_times))
        return outcome

    def _prepare_next(self, cursor: Cursor, task: BatchTask, portion: Portion) -> None:
        """Empty the staging tables and create the missing partitions for the next portion."""
        cursor.execute(CLEAR_STAGES)
        missing = self._missing_partitions(portion.validated.events)
        if missing:
            with closing(connect(task.settings)) as other:
                self._ensure_partitions(other, missing)

    def _store(self, cursor: Cursor, portion: Portion, outcome: Outcome, written: _Written) -> None:
        """Write one portion."""
        events = portion.validated.events
        known = ChainMap(written.high_water_marks, self._high_water_marks)
        marks, may_be_known = _update_high_water_marks(events, portion.partition, known)
        written.high_water_marks |= marks
        lock_days(cursor, portion)
        new_events, rows = stage_new_events(cursor, events, may_be_known=may_be_known)
        outcome.stored += new_events.num_rows
        outcome.duplicates += events.num_rows - new_events.num_rows
        if new_events.num_rows:
            outcome.late += write_events(cursor, new_events, rows)
            written.event_times += new_events["event_time"].chunks
        # Last, since all writers update the rows that count rejects.
        write_rejects_and_ledger(cursor, portion.validated, outcome)
        written.ledger += portion.validated.ledger.num_rows

    def _missing_partitions(self, events: pa.Table) -> list[date]:
        """Return the days of events without a known table."""
        # Not the whole range: one very old event must not create tables for all years since.
        days = frozenset(pc.unique(events["event_time"].cast(pa.date32())).to_pylist())
        return sorted(days - self._days)

    def _ensure_partitions(self, connection: Connection, days: list[date]) -> None:
        """Create the tables of days, a few per transaction: each takes locks until its end."""
        for at in range(0, len(days), _PARTITIONS_PER_TRANSACTION):
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT ops.ensure_event_partitions(day, day) FROM unnest(%s::date[]) AS day",
                    (days[at : at + _PARTITIONS_PER_TRANSACTION],),
                )
        self._days |= frozenset(days)

    def _reset(self) -> None:
        """Close the connection and clear all knowledge about the tables."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._days = frozenset()
        self._high_water_marks.clear()


@dataclass
class _Written:
    """Intermediate results of a transaction.

    Attributes:
        latest: The latest event time of each run and shard, Unix seconds.
        run_ids: The runs with a record.
        high_water_marks: The highest ``shard_seq`` of each run, shard and partition.
        event_times: The times of new events.
        ledger: Number of ledger records.
    """

    latest: dict[tuple[str, int], float] = field(default_factory=dict)
    run_ids: set[str] = field(default_factory=set)
    high_water_marks: dict[tuple[str, int, int], int] = field(default_factory=dict)
    event_times: list[pa.Array] = field(default_factory=list)
    ledger: int = 0


@cache
def _process_writer() -> PartitionWriter:
    """Return the writer of this worker process; configure the process at the first call."""
    # Spark starts one worker per core: more threads of Arrow would compete with them.
    pa.set_cpu_count(1)
    # Imported objects live as long as the process: exclude them from garbage collection.
    gc.freeze()
    return PartitionWriter()


def write_partition(task: BatchTask, batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Write the records of one partition; repeat while the database does not answer.

    Raises:
        DatabaseUnreachable: The database does not answer for five minutes.
    """
    outcome = _process_writer().write(task, batches)
    if outcome is None:
        return
    _failpoint(task, "after_sink_commit")
    yield pa.RecordBatch.from_pydict({"outcome": [json.dumps(vars(outcome))]})


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
        row = offsets_row(task, topic, partition)
        cursor.execute(STORED_END, row)
        (end,) = cursor.fetchone() or (None,)
        if end != row["until_offset"]:
            raise CheckpointBehindDatabase(task.settings.checkpoint_dir, task.batch_id) from None
        return False
    return True


def _count_portion(outcome: Outcome, portion: Portion, written: _Written) -> None:
    """Add a portion's records, latest event times and runs to the totals."""
    outcome.rows += portion.rows
    outcome.skipped += portion.skipped
    outcome.arrived_at = max(outcome.arrived_at, portion.arrived_at)
    # Includes duplicates: the process that stored them may have died before the batch was final.
    for run_id, shard, seconds in latest_event_times(portion.validated.events):
        known = written.latest.get((run_id, shard), seconds)
        written.latest[run_id, shard] = max(known, seconds)
    for events in (portion.validated.events, portion.validated.expired):
        written.run_ids.update(pc.unique(events["run_id"]).to_pylist())
    for text in portion.validated.ledger["ledger"].to_pylist():
        written.run_ids.add(json.loads(text)["run_id"])


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


def _measure_latencies(outcome: Outcome, event_time: pa.ChunkedArray) -> None:
    """Measure the time from each event until now, right after the commit."""
    seconds = unix_seconds(event_time)
    # A clock that was set back must not give a negative latency.
    taken = np.maximum(time.time() - seconds, 0.0)
    bucket = np.searchsorted(LATENCY_BOUNDS_SECONDS, taken)
    size = len(LATENCY_BOUNDS_SECONDS) + 1
    counts = np.bincount(bucket, minlength=size)
    sums = np.bincount(bucket, weights=taken, minlength=size)
    outcome.latencies = list(zip(counts.tolist(), sums.tolist(), strict=True))


def _failpoint(task: BatchTask, place: str) -> None:
    """Kill the job at this place if a test has asked for it."""
    settings = task.settings
    if settings.failpoint == place and task.batch_id >= settings.failpoint_batch:
        os.kill(task.driver_pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
