"""The rebuild: computes all marts and the ledger's totals again, while the stream runs.

Owns the order of the marts and the lock that makes batches wait. The rebuild writes only rows that
differ: it proves the marts right if it changes no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.columns import listed
from clickstream_streaming.core.sql.ledger_by_shard import REPLACE_TOTALS
from clickstream_streaming.core.sql.mart import is_whole, source_of
from clickstream_streaming.core.sql.mart_steps import upsert
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS

if TYPE_CHECKING:
    from datetime import date

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.sql.mart import Mart

__all__ = ["rebuild"]

_DAY = "(%(since)s::timestamp AT TIME ZONE 'UTC')"
_NEXT = "(%(until)s::timestamp AT TIME ZONE 'UTC')"


def rebuild(
    connection: Connection, since: date | None = None, until: date | None = None
) -> dict[str, int]:
    """Compute marts and the ledger's totals again; return the number of changed rows by table.

    Args:
        connection: A connection of the owner.
        since: The first day of the marts, UTC; all if absent. Rows of dropped days stay as they
            are, and so do rows that began on one.
        until: The day after the last day; all if absent.
    """
    changed: dict[str, int] = {}
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        # A batch stores its offsets first, so it waits for this lock until the rebuild is done.
        cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")
        # Waits for a running drop of days, and keeps retention from dropping any until the end.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('raw.events.days'))")
        cursor.execute("SELECT max_event_time::date FROM ops.progress WHERE query = 'retention'")
        dropped = cursor.fetchone()
        since = max(filter(None, [since, dropped[0] if dropped else None]), default=None)
        values = {"since": since or "-infinity", "until": until or "infinity"}
        for mart in MARTS:
            if not dropped or mart.time or not mart.kept_by:
                changed[mart.table] = _rebuild(cursor, mart, values)
        cursor.execute(REPLACE_TOTALS)
        (changed["ops.ledger_by_shard"],) = cursor.fetchone() or (0,)
        cursor.execute("SELECT mart.refresh_summaries()")
    return changed


def _rebuild(cursor: Cursor, mart: Mart, values: dict[str, object]) -> int:
    """Rebuild one mart after the marts that it follows from; return the number of changed rows."""
    # A row whose sums are all 0 is equivalent to no row.
    counts = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    cursor.execute(
        "CREATE TEMPORARY TABLE wanted ON COMMIT DROP AS SELECT * FROM"
        f" ({mart.select.format(source=_source(mart))}) AS one"
        f" WHERE {_in_range(mart)} AND {is_whole(mart)} AND ({counts})",
        values,
    )
    replace = _replace_shared if mart.is_shared else _replace
    changed = replace(cursor, mart, f"{_in_range(mart)} AND ({counts})", values)
    cursor.execute("DROP TABLE wanted")
    return changed


def _replace(cursor: Cursor, mart: Mart, condition: str, values: dict[str, object]) -> int:
    """Replace the rows of a mart that differ from the wanted ones; return their number."""
    same = " AND ".join(f"one.{name} = wanted.{name}" for name in mart.key)
    cursor.execute(
        f"DELETE FROM {mart.table} AS one WHERE {condition}"
        f" AND NOT EXISTS (SELECT FROM wanted WHERE {same})",
        values,
    )
    changed = cursor.rowcount
    new = {name: f"excluded.{name}" for name in mart.values}
    cursor.execute(upsert(mart, "TABLE wanted", new, _differ(mart, "known", "excluded")))
    return changed + cursor.rowcount


def _replace_shared(cursor: Cursor, mart: Mart, condition: str, values: dict[str, object]) -> int:
    """Put one row of writer 0 in the place of all rows of a key that differ; return the keys."""
    keys, columns = listed(mart.key), listed(mart.columns)
    cursor.execute(
        "CREATE TEMPORARY TABLE wrong ON COMMIT DROP AS SELECT"
        f" {keys} FROM (SELECT {columns} FROM {mart.table} AS one WHERE {condition}) AS known"
        f" FULL JOIN wanted USING ({keys}) WHERE {_differ(mart, 'known', 'wanted')}",
        values,
    )
    changed = cursor.rowcount
    cursor.execute(f"DELETE FROM {mart.written_table} WHERE ({keys}) IN (SELECT {keys} FROM wrong)")
    cursor.execute(
        f"INSERT INTO {mart.written_table} ({columns}, writer)"
        f" SELECT {columns}, 0 FROM wanted INNER JOIN wrong USING ({keys})"
    )
    cursor.execute("DROP TABLE wrong")
    return changed


def _differ(mart: Mart, one: str, other: str) -> str:
    """Return whether the values of two rows differ, as SQL."""
    first, second = (listed(mart.values, f"{row}.") for row in (one, other))
    return f"({first}) IS DISTINCT FROM ({second})"


def _source(mart: Mart) -> str:
    """Return the part of a mart's source relation that the range needs."""
    in_range = f"event_time >= {_DAY} AND event_time < {_NEXT}"
    events = f"(SELECT * FROM raw.events WHERE {in_range})"
    if mart is SESSIONS:
        # A session is worked out from all of its events, whatever their day.
        sessions = f"SELECT session_id FROM raw.events WHERE {in_range}"
        events = f"(SELECT * FROM raw.events WHERE session_id IN ({sessions}))"
    return source_of(mart, events if mart.time else "raw.events")


def _in_range(mart: Mart) -> str:
    return f"{mart.time} >= {_DAY} AND {mart.time} < {_NEXT}" if mart.time else "true"
