"""The migrations' process: tables, then logins, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg2
import pytest
from clickstream_migrations import __main__ as program
from clickstream_migrations.database import Database
from clickstream_migrations.errors import DatabaseRefused, MigrationFailed
from clickstream_migrations.settings import PREFIX
from scripted_database import ScriptedDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripted_database import Answer


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give this process the required environment; return the folder of its files."""
    _login(monkeypatch, tmp_path, "postgres")
    monkeypatch.setenv(PREFIX + "POSTGRES_HOST", "db")
    return tmp_path


def _login(monkeypatch: pytest.MonkeyPatch, folder: Path, who: str) -> None:
    """Set a login's two variables to two files."""
    for what in ("user", "password"):
        file = folder / f"{who}_{what}"
        file.write_text(f"{who}'s {what}\n", encoding="utf-8")
        monkeypatch.setenv(f"{PREFIX}{who.upper()}_{what.upper()}_FILE", str(file))


class _Server:
    """A server and its migration; it records what happens in which order."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer] | None = None
    ) -> None:
        self.happened: list[str] = []
        self.opened: list[ScriptedDatabase] = []
        self.migrated: list[Database] = []
        self._answers = answers or {}
        monkeypatch.setattr(Database, "connect", lambda _: self._connect())
        monkeypatch.setattr(program, "migrate", self._migrate)

    def _connect(self) -> ScriptedDatabase:
        self.happened.append("connect")
        self.opened.append(ScriptedDatabase(self._answers))
        return self.opened[-1]

    def _migrate(self, database: Database) -> list[str]:
        self.happened.append("migrate")
        self.migrated.append(database)
        return ["1", "2"]

    def grants(self) -> Iterator[str]:
        """Return the grants of all connections."""
        for database in self.opened:
            yield from (text for text, _ in database.statements if text.startswith("GRANT"))


@pytest.mark.usefixtures("files")
def test_schema_comes_before_logins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The added versions are printed, and the connection of the logins is closed."""
    server = _Server(monkeypatch)

    assert program.main() == 0

    assert server.happened == ["migrate", "connect"]
    assert [database.closed for database in server.opened] == [1]
    assert list(server.grants()) == []
    assert capsys.readouterr().out == (
        "db:5432/clickstream has version 1\ndb:5432/clickstream has version 2\n"
    )


@pytest.mark.usefixtures("files")
def test_database_is_the_settings(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """The database that is migrated is the one that the environment names."""
    monkeypatch.setenv(PREFIX + "POSTGRES_PORT", "77")
    monkeypatch.setenv(PREFIX + "POSTGRES_DATABASE", "shop")
    monkeypatch.setenv(PREFIX + "POSTGRES_SSLMODE", "verify-full")
    monkeypatch.setenv(PREFIX + "POSTGRES_CA_FILE", str(files / "postgres_user"))
    server = _Server(monkeypatch)

    assert program.main() == 0

    assert server.migrated == [
        Database(
            "db",
            77,
            "shop",
            "postgres's user",
            files / "postgres_password",
            "verify-full",
            files / "postgres_user",
        )
    ]


def test_writer_makes_owner_member(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """With a writer to make, the owner's login becomes a member of clickstream_owner first."""
    _login(monkeypatch, files, "writer")
    server = _Server(monkeypatch)

    assert program.main() == 0

    assert list(server.grants()) == [
        'GRANT "clickstream_owner" TO "postgres\'s user"',
        'GRANT "clickstream_writer" TO "writer\'s user"',
    ]
    assert ("writer's password",) in server.opened[0].executed("CREATE ROLE")
    assert server.opened[0].ends == ["commit"]


def test_reader_is_made_alone(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """With only a reader to make, the owner's membership is not touched."""
    _login(monkeypatch, files, "reader")
    server = _Server(monkeypatch)

    assert program.main() == 0

    assert list(server.grants()) == ['GRANT "clickstream_reader" TO "reader\'s user"']
    assert server.opened[0].executed("CREATE ROLE") == [("reader's password",)]


def test_verifier_reads_and_adds(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """The verifier's login is a member of the reader's role and of the verifier's."""
    _login(monkeypatch, files, "verifier")
    server = _Server(monkeypatch)

    assert program.main() == 0

    assert list(server.grants()) == [
        'GRANT "clickstream_reader" TO "verifier\'s user"',
        'GRANT "clickstream_verifier" TO "verifier\'s user"',
    ]


def test_student_is_no_reader(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """The student's login is a member of the student's role alone."""
    _login(monkeypatch, files, "student")
    server = _Server(monkeypatch)

    assert program.main() == 0

    assert list(server.grants()) == ['GRANT "clickstream_student" TO "student\'s user"']


@pytest.mark.usefixtures("files")
def test_database_is_limited_without_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without logins to create, the database loses its open rights all the same."""
    server = _Server(monkeypatch, {"has_database_privilege": [("shop", True)]})

    assert program.main() == 0

    assert len(server.opened[0].executed("REVOKE TEMPORARY")) == 1


def test_refused_login_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: Path
) -> None:
    """A login that PostgreSQL does not let us make is an error with its reason."""
    _login(monkeypatch, files, "reader")
    server = _Server(monkeypatch, {"CREATE ROLE": psycopg2.ProgrammingError("not allowed\n")})

    assert program.main() == 1

    expected = "error: PostgreSQL at db:5432/clickstream refuses: not allowed; check its"
    expected += " address, login and certificate\n"
    assert capsys.readouterr().err == expected
    assert (server.opened[0].ends, server.opened[0].closed) == (["rollback"], 1)


@pytest.mark.parametrize(
    "error", [MigrationFailed("db", "a.sql", "no"), DatabaseRefused("db", "no")]
)
@pytest.mark.usefixtures("files")
def test_failed_migration_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    """Logins are not looked at after a migration that failed."""
    server = _Server(monkeypatch)

    def fail(_: Database) -> None:
        raise error

    monkeypatch.setattr(program, "migrate", fail)

    assert program.main() == 1
    assert capsys.readouterr().err == f"error: {error}\n"
    assert server.happened == []


def test_wrong_setting_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing variable is named, and nothing is connected to."""
    monkeypatch.delenv(PREFIX + "POSTGRES_HOST", raising=False)
    server = _Server(monkeypatch)

    assert program.main() == 2
    assert capsys.readouterr().err.startswith(f"error: {PREFIX}POSTGRES_")
    assert server.happened == []
