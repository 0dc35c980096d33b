"""The close of a batch: what is done once, when all of its partitions are written.

Owns the watermarks of shards, the closing of runs, the offsets of partitions without
records, and when boards are computed and the upkeep is due. A partition with records has noted its
own offsets; if the database has lost them, a standby without the last commits has taken over, and
their rows are lost, too.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import psycopg2

from clickstream_streaming.core.statements import CLOSE_RUNS, NOTE_WATERMARKS, STORED_ENDS
from clickstream_streaming.errors import BatchRowsLost, DatabaseUnreachable
from clickstream_streaming.shell.database import connect
from clickstream_streaming.shell.partition import reached_event_times, store_offsets, timestamp
from clickstream_streaming.shell.patience import Patience
from clickstream_streaming.shell.upkeep import keep_up

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.partition import BatchTask, Outcome
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["BatchCloser"]

_LOG = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_GIVE_UP_SECONDS = 300.0
_BOARDS_SECONDS = 60.0
_BOARDS_SHARE = 0.02
"""At most this share of the time goes into boards, however large they get."""
_UPKEEP_SECONDS = 3_600.0
_BUSY_UPKEEP_SECONDS = 10.0
"""After an upkeep that has more to delete."""


class BatchCloser:
    """Closes the batches of one query, one after the other.

    Args:
        settings: Where the database is, and what is kept for how long.
        telemetry: Where figures are shown.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._connection: Connection | None = None
        self._next_boards = 0.0
        self._next_upkeep = 0.0

    def close(self, task: BatchTask, outcomes: list[Outcome], seconds: float) -> None:
        """Close a batch; while the database is away it is tried again.

        Raises:
            BatchRowsLost: The database has lost what tasks had committed.
            DatabaseBehindCheckpoint: It has lost the batch before as well.
            DatabaseUnreachable: It stays away for five minutes.
        """
        patience = Patience(_GIVE_UP_SECONDS)
        while True:
            try:
                self._write(task, outcomes)
                break
            except (psycopg2.OperationalError, psycopg2.InterfaceError, DatabaseUnreachable) as e:
                self._forget_connection()
                if patience.is_over():
                    raise
                _LOG.warning("the close of batch %d is tried again: %s", task.batch_id, e)
                time.sleep(_RETRY_SECONDS)
        self._telemetry.show_batch(outcomes, seconds)

    def _write(self, task: BatchTask, outcomes: list[Outcome]) -> None:
        if self._connection is None:
            self._connection = connect(self._settings)
        with self._connection, self._connection.cursor() as cursor:
            _note_offsets(cursor, task, outcomes)
            _note_watermarks(cursor, outcomes, self._settings.watermark_delay_seconds)
            cursor.execute(CLOSE_RUNS)
            self._compute_boards(cursor, is_due=cursor.rowcount > 0)
        now = time.monotonic()
        if now >= self._next_upkeep:
            has_more = keep_up(self._connection, self._settings)
            self._next_upkeep = now + (_BUSY_UPKEEP_SECONDS if has_more else _UPKEEP_SECONDS)

    def _compute_boards(self, cursor: Cursor, *, is_due: bool) -> None:
        """Compute boards when a run is closed, and now and then in between."""
        began = time.monotonic()
        if not is_due and began < self._next_boards:
            return
        cursor.execute("SELECT mart.compute_boards()")
        taken = time.monotonic() - began
        self._next_boards = began + max(_BOARDS_SECONDS, taken / _BOARDS_SHARE)

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _note_watermarks(cursor: Cursor, outcomes: list[Outcome], delay_seconds: int) -> None:
    """Move the watermarks of the batch's shards, each by the shard's own events."""
    reached = reached_event_times(outcomes)
    if reached:
        values = {
            "run_ids": [run_id for run_id, _ in reached],
            "shards": [shard for _, shard in reached],
            "event_times": [timestamp(seconds) for seconds in reached.values()],
            "delay_seconds": delay_seconds,
        }
        cursor.execute(NOTE_WATERMARKS, values)


def _note_offsets(cursor: Cursor, task: BatchTask, outcomes: list[Outcome]) -> None:
    """Note the offsets of partitions without records; the tasks have noted those of the others.

    Raises:
        BatchRowsLost: They had, but the database no longer has that.
        DatabaseBehindCheckpoint: A partition without records was not read up to where this batch
            begins.
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
