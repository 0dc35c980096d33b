"""The database to migrate: where it is and as whom.

Owns connecting and the call of dbmate, which gets the password in a file that only we can read.
The migrations lie beside the package when it is installed, in ``db/migrations`` when it runs from
a checkout. It does not know what they say.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, urlencode

import psycopg2

from clickstream_migrations.errors import DatabaseRefused, MigrationFailed

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

__all__ = ["Database", "migrate", "migrations_folder"]

_CONNECT_SECONDS = 10
_PATIENCE_SECONDS = 60.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Database:
    """Where it is, and its owner's login."""

    host: str
    port: int
    name: str
    user: str
    password_file: Path
    sslmode: str = "disable"
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """Return it as errors name it."""
        return f"{self.host}:{self.port}/{self.name}"

    @property
    def password(self) -> str:
        """Return what the file holds, without the last line's end."""
        return self.password_file.read_text(encoding="utf-8").strip()

    def connect(self, patience_seconds: float = _PATIENCE_SECONDS) -> Connection:
        """Connect as the owner; retry while the server does not answer.

        A new pod's network policy may reach the node a second after the pod starts, and until then
        connections are refused. A server that refuses the login is not asked again.

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
            return psycopg2.connect(
                host=self.host,
                port=self.port,
                dbname=self.name,
                user=self.user,
                password=self.password,
                sslmode=self.sslmode,
                sslrootcert=self.ca_file and str(self.ca_file),
                connect_timeout=_CONNECT_SECONDS,
                application_name="clickstream-migrations",
                client_encoding="UTF8",
                hostaddr="",
                options="",
            )
        except psycopg2.OperationalError as error:
            raise DatabaseRefused(self.address, str(error).strip()) from error


def migrations_folder() -> Path:
    """Return the folder with the migrations."""
    packaged = Path(__file__).with_name("migrations")
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "db" / "migrations"


def migrate(database: Database, output: IO[bytes] | None = None, command: str = "migrate") -> None:
    """Apply what is missing, or let dbmate do something else.

    Args:
        database: Which.
        output: Where dbmate prints to; where we do if absent.
        command: One of dbmate's.

    Raises:
        MigrationFailed: A migration failed.
    """
    program = shutil.which("dbmate", path=str(Path(sys.executable).parent)) or "dbmate"
    query = {"sslmode": database.sslmode}
    if database.ca_file is not None:
        query["sslrootcert"] = str(database.ca_file)
    url = f"postgres://{quote(database.user)}@{database.address}?{urlencode(query)}"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="pgpass-") as passwords:
        # https://www.postgresql.org/docs/18/libpq-pgpass.html
        password = database.password.replace("\\", "\\\\").replace(":", "\\:")
        passwords.write(f"*:*:*:*:{password}\n")
        passwords.flush()
        done = subprocess.run(
            [program, "--no-dump-schema", "--migrations-dir", str(migrations_folder()), command],
            env={"DATABASE_URL": url, "PGPASSFILE": passwords.name},
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        raise MigrationFailed(database.address, done.returncode)
