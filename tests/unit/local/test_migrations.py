"""Migrating the laptop's own database."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pytest
from clickstream_local.errors import ServiceFailed
from clickstream_local.migrations import migrate
from clickstream_local.postgres import Postgres
from clickstream_local.state import StateFolder
from clickstream_migrations import database as databases
from clickstream_migrations.errors import MigrationFailed

if TYPE_CHECKING:
    from pathlib import Path


def test_owner_migrates_into_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is migrated as its owner, and what dbmate prints goes into a log."""
    state = StateFolder(tmp_path)
    given: list[object] = []

    def migrated(target: databases.Database, log: IO[bytes], command: str) -> None:
        log.write(b"applied\n")
        given.extend([target, command])

    monkeypatch.setattr(databases, "migrate", migrated)
    migrate(Postgres("127.0.0.1", 5_433, None, state), "other", "status")

    secret = state.secret("clickstream")
    assert given == [
        databases.Database("127.0.0.1", 5_433, "other", "clickstream", secret), "status",
    ]  # fmt: skip
    assert state.log_file("migrations").read_text() == "applied\n"


def test_failed_migration_names_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails is a service that failed, with its last words."""
    state = StateFolder(tmp_path)

    def failed(_target: databases.Database, log: IO[bytes], _command: str) -> None:
        log.write(b"syntax error\n")
        raise MigrationFailed("127.0.0.1:1/x", 1)

    monkeypatch.setattr(databases, "migrate", failed)
    with pytest.raises(ServiceFailed, match="migrations failed"):
        migrate(Postgres("127.0.0.1", 5_433, None, state))
