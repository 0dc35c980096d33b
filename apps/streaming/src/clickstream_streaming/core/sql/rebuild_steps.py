"""The statements of a rebuild: what differs from the events, and how it is written beside batches.

Owns why neither waits for the other. A batch changes a sum by what it adds to the source, so the
error of a sum stays the same whatever arrives: the rebuild adds what is lacking. Any other row is
written only if it still is as the snapshot had it; else it is compared again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.batch_steps import CURRENT_WRITER
from clickstream_streaming.core.sql.columns import listed
from clickstream_streaming.core.sql.mart import is_kept, is_whole, source_of
from clickstream_streaming.core.sql.mart_steps import added

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.mart import Mart

__all__ = [
    "add_corrections",
    "compare_suspects",
    "corrections",
    "insert_missing",
    "no_suspects",
    "replace_wrong",
    "suspects",
    "times_of_suspects",
]

_SINCE = "(%(since)s::timestamp AT TIME ZONE 'UTC')"
_UNTIL = "(%(until)s::timestamp AT TIME ZONE 'UTC')"
_IS_IN_PORTION = "number > %(after)s AND number <= %(last)s"
_TIMES = {"events": "event_time", "sessions": "started_at", "user_day": "day"}
"""The time of a row of a source, by source."""
_OWNERS = ("session_id", "order_id", "user_id", "product_id")
"""Columns of a source and of the marts that follow from it. All rows of the source from which a row
of a mart follows have the mart's value in the first of these columns that the mart's key has."""


def corrections(mart: Mart) -> str:
    """Return the statement that creates ``corrections``: what the wrong sums of a range lack.

    Args:
        mart: A mart of sums; a row whose sums are all 0 is equivalent to no row.
    """
    lacks = ", ".join(
        f"coalesce(wanted.{name}, 0) - coalesce(found.{name}, 0) AS {name}" for name in mart.values
    )
    differs = " OR ".join(
        f"coalesce(wanted.{name}, 0) <> coalesce(found.{name}, 0)" for name in mart.values
    )
    return f"""
CREATE TEMPORARY TABLE corrections AS
SELECT {listed(mart.key)}, {lacks}
FROM ({_found(mart)}) AS found FULL JOIN ({_computed(mart)}) AS wanted USING ({listed(mart.key)})
WHERE {differs}
"""


def add_corrections(mart: Mart) -> str:
    """Return the statement that adds ``corrections`` to the rows of the current writer."""
    return added(mart, "corrections", "TABLE corrections")


def no_suspects(mart: Mart) -> str:
    """Return the statement that creates ``suspects``, without rows."""
    return f"""
CREATE TEMPORARY TABLE suspects AS
SELECT {listed(mart.key)}, 0 AS piece FROM {mart.table} WITH NO DATA
"""


def suspects(mart: Mart) -> str:
    """Return the statement that adds to ``suspects`` the keys that a range suggests to be wrong.

    A row that follows from events in several ranges is one of them: in all ranges but one, its
    events there give another row.
    """
    return f"""
INSERT INTO suspects
SELECT {listed(mart.key)}, %(piece)s
FROM ({_found(mart)}) AS found FULL JOIN ({_computed(mart)}) AS wanted USING ({listed(mart.key)})
WHERE {_differ(mart, "found", "wanted")}
"""


def times_of_suspects(mart: Mart) -> str:
    """Return the query for the first and last piece, and the first and last day in the mart.

    The day of a suspect without a stored row is known if it follows from its key.
    """
    day = f"({mart.time})::timestamptz AT TIME ZONE 'UTC'" if mart.time else "NULL::timestamp"
    return f"""
SELECT min(piece), max(piece), min({day})::date, max({day})::date
FROM (SELECT * FROM suspects LEFT JOIN {mart.table} USING ({listed(mart.key)})) AS one
"""


def compare_suspects(mart: Mart) -> tuple[str, ...]:
    """Return the statements that compare the suspects with their events of a range.

    They create ``wanted``, the right rows of suspects; ``wrong``, the keys that differ; ``former``,
    the stored rows of these; and ``missing``, the wanted rows of keys without a stored one. The
    last two have numbers, for portions. The statements replace ``suspects`` by ``wrong``.
    """
    owner = next(name for name in _OWNERS if name in mart.key)
    source = (
        f"(SELECT * FROM {_source(mart)} AS one WHERE {owner} IN (SELECT {owner} FROM suspects))"
    )
    key = listed(mart.key)
    wanted = f"""
CREATE TEMPORARY TABLE wanted AS
SELECT {listed(mart.columns)} FROM ({mart.select.format(source=source)}) AS one
WHERE {_is_suspect(mart)} AND {is_whole(mart)}
"""
    wrong = f"""
