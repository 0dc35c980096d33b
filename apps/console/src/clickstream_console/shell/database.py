"""PostgreSQL, as the reader: a few connections, short statements, answers kept for a moment.

Owns the pool, what counts as the database being away, and for how long an answer is kept:
however many people look, each question is asked once a second at most. It does not know any
statement.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

import psycopg
from async_lru import alru_cache
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from clickstream_console.errors import DatabaseAway

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from clickstream_console.core.questions import Question
    from clickstream_console.settings import Settings

__all__ = ["Database", "Rows"]

_LOG = logging.getLogger(__name__)
_CONNECT_SECONDS = 3
_WAIT_SECONDS = 3.0
_MAX_WAITING = 64
_IDLE_SECONDS = 60.0
_KEPT_ANSWERS = 128
_KEPT_SECONDS = 1.0

Rows = tuple[dict[str, Any], ...]


class Database:
    """Asks questions as the reader, while the context is open.

    Args:
        settings: Where the database is.
        failed: Told of every question that got no answer.
    """

    def __init__(self, settings: Settings, failed: Callable[[], None]) -> None:
        self._failed = failed
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]] = (
            AsyncConnectionPool(
                kwargs=lambda: _connection_settings(settings),
                min_size=1,
                max_size=settings.pool_connections,
                max_waiting=_MAX_WAITING,
                timeout=_WAIT_SECONDS,
                max_idle=_IDLE_SECONDS,
                # It gives up soon and begins anew: one that backs off comes back late.
                reconnect_timeout=_WAIT_SECONDS,
                check=AsyncConnectionPool.check_connection,
                open=False,
                name="console",
            )
        )
        self._kept = alru_cache(maxsize=_KEPT_ANSWERS, ttl=_KEPT_SECONDS)(self._ask)

    async def __aenter__(self) -> Self:
        """Begin to connect; the database need not be there yet."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._kept.cache_close()
        await self._pool.close(timeout=1)

    async def answer(self, question: Question) -> Rows:
        """Return the rows that answer a question, at most a second old.

        Raises:
            DatabaseAway: There is no answer to be had now.
        """
        return await self._kept(question)

    async def is_there(self) -> bool:
        """Say whether the database answers."""
        try:
            async with self._pool.connection(timeout=1) as connection:
                await connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    async def _ask(self, question: Question) -> Rows:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(question.sql, dict(question.values))
                return tuple(await cursor.fetchall())
        except psycopg.Error as error:
            self._failed()
            reason = _reason(error)
            _LOG.warning("no answer, the database %s: %s", reason, error)
            raise DatabaseAway(reason) from error


def _reason(error: psycopg.Error) -> str:
    """Say what is the matter in words that tell a stranger nothing of our network."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "took too long"
    if isinstance(error, (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)):
        return "lacks a table or view, so its migrations have not run"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "does not let the console read"
    if isinstance(error, (PoolTimeout, TooManyRequests)):
        return "cannot be reached, or has no connection free"
    return "has gone away" if isinstance(error, psycopg.OperationalError) else "gave an error"


def _connection_settings(settings: Settings) -> dict[str, Any]:
    user = settings.postgres_user
    if settings.postgres_user_file is not None:
        user = settings.postgres_user_file.read_text(encoding="utf-8").strip()
    return {
        "host": settings.postgres_host,
        "port": settings.postgres_port,
        "dbname": settings.postgres_database,
        "user": user,
        "password": settings.postgres_password_file.read_text(encoding="utf-8").strip(),
        "sslmode": settings.postgres_sslmode,
        "sslrootcert": settings.postgres_ca_file and str(settings.postgres_ca_file),
        "connect_timeout": _CONNECT_SECONDS,
        "client_encoding": "UTF8",
        "hostaddr": "",
        "application_name": "clickstream-console",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "options": "-c timezone=UTC -c default_transaction_read_only=on"
        f" -c statement_timeout={settings.statement_timeout_milliseconds}",
        "autocommit": True,
        "row_factory": dict_row,
    }
