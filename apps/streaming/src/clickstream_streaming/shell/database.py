"""PostgreSQL: connecting, handing rows over, and what it knows of the stream.

Owns the connection's settings, the hand-over of rows by COPY, and the offsets that were
written with each batch. It does not know what becomes of the rows.
"""

from __future__ import annotations

import logging
from io import RawIOBase
from typing import TYPE_CHECKING

import psycopg2
from clickstream_contract.quality import QUALITY_RULES
from psycopg2 import sql
from psycopg2.extras import execute_values

from clickstream_streaming.core.statements import STORED_ENDS
from clickstream_streaming.errors import (
    CheckpointBehindDatabase,
    DatabaseBehindCheckpoint,
    DatabaseNotMigrated,
    DatabaseUnreachable,
)
from clickstream_streaming.shell.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from threading import Event

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.core.binary_rows import BinaryRows
    from clickstream_streaming.settings import DatabaseSettings
    from clickstream_streaming.shell.checkpoint import Checkpoint, Offsets

__all__ = [
    "check_tables",
    "committed_offsets",
    "connect",
    "connect_patiently",
    "connect_when_migrated",
    "copy_rows",
    "refuse_if_apart",
    "refuse_if_behind",
    "store_rules",
]

_LOG = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
_PATIENCE_SECONDS = 60.0
_MIGRATION_SECONDS = 600.0
_RETRY_SECONDS = 1.0
# A peer that is gone without a word is noticed in a quarter of a minute, and at both ends: until
# the server knows that we are gone, its transaction keeps the offsets that we want to note again.
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 5, 3, 3
_SILENT_SECONDS = _IDLE_SECONDS + _PROBE_SECONDS * _PROBES
_SESSION = (
    f"-c timezone=UTC -c tcp_keepalives_idle={_IDLE_SECONDS}"
    f" -c tcp_keepalives_interval={_PROBE_SECONDS} -c tcp_keepalives_count={_PROBES}"
    f" -c tcp_user_timeout={_SILENT_SECONDS}s"
    " -c clickstream.seals=on"  # what this session writes is sealed, see docs/adr/0014
)
_STORE_RULES = """
INSERT INTO ops.quality_rules (rule, field, severity, reason, doc) VALUES %s
ON CONFLICT (rule) DO UPDATE SET severity = excluded.severity, doc = excluded.doc
"""
_TABLES = (
    "raw.events", "ops.batches", "ops.boards", "mart.sessions", "mart.product_pairs",
    "ops.account", "ops.verifications", "ops.latency_buckets",
)  # fmt: skip


def connect(settings: DatabaseSettings) -> Connection:
    """Connect as the user that the settings name.

    Raises:
        DatabaseUnreachable: PostgreSQL does not let us in.
    """
    address = f"{settings.postgres_host}:{settings.postgres_port}/{settings.postgres_database}"
    user = settings.postgres_user
    if settings.postgres_user_file is not None:
        user = settings.postgres_user_file.read_text(encoding="utf-8").strip()
    try:
        return psycopg2.connect(
            host=settings.postgres_host,
            port=settings.postgres_port,
            dbname=settings.postgres_database,
            user=user,
            password=settings.postgres_password_file.read_text(encoding="utf-8").strip(),
            sslmode=settings.postgres_sslmode,
            sslrootcert=settings.postgres_ca_file and str(settings.postgres_ca_file),
            connect_timeout=_CONNECT_SECONDS,
            application_name="clickstream-streaming",
            keepalives_idle=_IDLE_SECONDS,
            keepalives_interval=_PROBE_SECONDS,
            keepalives_count=_PROBES,
            tcp_user_timeout=1_000 * _SILENT_SECONDS,
            options=_SESSION,
            client_encoding="UTF8",
            hostaddr="",
        )
    except psycopg2.OperationalError as error:
        raise DatabaseUnreachable(address, str(error)) from error


def connect_patiently(settings: DatabaseSettings, stopping: Event) -> Connection:
    """Connect; wait a minute for a server that does not answer yet, but not if it refuses us.

    Args:
        settings: Where, and as whom.
        stopping: Ends the waiting.

    Raises:
        DatabaseUnreachable: PostgreSQL does not let us in.
    """
    patience = Patience(_PATIENCE_SECONDS)
    while True:
        try:
            return connect(settings)
        except DatabaseUnreachable as error:
            if error.is_refusal or patience.is_over():
                raise
            _LOG.warning("PostgreSQL is waited for: %s", error)
            if stopping.wait(_RETRY_SECONDS):
                raise


