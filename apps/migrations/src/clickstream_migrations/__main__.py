"""The process that migrates a database: its schema first, then its logins.

Owns exit codes. It may run any number of times.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.libpq import forget_libpq

from clickstream_migrations.database import Database
from clickstream_migrations.errors import DatabaseRefused, MigrationError
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
from clickstream_migrations.schema import migrate
from clickstream_migrations.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_migrations.settings import Settings

__all__ = ["main"]


def main() -> int:
    """Migrate the database and return the process's exit code."""
    forget_libpq(os.environ)
    try:
        _run(settings_from(os.environ))
    except SettingsInvalid as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except MigrationError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _run(settings: Settings) -> None:
    database = Database(
        host=settings.postgres_host,
        port=settings.postgres_port,
        name=settings.postgres_database,
        user=_line(settings.postgres_user_file),
        password_file=settings.postgres_password_file,
        sslmode=settings.postgres_sslmode,
        ca_file=settings.postgres_ca_file,
    )
    for version in migrate(database):
        sys.stdout.write(f"{database.address} has version {version}\n")
    with closing(database.connect()) as connection:
        try:
            with connection, connection.cursor() as cursor:
                limit_database(cursor)
                ensure_logins(cursor, _logins(settings, database))
        except psycopg2.Error as error:
            raise DatabaseRefused(database.address, str(error).strip()) from error


def _logins(settings: Settings, database: Database) -> Iterator[Login]:
    """Return the logins of the settings, in the order in which they are created."""
    if settings.writer_user_file:
        # Only an owner that may create logins can add itself to a role.
        yield Login(database.user, database.password, (OWNER_ROLE,))
    for user_file, password_file, roles in (
        (settings.writer_user_file, settings.writer_password_file, (WRITER_ROLE,)),
        (settings.reader_user_file, settings.reader_password_file, (READER_ROLE,)),
        (
            settings.verifier_user_file,
            settings.verifier_password_file,
            (READER_ROLE, VERIFIER_ROLE),
        ),
        (settings.student_user_file, settings.student_password_file, (STUDENT_ROLE,)),
    ):
        if user_file and password_file:
            yield Login(_line(user_file), _line(password_file), roles)


def _line(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
