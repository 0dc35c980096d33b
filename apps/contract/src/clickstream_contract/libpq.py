"""How the project's processes connect to PostgreSQL: libpq's parameters and environment variables.

Owns the parameters of every connection to the project's database. The processes ignore libpq's
environment variables: ``PGHOSTADDR`` would send a password to another host, ``PGCLIENTENCODING``
would store wrong texts, ``PGOPTIONS`` would change a session's settings. Connections also set these
three explicitly, because another program may open them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["connection_parameters", "forget_libpq", "is_refusal"]


def connection_parameters(
    host: str,
    port: int,
    database: str,
    user: str | Path,
    password_file: Path,
    *,
    application: str,
    connect_seconds: int,
    sslmode: str,
    ca_file: Path | None = None,
    options: str = "",
) -> dict[str, Any]:
    """Return the parameters of a connection, for psycopg 2 or 3.

    Args:
        host: The server's host.
        port: Its port.
        database: The database's name.
        user: The login, or the file with it.
        password_file: The file with the password. Files are read now, because they may change.
        application: The name that PostgreSQL shows for the connection.
        connect_seconds: How long connecting may take.
        sslmode: libpq's ``sslmode``.
        ca_file: CA certificates for ``verify-ca`` and ``verify-full``.
        options: The session's settings, as ``-c name=value``.

    Raises:
        OSError: A file cannot be read.
    """
    return {
        "host": host,
        "port": port,
        "dbname": database,
        "user": _content(user) if isinstance(user, Path) else user,
        "password": _content(password_file),
        "sslmode": sslmode,
        "sslrootcert": ca_file and str(ca_file),
        "connect_timeout": connect_seconds,
        "application_name": application,
        "client_encoding": "UTF8",
        "hostaddr": "",
        "options": options,
    }


def is_refusal(message: str) -> bool:
    """Return whether PostgreSQL has refused a connection, so that a retry is useless.

    libpq has no code for a failed connection, and a server that is starting also says FATAL.

    Args:
        message: libpq's text.
    """
    return "FATAL" in message and "the database system is " not in message


def forget_libpq(environment: MutableMapping[str, str]) -> None:
    """Remove libpq's variables, which all begin with PG.

    Call this before the process starts threads: libpq reads the C library's environment.
    """
    for name in [name for name in environment if name.startswith("PG")]:
        del environment[name]


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()
