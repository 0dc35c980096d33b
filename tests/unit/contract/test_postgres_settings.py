"""The settings of a connection to the project's database."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from clickstream_contract.environment import SettingsInvalid, settings_values
from clickstream_contract.libpq import connection_parameters
from clickstream_contract.postgres_settings import (
    POSTGRES_READERS,
    POSTGRES_REQUIRED,
    PostgresSettings,
)

_ADDRESS = {"T_POSTGRES_HOST": "db", "T_POSTGRES_PASSWORD_FILE": __file__}


def _settings(**more: str) -> PostgresSettings:
    values = settings_values(_ADDRESS | more, "T_", POSTGRES_READERS, POSTGRES_REQUIRED)
    return PostgresSettings(**values)  # type: ignore[arg-type]


def test_defaults_are_complete() -> None:
    """Only the host and the password's file have no default; each setting has a reader."""
    assert _settings() == PostgresSettings(
        postgres_host="db",
        postgres_password_file=Path(__file__),
        postgres_port=5432,
        postgres_database="clickstream",
        postgres_sslmode="prefer",
        postgres_ca_file=None,
    )
    assert {row.name for row in fields(PostgresSettings)} == POSTGRES_READERS.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("T_POSTGRES_PORT", "0"),
        ("T_POSTGRES_PORT", "65536"),
        ("T_POSTGRES_SSLMODE", "on"),
        ("T_POSTGRES_CA_FILE", "/absent"),
        ("T_POSTGRES_PASSWORD_FILE", "/absent"),
        ("T_POSTGRES_HOST", ""),
    ],
)
def test_bounds_are_checked(name: str, value: str) -> None:
    """A value out of bounds, a file that does not exist, or no host is an error with its name."""
    with pytest.raises(SettingsInvalid) as caught:
        _settings(**{name: value})
    assert caught.value.name == name


def test_address_is_readable() -> None:
    """Errors name host, port and database."""
    settings = _settings(T_POSTGRES_PORT="1", T_POSTGRES_DATABASE="shop")
    assert settings.postgres_address == "db:1/shop"


def test_parameters_are_the_settings(tmp_path: Path) -> None:
    """Each setting becomes a parameter of the connection, beside the process's own."""
    password = tmp_path / "password"
    password.write_text("secret", encoding="utf-8")
    settings = _settings(
        T_POSTGRES_PASSWORD_FILE=str(password),
        T_POSTGRES_PORT="65535",
        T_POSTGRES_SSLMODE="verify-full",
        T_POSTGRES_CA_FILE=__file__,
    )
    given = settings.connection_parameters(
        "reader", application="tested", connect_seconds=3, options="-c a=b"
    )
    assert given == connection_parameters(
        "db", 65535, "clickstream", "reader", password, application="tested", connect_seconds=3,
        sslmode="verify-full", ca_file=Path(__file__), options="-c a=b",
    )  # fmt: skip
