"""PostgreSQL as the stream uses it: connecting, COPY, offsets and rules."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING

import psycopg2
import pyarrow as pa
import pytest
from clickstream_contract.quality import QUALITY_RULES
from clickstream_streaming.core.binary_rows import BinaryRows
from clickstream_streaming.errors import (
    DatabaseNotMigrated,
    DatabaseUnreachable,
)
from clickstream_streaming.shell import database as module
from clickstream_streaming.shell import retry
from clickstream_streaming.shell.database import (
    check_tables,
    committed_offsets,
    connect,
    connect_when_migrated,
    connect_with_retries,
    copy_rows,
    operational_if_lost,
    store_rules,
)
from scripted_database import Rows, ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return what the module calls psycopg2 with, once it has."""
    found: dict[str, object] = {}
    monkeypatch.setattr(psycopg2, "connect", lambda **given: found.update(given) or "connection")
    return found


def test_connection_has_address(arguments: dict[str, object], tmp_path: Path) -> None:
    """Host, port, database, user and password are those of the settings."""
    assert str(connect(stream_settings(tmp_path, POSTGRES_PORT="77"))) == "connection"

    expected = {
        "host": "db",
        "port": 77,
        "dbname": "clickstream",
        "user": "clickstream_stream",
        "password": "secret",
        "sslmode": "prefer",
        "sslrootcert": None,
        "application_name": "clickstream-streaming",
        "connect_timeout": 10,
    }
    assert {name: arguments[name] for name in expected} == expected


def test_user_file_counts_more(arguments: dict[str, object], tmp_path: Path) -> None:
    """The user's name comes from its file if there is one, and so do the certificates."""
    file = tmp_path / "user"
    file.write_text("someone\n", encoding="utf-8")
    settings = stream_settings(tmp_path, POSTGRES_USER_FILE=str(file), POSTGRES_CA_FILE=str(file))

    connect(settings)

    assert arguments["user"] == "someone"
    assert arguments["sslrootcert"] == str(file)


def test_dead_peer_is_noticed(arguments: dict[str, object], tmp_path: Path) -> None:
    """Both ends detect a silent peer within 14 seconds, and times are UTC."""
    connect(stream_settings(tmp_path))

    assert arguments["keepalives_idle"] == 5
    assert arguments["keepalives_interval"] == 3
    assert arguments["keepalives_count"] == 3
    assert arguments["tcp_user_timeout"] == 14_000
    assert arguments["options"] == (
        "-c timezone=UTC -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3"
        " -c tcp_keepalives_count=3 -c tcp_user_timeout=14s -c temp_buffers=64MB"
        " -c clickstream.seals=on"
    )


def test_refused_connection_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error has PostgreSQL's message and the address."""

    def refuse(**_: object) -> None:
        raise psycopg2.OperationalError("FATAL:  no such user")

    monkeypatch.setattr(psycopg2, "connect", refuse)

    with pytest.raises(DatabaseUnreachable, match="no such user") as caught:
        connect(stream_settings(tmp_path))
    assert caught.value.address == "db:5432/clickstream"
    assert caught.value.is_refusal


def _failing(monkeypatch: pytest.MonkeyPatch, *reasons: str) -> list[DatabaseUnreachable]:
    """Let connecting fail for these reasons, then work; return the failures as they happen."""
    happened: list[DatabaseUnreachable] = []

    def attempt(_: object) -> str:
        if len(happened) < len(reasons):
            happened.append(DatabaseUnreachable("db", reasons[len(happened)]))
            raise happened[-1]
        return "connection"

    monkeypatch.setattr(module, "connect", attempt)
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)
    return happened


def test_absent_server_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that does not answer yet is retried."""
    happened = _failing(monkeypatch, "refused", "FATAL:  the database system is starting up")

    assert str(connect_with_retries(stream_settings(tmp_path), Event())) == "connection"
    assert len(happened) == 2


def test_refusal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong password is not retried."""
    happened = _failing(monkeypatch, "FATAL:  password authentication failed", "never")

    with pytest.raises(DatabaseUnreachable, match="password"):
        connect_with_retries(stream_settings(tmp_path), Event())
    assert len(happened) == 1


def test_stopping_ends_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that stops makes no second attempt."""
    happened = _failing(monkeypatch, "refused", "never")
    stopping = Event()
    stopping.set()

    with pytest.raises(DatabaseUnreachable, match="refused"):
        connect_with_retries(stream_settings(tmp_path), stopping)
    assert len(happened) == 1


def test_retries_have_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a minute the last reason is raised."""
    happened = _failing(monkeypatch, "first", "second", "third", "never")
    clock = iter([0.0, 30.0, 60.0, 60.1])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    with pytest.raises(DatabaseUnreachable, match="third"):
        connect_with_retries(stream_settings(tmp_path), Event())
    assert len(happened) == 3


