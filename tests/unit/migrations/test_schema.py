"""The files of the schema, their order, and which of them a database gets."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
from clickstream_migrations import schema
from clickstream_migrations.database import Database
from clickstream_migrations.errors import (
    DatabaseRefused,
    DatabaseTooNew,
    DatabaseTooOld,
    MigrationFailed,
)
from clickstream_migrations.schema import BASELINE, migrate, sql_folder
from psycopg2.errors import InvalidTableDefinition
from scripted_database import Answer, ScriptedDatabase

_APPLIED = "SELECT version FROM public.schema_migrations"
_LATER = "20991231000000"
_FILES = {
    "schema/ops/runs.sql": "create runs",
    "schema/functions/ops.one.sql": "replace one",
    "schema/views/mart.all.sql": "replace all",
    f"migrations/{_LATER}_more.sql": "alter runs",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a table, a function, a view and a migration."""
    order = [name.removeprefix("schema/") for name in _FILES if name.startswith("schema/")]
    for name, text in _FILES.items() | {("schema/order.txt", "\n".join(["# Order", "", *order]))}:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def _migrated(
    monkeypatch: pytest.MonkeyPatch, folder: Path, answers: dict[str, Answer]
) -> tuple[ScriptedDatabase, list[str]]:
    """Migrate a scripted database; return it and the added versions."""
    database = ScriptedDatabase(answers)
    monkeypatch.setattr(Database, "connect", lambda _: database)
    return database, migrate(Database("db", 5432, "shop", "owner", Path()), folder)


def _changes(database: ScriptedDatabase) -> list[str]:
    """Return the statements of the files, and the versions that were added."""
    return [
        str(values) if values else text
        for text, values in database.statements
        if values or text in _FILES.values() or text.startswith(("ROLLBACK", "DROP"))
    ]


def test_folder_lies_in_checkout() -> None:
    """From a checkout the files are those of the repository."""
    assert sql_folder() == Path(__file__).parents[3] / "db"


def test_packaged_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package contains a copy of the files."""
    (tmp_path / "db").mkdir()
    monkeypatch.setattr(schema, "__file__", str(tmp_path / "schema.py"))

    assert sql_folder() == tmp_path / "db"


def test_order_names_each_file_once() -> None:
    """No file of the schema is left out, and none runs twice."""
    root = sql_folder() / "schema"
    lines = (root / "order.txt").read_text(encoding="utf-8").splitlines()

    named = [line for line in lines if line and not line.startswith("#")]

    assert sorted(named) == sorted(str(file.relative_to(root)) for file in root.rglob("*.sql"))


def test_views_are_named_after_their_files() -> None:
    """The file of a view or function has the name of what it creates."""
    for folder, kind in (("views", "VIEW"), ("functions", "FUNCTION")):
        for file in (sql_folder() / "schema" / folder).glob("*.sql"):
            assert f"CREATE OR REPLACE {kind} {file.stem}" in file.read_text(encoding="utf-8")


def test_migrations_are_later_than_the_baseline() -> None:
    """A migration of the repository has a version after the baseline's."""
    for file in sql_folder().glob("migrations/*.sql"):
        assert file.name.partition("_")[0] > BASELINE


def test_empty_database_gets_the_schema(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of the schema run in their order; migrations count as applied."""
    database, added = _migrated(monkeypatch, folder, {})

    assert added == [BASELINE, _LATER]
    assert _changes(database) == [
        "create runs", "replace one", "replace all", f"('{BASELINE}',)", f"('{_LATER}',)",
    ]  # fmt: skip
    assert (database.ends, database.closed) == (["commit"], 1)


def test_database_gets_what_it_lacks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing migrations come first, then functions and views again, and no table."""
    database, added = _migrated(monkeypatch, folder, {_APPLIED: [(BASELINE,)]})

    assert added == [_LATER]
    assert _changes(database) == ["alter runs", "replace one", "replace all", f"('{_LATER}',)"]


def test_functions_and_views_run_always(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that lacks nothing gets its functions and views again."""
    database, added = _migrated(monkeypatch, folder, {_APPLIED: [(BASELINE,), (_LATER,)]})

    assert added == []
    assert _changes(database) == ["replace one", "replace all"]


def test_changed_views_are_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If PostgreSQL cannot replace a view, all views are dropped and created."""
    refusals: list[Exception] = [InvalidTableDefinition("cannot drop columns from view")]

    def replace(_: object) -> list[tuple[object, ...]]:
        if refusals:
            raise refusals.pop()
        return []

    database, _added = _migrated(
        monkeypatch, folder, {_APPLIED: [(BASELINE,), (_LATER,)], "replace all": replace}
    )

    assert _changes(database) == [
        "replace one", "replace all", "ROLLBACK TO SAVEPOINT replacement",
        'DROP VIEW IF EXISTS "mart"."all"', "replace one", "replace all",
    ]  # fmt: skip


def test_failed_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of PostgreSQL comes with the file; the transaction is rolled back."""
    answers: dict[str, Answer] = {
        _APPLIED: [(BASELINE,)], "alter runs": psycopg2.ProgrammingError("no\n"),
    }  # fmt: skip
    database = ScriptedDatabase(answers)
    monkeypatch.setattr(Database, "connect", lambda _: database)

    with pytest.raises(MigrationFailed) as caught:
        migrate(Database("db", 5432, "shop", "owner", Path()), folder)

    assert caught.value.address == "db:5432/shop"
    assert (caught.value.file, caught.value.reason) == (f"migrations/{_LATER}_more.sql", "no")
    assert (database.ends, database.closed) == (["rollback"], 1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([("20261123000001",), ("20261129000052",)], DatabaseTooOld),
        ([("20261130000000",)], DatabaseTooOld),
        ([(BASELINE,), ("20991231000001",)], DatabaseTooNew),
        (psycopg2.ProgrammingError("no"), DatabaseRefused),
    ],
)
def test_other_databases_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[Exception]
) -> None:
    """A database of before the baseline, of a later version, or that refuses, is not changed."""
    database = ScriptedDatabase({_APPLIED: answer})
    monkeypatch.setattr(Database, "connect", lambda _: database)

    with pytest.raises(error):
        migrate(Database("db", 5432, "shop", "owner", Path()), folder)

    assert _changes(database) == []
    assert database.ends == ["rollback"]
