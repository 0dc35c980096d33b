"""The database to migrate: its address and the connection of its owner."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2
from clickstream_contract.libpq import connection_parameters

from clickstream_migrations.errors import DatabaseRefused

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

__all__ = ["Database"]

_CONNECT_SECONDS = 10
_PATIENCE_SECONDS = 60.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Database:
    """The address of a database, and its owner's login."""

    host: str
    port: int
    name: str
    user: str
    password_file: Path
    sslmode: str = "disable"
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """Return ``host:port/database``."""
        return f"{self.host}:{self.port}/{self.name}"

    @property
    def password(self) -> str:
        """Return the owner's password, from its file."""
        return self.password_file.read_text(encoding="utf-8").strip()

    def connect(self, patience_seconds: float = _PATIENCE_SECONDS) -> Connection:
        """Connect as the owner; retry while the server does not answer.

        A new pod's network policy may reach the node a second after the pod starts, and until then
        connections are refused. The refusal of a login is final.

        Args:
            patience_seconds: How long to retry.

        Raises:
            DatabaseRefused: PostgreSQL refuses the login, or did not answer in time.
        """
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                return self._connect_once()
            except DatabaseRefused as error:
                if error.is_final or time.monotonic() > deadline:
                    raise
                sys.stderr.write(f"retrying in {_RETRY_SECONDS:.0f} s: {error}\n")
                time.sleep(_RETRY_SECONDS)

    def _connect_once(self) -> Connection:
        try:
            connection: Connection = psycopg2.connect(
                **connection_parameters(
                    self.host,
                    self.port,
                    self.name,
                    self.user,
                    self.password_file,
                    application="clickstream-migrations",
                    connect_seconds=_CONNECT_SECONDS,
                    sslmode=self.sslmode,
                    ca_file=self.ca_file,
                )
            )
        except psycopg2.OperationalError as error:
            raise DatabaseRefused(self.address, str(error).strip()) from error
        return connection
