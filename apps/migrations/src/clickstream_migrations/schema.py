"""The schema of the database: created as a whole, or migrated.

Owns the files of ``db/``, their order, and the versions that a database has. Everything that one
call changes is one transaction.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql
from psycopg2.errors import InvalidTableDefinition

from clickstream_migrations.errors import (
    DatabaseRefused,
    DatabaseTooNew,
    DatabaseTooOld,
    MigrationFailed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from clickstream_migrations.database import Database

__all__ = ["BASELINE", "migrate", "sql_folder"]

BASELINE = "20261201120000"
"""Version of a database that has the tables of ``db/schema`` and no migration."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('public.schema_migrations'))"
_VERSIONS = "CREATE TABLE IF NOT EXISTS public.schema_migrations (version text PRIMARY KEY)"
_APPLIED_AGAIN = ("functions/", "views/")


def sql_folder() -> Path:
    """Return the folder with the SQL: in the package, or in the checkout."""
    packaged = Path(__file__).with_name("db")
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "db"


def migrate(database: Database, folder: Path | None = None) -> list[str]:
    """Bring a database to this version's schema, and return the versions that were added.

    Args:
        database: The database.
        folder: Its SQL; by default :func:`sql_folder`.

    Raises:
        DatabaseRefused: PostgreSQL refuses the login or the work, or did not answer in time.
        DatabaseTooOld: The database has migrations from before :data:`BASELINE`.
        DatabaseTooNew: The database has migrations that ``folder`` does not have.
        MigrationFailed: PostgreSQL refuses a file; the database is as it was before.
    """
    with closing(database.connect()) as connection:
        try:
            return _Migration(connection, database.address, folder or sql_folder()).run()
        except psycopg2.Error as error:
            raise DatabaseRefused(database.address, str(error).strip()) from error


class _Migration:
    """The migration of one database in one transaction."""

    def __init__(self, connection: Connection, address: str, folder: Path) -> None:
        self._connection, self._address, self._folder = connection, address, folder
        self._migrations = {
            file.name.partition("_")[0]: file for file in sorted(folder.glob("migrations/*.sql"))
        }

    def run(self) -> list[str]:
        """Bring the database to the folder's schema, and return the added versions."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_LOCK)
            cursor.execute(_VERSIONS)
            applied = self._applied(cursor)
            added = [one for one in (BASELINE, *self._migrations) if one not in applied]
            if applied:
                self._run_files(cursor, (self._migrations[version] for version in added))
                self._apply_again(cursor)
            else:
                self._run_files(cursor, self._schema_files())
            for version in added:
                cursor.execute("INSERT INTO public.schema_migrations VALUES (%s)", (version,))
        return added

    def _applied(self, cursor: Cursor) -> set[str]:
        """Return the versions of the database."""
        cursor.execute("SELECT version FROM public.schema_migrations ORDER BY version")
        versions = [version for (version,) in cursor.fetchall()]
        if versions and versions[0] < BASELINE:
            raise DatabaseTooOld(self._address, versions[0])
        for version in versions:
            if version != BASELINE and version not in self._migrations:
                raise DatabaseTooNew(self._address, version)
        return set(versions)

    def _schema_files(self, prefixes: tuple[str, ...] = ("",)) -> list[Path]:
        """Return the files whose names begin with a prefix, in their order."""
        folder = self._folder / "schema"
        lines = (folder / "order.txt").read_text(encoding="utf-8").splitlines()
        return [
            folder / line for line in lines if line and line[0] != "#" and line.startswith(prefixes)
        ]

    def _apply_again(self, cursor: Cursor) -> None:
        """Replace functions and views with those of their files."""
        files = self._schema_files(_APPLIED_AGAIN)
        cursor.execute("SAVEPOINT replacement")
        try:
            self._run_files(cursor, files)
        except MigrationFailed as error:
            # PostgreSQL does not remove, rename or change a column of a view that it replaces.
            if not isinstance(error.__cause__, InvalidTableDefinition):
                raise
            cursor.execute("ROLLBACK TO SAVEPOINT replacement")
            views = [file.stem.split(".") for file in files if file.parent.name == "views"]
            names = sql.SQL(", ").join(sql.Identifier(*name) for name in views)
            cursor.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(names))
            self._run_files(cursor, files)

    def _run_files(self, cursor: Cursor, files: Iterable[Path]) -> None:
        for file in files:
            try:
                cursor.execute(file.read_text(encoding="utf-8"))
            except psycopg2.Error as error:
                name = str(file.relative_to(self._folder))
                raise MigrationFailed(self._address, name, str(error).strip()) from error
