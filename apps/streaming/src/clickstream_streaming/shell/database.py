"""PostgreSQL: connections, COPY, stored offsets and validation rules.

Owns when a connection counts as lost, and how long the stream retries.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from io import RawIOBase
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extensions
from clickstream_contract.quality import QUALITY_RULES
from psycopg2 import sql
from psycopg2.extras import execute_values

from clickstream_streaming.errors import (
    DatabaseNotMigrated,
    DatabaseUnreachable,
)
from clickstream_streaming.shell.retry import RETRY_SECONDS, Deadline, retry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.binary_rows import BinaryRows
    from clickstream_streaming.settings import DatabaseSettings
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = [
    "DISCONNECTED",
    "check_tables",
    "committed_offsets",
    "connect",
    "connect_when_migrated",
    "connect_with_retries",
    "copy_rows",
    "operational_if_lost",
    "store_rules",
]

_LOG = logging.getLogger(__name__)

DISCONNECTED = (psycopg2.OperationalError, psycopg2.InterfaceError, DatabaseUnreachable)
"""Errors of a lost connection, and of a database that does not answer."""
_CONNECT_SECONDS = 10
_STARTUP_SECONDS = 60.0
_MIGRATION_SECONDS = 600.0
# Both ends detect a lost peer within 15 seconds. Until the server detects it, the old transaction
# keeps the offsets locked that a new connection wants to store.
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 5, 3, 3
_SILENT_SECONDS = _IDLE_SECONDS + _PROBE_SECONDS * _PROBES
_SESSION = (
    f"-c timezone=UTC -c tcp_keepalives_idle={_IDLE_SECONDS}"
    f" -c tcp_keepalives_interval={_PROBE_SECONDS} -c tcp_keepalives_count={_PROBES}"
    f" -c tcp_user_timeout={_SILENT_SECONDS}s"
    " -c temp_buffers=64MB"  # most batches are staged without a detour through files
    " -c clickstream.seals=on"  # PostgreSQL seals the rows of this connection, see docs/adr/0014
)
_STORE_RULES = """
INSERT INTO ops.quality_rules (rule, field, severity, reason, doc) VALUES %s
ON CONFLICT (rule) DO UPDATE SET severity = excluded.severity, doc = excluded.doc
"""
_TABLES = (
    "raw.events", "ops.batches", "ops.summary_refreshes", "mart.sessions", "mart.product_pairs",
    "ops.reconciliation", "ops.verifications", "ops.latency_buckets_by_writer",
    "ops.ledger_by_shard",
)  # fmt: skip


class _Cursor(psycopg2.extensions.cursor):
    """A cursor that raises ``OperationalError`` for every lost connection."""

    def execute(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  psycopg2's own
        """Execute a statement, as psycopg2 does."""
        with operational_if_lost():
            super().execute(*arguments, **options)

    def copy_expert(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  psycopg2's own
        """Execute a COPY, as psycopg2 does."""
        with operational_if_lost():
            super().copy_expert(*arguments, **options)


@contextmanager
def operational_if_lost() -> Iterator[None]:
    """Raise ``OperationalError`` for an error of libpq that has no SQLSTATE.

    psycopg2 raises a plain ``DatabaseError`` for it, if libpq reads the end of the connection in a
    COPY before it marks the connection as bad.
    """
    try:
        yield
    except psycopg2.DatabaseError as error:
        if type(error) is psycopg2.DatabaseError and error.pgcode is None:
            raise psycopg2.OperationalError(*error.args) from error
        raise


def connect(settings: DatabaseSettings) -> Connection:
    """Connect as the user of the settings.

    Raises:
        DatabaseUnreachable: PostgreSQL does not answer, or refuses the connection.
    """
    try:
        connection: Connection = psycopg2.connect(
            **settings.connection_parameters(
                settings.postgres_user_file or settings.postgres_user,
                application="clickstream-streaming",
                connect_seconds=_CONNECT_SECONDS,
                options=_SESSION,
            ),
            keepalives_idle=_IDLE_SECONDS,
            keepalives_interval=_PROBE_SECONDS,
            keepalives_count=_PROBES,
            tcp_user_timeout=1_000 * _SILENT_SECONDS,
            cursor_factory=_Cursor,
        )
    except psycopg2.OperationalError as error:
        raise DatabaseUnreachable(settings.postgres_address, str(error)) from error
    return connection


def connect_with_retries(settings: DatabaseSettings, stopping: Event) -> Connection:
    """Connect; retry for a minute if the server does not answer, but not if it refuses.

    Args:
        settings: The address and the user.
        stopping: Ends the retries when it is set.

    Raises:
        DatabaseUnreachable: PostgreSQL does not answer, or refuses the connection.
    """
    return retry(
        lambda: connect(settings),
        DatabaseUnreachable,
        _STARTUP_SECONDS,
        "PostgreSQL does not answer",
        on_error=_raise_refusal,
        wait=stopping.wait,
    )


def _raise_refusal(error: Exception) -> None:
    """Raise an error that no other attempt can change."""
    if isinstance(error, DatabaseUnreachable) and error.is_refusal:
        raise error


def connect_when_migrated(settings: DatabaseSettings, stopping: Event) -> Connection:
    """Connect; wait ten minutes for the tables, because migrations may run at the same time.

    Args:
        settings: The address and the user.
        stopping: Ends the retries when it is set.

    Raises:
        DatabaseUnreachable: PostgreSQL does not answer, or refuses the connection.
        DatabaseNotMigrated: A table is still missing.
    """
    deadline = Deadline(_MIGRATION_SECONDS)
    missing = ""
    while True:
        connection = connect_with_retries(settings, stopping)
        try:
            check_tables(connection)
        except DatabaseNotMigrated as error:
            connection.close()
            if error.missing != missing:
                _LOG.warning("waiting for the migrations: %s", error)
            missing = error.missing
            if deadline.has_passed() or stopping.wait(RETRY_SECONDS):
                raise
        else:
            return connection


class _Pieces(RawIOBase):
    """A file over an iterator: each read returns the next piece, whatever its size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def read(self, _size: int = -1, /) -> bytes:
        """Return the next piece; empty at the end."""
        return next(self._pieces, b"")


