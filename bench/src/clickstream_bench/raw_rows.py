"""Raw rows only: the least that a pipeline into PostgreSQL does, in two ways.

Owns how the events become rows of a table without a key by Spark and JDBC, and how two clients copy
rows into a table like ``raw.events``, which is PostgreSQL's own limit.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from psycopg2.extensions import connection as Connection
    from pyspark.sql import DataFrame

__all__ = ["append_rows", "copied_rows_per_second", "flat_rows"]

_CLIENTS = 2
_BUFFER_BYTES = 1 << 20
# Generated columns are computed again; the indexes and checks are those of raw.events.
_LIKE = "CREATE TABLE public.copied_rows (LIKE raw.events INCLUDING ALL)"
_DROP = "DROP TABLE public.copied_rows"
_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'raw.events'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_SHARE = """
COPY (SELECT {columns} FROM raw.events WHERE mod(kafka_offset, {clients}) = {client})
TO STDOUT (FORMAT binary)
"""


def flat_rows(events: DataFrame) -> DataFrame:
    """Return events with columns that JDBC knows: the lines of an order as JSON.

    Args:
        events: A column ``event`` with the events' fields.
    """
    return events.select("event.*").withColumn("items", F.to_json("items"))


def append_rows(url: str, login: Mapping[str, str]) -> Callable[[DataFrame, int], None]:
    """Return what adds a batch to ``public.jdbc_rows``, which Spark creates.

    Args:
        url: The database, for JDBC.
        login: User, password and settings of the driver.
    """
    return lambda rows, _: rows.write.jdbc(
        url, "public.jdbc_rows", mode="append", properties={**login}
    )


def copied_rows_per_second(connect: Callable[[], Connection], folder: Path) -> float:
    """Return the rows of ``raw.events`` that two clients copy per second into such a table.

    Each client has one transaction. The time includes its commit.

    Args:
        connect: Returns a connection of the owner.
        folder: An existing folder for the rows; they are deleted at the end.
    """
    files = [folder / f"{client}.rows" for client in range(_CLIENTS)]
    with closing(connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        (columns,) = cursor.fetchone() or ("",)
        for client, file in enumerate(files):
            share = _SHARE.format(columns=columns, clients=_CLIENTS, client=client)
            with file.open("wb") as rows:
                cursor.copy_expert(share, rows, _BUFFER_BYTES)
        cursor.execute(_LIKE)

    def copy(file: Path) -> int:
        statement = f"COPY public.copied_rows ({columns}) FROM STDIN (FORMAT binary)"
        with closing(connect()) as connection, connection, connection.cursor() as cursor:
            with file.open("rb") as rows:
                cursor.copy_expert(statement, rows, _BUFFER_BYTES)
            return cursor.rowcount

    try:
        with ThreadPoolExecutor(_CLIENTS) as pool:
            began = time.perf_counter()
            copied = sum(pool.map(copy, files))
            seconds = time.perf_counter() - began
    finally:
        for file in files:
            file.unlink()
        with closing(connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(_DROP)
    return copied / seconds
