"""The rebuild: computes all marts and the ledger's totals again, while the stream runs.

Owns the order of the marts, the transactions, and the locks. The rebuild writes only what differs:
it proves the marts right if it changes no row. Each comparison reads one snapshot, which has every
batch as a whole or not at all, so batches need not wait.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from psycopg2 import errors

from clickstream_streaming.core.pieces import Piece, covering, pieces_of
from clickstream_streaming.core.sql.batch_steps import CLAIM_WRITER, KEPT_SINCE
from clickstream_streaming.core.sql.ledger_by_shard import REPLACE_TOTALS, WRONG_TOTALS
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.rebuild_steps import (
    add_corrections,
    compare_suspects,
    corrections,
    insert_missing,
    no_suspects,
    replace_wrong,
    suspects,
    times_of_suspects,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.sql.mart import Mart

__all__ = ["rebuild", "rebuild_here"]

_ROUNDS = 10
"""After so many comparisons, batches wait for the last one. They change the same rows again and
again only if the rows of active sessions are wrong."""
_PORTION_ROWS = 10_000
"""A batch may wait for the rows of a portion."""
_LOCK_SECONDS = 0.5
"""An insert that waits longer for a batch is ended, before PostgreSQL looks for a deadlock."""
_POLL_SECONDS = 0.05
_LOCKED_SHARDS = 100
"""With a day of the ledger they have 144,000 rows, which are read in a fraction of a second."""

# The first lock is the rebuild's: the stream's upkeep does not drop days meanwhile, and a second
# rebuild waits. The second one keeps others from dropping days; batches share it.
_LOCK = """
SELECT pg_advisory_lock(hashtext('mart.rebuild'));
SELECT pg_advisory_lock_shared(hashtext('raw.events.days'))
"""
_UNLOCK = "SELECT pg_advisory_unlock_all()"
_FORGET = "DISCARD TEMP"
_DAYS = """
SELECT to_date(right(child.relname, 8), 'YYYYMMDD') AS day, pg_relation_size(child.oid)
FROM pg_inherits INNER JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'raw.events'::regclass AND child.relname ~ '^events_[0-9]{8}$' ORDER BY day
"""
_SETTINGS = "SET LOCAL work_mem = '256MB'; SET LOCAL timezone = 'UTC'"
_SNAPSHOT = f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {_SETTINGS}"
# A batch stores its offsets first, and has this lock until it ends.
_WRITERS = """
SELECT coalesce(array_agg(virtualtransaction), '{}') FROM pg_locks
WHERE relation = 'ops.batches'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def rebuild(
    connection: Connection, since: date | None = None, until: date | None = None
) -> dict[str, int]:
    """Compute marts and the ledger's totals again; return the number of changed rows by table.

    After an error, the tables that were done before are right.

    Args:
        connection: A connection of the owner, without a transaction.
        since: The first day of the marts, UTC; all if absent. Rows of dropped days stay as they
            are, and so do rows that began on one.
        until: The day after the last day; all if absent. A wrong row that has events in the range
            is corrected as a whole.
    """
    changed: dict[str, int] = {}
    with _keeping_days(connection):
        with connection, connection.cursor() as cursor:
            cursor.execute(KEPT_SINCE)
            dropped = cursor.fetchone()
            first = dropped[0].astimezone(UTC).date() if dropped else None
            whole = Piece(max(filter(None, (since, first)), default=None), until)
            cursor.execute(_DAYS)
            pieces = pieces_of(cursor.fetchall(), whole)
        for mart in MARTS:
            if not dropped or mart.time or not mart.kept_by:
                write = _correct if mart.is_sum else _settle
                changed[mart.table] = write(connection, mart, pieces if mart.time else [whole])
        changed["ops.ledger_by_shard"] = _replace_totals(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT mart.refresh_summaries()")
    return changed


def rebuild_here(cursor: Cursor, mart: Mart, piece: Piece) -> int:
    """Rebuild one mart within a transaction, while no batch runs; return the changed rows."""
    if mart.is_sum:
        cursor.execute(corrections(mart), piece.values())
        changed = _add(cursor, mart)
    else:
        cursor.execute(no_suspects(mart))
        cursor.execute(suspects(mart), piece.values() | {"piece": 0})
        found = _compare(cursor, mart, [piece])
        changed = _replace(cursor, mart, found.former) + _insert(cursor, mart, found.missing)
    cursor.execute(_FORGET)
    return changed


@contextmanager
def _keeping_days(connection: Connection) -> Iterator[None]:
    """Keep all days, and other rebuilds away, until the block ends."""
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_LOCK)
        yield
    finally:
        if not connection.closed:
            with connection, connection.cursor() as cursor:
                cursor.execute(_UNLOCK)
                cursor.execute(_FORGET)


