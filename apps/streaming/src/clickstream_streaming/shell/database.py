"""PostgreSQL: one connection per writer, one transaction per batch.

Owns connecting, the hand-over of Arrow tables by COPY, and the offsets that are written with
each batch. A lost connection is taken up again and the batch repeated: every statement is
safe to run twice. It does not know what the statements do.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from io import BytesIO
from typing import TYPE_CHECKING, TypeVar

import psycopg2
import pyarrow.csv as pacsv
from psycopg2 import sql
from psycopg2.extras import execute_values

from clickstream_streaming.core.statements import BATCH_OFFSETS
from clickstream_streaming.errors import (
    DatabaseBehindCheckpoint,
    DatabaseNotMigrated,
    DatabaseUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Checkpoint, Offsets

__all__ = [
    "Writer",
    "check_tables",
    "committed_offsets",
    "connect",
    "copy_table",
    "max_event_time",
    "refuse_if_behind",
]

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_CONNECT_SECONDS = 10
_RETRY_SECONDS = 1.0
_GIVE_UP_SECONDS = 300.0
_TABLES = ("raw.events", "ops.batches", "ops.progress", "mart.fact_sessions", "mart.product_hour")


def connect(settings: Settings) -> Connection:
    """Connect as the writer.

    Raises:
        DatabaseUnreachable: PostgreSQL does not let us in.
    """
    address = f"{settings.postgres_host}:{settings.postgres_port}/{settings.postgres_database}"
    try:
        return psycopg2.connect(
            host=settings.postgres_host,
            port=settings.postgres_port,
            dbname=settings.postgres_database,
            user=settings.postgres_user,
            password=settings.postgres_password_file.read_text(encoding="utf-8").strip(),
            sslmode=settings.postgres_sslmode,
            connect_timeout=_CONNECT_SECONDS,
            application_name="clickstream-streaming",
            # A peer that is gone without a word is noticed within half a minute.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=4,
            options="-c timezone=UTC",
        )
    except psycopg2.OperationalError as error:
        raise DatabaseUnreachable(address, str(error)) from error


class Writer:
    """Writes the batches of one query.

    Args:
        settings: Where the database is.
        query: The query's name.
        checkpoint: Its checkpoint.
        stage: Statement that makes the tables batches are handed over in.
    """

    def __init__(self, settings: Settings, query: str, checkpoint: Checkpoint, stage: str) -> None:
        self._settings = settings
        self._query = query
        self._checkpoint = checkpoint
        self._stage = stage
        self._connection: Connection | None = None

    def write(self, batch_id: int, work: Callable[[Cursor], _Result]) -> _Result:
        """Do ``work`` and write the batch's offsets, in one transaction.

        While the database is away it is tried again, for five minutes.

        Raises:
            DatabaseUnreachable: It stays away.
        """
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            try:
                return self._transaction(batch_id, work)
            except (psycopg2.OperationalError, psycopg2.InterfaceError, DatabaseUnreachable) as e:
                self._forget_connection()
                if time.monotonic() > deadline:
                    raise
                _LOG.warning("batch %d of %s is tried again: %s", batch_id, self._query, e)
                time.sleep(_RETRY_SECONDS)

    def _transaction(self, batch_id: int, work: Callable[[Cursor], _Result]) -> _Result:
        if self._connection is None:
            self._connection = connect(self._settings)
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(self._stage)
            result = work(cursor)
            identity = self._checkpoint.identity()
            rows = [
                (self._query, identity, batch_id, topic, partition, until)
                for topic, partitions in self._checkpoint.offsets_until(batch_id).items()
                for partition, until in partitions.items()
            ]
            execute_values(cursor, BATCH_OFFSETS, rows)
            self._fail("before_sink_commit", batch_id)
        self._fail("after_sink_commit", batch_id)
        return result

    def _fail(self, place: str, batch_id: int) -> None:
        """Die here, if a test wants that."""
        wanted = self._settings
        if wanted.failpoint == place and batch_id >= wanted.failpoint_batch:
            os.kill(os.getpid(), signal.SIGKILL)

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def copy_table(cursor: Cursor, table: str, rows: pa.Table) -> None:
    """Hand rows over by COPY; the columns' names are the table's."""
    buffer = BytesIO()
    options = pacsv.WriteOptions(include_header=False, quoting_style="all_valid")
    pacsv.write_csv(rows, buffer, options)
    buffer.seek(0)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    )
    cursor.copy_expert(statement, buffer)


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


def max_event_time(connection: Connection, query: str) -> float | None:
    """Return the latest event time the query has written, as Unix seconds."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM max_event_time)::float8 FROM ops.progress WHERE query = %s",
            (query,),
        )
        row = cursor.fetchone()
    return None if row is None else float(row[0])


def check_tables(connection: Connection) -> None:
    """Raise :class:`DatabaseNotMigrated` if a table is missing."""
    with connection, connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute("SELECT to_regclass(%s)", (table,))
            row = cursor.fetchone()
            if row is None or row[0] is None:
                raise DatabaseNotMigrated(table)


def refuse_if_behind(connection: Connection, query: str, checkpoint: Checkpoint) -> None:
    """Compare the checkpoint's last batch with what the database holds.

    Raises:
        DatabaseBehindCheckpoint: The database was wiped or restored under the checkpoint.
    """
    batch_id = checkpoint.committed_batch()
    if batch_id is None:
        return
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ops.batches"
            " WHERE query = %s AND checkpoint_id = %s AND batch_id >= %s",
            (query, checkpoint.identity(), batch_id),
        )
        row = cursor.fetchone()
    if row is None or not row[0]:
        raise DatabaseBehindCheckpoint(checkpoint.folder, batch_id)
