"""Settings of the migrations' process, from the environment.

Owns their names, defaults and bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.environment import existing_file, one_of, settings_values
from clickstream_contract.postgres_settings import (
    POSTGRES_READERS,
    POSTGRES_REQUIRED,
    PostgresSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clickstream_contract.environment import Reader

__all__ = ["PREFIX", "Settings", "settings_from"]

PREFIX = "CLICKSTREAM_MIGRATIONS_"
_REQUIRED = (*POSTGRES_REQUIRED, "postgres_user_file")


@dataclass(frozen=True, kw_only=True)
class Settings(PostgresSettings):
    """Settings of one process. Each file holds one line."""

    postgres_user_file: Path
    """File with the owner of the database, which may create roles if they do not exist."""
    postgres_sslmode: str = "require"
    """libpq's ``sslmode``; the owner's password needs TLS or a trusted network."""
    writer_user_file: Path | None = None
    """The stream's login, created if it does not exist. Absent: you create it."""
    writer_password_file: Path | None = None
    """File with that login's password."""
    reader_user_file: Path | None = None
    """The login of dashboards and people; as the writer's."""
    reader_password_file: Path | None = None
    """File with that login's password."""
    verifier_user_file: Path | None = None
    """The login of the verification; as the writer's."""
    verifier_password_file: Path | None = None
    """File with that login's password."""
    student_user_file: Path | None = None
    """The login of students, which reads no truth; as the writer's."""
    student_password_file: Path | None = None
    """File with that login's password."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    required = list(_REQUIRED)
    for role in ("writer", "reader", "verifier", "student"):
        pair = [f"{role}_user_file", f"{role}_password_file"]
        if any(environment.get(PREFIX + name.upper()) for name in pair):
            required += pair
    return Settings(**settings_values(environment, PREFIX, _READERS, tuple(required)))  # type: ignore[arg-type]


_READERS: dict[str, Reader] = {
    **POSTGRES_READERS,
    "postgres_user_file": existing_file,
    "postgres_sslmode": one_of("disable", "require", "verify-ca", "verify-full"),
    "writer_user_file": existing_file,
    "writer_password_file": existing_file,
    "reader_user_file": existing_file,
    "reader_password_file": existing_file,
    "verifier_user_file": existing_file,
    "verifier_password_file": existing_file,
    "student_user_file": existing_file,
    "student_password_file": existing_file,
}