def _correct(connection: Connection, mart: Mart, pieces: list[Piece]) -> int:
    """Add to each wrong sum what it lacks, piece by piece; return the number of keys."""
    changed = 0
    for piece in pieces:
        with connection, connection.cursor() as cursor:
            cursor.execute(_SNAPSHOT)
            cursor.execute(corrections(mart), piece.values())
        with connection, connection.cursor() as cursor:
            changed += _add(cursor, mart)
            cursor.execute(_FORGET)
    return changed


def _add(cursor: Cursor, mart: Mart) -> int:
    cursor.execute(CLAIM_WRITER)  # no batch writes rows with this number meanwhile
    cursor.execute(add_corrections(mart))
    return cursor.rowcount


def _settle(connection: Connection, mart: Mart, pieces: list[Piece]) -> int:
    """Replace wrong rows until a comparison finds none; return the number of changed rows."""
    with connection, connection.cursor() as cursor:
        cursor.execute(no_suspects(mart))
    for number, piece in enumerate(pieces):
        with connection, connection.cursor() as cursor:
            cursor.execute(_SNAPSHOT)
            cursor.execute(suspects(mart), piece.values() | {"piece": number})
    changed = 0
    for _ in range(_ROUNDS):
        with connection, connection.cursor() as cursor:
            cursor.execute(_SNAPSHOT)
            found = _compare(cursor, mart, pieces)
        if not found.wrong:
            break
        changed += _write(connection, mart, found)
        _wait_for_batches(connection)
    else:
        with connection, connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
            cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")
            found = _compare(cursor, mart, pieces)
            changed += _replace(cursor, mart, found.former) + _insert(cursor, mart, found.missing)
    with connection, connection.cursor() as cursor:
        cursor.execute(_FORGET)
    return changed


class _Found(NamedTuple):
    """Numbers of wrong keys, of their stored rows, and of the rows that they lack."""

    wrong: int
    former: int
    missing: int


def _compare(cursor: Cursor, mart: Mart, pieces: list[Piece]) -> _Found:
    """Compare the suspects with their events; the wrong ones are the suspects then."""
    cursor.execute(times_of_suspects(mart))
    first, last, *days = cursor.fetchone() or (None, None)
    numbers = [] if first is None else [first, last]
    span = covering(pieces, numbers, filter(None, days))
    cursor.execute("DROP TABLE IF EXISTS wanted, former, missing")
    for statement in compare_suspects(mart):
        cursor.execute(statement, span.values())
    cursor.execute(
        "SELECT (SELECT count(*) FROM suspects), (SELECT count(*) FROM former),"
        " (SELECT count(*) FROM missing)"
    )
    return _Found(*cursor.fetchone() or (0, 0, 0))


def _write(connection: Connection, mart: Mart, found: _Found) -> int:
    """Write the rows that batches have left alone since the comparison; return their number."""
    changed = 0
    for rows, write in ((found.former, _replace), (found.missing, _insert)):
        for after in range(0, rows, _PORTION_ROWS):
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
                    changed += write(cursor, mart, after + _PORTION_ROWS, after)
            except errors.LockNotAvailable:  # a batch inserts one of the rows: compare it again
                continue
    return changed


def _replace(cursor: Cursor, mart: Mart, last: int, after: int = 0) -> int:
    """Delete and update wrong rows that are as they were compared; return their number."""
    choose, *changes = replace_wrong(mart)
    cursor.execute(choose, {"after": after, "last": last})
    changed = 0
    for statement in changes:
        cursor.execute(statement)
        changed += cursor.rowcount
    return changed


def _insert(cursor: Cursor, mart: Mart, last: int, after: int = 0) -> int:
    """Insert missing rows that are still missing; return their number."""
    if mart.is_shared:
        cursor.execute(CLAIM_WRITER)
    cursor.execute(insert_missing(mart), {"after": after, "last": last})
    return cursor.rowcount


def _replace_totals(connection: Connection) -> int:
    """Replace wrong totals of the ledger; return their number.

    Batches of the ledger wait while a portion is read.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        cursor.execute(WRONG_TOTALS)
        wrong = cursor.fetchall()
    for start in range(0, len(wrong), _LOCKED_SHARDS):
        run_ids, shards = zip(*wrong[start : start + _LOCKED_SHARDS], strict=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(REPLACE_TOTALS, {"run_ids": [*run_ids], "shards": [*shards]})
    return len(wrong)


def _wait_for_batches(connection: Connection) -> None:
    """Wait until the batches that run now have ended.

    Such a batch may have left a row alone because of its old value, with events that no snapshot
    has yet.
    """
    running = _running_batches(connection)
    while running:
        time.sleep(_POLL_SECONDS)
        running &= _running_batches(connection)


def _running_batches(connection: Connection) -> set[str]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        (found,) = cursor.fetchone() or ([],)
    return set(found)
