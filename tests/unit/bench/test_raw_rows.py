"""Raw rows only: what is copied and appended, and what is left afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_bench.raw_rows import append_rows, copied_rows_per_second
from psycopg2.errors import UndefinedTable
from visits import visit, write_share

if TYPE_CHECKING:
    from pathlib import Path

    from databases import Database
    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.services

_STORED = 4
_COPIED = """
SELECT count(*), count(DISTINCT event_id),
    (SELECT count(*) FROM pg_index WHERE indrelid = 'public.copied_rows'::regclass)
FROM public.copied_rows
"""


@pytest.fixture
def filled(database: Database) -> Database:
    """Return a database with the events of two users."""
    for batch_id in range(2):
        write_share(database.settings, batch_id, 0, visit(batch_id + 1, 2 * batch_id + 1))
    return database


def test_each_row_is_copied_once(filled: Database, tmp_path: Path) -> None:
    """The clients' shares are all rows; the table has the indexes of ``raw.events``."""
    found: list[object] = []

    def connect() -> Connection:
        connection = filled.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.copied_rows') IS NOT NULL")
            if cursor.fetchone() == (True,):
                cursor.execute(_COPIED)
                found[:] = cursor.fetchone() or ()
        return connection

    assert copied_rows_per_second(connect, tmp_path) > 0
    indexes = filled.ask("SELECT count(*) FROM pg_index WHERE indrelid = 'raw.events'::regclass")
    assert found == [_STORED, _STORED, *indexes]


def test_nothing_is_left(filled: Database, tmp_path: Path) -> None:
    """Files and table are gone afterwards."""
    copied_rows_per_second(filled.connect, tmp_path)

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UndefinedTable):
        filled.ask("TABLE public.copied_rows")


def test_batches_are_appended() -> None:
    """A batch goes to a table without a key, with the login as the driver's settings."""
    calls: list[tuple[object, ...]] = []
    rows: Any = SimpleNamespace(
        write=SimpleNamespace(
            jdbc=lambda url, table, mode, properties: calls.append((url, table, mode, properties))
        )
    )

    append_rows("jdbc:postgresql://db/shop", {"user": "u"})(rows, 1)

    assert calls == [("jdbc:postgresql://db/shop", "public.jdbc_rows", "append", {"user": "u"})]
