"""PostgreSQL in a folder that is its owner's alone, with a shell that has settings for another."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clickstream_local import postgres
from clickstream_local.postgres import OWNER, Postgres
from clickstream_local.state import StateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.services

_ODD = "O'Brien, \\n ö [x]"
"""A folder's name with all that a list, a properties file or a shell reads as something else."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of which only its owner knows the content."""
    folder = tmp_path_factory.mktemp("home") / _ODD
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Postgres]:
    """Run a server whose data and programs both are in that folder."""
    package = postgres._installation().parent
    shutil.copytree(package / "pginstall", home / package.name / "pginstall", symlinks=True)
    libraries = package.with_suffix(".libs")
    shutil.copytree(libraries, home / libraries.name)
    with tempfile.TemporaryDirectory() as copies, pytest.MonkeyPatch.context() as patch:
        Path(copies).chmod(0o755)
        patch.setattr(postgres, "_installation", lambda: home / package.name / "pginstall")
        patch.setattr(postgres, "_COPIES", Path(copies))
        running = Postgres.start(StateFolder(home / ".clickstream"))
        assert running.process is not None
        try:
            running.wait_ready()
            yield running
        finally:
            running.process.stop()


def test_private_folders_stay_private(server: Postgres, home: Path) -> None:
    """The server runs, also where root starts it, and no folder above it is opened."""
    with closing(server.connect(OWNER)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".clickstream").stat().st_mode & 0o777 == 0o700
    closed = {path.stat().st_mode & 0o777 for path in (home / ".clickstream").iterdir()}
    assert closed == {0o700}


def test_shell_changes_no_connection(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables for another server lead no connection elsewhere, and change no text."""
    for name, value in {
        "PGHOSTADDR": "192.0.2.1", "PGCLIENTENCODING": "LATIN1", "PGSSLMODE": "require",
        "PGOPTIONS": "-c default_transaction_read_only=on",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    with closing(server.connect(OWNER)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE cities AS SELECT %s AS name", ("Łódź",))
        cursor.execute("SELECT name, octet_length(name) FROM cities")
        assert cursor.fetchone() == ("Łódź", len("Łódź".encode()))
        assert connection.info.dsn_parameters["hostaddr"] == ""
