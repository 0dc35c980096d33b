"""Migrating the laptop's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_local.errors import ServiceFailed, StateTooOld
from clickstream_local.migrations import migrate
from clickstream_local.postgres import Postgres
from clickstream_local.state import StateFolder
from clickstream_migrations import schema
from clickstream_migrations.database import Database
from clickstream_migrations.errors import DatabaseTooOld, MigrationFailed

if TYPE_CHECKING:
    from pathlib import Path


def _server(state: StateFolder) -> Postgres:
    return Postgres("127.0.0.1", 5_433, None, state)


def _fail(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let each migration raise an error."""

    def migrate_nothing(_: Database) -> None:
        raise error

    monkeypatch.setattr(schema, "migrate", migrate_nothing)


def test_owner_migrates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is migrated as its owner."""
    state = StateFolder(tmp_path)
    given: list[Database] = []
    monkeypatch.setattr(schema, "migrate", given.append)

    migrate(_server(state), "other")

    secret = state.secret("clickstream")
    assert given == [Database("127.0.0.1", 5_433, "other", "clickstream", secret)]


def test_failed_migration_names_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails is a service that failed; its log has the error."""
    state = StateFolder(tmp_path)
    _fail(monkeypatch, MigrationFailed("127.0.0.1:1/x", "a.sql", "syntax error"))

    with pytest.raises(ServiceFailed, match=r"migrations failed .*syntax error") as caught:
        migrate(_server(state))
    assert caught.value.log_file == state.log_file("migrations")


def test_old_database_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of version 0.3 is refused with the folder that it is in."""
    state = StateFolder(tmp_path)
    _fail(monkeypatch, DatabaseTooOld("127.0.0.1:1/x", "20261123000001"))

    with pytest.raises(StateTooOld) as caught:
        migrate(_server(state))
    assert (caught.value.folder, caught.value.version) == (state.root, "20261123000001")
