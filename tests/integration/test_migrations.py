"""Migrations: each goes up and down again, and the tables that are left are the ones before."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import DEVICES
from clickstream_local.migrations import migrate
from clickstream_local.postgres import OWNER
from clickstream_migrations.database import migrations_folder
from pipeline import wait_until
from psycopg2 import sql

if TYPE_CHECKING:
    from pipeline import Pipeline

pytestmark = pytest.mark.services

_SHAPE = """
SELECT table_schema, table_name, column_name, data_type, is_nullable
FROM information_schema.columns
WHERE table_schema IN ('raw', 'ops', 'mart') AND table_name !~ '^events_[0-9]+$'
ORDER BY 1, 2, 3
"""


def test_migrations_roll_back(pipeline: Pipeline) -> None:
    """Down to nothing and up again gives the same columns."""
    postgres, name = pipeline.postgres, "migrated"
    admin = postgres.connect(OWNER, "postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def shape() -> list[tuple[object, ...]]:
        connection = postgres.connect(OWNER, name)
        with connection, connection.cursor() as cursor:
            cursor.execute(_SHAPE)
            found = cursor.fetchall()
        connection.close()
        return found

    try:
        migrate(postgres, name)
        wanted = shape()
        for _ in migrations_folder().glob("*.sql"):
            migrate(postgres, name, "rollback")
        assert shape() == []
        migrate(postgres, name)
        assert shape() == wanted
    finally:
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        admin.close()


def test_fixed_dimensions_are_the_contracts(pipeline: Pipeline) -> None:
    """Countries and devices in the tables are those that simulations can name."""
    connection = pipeline.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT country, name, utc_offset_minutes, language FROM mart.dim_country")
        assert set(cursor.fetchall()) == {
            (row.code, row.name, row.utc_offset_minutes, row.language) for row in COUNTRIES.values()
        }
        cursor.execute("SELECT device FROM mart.dim_device")
        assert {device for (device,) in cursor.fetchall()} == set(DEVICES)
    connection.close()


def test_two_writers_share_a_partition(pipeline: Pipeline) -> None:
    """Who has waited for another's day finds it, and makes no second one."""
    first, second, watch = pipeline.connect(), pipeline.connect(), pipeline.connect()
    watch.autocommit = True
    # A day of this test's own: one that is there already makes nobody wait.
    make = "SELECT ops.ensure_event_partitions('1999-09-09', '1999-09-09')"
    with first.cursor() as one, second.cursor() as two, watch.cursor() as look:
        one.execute(make)
        waiting = Thread(target=two.execute, args=(make,))
        waiting.start()
        asked = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"

        def is_waiting() -> bool:
            look.execute(asked, (second.info.backend_pid,))
            return bool(look.rowcount)

        wait_until(is_waiting, "the second writer waits")
        first.commit()
        waiting.join()
        second.commit()
        look.execute("SELECT to_regclass('raw.events_19990909') IS NOT NULL")
        assert look.fetchone() == (True,)
        look.execute("DROP TABLE raw.events_19990909")
    for connection in (first, second, watch):
        connection.close()