def connect_when_migrated(settings: DatabaseSettings, stopping: Event) -> Connection:
    """Connect; wait ten minutes for the tables, since migrations may run beside the stream.

    Args:
        settings: Where, and as whom.
        stopping: Ends the waiting.

    Raises:
        DatabaseUnreachable: PostgreSQL does not let us in.
        DatabaseNotMigrated: A table is still missing.
    """
    patience = Patience(_MIGRATION_SECONDS)
    missing = ""
    while True:
        connection = connect_patiently(settings, stopping)
        try:
            check_tables(connection)
        except DatabaseNotMigrated as error:
            connection.close()
            if error.missing != missing:
                _LOG.warning("waiting for the migrations: %s", error)
            missing = error.missing
            if patience.is_over() or stopping.wait(_RETRY_SECONDS):
                raise
        else:
            return connection


class _Pieces(RawIOBase):
    """A file that is made as it is read: piece by piece, however many bytes were asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def read(self, _size: int = -1, /) -> bytes:
        """Return the next piece; nothing at the end."""
        return next(self._pieces, b"")


def copy_rows(cursor: Cursor, table: str, rows: BinaryRows, names: Sequence[str]) -> None:
    """Hand rows over by COPY; the columns' names are the table's.

    Args:
        cursor: Where to.
        table: The table, with its schema unless it is a temporary one.
        rows: The rows.
        names: Which of their columns.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    cursor.copy_expert(statement, _Pieces(rows.of(names)))


def committed_offsets(connection: Connection, query: str) -> Offsets:
    """Return where the query's writing ended, whatever the checkpoint."""
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
    """Let ``ops.quality_rules`` say what this version asks of a record."""
    rows = [
        (rule.name, rule.field, rule.severity.value, rule.reason.value, rule.doc)
        for rule in QUALITY_RULES
    ]
    with connection, connection.cursor() as cursor:
        execute_values(cursor, _STORE_RULES, rows, page_size=len(rows))


def refuse_if_apart(connection: Connection, query: str, checkpoint: Checkpoint) -> None:
    """Compare the checkpoint's last batches with what the database holds of them.

    Raises:
        DatabaseBehindCheckpoint: The database was wiped or restored under the checkpoint.
        CheckpointBehindDatabase: The checkpoint was put back, or has lost its last batch's plan.
    """
    planned = checkpoint.planned_batch()
    if planned is None:
        return
    refuse_if_behind(connection, query, checkpoint)
    if _stored_ends(connection, query, checkpoint, planned + 1):
        raise CheckpointBehindDatabase(checkpoint.folder, planned + 1)
    # A batch that was under way may be there in part; what is there must end where it was to.
    there = _stored_ends(connection, query, checkpoint, planned)
    if not there.items() <= _flat(checkpoint.offsets_until(planned)).items():
        raise CheckpointBehindDatabase(checkpoint.folder, planned)


def refuse_if_behind(connection: Connection, query: str, checkpoint: Checkpoint) -> None:
    """Compare the last batch that Spark has committed with what the database holds of it.

    Batches are written one after the other: a database that has the last one has all of them.

    Raises:
        DatabaseBehindCheckpoint: The database lacks it, in whole or in part.
    """
    committed = checkpoint.committed_batch()
    if committed is not None:
        there = _stored_ends(connection, query, checkpoint, committed)
        if not _flat(checkpoint.offsets_until(committed)).keys() <= there.keys():
            raise DatabaseBehindCheckpoint(checkpoint.folder, committed)


def _flat(offsets: Offsets) -> dict[tuple[str, int], int]:
    return {(topic, number): end for topic, ends in offsets.items() for number, end in ends.items()}


def _stored_ends(
    connection: Connection, query: str, checkpoint: Checkpoint, batch_id: int
) -> dict[tuple[str, int], int]:
    """Return where the database has a batch of the checkpoint end, by topic and partition."""
    with connection, connection.cursor() as cursor:
        values = {"query": query, "checkpoint_id": checkpoint.identity(), "batch_id": batch_id}
        cursor.execute(STORED_ENDS, values)
        return {(topic, number): until for topic, number, until in cursor.fetchall()}
