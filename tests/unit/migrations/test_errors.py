"""Errors of the migrations say what is wrong and where."""

from __future__ import annotations

import pytest
from clickstream_migrations.errors import (
    DatabaseRefused,
    DatabaseTooNew,
    DatabaseTooOld,
    MigrationError,
    MigrationFailed,
)


def test_refusal_has_address_and_reason() -> None:
    """A refusal shows where the database is and what it said."""
    error = DatabaseRefused("db:5432/shop", "no such role")

    assert isinstance(error, MigrationError)
    assert (error.address, error.reason) == ("db:5432/shop", "no such role")
    assert str(error) == (
        "PostgreSQL at db:5432/shop refuses: no such role; check its address, login and certificate"
    )


def test_old_database_is_named() -> None:
    """A database of version 0.3 is named with its first migration and what to do."""
    error = DatabaseTooOld("db:5432/shop", "20261123000001")

    assert isinstance(error, MigrationError)
    assert (error.address, error.version) == ("db:5432/shop", "20261123000001")
    assert str(error) == (
        "the database db:5432/shop has the tables of version 0.3 or earlier (migration"
        " 20261123000001), which this version cannot migrate; name a new database, or delete this"
        " one with DROP DATABASE and create it again"
    )


def test_later_database_is_named() -> None:
    """A database of a later version is named with the unknown migration and what to do."""
    error = DatabaseTooNew("db:5432/shop", "20991231000000")

    assert isinstance(error, MigrationError)
    assert (error.address, error.version) == ("db:5432/shop", "20991231000000")
    assert str(error) == (
        "the database db:5432/shop has the tables of a later version (migration 20991231000000);"
        " use that version, or restore a backup from before it"
    )


def test_failure_names_the_file() -> None:
    """A failed migration names database, file and PostgreSQL's message."""
    error = MigrationFailed("db:5432/shop", "schema/raw/events.sql", "syntax error")

    assert isinstance(error, MigrationError)
    assert (error.address, error.file, error.reason) == (
        "db:5432/shop", "schema/raw/events.sql", "syntax error",
    )  # fmt: skip
    assert str(error) == (
        "schema/raw/events.sql failed on db:5432/shop, and nothing was changed: syntax error;"
        " correct what it names, and migrate again"
    )


@pytest.mark.parametrize(
    ("why", "is_final"),
    [
        ("FATAL:  password authentication failed", True),
        ("FATAL:  the database system is starting up", False),
        ("connection refused", False),
    ],
)
def test_refusal_may_be_final(why: str, is_final: bool) -> None:  # noqa: FBT001  a case
    """A server that has answered, and is not only starting, would answer the same again."""
    assert DatabaseRefused("db:5432/shop", why).is_final is is_final
