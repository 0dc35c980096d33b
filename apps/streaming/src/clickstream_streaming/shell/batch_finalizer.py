"""The end of a batch: the work that follows once, after all partitions are written.

Owns the watermarks of shards, the closing of runs, the offsets of partitions without records, and
the intervals of summary tables and upkeep. The task of a partition with records stores the
offsets in the same transaction as the rows. If the database lacks these offsets, it has also lost
the rows: a standby without the last commits has taken over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.batch_steps import ADVANCE_WATERMARKS, CLOSE_RUNS, STORED_ENDS
from clickstream_streaming.errors import BatchRowsLost
from clickstream_streaming.shell.batch import reached_event_times, store_offsets, timestamp
from clickstream_streaming.shell.database import DISCONNECTED, connect
from clickstream_streaming.shell.retry import GIVE_UP_SECONDS, retry
from clickstream_streaming.shell.upkeep import run_upkeep

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.batch import BatchTask, Outcome
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["BatchFinalizer"]

_SUMMARY_SECONDS = 60.0
_SUMMARY_SHARE = 0.02
"""Summary tables take at most this share of the time, whatever their size."""
_UPKEEP_SECONDS = 3_600.0
_BUSY_UPKEEP_SECONDS = 10.0
"""Time to the next upkeep if the last one left old rows."""


class BatchFinalizer:
    """Finalizer of the batches of one query, one after the other.

    Args:
        settings: The database's address, and how long rows are kept.
        telemetry: The metrics.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._connection: Connection | None = None
        self._next_summaries = 0.0
        self._next_upkeep = 0.0

    def finalize(self, task: BatchTask, outcomes: list[Outcome], seconds: float) -> None:
        """Finalize a batch; repeat while the database does not answer.

        Args:
            task: The batch.
            outcomes: The results of its tasks.
            seconds: How long the tasks took.

        Raises:
            BatchRowsLost: The database has lost rows that tasks had committed.
            DatabaseBehindCheckpoint: The database has also lost the batch before.
            DatabaseUnreachable: The database does not answer for five minutes.
        """
        retry(
            lambda: self._write(task, outcomes),
            DISCONNECTED,
            GIVE_UP_SECONDS,
            f"cannot finalize batch {task.batch_id}",
            on_error=lambda _: self._close_connection(),
        )
        self._telemetry.show_batch(outcomes, seconds)

    def _write(self, task: BatchTask, outcomes: list[Outcome]) -> None:
        if self._connection is None:
            self._connection = connect(self._settings)
        with self._connection, self._connection.cursor() as cursor:
            _store_empty_partitions(cursor, task, outcomes)
            _advance_watermarks(cursor, outcomes, self._settings.watermark_delay_seconds)
            has_closed = _close_runs(cursor, outcomes)
            self._compute_summary_tables(cursor, is_due=has_closed)
        now = time.monotonic()
        if now >= self._next_upkeep:
            has_more = run_upkeep(self._connection, self._settings)
            self._next_upkeep = now + (_BUSY_UPKEEP_SECONDS if has_more else _UPKEEP_SECONDS)

    def _compute_summary_tables(self, cursor: Cursor, *, is_due: bool) -> None:
        """Compute the summary tables if a run was closed or their interval is over."""
        began = time.monotonic()
        if not is_due and began < self._next_summaries:
            return
        cursor.execute("SELECT mart.refresh_summaries()")
        taken = time.monotonic() - began
        self._next_summaries = began + max(_SUMMARY_SECONDS, taken / _SUMMARY_SHARE)

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _advance_watermarks(cursor: Cursor, outcomes: list[Outcome], delay_seconds: int) -> None:
    """Advance the watermark of each shard of the batch, by the events of that shard."""
    reached = reached_event_times(outcomes)
    if reached:
        values = {
            "run_ids": [run_id for run_id, _ in reached],
            "shards": [shard for _, shard in reached],
            "event_times": [timestamp(seconds) for seconds in reached.values()],
            "delay_seconds": delay_seconds,
        }
        cursor.execute(ADVANCE_WATERMARKS, values)


def _close_runs(cursor: Cursor, outcomes: list[Outcome]) -> bool:
    """Close the runs of the batch that are complete; return whether there was one."""
    run_ids = sorted({run_id for outcome in outcomes for run_id in outcome.run_ids})
    if not run_ids:
        return False
    cursor.execute(CLOSE_RUNS, {"run_ids": run_ids})
    return cursor.rowcount > 0


def _store_empty_partitions(cursor: Cursor, task: BatchTask, outcomes: list[Outcome]) -> None:
    """Store the offsets of partitions without records; tasks have stored all others.

    Raises:
        BatchRowsLost: The database lacks offsets that a task has stored.
        DatabaseBehindCheckpoint: The offsets stored for an empty partition end before this batch.
    """
    written = {(outcome.topic, outcome.partition) for outcome in outcomes}
    values = {"query": task.query, "checkpoint_id": task.checkpoint_id, "batch_id": task.batch_id}
    cursor.execute(STORED_ENDS, values)
    stored = {(topic, partition) for topic, partition, _ in cursor.fetchall()}
    if not written <= stored:
        lost = [f"{topic}/{partition}" for topic, partition in sorted(written - stored)]
        raise BatchRowsLost(task.batch_id, lost)
    for topic, partitions in task.offsets_until.items():
        for partition in sorted(partitions):
            if (topic, partition) not in stored:
                store_offsets(cursor, task, topic, partition, is_empty=True)
