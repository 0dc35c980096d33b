"""Settings of a process that connects to the project's database.

Owns their names, defaults and bounds, except for the login's: each process has another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.environment import existing_file, one_of, text, whole
from clickstream_contract.libpq import connection_parameters

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.environment import Reader

__all__ = ["POSTGRES_READERS", "POSTGRES_REQUIRED", "PostgresSettings"]

POSTGRES_REQUIRED = ("postgres_host", "postgres_password_file")
"""The settings without a default."""
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, kw_only=True)
class PostgresSettings:
    """Address of the project's database, and how to connect to it."""

    postgres_host: str
    """PostgreSQL's host."""
    postgres_password_file: Path
    """File with the password, and nothing else; it may change, because each connect reads it."""
    postgres_port: int = 5432
    """PostgreSQL's port."""
    postgres_database: str = "clickstream"
    """The database with the tables."""
    postgres_sslmode: str = "prefer"
    """libpq's ``sslmode``."""
    postgres_ca_file: Path | None = None
    """CA certificates for PostgreSQL's certificate, with ``verify-ca`` and ``verify-full``."""

    @property
    def postgres_address(self) -> str:
        """Return ``host:port/database``."""
        return f"{self.postgres_host}:{self.postgres_port}/{self.postgres_database}"

    def connection_parameters(
        self, user: str | Path, *, application: str, connect_seconds: int, options: str = ""
    ) -> dict[str, Any]:
        """Return a connection's parameters; see :func:`libpq.connection_parameters`."""
        return connection_parameters(
            self.postgres_host,
            self.postgres_port,
            self.postgres_database,
            user,
            self.postgres_password_file,
            application=application,
            connect_seconds=connect_seconds,
            sslmode=self.postgres_sslmode,
            ca_file=self.postgres_ca_file,
            options=options,
        )


POSTGRES_READERS: dict[str, Reader] = {
    "postgres_host": text,
    "postgres_password_file": existing_file,
    "postgres_port": whole(1, 65_535),
    "postgres_database": text,
    "postgres_sslmode": one_of(*_SSL_MODES),
    "postgres_ca_file": existing_file,
}
"""The readers of these settings, by name."""
