"""Settings of the migrations: defaults, bounds, and the name of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_migrations.settings import PREFIX, Settings, settings_from

FILE = __file__
REQUIRED = {"POSTGRES_HOST": "db", "POSTGRES_USER_FILE": FILE, "POSTGRES_PASSWORD_FILE": FILE}


def _settings(**more: str) -> Settings:
    return settings_from({PREFIX + name: value for name, value in (REQUIRED | more).items()})


def test_defaults_hold() -> None:
    """With the required variables alone, TLS is required and no login is made."""
    assert _settings() == Settings(
        postgres_host="db",
        postgres_user_file=Path(FILE),
        postgres_password_file=Path(FILE),
        postgres_port=5432,
        postgres_database="clickstream",
        postgres_sslmode="require",
        postgres_ca_file=None,
        writer_user_file=None,
        writer_password_file=None,
        reader_user_file=None,
        reader_password_file=None,
        verifier_user_file=None,
        verifier_password_file=None,
        student_user_file=None,
        student_password_file=None,
    )


@pytest.mark.parametrize("name", REQUIRED)
def test_required_variable_is_named(name: str) -> None:
    """A required variable that is missing is named."""
    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{name} is not set"):
        _settings(**{name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [("POSTGRES_PORT", "0"), ("POSTGRES_PORT", "65536"), ("POSTGRES_SSLMODE", "prefer"),
     ("POSTGRES_USER_FILE", "/nowhere"), ("POSTGRES_PASSWORD_FILE", "/nowhere"),
     ("POSTGRES_CA_FILE", "/nowhere"), ("WRITER_PASSWORD", "secret")],
)  # fmt: skip
def test_wrong_variable_is_named(name: str, value: str) -> None:
    """A value that is not allowed, or an unknown variable, is refused by name."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        _settings(**{name: value})


@pytest.mark.parametrize("port", [1, 65_535])
def test_port_has_bounds(port: int) -> None:
    """The least and the highest port are taken."""
    assert _settings(POSTGRES_PORT=str(port)).postgres_port == port


@pytest.mark.parametrize("mode", ["disable", "require", "verify-ca", "verify-full"])
def test_modes_of_tls(mode: str) -> None:
    """Each mode of libpq that does not depend on the server is allowed."""
    assert _settings(POSTGRES_SSLMODE=mode).postgres_sslmode == mode


@pytest.mark.parametrize("role", ["WRITER", "READER", "VERIFIER", "STUDENT"])
@pytest.mark.parametrize(("given", "missing"), [("USER", "PASSWORD"), ("PASSWORD", "USER")])
def test_login_needs_both_files(role: str, given: str, missing: str) -> None:
    """Half a login is refused by the variable that is missing."""
    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{role}_{missing}_FILE is not set"):
        _settings(**{f"{role}_{given}_FILE": FILE})


@pytest.mark.parametrize("role", ["writer", "reader", "verifier", "student"])
def test_whole_login_is_taken(role: str) -> None:
    """A login with both of its files is taken, and the other logins stay absent."""
    files = {f"{role.upper()}_USER_FILE": FILE, f"{role.upper()}_PASSWORD_FILE": FILE}

    settings = _settings(**files, POSTGRES_CA_FILE=FILE, POSTGRES_DATABASE="shop")

    roles = ("writer", "reader", "verifier", "student")
    assert {name for name in roles if getattr(settings, f"{name}_user_file")} == {role}
    assert {name for name in roles if getattr(settings, f"{name}_password_file")} == {role}
    assert (settings.postgres_ca_file, settings.postgres_database) == (Path(FILE), "shop")
