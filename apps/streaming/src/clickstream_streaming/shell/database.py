"""PostgreSQL: connecting, handing rows over, and what it knows of the stream.

Owns the connection's settings, the hand-over of Arrow tables by COPY, and the offsets that were
written with each batch. It does not know what becomes of the rows.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import psycopg2
import pyarrow.csv as pacsv
from clickstream_contract.quality import QUALITY_RULES
from psycopg2 import sql
from psycopg2.extras import execute_values

from clickstream_streaming.errors import (
    DatabaseBehindCheckpoint,
    DatabaseNotMigrated,
    DatabaseUnreachable,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Checkpoint, Offsets

__all__ = [
    "check_tables",
    "committed_offsets",
    "connect",
    "copy_table",
    "max_event_time",
    "refuse_if_behind",
    "store_rules",
]

_CONNECT_SECONDS = 10
_COPY_BYTES = 1 << 20
_STORE_RULES = """
INSERT INTO ops.quality_rules (rule, field, severity, reason, doc) VALUES %s
ON CONFLICT (rule) DO UPDATE SET severity = excluded.severity, doc = excluded.doc
"""
_TABLES = ("raw.events", "ops.batches", "ops.boards", "mart.visits", "mart.product_pairs")


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
            sslrootcert=settings.postgres_ca_file and str(settings.postgres_ca_file),
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


def copy_table(cursor: Cursor, table: str, rows: pa.Table) -> None:
    """Hand rows over by COPY; the columns' names are the table's.

    Args:
        cursor: Where to.
        table: The table, with its schema unless it is a temporary one.
        rows: The rows; texts in them are not empty.
    """
    buffer = BytesIO()
    # Quotes around every text that there is: an empty field means null.
    options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
    pacsv.write_csv(rows, buffer, options)
    buffer.seek(0)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, rows.column_names)),
    )
    cursor.copy_expert(statement, buffer, size=_COPY_BYTES)


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


def store_rules(connection: Connection) -> None:
    """Let ``ops.quality_rules`` say what this version asks of a record."""
    rows = [
        (rule.name, rule.field, rule.severity.value, rule.reason.value, rule.doc)
        for rule in QUALITY_RULES
    ]
    with connection, connection.cursor() as cursor:
        execute_values(cursor, _STORE_RULES, rows)


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
            "SELECT topic, kafka_partition FROM ops.batches"
            " WHERE query = %s AND checkpoint_id = %s AND batch_id = %s",
            (query, checkpoint.identity(), batch_id),
        )
        there = set(cursor.fetchall())
    ends = checkpoint.offsets_until(batch_id)
    if not {(topic, number) for topic, numbers in ends.items() for number in numbers} <= there:
        raise DatabaseBehindCheckpoint(checkpoint.folder, batch_id)