def _migrating(monkeypatch: pytest.MonkeyPatch, *missing: str | None) -> list[ScriptedDatabase]:
    """Let each connection in turn lack a table; return the connections as they are made."""
    made: list[ScriptedDatabase] = []

    def attempt(*_: object) -> ScriptedDatabase:
        lacking = missing[len(made)]
        look = {"to_regclass": lambda values: [(None if values == (lacking,) else "there",)]}
        made.append(ScriptedDatabase(look))
        return made[-1]

    monkeypatch.setattr(module, "connect_with_retries", attempt)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    return made


def test_migrations_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A database without its tables is queried until it has them; each is logged once."""
    made = _migrating(monkeypatch, "raw.events", "raw.events", "mart.sessions", None)

    connection = connect_when_migrated(stream_settings(tmp_path), Event())

    assert connection is made[3].connection()
    assert [database.closed for database in made] == [1, 1, 1, 0]
    assert [row.message.split(";")[0] for row in caplog.records] == [
        "waiting for the migrations: the database has no raw.events",
        "waiting for the migrations: the database has no mart.sessions",
    ]


def test_waiting_for_migrations_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After ten minutes, or when the process stops, the missing table is named."""
    made = _migrating(monkeypatch, *30 * ["raw.events"])
    clock = iter(range(0, 1_000, 30))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with pytest.raises(DatabaseNotMigrated, match=r"raw\.events"):
        connect_when_migrated(stream_settings(tmp_path), Event())
    assert len(made) == 21

    stopping = Event()
    stopping.set()
    with pytest.raises(DatabaseNotMigrated):
        connect_when_migrated(stream_settings(tmp_path), stopping)
    assert len(made) == 22


def test_rows_are_handed_over() -> None:
    """COPY names table and columns, quoted, and gets the rows' binary form."""
    rows = BinaryRows(pa.table({"na me": ["x"], "more": ["y"]}), {"na me": "text", "more": "text"})
    database = ScriptedDatabase()

    copy_rows(database.cursor(), "raw.events", rows, ["more", "na me"])
    copy_rows(database.cursor(), "new_events", rows, ["more"])

    assert database.copied == [
        (
            'COPY "raw"."events" ("more", "na me") FROM STDIN (FORMAT binary)',
            b"".join(rows.of(["more", "na me"])),
        ),
        ('COPY "new_events" ("more") FROM STDIN (FORMAT binary)', b"".join(rows.of(["more"]))),
    ]


def test_committed_offsets_are_nested() -> None:
    """Ends come by topic and partition."""
    rows = [("a", 0, 5), ("b", 0, 7), ("a", 1, 6)]
    database = ScriptedDatabase({"FROM ops.batches": rows})

    assert committed_offsets(database.connection(), "events") == {"a": {0: 5, 1: 6}, "b": {0: 7}}
    assert database.executed("FROM ops.batches") == [("events",)]
    assert database.ends == ["commit"]


def test_all_tables_are_looked_for() -> None:
    """With every table, there is no error."""
    database = ScriptedDatabase({"to_regclass": lambda _: [("raw.events",)]})

    check_tables(database.connection())

    assert ("raw.events",) in database.executed("to_regclass")
    assert ("mart.sessions",) in database.executed("to_regclass")


@pytest.mark.parametrize("answer", [[(None,)], []])
def test_missing_table_is_named(answer: Rows) -> None:
    """The first table that is missing is named."""

    def look(values: object) -> Rows:
        return answer if values == ("mart.sessions",) else [("there",)]

    with pytest.raises(DatabaseNotMigrated) as caught:
        check_tables(ScriptedDatabase({"to_regclass": look}).connection())
    assert caught.value.missing == "mart.sessions"


def test_rules_are_stored() -> None:
    """The database gets a row for each rule of the contract."""
    database = ScriptedDatabase()

    store_rules(database.connection())

    ((text, _),) = database.statements
    assert "INSERT INTO ops.quality_rules (rule, field, severity, reason, doc)" in text
    for rule in QUALITY_RULES:
        row = (rule.name, rule.field, rule.severity.value, rule.reason.value, rule.doc)
        assert repr(row) in text
    assert database.ends == ["commit"]


def test_error_without_code_is_operational() -> None:
    """An error without SQLSTATE, as of a COPY on a lost connection, is an ``OperationalError``."""
    text = "server closed the connection unexpectedly"
    with pytest.raises(psycopg2.OperationalError, match=text), operational_if_lost():
        raise psycopg2.DatabaseError(text)


@pytest.mark.parametrize("kind", [psycopg2.DataError, psycopg2.errors.UniqueViolation])
def test_other_errors_keep_their_class(kind: type[psycopg2.DatabaseError]) -> None:
    """Errors of other classes are raised as they are."""
    with pytest.raises(kind) as raised, operational_if_lost():
        raise kind("text")
    assert type(raised.value) is kind
