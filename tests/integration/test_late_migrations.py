"""A stream without tables waits for the migrations."""

from __future__ import annotations

from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING

from clickstream_streaming.shell.database import connect_when_migrated
from pipeline import wait_until

if TYPE_CHECKING:
    import pytest
    from databases import Database


def test_late_table_is_waited_for(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """The stream's login waits without an error, and continues as soon as the table is there."""
    database.ask("ALTER TABLE mart.product_pairs RENAME TO later; SELECT 1")
    found: list[tuple[object, ...] | None] = []

    def start() -> None:
        with (
            closing(connect_when_migrated(database.settings, Event())) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT to_regclass('mart.product_pairs') IS NOT NULL")
            found.append(cursor.fetchone())

    starting = Thread(target=start)
    starting.start()
    wait_until(lambda: "no mart.product_pairs" in caplog.text, "the stream waits")
    database.ask("ALTER TABLE mart.later RENAME TO product_pairs; SELECT 1")
    starting.join(30)

    assert found == [(True,)]
