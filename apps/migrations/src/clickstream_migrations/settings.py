"""Settings of the migrations' process, from the environment.

Owns their names, defaults and bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.environment import (
    existing_file,
    one_of,
    settings_values,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clickstream_contract.environment import Reader

__all__ = ["PREFIX", "Settings", "settings_from"]

PREFIX = "CLICKSTREAM_MIGRATIONS_"
_REQUIRED = ("postgres_host", "postgres_user_file", "postgres_password_file")


@dataclass(frozen=True)
class Settings:
    """Settings of one process. Each file holds one line."""

    postgres_host: str
    """PostgreSQL's host."""
    postgres_user_file: Path
    """The owner of the database, which may create roles if they do not exist."""
    postgres_password_file: Path
    """File with the owner's password."""
    postgres_port: int = 5432
    """PostgreSQL's port."""
    postgres_database: str = "clickstream"
    """The database with the tables."""
    postgres_sslmode: str = "require"
    """How the connection uses TLS, as in libpq."""
    postgres_ca_file: Path | None = None
    """Certificates of the authorities that may sign PostgreSQL's certificate."""
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


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    required = list(_REQUIRED)
    for role in ("writer", "reader", "verifier"):
        pair = [f"{role}_user_file", f"{role}_password_file"]
        if any(environment.get(PREFIX + name.upper()) for name in pair):
            required += pair
    return Settings(**settings_values(environment, PREFIX, _READERS, tuple(required)))  # type: ignore[arg-type]


_READERS: dict[str, Reader] = {
    "postgres_host": text,
    "postgres_port": whole(1, 65_535),
    "postgres_database": text,
    "postgres_user_file": existing_file,
    "postgres_password_file": existing_file,
    "postgres_sslmode": one_of("disable", "require", "verify-ca", "verify-full"),
    "postgres_ca_file": existing_file,
    "writer_user_file": existing_file,
    "writer_password_file": existing_file,
    "reader_user_file": existing_file,
    "reader_password_file": existing_file,
    "verifier_user_file": existing_file,
    "verifier_password_file": existing_file,
}
