"""The console's connection to PostgreSQL: what needs no server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from clickstream_console.core.questions import Question
from clickstream_console.errors import DatabaseAway
from clickstream_console.settings import Settings
from clickstream_console.shell.database import Database, _connection_settings, _reason
from clickstream_local.ports import free_port
from psycopg_pool import PoolTimeout, TooManyRequests

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.errors.QueryCanceled(), "took too long"),
        (
            psycopg.errors.UndefinedTable(),
            "lacks a table or view, so its migrations have not run",
        ),
        (
            psycopg.errors.UndefinedColumn(),
            "lacks a table or view, so its migrations have not run",
        ),
        (psycopg.errors.InsufficientPrivilege(), "does not let the console read"),
        (PoolTimeout("host=secret"), "cannot be reached, or has no connection free"),
        (TooManyRequests("host=secret"), "cannot be reached, or has no connection free"),
        (psycopg.OperationalError("host=secret"), "has gone away"),
        (psycopg.errors.AdminShutdown(), "has gone away"),
        (psycopg.DataError("x"), "gave an error"),
    ],
)
def test_reasons_tell_no_address(error: psycopg.Error, reason: str) -> None:
    """Each kind of failure has its words, and none of them repeats the driver's text."""
    assert _reason(error) == reason


def _settings(tmp_path: Path, **fields: object) -> Settings:
    password = tmp_path / "password"
    password.write_text(" secret\n")
    given = {"postgres_host": "127.0.0.1", "postgres_password_file": password, **fields}
    return Settings(**given)  # type: ignore[arg-type]


def test_connections_only_read(tmp_path: Path) -> None:
    """A connection reads only, in UTC, with a time limit on statements and on silence."""
    settings = _settings(tmp_path, statement_timeout_milliseconds=70)

    assert _connection_settings(settings) == {
        "client_encoding": "UTF8",
        "hostaddr": "",
        "host": "127.0.0.1",
        "port": 5_432,
        "dbname": "clickstream",
        "user": "clickstream_read",
        "password": "secret",
        "sslmode": "prefer",
        "sslrootcert": None,
        "connect_timeout": 3,
        "application_name": "clickstream-console",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "options": "-c timezone=UTC -c default_transaction_read_only=on -c statement_timeout=70",
        "autocommit": True,
        "row_factory": psycopg.rows.dict_row,
    }


def test_files_are_read_each_time(tmp_path: Path) -> None:
    """User and password come from their files at each connect, so that they may change."""
    user = tmp_path / "user"
    user.write_text("first\n")
    settings = _settings(tmp_path, postgres_user_file=user, postgres_ca_file=tmp_path / "ca")
    before = _connection_settings(settings)
    user.write_text("second\n")
    settings.postgres_password_file.write_text("other")
    after = _connection_settings(settings)

    assert (before["user"], before["password"]) == ("first", "secret")
    assert (after["user"], after["password"]) == ("second", "other")
    assert after["sslrootcert"] == str(tmp_path / "ca")


def test_absent_database_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server the console starts, and every question counts as failed."""
    monkeypatch.setattr("clickstream_console.shell.database._WAIT_SECONDS", 0.05)
    settings = _settings(tmp_path, postgres_port=free_port())
    failures: list[None] = []

    async def ask() -> bool:
        async with Database(settings, lambda: failures.append(None)) as database:
            with pytest.raises(DatabaseAway, match="cannot be reached"):
                await database.answer(Question("SELECT 1"))
            return await database.is_there()

    assert asyncio.run(ask()) is False
    assert len(failures) == 1
