"""Settings of the migrations' process: what is wrong is named."""

from __future__ import annotations

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_migrations.settings import PREFIX, settings_from

FILE = __file__
COMPLETE = {
    "POSTGRES_HOST": "localhost",
    "POSTGRES_USER_FILE": FILE,
    "POSTGRES_PASSWORD_FILE": FILE,
}


def _environment(**more: str) -> dict[str, str]:
    return {PREFIX + name: value for name, value in (COMPLETE | more).items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [("POSTGRES_HOST", ""), ("POSTGRES_PORT", "0"), ("POSTGRES_SSLMODE", "prefer"),
     ("POSTGRES_USER_FILE", "/nowhere"), ("WRITER_PASSWORD", "secret")],
)  # fmt: skip
def test_a_wrong_variable_is_refused_by_name(name: str, value: str) -> None:
    """The text names the variable; a missing or unknown one is an error."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        settings_from(_environment(**{name: value}))


@pytest.mark.parametrize("role", ["WRITER", "READER"])
def test_a_login_needs_both_its_files(role: str) -> None:
    """Half a login is refused with the variable that is missing; none at all is fine."""
    assert settings_from(_environment()).writer_user_file is None
    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{role}_PASSWORD_FILE"):
        settings_from(_environment(**{f"{role}_USER_FILE": FILE}))
