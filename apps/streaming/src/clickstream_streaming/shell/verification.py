"""The verification: runs the checks and reports what they found.

Owns the report. All checks see one moment of the database. It does not know what a check
compares.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from clickstream_streaming.core.check import summed
from clickstream_streaming.core.checks import (
    ACKNOWLEDGED,
    CHECKS,
    LEDGER_TOTALS,
    REJECTS,
    UNDER_WAY,
    run_prefix,
)
from clickstream_streaming.errors import TooFewLocks

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

__all__ = [
    "DEFECTS",
    "RejectScore",
    "VerificationReport",
    "figures_of",
    "note",
    "values_of",
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
_LOOK_SECONDS = 0.5
_NOTED = (
    "events_sent", "events_acknowledged", "events_stored", "events_rejected", "planted_losses",
    *DEFECTS,
)  # fmt: skip
_NOTE = (
    f"INSERT INTO ops.verifications ({', '.join(_NOTED)}, examples)"  # noqa: S608  names of our own
    f" VALUES ({', '.join(f'%({name})s' for name in _NOTED)}, %(examples)s)"
)


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
"""Days, with their tables and indexes; sessions that may be, locks of each, and how many processes
may help with one statement."""
_OTHER_LOCKS = 200
"""What a verification reads beside the days."""


@dataclass(frozen=True)
class RejectScore:
    """How well one reason for rejecting was recognised, against the faults planted.

    Attributes:
        reason: The reason.
        planted: Faults that call for it.
        rejected: Records rejected for it.
        matched: Those of one run and shard that answer each other.
    """

    reason: str
    planted: int
    rejected: int
    matched: int

    @property
    def precision(self) -> float | None:
        """Share of the rejected that were planted; ``None`` if none was rejected."""
        return self.matched / self.rejected if self.rejected else None

    @property
    def recall(self) -> float | None:
        """Share of the planted that were rejected; ``None`` if none was planted."""
        return self.matched / self.planted if self.planted else None


@dataclass(frozen=True)
class VerificationReport:
    """What was sent, what is stored, and what does not agree."""

    events_sent: int
    """Events numbered by the generators, planted losses included."""
    events_acknowledged: int
    """Events that the ledger says the broker has."""
    events_stored: int
    events_rejected: int
    """Records in ``ops.rejected_events``, and those that were deleted there once they were old."""
    planted_losses: int
    """Events that were numbered and, on purpose, never sent."""
    lost: int
    duplicated: int
    phantom: int
    altered: int
    aggregate_mismatches: int
    session_mismatches: int
    illegal_transitions: int
    examples: tuple[str, ...]
    """The first defects, in words."""
    rejects: tuple[RejectScore, ...]
    """By reason, how well rejection worked."""
    under_way: int = 0
    """Events that the ledger has and the stream has not stored yet."""
    skipped_offsets: int = 0
    """Offsets of Kafka without a committed record: ends and aborted records of transactions."""

    def is_clean(self) -> bool:
        """Say whether there is no defect."""
        return not any(getattr(self, name) for name in DEFECTS)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON's values."""
        scores = [
            asdict(score) | {"precision": score.precision, "recall": score.recall}
            for score in self.rejects
        ]
        return asdict(self) | {"examples": list(self.examples), "rejects": scores}


def verify(connection: Connection) -> VerificationReport:
    """Check every table, in one snapshot of the database that nothing can change.

    Raises:
        TooFewLocks: There are more tables of days than PostgreSQL can lock.
    """
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '128MB'")
            _check_locks(cursor)
            return figures_of(cursor)
    finally:
        connection.set_session(isolation_level="DEFAULT", readonly=False)


def _check_locks(cursor: Cursor) -> None:
    """Refuse what would end as "out of shared memory": all days are locked at one moment."""
    cursor.execute(_LOCKS)
    days, relations, sessions, locks, helpers = cursor.fetchone() or (0, 0, 1, _OTHER_LOCKS, 0)
    # PostgreSQL has room for two holders of each lock; every process that helps holds all of them.
    needed = -(-(relations + _OTHER_LOCKS) * max(2, 1 + helpers) // 2)
    room = sessions * locks
    if needed > room:
        raise TooFewLocks(days, needed, room, -(-2 * needed // sessions))


def wait_for_arrival(connection: Connection, seconds: float) -> int:
    """Wait until the stream has stored what the ledger has now; return how many events it has not.

    Args:
        connection: To the database.
        seconds: How long to wait at most.
    """
    deadline = time.monotonic() + seconds
    with connection, connection.cursor() as cursor:
        wanted = _acknowledged(cursor)
    while True:
        with connection, connection.cursor() as cursor:
            missing = _under_way(cursor, wanted)
        if not missing or time.monotonic() >= deadline:
            return missing
        time.sleep(_LOOK_SECONDS)


def _acknowledged(cursor: Cursor) -> dict[str, list[Any]]:
    """Return how many events of each run and shard the broker has, as the ledger says."""
    cursor.execute(ACKNOWLEDGED)
    rows = cursor.fetchall()
    return {
        name: [row[place] for row in rows]
        for place, name in enumerate(("run_ids", "shards", "events"))
    }


def _under_way(cursor: Cursor, acknowledged: dict[str, list[Any]]) -> int:
    """Return how many of the acknowledged events the stream has not stored."""
    cursor.execute(UNDER_WAY, acknowledged)
    (missing,) = cursor.fetchone() or (0,)
    return int(missing)


def note(connection: Connection, report: VerificationReport) -> None:
    """Keep what a verification found, for dashboards and alerts."""
    values = {name: getattr(report, name) for name in _NOTED}
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute(_NOTE, values | {"examples": list(report.examples)})


def values_of(cursor: Cursor) -> dict[str, object]:
    """Return the values that the checks' queries are bound to."""
    cursor.execute("SELECT DISTINCT run_id::text FROM ops.ledger")
    run_ids = [row[0] for row in cursor.fetchall()]
    return {
        "run_ids": run_ids,
        "prefixes": [run_prefix(UUID(run_id)) for run_id in run_ids],
    }


def figures_of(cursor: Cursor) -> VerificationReport:
    """Check what the cursor's transaction sees."""
    values = values_of(cursor)
    figures = dict.fromkeys(DEFECTS, 0)
    examples: dict[str, None] = {}  # in order, each once
    for check in CHECKS:
        cursor.execute(summed(check, _SHOWN), values)
        defects, shown = cursor.fetchone() or (0, ())
        figures[check.defect] += int(defects)
        examples |= dict.fromkeys(shown)
    cursor.execute(REJECTS, values)
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
