"""Migrations: each goes up and down again, and the tables that are left are the ones before."""

from __future__ import annotations

from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import DEVICES
from clickstream_local.migrations import migrate
from clickstream_local.postgres import OWNER
from clickstream_migrations.database import migrations_folder
from clickstream_streaming.shell.verification import run_checks
from pipeline import wait_until
from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline import Pipeline

pytestmark = pytest.mark.services

_SEALS = "20261129000002_seals_of_rows.sql"
_SHAPE = """
SELECT table_schema, table_name, column_name, data_type, is_nullable
FROM information_schema.columns
WHERE table_schema IN ('raw', 'ops', 'mart') AND table_name !~ '^events_[0-9]+$'
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty(pipeline: Pipeline) -> Iterator[str]:
    """Return the name of an empty database."""
    name = "migrated"
    with closing(pipeline.postgres.connect(OWNER, "postgres")) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            yield name
            cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_migrations_roll_back(pipeline: Pipeline, empty: str) -> None:
    """Down to nothing and up again gives the same columns."""
    postgres = pipeline.postgres

    def shape() -> list[tuple[object, ...]]:
        with closing(postgres.connect(OWNER, empty)) as connection, connection.cursor() as cursor:
            cursor.execute(_SHAPE)
            return cursor.fetchall()

    migrate(postgres, empty)
    wanted = shape()
    for _ in migrations_folder().glob("*.sql"):
        migrate(postgres, empty, "rollback")
    assert shape() == []
    migrate(postgres, empty)
    assert shape() == wanted


_STORED_BEFORE = """
INSERT INTO ops.runs (run_id, simulation) VALUES (gen_random_uuid(), 'old');
INSERT INTO ops.shards (run_id, shard, simulation, stored_events)
SELECT run_id, 0, 'old', 2 FROM ops.runs;
INSERT INTO ops.verifications SELECT (jsonb_populate_record(NULL::ops.verifications, (
    SELECT jsonb_object_agg(attname, 0) FROM pg_attribute
    WHERE attrelid = 'ops.verifications'::regclass AND attnum > 0
) || '{"verified_at": "2026-01-01T00:00:00Z", "examples": []}')).*;
SELECT ops.ensure_event_partitions('2020-01-01', '2020-01-01');
INSERT INTO raw.events SELECT (jsonb_populate_record(NULL::raw.events, (
    SELECT jsonb_object_agg(attname, CASE atttypid
        WHEN 'uuid'::regtype THEN to_jsonb(run_id)
        WHEN 'timestamptz'::regtype THEN '"2020-01-01T12:00:00.123Z"'
        ELSE '7' END)
    FROM pg_attribute
    WHERE attrelid = 'raw.events'::regclass AND attnum > 0 AND NOT attisdropped
) || jsonb_build_object('event_id', gen_random_uuid(), 'shard', 0, 'shard_seq', number))).*
FROM ops.runs, generate_series(1, 2) AS number;
"""


def test_rows_of_before_are_sealed(pipeline: Pipeline, empty: str) -> None:
    """The migration seals the rows that are there, and counts when their events came."""
    postgres = pipeline.postgres
    migrate(postgres, empty)
    for file in migrations_folder().glob("*.sql"):
        if file.name >= _SEALS:
            migrate(postgres, empty, "rollback")
    with closing(postgres.connect(OWNER, empty)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(_STORED_BEFORE)

        migrate(postgres, empty)

        with connection, connection.cursor() as cursor:
            examples = run_checks(cursor).examples
            cursor.execute("SELECT arrivals_checksum > 0 FROM ops.shards")
            counted = cursor.fetchall()
            cursor.execute("SELECT relation, rows FROM ops.histories")
            histories = cursor.fetchall()
    assert [text for text in examples if "written" in text or "stored" in text] == []
    assert (counted, histories) == ([(True,)], [("ops.verifications", 1)])


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
