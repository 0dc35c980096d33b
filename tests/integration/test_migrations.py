"""Migrations: every database that they leave has the schema of the files in ``db/``."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import DEVICES
from clickstream_local.errors import StateTooOld
from clickstream_local.postgres import OWNER, binary
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_migrations.database import Database as MigratedDatabase
from clickstream_migrations.errors import DatabaseTooNew, DatabaseTooOld, MigrationFailed
from clickstream_migrations.schema import BASELINE, migrate, sql_folder
from pipeline import wait_until
from psycopg2 import sql
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from databases import Database, DatabaseServer

pytestmark = pytest.mark.services

_OLD = "20261123000001"
_LATER = "20991231000000"
_ADDITION = """
ALTER TABLE mart.user_day ADD COLUMN planted integer;
COMMENT ON COLUMN mart.user_day.planted IS 'Planted by a test.';
"""


@contextmanager
def _empty_database(server: DatabaseServer, name: str) -> Iterator[MigratedDatabase]:
    """Create an empty database; drop it afterwards."""
    identifier = sql.Identifier(name)
    postgres = server.postgres
    with closing(postgres.connect(OWNER, "postgres")) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
            try:
                secret = postgres.state.secret(OWNER)
                yield MigratedDatabase(postgres.host, postgres.port, name, OWNER, secret)
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture
def empty(database_server: DatabaseServer) -> Iterator[MigratedDatabase]:
    """Return an empty database."""
    with _empty_database(database_server, "migrated") as database:
        yield database


@pytest.fixture
def other(database_server: DatabaseServer) -> Iterator[MigratedDatabase]:
    """Return another empty database."""
    with _empty_database(database_server, "fresh") as database:
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the SQL in which a test may change files."""
    shutil.copytree(sql_folder(), tmp_path / "db")
    (tmp_path / "db" / "migrations").mkdir(exist_ok=True)
    return tmp_path / "db"


