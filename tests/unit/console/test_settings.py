"""Reading the console's settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_console.settings import PREFIX, Settings, settings_from
from clickstream_contract.environment import SettingsInvalid

_NEEDED = {"POSTGRES_HOST": "localhost", "POSTGRES_PASSWORD_FILE": __file__}


def _read(**variables: str) -> Settings:
    given = {**_NEEDED, **variables}
    return settings_from({PREFIX + name: value for name, value in given.items()})


def test_defaults_are_documented() -> None:
    """Host and password must be given; the rest has these defaults, and serves this machine."""
    settings = _read()

    assert settings == Settings(
        postgres_host="localhost",
        postgres_password_file=Path(__file__),
        postgres_port=5_432,
        postgres_database="clickstream",
        postgres_user="clickstream_read",
        postgres_user_file=None,
        postgres_sslmode="prefer",
        postgres_ca_file=None,
        host="127.0.0.1",
        port=9_404,
        metrics_port=9_405,
        allowed_hosts="127.0.0.1,localhost",
        pool_connections=4,
        statement_timeout_milliseconds=5_000,
        max_live_streams=32,
        max_live_streams_per_peer=8,
        max_connections_per_peer=64,
    )
    assert settings.hosts == ["127.0.0.1", "localhost"]
    assert PREFIX == "CLICKSTREAM_CONSOLE_"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("POSTGRES_PORT", 1, 65_535),
        ("PORT", 1, 65_535),
        ("POOL_CONNECTIONS", 1, 64),
        ("STATEMENT_TIMEOUT_MILLISECONDS", 50, 60_000),
        ("MAX_LIVE_STREAMS", 1, 1_000),
        ("MAX_LIVE_STREAMS_PER_PEER", 1, 1_000),
        ("MAX_CONNECTIONS_PER_PEER", 1, 10_000),
        ("METRICS_PORT", 1, 65_535),
    ],
)
def test_numbers_are_bounded(name: str, low: int, high: int) -> None:
    """A number is taken from its least to its greatest value, and refused beyond both."""
    for value in (low, high):
        assert getattr(_read(**{name: str(value)}), name.lower()) == value
    for value in (low - 1, high + 1):
        with pytest.raises(SettingsInvalid, match=f"{PREFIX}{name} .* from {low} to {high}$"):
            _read(**{name: str(value)})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("POSTGRES_DATABASE", "other", "postgres_database", "other"),
        ("POSTGRES_USER", "me", "postgres_user", "me"),
        ("POSTGRES_USER_FILE", __file__, "postgres_user_file", Path(__file__)),
        ("POSTGRES_SSLMODE", "verify-full", "postgres_sslmode", "verify-full"),
        ("POSTGRES_CA_FILE", __file__, "postgres_ca_file", Path(__file__)),
        ("HOST", "::", "host", "::"),
        ("ALLOWED_HOSTS", "*.example,a", "hosts", ["*.example", "a"]),
        ("ALLOWED_HOSTS", ",".join("a" * 16), "hosts", ["a"] * 16),
    ],
)
def test_values_are_read(name: str, value: str, field: str, expected: object) -> None:
    """Each variable fills one field."""
    assert getattr(_read(**{name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_HOST", ""),
        ("POSTGRES_PASSWORD_FILE", "/nowhere"),
        ("POSTGRES_PASSWORD_FILE", ""),
        ("POSTGRES_SSLMODE", "on"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "a b"),
        ("ALLOWED_HOSTS", ",".join("a" * 17)),
        ("PORT", "0"),
        ("POOL", "4"),
    ],
)
def test_wrong_values_are_named(name: str, value: str) -> None:
    """A wrong, missing or unknown variable is an error that names it."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        _read(**{name: value})
