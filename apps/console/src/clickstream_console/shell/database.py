"""PostgreSQL, as the reader: few connections, short statements, answers cached for a second.

Owns the pool, the errors that mean that the database is away, and the cache: with any number of
viewers, the console asks each question at most once per second.
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
        settings: The database's address.
        failed: Called for every question without an answer.
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
                # Short attempts: a longer pause between them would delay the reconnect.
                reconnect_timeout=_WAIT_SECONDS,
                check=AsyncConnectionPool.check_connection,
                open=False,
                name="console",
            )
        )
        self._kept = alru_cache(maxsize=_KEPT_ANSWERS, ttl=_KEPT_SECONDS)(self._ask)

    async def __aenter__(self) -> Self:
        """Start to connect; the database may still be away."""
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
        """Return the rows that answer a question, at most one second old.

        Raises:
            DatabaseAway: The database does not answer now.
        """
        return await self._kept(question)

    async def is_there(self) -> bool:
        """Return whether the database answers."""
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
    """Return the cause of an error, without details of the network."""
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
    parameters = settings.connection_parameters(
        settings.postgres_user_file or settings.postgres_user,
        application="clickstream-console",
        connect_seconds=_CONNECT_SECONDS,
        options="-c timezone=UTC -c default_transaction_read_only=on"
        f" -c statement_timeout={settings.statement_timeout_milliseconds}",
    )
    return parameters | {
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "autocommit": True,
        "row_factory": dict_row,
    }
