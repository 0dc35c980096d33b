"""The database to migrate: its address and the connection of its owner."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from clickstream_contract.libpq import connection_parameters
from clickstream_migrations import database as module
from clickstream_migrations.database import Database
from clickstream_migrations.errors import DatabaseRefused


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database without connections."""
    file = tmp_path / "password"
    file.write_text("p:w\\d\n", encoding="utf-8")
    return Database("db", 5433, "shop", "the owner", file)


def test_address_is_readable(database: Database) -> None:
    """Errors name host, port and database."""
    assert database.address == "db:5433/shop"


def test_password_is_one_line(database: Database) -> None:
    """The end of the file's line is no part of the password."""
    assert database.password == "p:w\\d"  # noqa: S105  a test's


def test_connection_is_the_owners(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """psycopg2 gets the address and the owner's login."""
    given: dict[str, object] = {}
    monkeypatch.setattr(psycopg2, "connect", lambda **found: given.update(found) or "connection")

    connection = replace(database, sslmode="require", ca_file=Path("/ca")).connect()

    assert str(connection) == "connection"
    assert given == connection_parameters(
        "db",
        5433,
        "shop",
        "the owner",
        database.password_file,
        application="clickstream-migrations",
        connect_seconds=10,
        sslmode="require",
        ca_file=Path("/ca"),
    )


class _Server:
    """Refuses some connections for reasons, then takes one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *reasons: str) -> None:
        self.reasons = list(reasons)
        monkeypatch.setattr(psycopg2, "connect", self._connect)
        monkeypatch.setattr(module, "_RETRY_SECONDS", 0.0)

    def _connect(self, **_: object) -> str:
        if self.reasons:
            raise psycopg2.OperationalError(self.reasons.pop(0))
        return "connection"


def test_refused_login_is_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses the login is not asked again; its reason comes with the address."""
    server = _Server(monkeypatch, " FATAL:  no such user\n", "never")

    with pytest.raises(DatabaseRefused) as caught:
        database.connect()
    assert (caught.value.address, caught.value.reason) == ("db:5433/shop", "FATAL:  no such user")
    assert server.reasons == ["never"]


def test_absent_server_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that does not answer yet is asked again, and standard error says so."""
    _Server(monkeypatch, "refused", "FATAL:  the database system is starting up")

    assert str(database.connect()) == "connection"

    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2
    assert shown[0].startswith("retrying in 0 s: PostgreSQL at db:5433/shop refuses: refused; ")


def test_patience_has_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the given seconds the last reason is raised."""
    server = _Server(monkeypatch, "first", "second", "never")
    clock = iter([0.0, 7.0, 7.1])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    with pytest.raises(DatabaseRefused, match="second"):
        database.connect(patience_seconds=7.0)
    assert server.reasons == ["never"]
