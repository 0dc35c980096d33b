"""Lock waits of other connections, as the bench of the stream samples them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from clickstream_bench.load import LoadSamples
from pipeline import wait_until

if TYPE_CHECKING:
    from databases import Database
    from psycopg2.extensions import connection as Connection

_LOCK = "SELECT pg_advisory_xact_lock(7)"


def _lock(connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(_LOCK)


def test_waiting_connection_is_sampled(database: Database) -> None:
    """A connection that waits for another one's lock is active and a lock wait."""
    load = LoadSamples(database.connect())
    load.take()
    assert load.figures()["active_samples"] == 0

    with closing(database.connect()) as holder, closing(database.connect()) as waiter:
        holder.cursor().execute(_LOCK)
        with ThreadPoolExecutor(1) as pool:
            waits = pool.submit(_lock, waiter)

            def is_seen() -> bool:
                load.take()
                return load.figures()["lock_wait_samples"] > 0

            wait_until(is_seen, "the lock wait is seen")
            holder.rollback()
            waits.result(20)

    figures = load.figures()
    assert load.lock_waits == {"advisory": 1}
    assert figures["active_samples"] >= figures["lock_wait_samples"] == 1
