"""The verification: runs all checks on one snapshot of the database, and reports the defects.

Owns the report.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from clickstream_contract.identifiers import run_prefix

from clickstream_streaming.core.sql.check import summed
from clickstream_streaming.core.sql.checks import (
    ACKNOWLEDGED,
    CHECKS,
    LEDGER_TOTALS,
    PASSES,
    REJECTS,
    UNDER_WAY,
)
from clickstream_streaming.errors import TooFewLocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.sql.check import Check

__all__ = [
    "DEFECTS",
    "RejectScore",
    "VerificationReport",
    "check_values",
    "record_verification",
    "run_checks",
    "verify",
    "wait_for_arrival",
]

DEFECTS = (
    "lost",
    "duplicated",
    "phantom",
    "altered",
    "aggregate_mismatches",
    "session_mismatches",
    "illegal_transitions",
)
_SHOWN = 20
_SIZES = """
SELECT (SELECT count(*) FROM raw.events),
    (SELECT count(*) FROM ops.rejected_events)
        + (SELECT coalesce(sum(records), 0)::bigint FROM ops.forgotten_rejects),
    (SELECT coalesce(sum(skipped_offsets), 0) FROM (
        SELECT skipped_offsets FROM ops.batches
        UNION ALL SELECT skipped_offsets FROM ops.forgotten_batches
    ) AS batch)
"""
_POLL_SECONDS = 0.5
_RECORDED = (
    "events_sent", "events_acknowledged", "events_stored", "events_rejected", "planted_losses",
    *DEFECTS,
)  # fmt: skip
_RECORD = (
    f"INSERT INTO ops.verifications ({', '.join(_RECORDED)}, examples)"  # noqa: S608  trusted names
    f" VALUES ({', '.join(f'%({name})s' for name in _RECORDED)}, %(examples)s)"
)


# Few rows leave a check, so workers cost less than PostgreSQL assumes.
_SETTINGS = """
SET LOCAL work_mem = '32MB';
SET LOCAL jit = off;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0
"""
_LOCKS = """
WITH parts AS (
    SELECT count(*) FILTER (WHERE inhparent = 'raw.events'::regclass) AS days, count(*) AS relations
    FROM pg_inherits WHERE inhparent = 'raw.events'::regclass OR inhparent IN (
        SELECT indexrelid FROM pg_index WHERE indrelid = 'raw.events'::regclass
    )
)
SELECT days, relations, current_setting('max_connections')::bigint
    + current_setting('max_prepared_transactions')::bigint,
    current_setting('max_locks_per_transaction')::bigint,
    current_setting('max_parallel_workers_per_gather')::bigint
