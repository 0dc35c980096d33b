"""The rows of one portion, within the transaction of its batch.

Owns the order of staging tables, statements and COPY.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickstream_streaming.core.arrivals import arrivals_of
from clickstream_streaming.core.binary_rows import BinaryRows
from clickstream_streaming.core.sql.batch_steps import (
    COUNT_EXPIRED,
    COUNT_SHARDS,
    LEDGER_STEPS,
    LOCK_DAYS,
    REJECT_STEPS,
    STORED_AT,
)
from clickstream_streaming.core.sql.mart_steps import EVENT_STEPS, SHARED_STEPS
from clickstream_streaming.core.sql.stages import (
    COLUMN_TYPES,
    DELETE_KNOWN,
    FIND_KNOWN,
    NEW_EVENT_COLUMNS,
    RAW_COLUMNS,
    REJECT_COLUMNS,
)
from clickstream_streaming.errors import DaysDropped
from clickstream_streaming.shell.database import copy_rows
from clickstream_streaming.shell.portions import unix_seconds

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.validation.batch import ValidatedBatch
    from clickstream_streaming.shell.batch import Outcome
    from clickstream_streaming.shell.portions import Portion

__all__ = ["lock_days", "stage_new_events", "write_events", "write_rejects_and_ledger"]


def lock_days(cursor: Cursor, portion: Portion) -> None:
    """Keep retention from dropping a day until the transaction ends.

    Raises:
        DaysDropped: Retention has dropped a day of these events since their validation.
    """
    cursor.execute(LOCK_DAYS)
    (kept_since,) = cursor.fetchone() or (None,)
    events = portion.validated.events
    if kept_since == portion.kept_since or kept_since is None or not events.num_rows:
        return
    if unix_seconds(events["event_time"]).min() < kept_since.timestamp():
        raise DaysDropped(kept_since.date())


def stage_new_events(
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


def write_events(cursor: Cursor, new_events: pa.Table, rows: BinaryRows) -> int:
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


def write_rejects_and_ledger(cursor: Cursor, validated: ValidatedBatch, outcome: Outcome) -> None:
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