CREATE TEMPORARY TABLE wrong AS
SELECT {key}, piece
FROM (
    SELECT {listed(mart.columns)} FROM {mart.table} AS one
    WHERE {_is_suspect(mart)} AND {_kept(mart)}
) AS found FULL JOIN wanted USING ({key}) INNER JOIN suspects USING ({key})
WHERE {_differ(mart, "found", "wanted")}
"""
    former = f"""
CREATE TEMPORARY TABLE former AS
SELECT row_number() OVER () AS number, {listed((*mart.written_key, *mart.values))}
FROM {mart.written_table} WHERE ({key}) IN (SELECT {key} FROM wrong)
"""
    missing = f"""
CREATE TEMPORARY TABLE missing AS
SELECT row_number() OVER () AS number, wanted.* FROM wanted
WHERE ({key}) IN (SELECT {key} FROM wrong) AND NOT {_is_in(mart, "former", "wanted")}
"""
    numbered = "CREATE INDEX ON former (number); CREATE INDEX ON missing (number)"
    renamed = "DROP TABLE suspects; ALTER TABLE wrong RENAME TO suspects"
    return wanted, wrong, former, missing, numbered, renamed


def replace_wrong(mart: Mart) -> tuple[str, ...]:
    """Return the statements that correct a portion of the ``former`` rows, if still the same.

    Rows that another transaction has locked are left as they are. The first statement chooses the
    rows, the others delete those without events and update the rest.
    """
    written = listed(mart.written_key)
    same = " AND ".join(f"known.{name} = wanted.{name}" for name in mart.key)
    values = ", ".join(f"{name} = wanted.{name}" for name in mart.values)
    known = listed(mart.written_key, "known.")
    is_unchanged = f"({known}) IN (SELECT {written} FROM unchanged)"
    unchanged = f"""
CREATE TEMPORARY TABLE unchanged ON COMMIT DROP AS
SELECT {known} FROM {mart.written_table} AS known INNER JOIN former USING ({written})
WHERE {_IS_IN_PORTION} AND NOT ({_differ(mart, "known", "former")})
FOR UPDATE OF known SKIP LOCKED
"""
    deleted = f"""
DELETE FROM {mart.written_table} AS known
WHERE {is_unchanged} AND NOT {_is_in(mart, "wanted", "known")}
"""
    updated = f"""
UPDATE {mart.written_table} AS known SET {values} FROM wanted WHERE {same} AND {is_unchanged}
"""
    return unchanged, deleted, updated


def insert_missing(mart: Mart) -> str:
    """Return the statement that inserts a portion of ``missing``, if no batch has done so since."""
    columns = listed(mart.columns)
    return f"""
INSERT INTO {mart.written_table} ({columns}{", writer" * mart.is_shared})
SELECT {columns}{f", {CURRENT_WRITER}" * mart.is_shared} FROM missing
WHERE {_IS_IN_PORTION} ON CONFLICT DO NOTHING
"""


def _found(mart: Mart) -> str:
    """Return the query for the stored rows of a range that can still be computed."""
    return (
        f"SELECT {listed(mart.columns)} FROM {mart.table} AS one"
        f" WHERE {_is_between(mart.time)} AND {_kept(mart)}"
    )


def _computed(mart: Mart) -> str:
    """Return the query for the rows that follow from the source's rows of a range."""
    return f"SELECT {listed(mart.columns)} FROM ({mart.select.format(source=_source(mart))}) AS one"


def _source(mart: Mart) -> str:
    """Return the part of a mart's source relation that lies in a range."""
    time = _TIMES.get(mart.source, "") if mart.time else ""
    return f"(SELECT * FROM {source_of(mart)} AS one WHERE {_is_between(time)})"


def _is_between(time: str) -> str:
    return f"{time} >= {_SINCE} AND {time} < {_UNTIL}" if time else "true"


def _is_suspect(mart: Mart) -> str:
    return f"({listed(mart.key)}) IN (SELECT {listed(mart.key)} FROM suspects)"


def _is_in(mart: Mart, table: str, row: str) -> str:
    """Return whether a table has the key of a row, as SQL."""
    keys = (listed(mart.key, f"{name}.") for name in (table, row))
    return f"EXISTS (SELECT FROM {table} WHERE ({') = ('.join(keys)}))"


def _kept(mart: Mart) -> str:
    return is_kept(mart.kept_by) if mart.kept_by else "true"


def _differ(mart: Mart, one: str, other: str) -> str:
    """Return whether the values of two rows differ, as SQL."""
    first, second = (listed(mart.values, f"{row}.") for row in (one, other))
    return f"ROW({first}) IS DISTINCT FROM ROW({second})"