FROM parts
"""
"""Returns the number of days, of their tables and indexes, of possible connections, of locks per
connection, and of parallel workers per statement."""
_OTHER_LOCKS = 200
"""Upper bound of the tables and indexes that a verification reads besides those of days."""


@dataclass(frozen=True)
class RejectScore:
    """Comparison of rejects with planted faults, for one reject reason.

    Attributes:
        reason: The reject reason.
        planted: Number of planted faults that require it.
        rejected: Number of records with this reason.
        matched: Number of faults and rejects that match by run and shard.
    """

    reason: str
    planted: int
    rejected: int
    matched: int

    @property
    def precision(self) -> float | None:
        """Return the planted share of the rejects; ``None`` without rejects."""
        return self.matched / self.rejected if self.rejected else None

    @property
    def recall(self) -> float | None:
        """Return the rejected share of the planted faults; ``None`` without planted faults."""
        return self.matched / self.planted if self.planted else None


@dataclass(frozen=True)
class VerificationReport:
    """Figures of sent and stored events, and the defects between them."""

    events_sent: int
    """Events that the generators numbered, including planted losses."""
    events_acknowledged: int
    """Events that Kafka acknowledged, as the ledger says."""
    events_stored: int
    events_rejected: int
    """Rows of ``ops.rejected_events``, including those that were deleted as old."""
    planted_losses: int
    """Events that were numbered but deliberately not sent."""
    lost: int
    duplicated: int
    phantom: int
    altered: int
    aggregate_mismatches: int
    session_mismatches: int
    illegal_transitions: int
    examples: tuple[str, ...]
    """Texts of the first defects."""
    rejects: tuple[RejectScore, ...]
    """Comparison of rejects with planted faults, by reason."""
    under_way: int = 0
    """Events of the ledger that the stream has not stored yet."""
    skipped_offsets: int = 0
    """Offsets without a committed record: control records and aborted records of transactions."""

    def is_clean(self) -> bool:
        """Return whether there is no defect."""
        return not any(getattr(self, name) for name in DEFECTS)

    def to_json(self) -> dict[str, Any]:
        """Return the report as values for JSON."""
        scores = [
            asdict(score) | {"precision": score.precision, "recall": score.recall}
            for score in self.rejects
        ]
        return asdict(self) | {"examples": list(self.examples), "rejects": scores}


def verify(
    connection: Connection, connect: Callable[[], Connection] | None = None
) -> VerificationReport:
    """Check all tables in one read-only snapshot of the database.

    Args:
        connection: A connection to the database.
        connect: Returns another connection, over which half of the checks run at the same time if
            PostgreSQL has locks for both.

    Raises:
        TooFewLocks: There are more tables of days than PostgreSQL can lock.
    """
    with ExitStack() as stack:
        cursor = stack.enter_context(_reading(connection))
        cursors = [cursor]
        if _has_many_locks(cursor) and connect is not None:
            cursor.execute("SELECT pg_export_snapshot()")
            second = stack.enter_context(closing(connect()))
            cursors.append(stack.enter_context(_reading(second, cursor.fetchone())))
        return run_checks(*cursors)


@contextmanager
def _reading(connection: Connection, snapshot: tuple[str, ...] | None = None) -> Iterator[Cursor]:
    """Yield a cursor of a transaction that reads one snapshot: a given one, or that of now."""
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    try:
        with connection, connection.cursor() as cursor:
            if snapshot is not None:
                cursor.execute("SET TRANSACTION SNAPSHOT %s", snapshot)
            cursor.execute(_SETTINGS)
            yield cursor
    finally:
        connection.set_session(isolation_level="DEFAULT", readonly=False)


def _has_many_locks(cursor: Cursor) -> bool:
    """Return whether PostgreSQL has memory for the locks of two sessions on all days.

    Raises:
        TooFewLocks: It has too little for one.
    """
    cursor.execute(_LOCKS)
    days, relations, sessions, locks, helpers = cursor.fetchone() or (0, 0, 1, _OTHER_LOCKS, 0)
    # PostgreSQL has room for two holders of each lock. Every parallel worker holds all of them.
    needed = -(-(relations + _OTHER_LOCKS) * max(2, 1 + helpers) // 2)
    room = sessions * locks
    if needed > room:
        raise TooFewLocks(days, needed, room, -(-2 * needed // sessions))
    return bool(2 * needed <= room)


def wait_for_arrival(connection: Connection, seconds: float) -> int:
    """Wait until the stream has stored the events of the current ledger; return how many it lacks.

    Args:
        connection: A connection to the database.
        seconds: The longest time to wait.
    """
    deadline = time.monotonic() + seconds
    with connection, connection.cursor() as cursor:
        wanted = _acknowledged(cursor)
    while True:
        with connection, connection.cursor() as cursor:
            missing = _under_way(cursor, wanted)
        if not missing or time.monotonic() >= deadline:
            return missing
        time.sleep(_POLL_SECONDS)


def _acknowledged(cursor: Cursor) -> dict[str, list[Any]]:
    """Return the number of acknowledged events of each run and shard, as the ledger says."""
    cursor.execute(ACKNOWLEDGED)
    rows = cursor.fetchall()
    return {
        name: [row[place] for row in rows]
        for place, name in enumerate(("run_ids", "shards", "events"))
    }


def _under_way(cursor: Cursor, acknowledged: dict[str, list[Any]]) -> int:
    """Return how many acknowledged events the stream has not stored."""
    cursor.execute(UNDER_WAY, acknowledged)
    (missing,) = cursor.fetchone() or (0,)
    return int(missing)


def record_verification(connection: Connection, report: VerificationReport) -> None:
    """Store the results of a verification for dashboards and alerts."""
    values = {name: getattr(report, name) for name in _RECORDED}
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute(_RECORD, values | {"examples": list(report.examples)})


def check_values(cursor: Cursor) -> dict[str, object]:
    """Return the values for the placeholders of the checks."""
    cursor.execute("SELECT DISTINCT run_id::text FROM ops.ledger")
    run_ids = [row[0] for row in cursor.fetchall()]
    return {
        "run_ids": run_ids,
        "prefixes": [run_prefix(UUID(run_id)) for run_id in run_ids],
    }


def run_checks(cursor: Cursor, *others: Cursor) -> VerificationReport:
    """Run all checks in the transactions of the cursors; return the report.

    Args:
        cursor: A cursor.
        others: Cursors of other connections whose transactions read the same snapshot.
    """
    values = check_values(cursor)
    figures = dict.fromkeys(DEFECTS, 0)
    examples: dict[str, None] = {}  # in order, each once
    cursors = (cursor, *others)
    ends = [()] * len(cursors)  # one for each thread
    waiting: deque[tuple[Check, ...]] = deque([*PASSES, *ends])
    with ThreadPoolExecutor(len(cursors)) as pool:
        shares = [pool.submit(_run, one, waiting, values) for one in cursors]
        try:
            wait(shares, return_when=FIRST_EXCEPTION)
        finally:
            waiting.extendleft(ends)  # after an error or Ctrl-C, the other threads end too
    found = {name: row for share in shares for name, row in share.result().items()}
    for check in CHECKS:
        defects, shown = found[check.name]
        figures[check.defect] += int(defects)
        examples |= dict.fromkeys(shown)
    cursor.execute(REJECTS)
    rejects = tuple(RejectScore(*row) for row in cursor.fetchall())
    cursor.execute(LEDGER_TOTALS)
    acknowledged, _, _, planted = map(int, cursor.fetchone() or (0, 0, 0, 0))
    cursor.execute(_SIZES)
    stored, rejected, skipped = cursor.fetchone() or (0, 0, 0)
    return VerificationReport(
        events_sent=acknowledged + planted,
        events_acknowledged=acknowledged,
        events_stored=stored,
        events_rejected=rejected,
        planted_losses=planted,
        under_way=_under_way(cursor, _acknowledged(cursor)),
        skipped_offsets=int(skipped),
        examples=tuple(examples)[:_SHOWN],
        rejects=rejects,
        **figures,
    )


def _run(
    cursor: Cursor, waiting: deque[tuple[Check, ...]], values: dict[str, object]
) -> dict[str, tuple[int, list[str]]]:
    """Run checks until an end is next; return the number of defects and examples of each."""
    found: dict[str, tuple[int, list[str]]] = {}
    while checks := waiting.popleft():
        # A sort of all events would need many times the memory of the groups.
        cursor.execute(f"SET LOCAL enable_sort = {'off' if checks[0].is_hashed else 'on'}")
        cursor.execute(summed(checks, _SHOWN), values)
        found |= zip((check.name for check in checks), cursor.fetchall(), strict=True)
    return found
