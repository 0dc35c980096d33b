"""The migrations' process: tables first, then logins, then it ends.

Owns exit codes. It may run any number of times: what is there already stays as it is.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.libpq import forget_libpq

from clickstream_migrations.database import Database, migrate
from clickstream_migrations.errors import DatabaseRefused, MigrationError
from clickstream_migrations.logins import (
    OWNER_ROLE,
    READER_ROLE,
    VERIFIER_ROLE,
    WRITER_ROLE,
    Login,
    limit_database,
    see_to_logins,
)
from clickstream_migrations.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_migrations.settings import Settings

__all__ = ["main"]


def main() -> int:
    """Bring the database to this version and return the process's exit code."""
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
    # A server that is not up yet is better named than dbmate would.
    database.connect().close()
    migrate(database)
    with closing(database.connect()) as connection:
        try:
            with connection, connection.cursor() as cursor:
                limit_database(cursor)
                see_to_logins(cursor, _logins(settings, database))
        except psycopg2.Error as error:
            raise DatabaseRefused(database.address, str(error).strip()) from error


def _logins(settings: Settings, database: Database) -> Iterator[Login]:
    """Return the logins that the settings name, in the order in which they are made."""
    if settings.writer_user_file:
        # Only who makes logins may make himself a member of a role.
        yield Login(database.user, database.password, (OWNER_ROLE,))
    for user_file, password_file, roles in (
        (settings.writer_user_file, settings.writer_password_file, (WRITER_ROLE,)),
        (settings.reader_user_file, settings.reader_password_file, (READER_ROLE,)),
        (
            settings.verifier_user_file,
            settings.verifier_password_file,
            (READER_ROLE, VERIFIER_ROLE),
        ),
    ):
        if user_file and password_file:
            yield Login(_line(user_file), _line(password_file), roles)


def _line(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
