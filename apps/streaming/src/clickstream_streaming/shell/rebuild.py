"""The rebuild: works the marts out anew from ``raw.events``, while the stream runs.

Owns the order of tables and the lock that lets batches wait meanwhile. Only rows that differ
are written: on tables that are right it changes nothing, which is what it is to prove. It does
not know what the tables mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.marts import MARTS, SESSIONS, Mart, is_whole, source_of
from clickstream_streaming.core.statements import upsert

if TYPE_CHECKING:
    from datetime import date

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

__all__ = ["rebuild"]

_DAY = "(%(since)s::timestamp AT TIME ZONE 'UTC')"
_NEXT = "(%(until)s::timestamp AT TIME ZONE 'UTC')"


def rebuild(
    connection: Connection, since: date | None = None, until: date | None = None
) -> dict[str, int]:
    """Make the marts what the stored events say.

    Args:
        connection: The owner's.
        since: First day, UTC; all if absent. Days that were dropped from ``raw.events`` are
            left as they are, and so is what began on one of them.
        until: Day before which it ends; all if absent.

    Returns:
        How many rows were changed, by table.
    """
    changed: dict[str, int] = {}
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        # Batches begin by noting their offsets: they wait here until all is done.
        cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")
        # Days that are just being dropped are gone before we ask which are left; none goes after.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('raw.events.days'))")
        cursor.execute("SELECT max_event_time::date FROM ops.progress WHERE query = 'retention'")
        dropped = cursor.fetchone()
        since = max(filter(None, [since, dropped[0] if dropped else None]), default=None)
        values = {"since": since or "-infinity", "until": until or "infinity"}
        for mart in MARTS:
            if not dropped or mart.time or not mart.kept_by:
                changed[mart.table] = _rebuild(cursor, mart, values)
        cursor.execute("SELECT mart.compute_boards()")
    return changed


def _rebuild(cursor: Cursor, mart: Mart, values: dict[str, object]) -> int:
    """Rebuild one mart; those that it follows from are right by then."""
    # A sum that has come back to nothing is as good as no row.
    counts = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    cursor.execute(
        "CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS SELECT * FROM"
        f" ({mart.select.format(source=_source(mart))}) AS one"
        f" WHERE {_in_range(mart)} AND {is_whole(mart)} AND ({counts})",
        values,
    )
    same = " AND ".join(f"one.{name} = wanted.{name}" for name in mart.key)
    cursor.execute(
        f"DELETE FROM {mart.table} AS one WHERE {_in_range(mart)} AND ({counts})"
        f" AND NOT EXISTS (SELECT FROM wanted WHERE {same})",
        values,
    )
    changed = cursor.rowcount
    known, given = (
        ", ".join(f"{side}.{name}" for name in mart.values) for side in ("known", "excluded")
    )
    cursor.execute(upsert(mart, "TABLE wanted", condition=f"({known}) IS DISTINCT FROM ({given})"))
    changed += cursor.rowcount
    cursor.execute("DROP TABLE wanted")
    return changed


def _source(mart: Mart) -> str:
    """Return what a mart follows from, no more of it than the range asks for."""
    in_range = f"event_time >= {_DAY} AND event_time < {_NEXT}"
    events = f"(SELECT * FROM raw.events WHERE {in_range})"
    if mart is SESSIONS:
        # A session is worked out from all of its events, whatever their day.
        sessions = f"SELECT session_id FROM raw.events WHERE {in_range}"
        events = f"(SELECT * FROM raw.events WHERE session_id IN ({sessions}))"
    return source_of(mart, events if mart.time else "raw.events")


def _in_range(mart: Mart) -> str:
    return f"{mart.time} >= {_DAY} AND {mart.time} < {_NEXT}" if mart.time else "true"