def copy_rows(cursor: Cursor, table: str, rows: BinaryRows, names: Sequence[str]) -> None:
    """Write rows to a table by COPY.

    Args:
        cursor: The cursor.
        table: The table, with its schema unless it is temporary.
        rows: The rows.
        names: The columns to write; table and rows have the same names.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    cursor.copy_expert(statement, _Pieces(rows.of(names)))


def committed_offsets(connection: Connection, query: str) -> Offsets:
    """Return the end of the stored offsets of a query, over all checkpoints."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT topic, kafka_partition, max(until_offset) FROM ops.batches"
            " WHERE query = %s GROUP BY topic, kafka_partition",
            (query,),
        )
        offsets: Offsets = {}
        for topic, partition, until in cursor.fetchall():
            offsets.setdefault(topic, {})[partition] = until
    return offsets


def check_tables(connection: Connection) -> None:
    """Raise :class:`DatabaseNotMigrated` if a table is missing."""
    with connection, connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute("SELECT to_regclass(%s)", (table,))
            row = cursor.fetchone()
            if row is None or row[0] is None:
                raise DatabaseNotMigrated(table)


def store_rules(connection: Connection) -> None:
    """Write the validation rules of this version to ``ops.quality_rules``."""
    rows = [
        (rule.name, rule.field, rule.severity.value, rule.reason.value, rule.doc)
        for rule in QUALITY_RULES
    ]
    with connection, connection.cursor() as cursor:
        execute_values(cursor, _STORE_RULES, rows, page_size=len(rows))
