"""The database to migrate: its address, connecting, and the call of dbmate."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest
from clickstream_migrations import database as module
from clickstream_migrations.database import Database, migrate, migrations_folder
from clickstream_migrations.errors import DatabaseRefused, MigrationFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO


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
    assert given == {
        "host": "db",
        "port": 5433,
        "dbname": "shop",
        "user": "the owner",
        "password": "p:w\\d",
        "sslmode": "require",
        "sslrootcert": "/ca",
        "connect_timeout": 10,
        "application_name": "clickstream-migrations",
        "client_encoding": "UTF8",
        "hostaddr": "",
        "options": "",
    }


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
    assert (caught.value.address, caught.value.why) == ("db:5433/shop", "FATAL:  no such user")
    assert server.reasons == ["never"]


def test_absent_server_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that does not answer yet is asked again, and standard error says so."""
    _Server(monkeypatch, "refused", "FATAL:  the database system is starting up")

    assert str(database.connect()) == "connection"

    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2
    assert shown[0] == "retrying in 0 s: PostgreSQL at db:5433/shop refuses: refused"


def test_patience_has_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the given seconds the last reason is raised."""
    server = _Server(monkeypatch, "first", "second", "never")
    clock = iter([0.0, 7.0, 7.1])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    with pytest.raises(DatabaseRefused, match="second"):
        database.connect(patience_seconds=7.0)
    assert server.reasons == ["never"]


def test_migrations_lie_in_checkout() -> None:
    """From a checkout the migrations are those of the repository."""
    folder = migrations_folder()

    assert folder == Path(__file__).parents[3] / "db" / "migrations"
    assert list(folder.glob("*.sql"))


class _Dbmate:
    """Notes how it is called and what the password file holds meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> None:
        self.code = code
        self.command: list[str] = []
        self.environment: dict[str, str] = {}
        self.passwords = ""
        self.mode = 0
        self.outputs: tuple[object, object] = (None, None)
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: IO[bytes] | None,
        stderr: IO[bytes] | None,
        check: bool,
    ) -> subprocess.CompletedProcess[bytes]:
        assert not check
        self.command, self.environment = list(command), dict(env)
        self.outputs = stdout, stderr
        file = Path(env["PGPASSFILE"])
        self.passwords = file.read_text(encoding="utf-8")
        self.mode = stat.S_IMODE(file.stat().st_mode)
        return subprocess.CompletedProcess(command, self.code)


def test_dbmate_gets_its_folder(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program beside Python applies the migrations and writes no schema."""
    dbmate = _Dbmate(monkeypatch)

    migrate(database)

    assert dbmate.command == [
        str(Path(sys.executable).parent / "dbmate"),
        "--no-dump-schema",
        "--migrations-dir",
        str(migrations_folder()),
        "migrate",
    ]


def test_dbmate_may_do_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another command, and another place for what dbmate prints, are passed on."""
    dbmate = _Dbmate(monkeypatch)

    with Path(os.devnull).open("wb") as output:
        migrate(database, output, "rollback")

        assert dbmate.command[-1] == "rollback"
        assert dbmate.outputs == (output, output)


def test_password_is_in_private_file(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is escaped, in a file that only we can read and that is gone afterwards."""
    dbmate = _Dbmate(monkeypatch)

    migrate(database)

    assert dbmate.passwords == "*:*:*:*:p\\:w\\\\d\n"
    assert dbmate.mode == 0o600
    assert not Path(dbmate.environment["PGPASSFILE"]).exists()


def test_url_has_no_password(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL names user and database, quoted, and how TLS is used."""
    dbmate = _Dbmate(monkeypatch)

    migrate(database)
    plain = dbmate.environment["DATABASE_URL"]
    migrate(replace(database, sslmode="verify-full", ca_file=Path("/c/a b")))

    assert plain == "postgres://the%20owner@db:5433/shop?sslmode=disable"
    assert dbmate.environment["DATABASE_URL"] == (
        "postgres://the%20owner@db:5433/shop?sslmode=verify-full&sslrootcert=%2Fc%2Fa+b"
    )
    assert dbmate.environment.keys() == {"DATABASE_URL", "PGPASSFILE"}


def test_dbmate_is_found_elsewhere(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a program beside Python the one on the path is called."""
    dbmate = _Dbmate(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    migrate(database)

    assert dbmate.command[0] == "dbmate"


def test_failed_migration_is_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit code other than 0 is an error with address and code."""
    _Dbmate(monkeypatch, code=3)

    with pytest.raises(MigrationFailed) as caught:
        migrate(database)
    assert (caught.value.address, caught.value.code) == ("db:5433/shop", 3)
