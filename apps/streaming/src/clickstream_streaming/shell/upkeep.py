"""The upkeep: creates tables of coming days and deletes old rows.

Owns the order of the calls. The functions of the database decide which rows the verification no
longer needs.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg2 import errors

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.settings import Settings

__all__ = ["run_upkeep"]

_LOG = logging.getLogger(__name__)

_DAYS_AHEAD = 3
_KEPT_BATCHES = 10_000
_MAX_REJECTS = 50_000
"""One upkeep deletes at most so many rejects, because a batch waits for it."""
_IS_FREE = "SELECT pg_try_advisory_xact_lock_shared(hashtext('mart.rebuild'))"
"""Returns false while a rebuild keeps all days. To wait for it would make batches wait."""


def run_upkeep(connection: Connection, settings: Settings) -> bool:
    """Create the tables of coming days, drop expired days, and delete old rows.

    Returns:
        Whether more old rejects are left than one upkeep deletes.
    """
    today = datetime.now(tz=UTC).date()
    ahead = today + timedelta(days=_DAYS_AHEAD)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT ops.ensure_event_partitions(%s, %s)", (today, ahead))
    if days := settings.raw_retention_days:
        _drop_days(connection, today - timedelta(days=days))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT ops.forget_batches(%s)", (_KEPT_BATCHES,))
        if (days := settings.detail_retention_days) and _is_free(cursor):
            _delete_details(cursor, today - timedelta(days=days))
        has_more = False
        if days := settings.rejected_payload_days:
            oldest = today - timedelta(days=days)
            cursor.execute("SELECT ops.forget_payloads(%s, %s)", (oldest, _MAX_REJECTS))
            has_more |= _count_of(cursor) >= _MAX_REJECTS
        if days := settings.rejected_retention_days:
            oldest = today - timedelta(days=days)
            cursor.execute("SELECT ops.forget_rejects(%s, %s)", (oldest, _MAX_REJECTS))
            has_more |= _count_of(cursor) >= _MAX_REJECTS
    return has_more


def _delete_details(cursor: Cursor, before: date) -> None:
    """Delete verifications, and rows of minutes and latencies whose events are dropped."""
    for function in ("forget_verifications", "forget_minutes", "forget_latencies", "merge_seals"):
        cursor.execute(f"SELECT ops.{function}(%s)", (before,))


def _is_free(cursor: Cursor) -> bool:
    cursor.execute(_IS_FREE)
    (is_free,) = cursor.fetchone() or (True,)
    return bool(is_free)


def _count_of(cursor: Cursor) -> int:
    (count,) = cursor.fetchone() or (0,)
    return int(count)


def _drop_days(connection: Connection, before: date) -> None:
    try:
        with connection, connection.cursor() as cursor:
            if not _is_free(cursor):
                _LOG.warning("days before %s are dropped later: a rebuild reads them", before)
                return
            cursor.execute("SELECT ops.drop_event_partitions(%s)", (before,))
            dropped = _count_of(cursor)
    except errors.LockNotAvailable:
        _LOG.warning("days before %s are dropped later: another connection reads them", before)
        return
    if dropped:
        _LOG.info("%d days of raw.events before %s are dropped", dropped, before)