def _execute(database: MigratedDatabase, statement: str) -> list[tuple[object, ...]]:
    """Run a statement, commit, and return its rows, if it has any."""
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _dump(database: MigratedDatabase) -> list[str]:
    """Return the parts of a dump, sorted: objects, and the rows that every database has."""
    done = subprocess.run(
        [
            str(binary("pg_dump")), f"--host={database.host}", f"--port={database.port}",
            f"--username={database.user}", database.name,
        ],
        env={"PGPASSWORD": database.password},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    text = re.sub(r"^(--|\\|SET |SELECT pg_catalog).*\n", "", done.stdout, flags=re.MULTILINE)
    return sorted(text.split("\n\n"))


def _plant(folder: Path, *, table: bool = True, migration: bool = True) -> None:
    """Add a column to a table's file, to a migration, or to both."""
    if table:
        with (folder / "schema" / "mart" / "user_day.sql").open("a", encoding="utf-8") as file:
            file.write(_ADDITION)
    if migration:
        file_of_migration = folder / "migrations" / f"{_LATER}_planted.sql"
        file_of_migration.write_text(_ADDITION, encoding="utf-8")


def _old_folder(tmp_path: Path) -> Path:
    """Return the SQL of the baseline: the schema itself as long as there is no migration."""
    baseline = sql_folder() / "baseline"
    source = baseline if baseline.is_dir() else sql_folder() / "schema"
    shutil.copytree(source, tmp_path / "old" / "schema")
    return tmp_path / "old"


def test_migrated_equals_fresh(
    empty: MigratedDatabase, other: MigratedDatabase, tmp_path: Path
) -> None:
    """The baseline with all migrations has the schema of a new database."""
    assert migrate(empty, _old_folder(tmp_path)) == [BASELINE]
    migrate(empty)
    migrate(other)

    assert _dump(empty) == _dump(other)


def test_migrations_need_a_baseline() -> None:
    """As soon as there is a migration, the schema before it is there to be migrated."""
    migrations = list(sql_folder().glob("migrations/*.sql"))

    assert not migrations or (sql_folder() / "baseline").is_dir()


@pytest.mark.parametrize(("table", "migration"), [(True, True), (True, False), (False, True)])
def test_planted_column(
    empty: MigratedDatabase, other: MigratedDatabase, folder: Path, *, table: bool, migration: bool
) -> None:
    """A column in the table's file and in a migration is equal; in one of them it is not."""
    migrate(empty)
    _plant(folder, table=table, migration=migration)

    assert migrate(empty, folder) == [_LATER] * migration
    migrate(other, folder)

    assert (_dump(empty) == _dump(other)) is (table and migration)


def test_nothing_is_applied_twice(empty: MigratedDatabase, folder: Path) -> None:
    """A new database has all versions; a second call adds none and changes nothing."""
    _plant(folder)

    assert migrate(empty, folder) == [BASELINE, _LATER]
    before = _dump(empty)
    assert migrate(empty, folder) == []

    assert _dump(empty) == before
    versions = _execute(empty, "SELECT version FROM public.schema_migrations ORDER BY 1")
    assert versions == [(BASELINE,), (_LATER,)]


def test_functions_are_replaced(empty: MigratedDatabase) -> None:
    """A function that was changed by hand is again that of its file."""
    migrate(empty)
    before = _dump(empty)
    _execute(
        empty,
        "CREATE OR REPLACE FUNCTION ops.refuse_open_days(before_day date) RETURNS void"
        " LANGUAGE sql AS ''",
    )
    assert _dump(empty) != before

    migrate(empty)

    assert _dump(empty) == before


def test_views_may_lose_columns(
    empty: MigratedDatabase, other: MigratedDatabase, folder: Path
) -> None:
    """A view with other columns is replaced, and so are the views that read it."""
    migrate(empty)
    file = folder / "schema" / "views" / "mart.funnel_hour.sql"
    text = file.read_text(encoding="utf-8")
    text = text.replace("hours.simulation, hours.country,", "hours.simulation,")
    text = re.sub(r"COMMENT ON COLUMN \S+\.country .*\n", "", text)
    file.write_text(text, encoding="utf-8")

    migrate(empty, folder)
    migrate(other, folder)

    assert _dump(empty) == _dump(other)


def test_failure_changes_nothing(empty: MigratedDatabase, folder: Path) -> None:
    """A file that PostgreSQL refuses is named, and no other file of the call has an effect."""
    migrate(empty)
    before = _dump(empty)
    _plant(folder)
    broken = folder / "schema" / "views" / "ops.latency.sql"
    broken.write_text("SELECT nothing", encoding="utf-8")

    with pytest.raises(MigrationFailed) as caught:
        migrate(empty, folder)

    assert caught.value.address == empty.address
    assert caught.value.file == "schema/views/ops.latency.sql"
    assert 'column "nothing" does not exist' in caught.value.reason
    assert _dump(empty) == before


def test_old_database_is_refused(empty: MigratedDatabase) -> None:
    """A database of version 0.3 is named with its first migration, and not changed."""
    _execute(
        empty,
        "CREATE TABLE schema_migrations (version varchar PRIMARY KEY);"
        " INSERT INTO schema_migrations VALUES ('20261123000001'), ('20261129000052')",
    )
    before = _dump(empty)

    with pytest.raises(DatabaseTooOld) as caught:
        migrate(empty)

    assert (caught.value.address, caught.value.version) == (empty.address, _OLD)
    assert _dump(empty) == before


def test_later_database_is_refused(empty: MigratedDatabase, folder: Path) -> None:
    """A database with a migration that is unknown here is named with it, and not changed."""
    _plant(folder)
    migrate(empty, folder)
    before = _dump(empty)

    with pytest.raises(DatabaseTooNew) as caught:
        migrate(empty)

    assert (caught.value.address, caught.value.version) == (empty.address, _LATER)
    assert _dump(empty) == before


def test_old_state_folder_is_refused(tmp_path: Path) -> None:
    """The laptop names its folder if the database in it is of version 0.3."""
    state = StateFolder(tmp_path)

    def start() -> AbstractContextManager[Stack]:
        stack = Stack(state, Console(quiet=True), lambda _text: None)
        try:
            stack.start_postgres()
        except BaseException:
            stack.stop()
            raise
        return _stopped(stack)

    with (
        start() as stack,
        closing(stack.postgres.connect(OWNER)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE schema_migrations SET version = %s", (_OLD,))

    with pytest.raises(StateTooOld) as caught:
        start()
    assert (caught.value.folder, caught.value.version) == (state.root, _OLD)


@contextmanager
def _stopped(stack: Stack) -> Iterator[Stack]:
    """Stop a stack afterwards."""
    try:
        yield stack
    finally:
        stack.stop()


def test_two_calls_at_once(empty: MigratedDatabase) -> None:
    """Of two migrations of an empty database, one waits for the other and has nothing to add."""
    with ThreadPoolExecutor(2) as pool:
        added = list(pool.map(migrate, [empty, empty]))

    assert sorted(added) == [[], [BASELINE]]


def test_fixed_dimensions_are_the_contracts(database: Database) -> None:
    """Countries and devices in the tables are those that simulations can name."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute("SELECT country, name, utc_offset_minutes, language FROM mart.dim_country")
        assert set(cursor.fetchall()) == {
            (row.code, row.name, row.utc_offset_minutes, row.language) for row in COUNTRIES.values()
        }
        cursor.execute("SELECT device FROM mart.dim_device")
        assert {device for (device,) in cursor.fetchall()} == set(DEVICES)


def test_two_writers_share_a_partition(database: Database) -> None:
    """A writer that waited for another writer's day finds the day, and creates no second one."""
    first, second, watch = database.connect(), database.connect(), database.connect()
    watch.autocommit = True
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
    for connection in (first, second, watch):
        connection.close()
