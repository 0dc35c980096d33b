"""Errors of the migrations say what is wrong and where."""

from __future__ import annotations

import pytest
from clickstream_migrations.errors import DatabaseRefused, MigrationError, MigrationFailed


def test_refusal_has_address_and_reason() -> None:
    """A refusal shows where the database is and what it said."""
    error = DatabaseRefused("db:5432/shop", "no such role")

    assert isinstance(error, MigrationError)
    assert (error.address, error.why) == ("db:5432/shop", "no such role")
    assert str(error) == "PostgreSQL at db:5432/shop refuses: no such role"


def test_failure_has_address_and_code() -> None:
    """A failed migration shows dbmate's exit code; dbmate has printed the reason."""
    error = MigrationFailed("db:5432/shop", 3)

    assert isinstance(error, MigrationError)
    assert (error.address, error.code) == ("db:5432/shop", 3)
    assert str(error) == "dbmate ended with 3 on db:5432/shop; it said why just before"


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
