"""Errors of the migrations.

MigrationError
├── DatabaseRefused   PostgreSQL refuses the login or a statement
├── DatabaseTooOld    the tables are from before the baseline
├── DatabaseTooNew    the tables are of a later version
└── MigrationFailed   PostgreSQL refuses a file
"""

from __future__ import annotations

__all__ = [
    "DatabaseRefused",
    "DatabaseTooNew",
    "DatabaseTooOld",
    "MigrationError",
    "MigrationFailed",
]


class MigrationError(Exception):
    """The database does not have the schema of this version."""


class DatabaseRefused(MigrationError):
    """PostgreSQL refuses the login or a statement.

    Attributes:
        address: ``host:port/database``.
        why: PostgreSQL's message.
        is_final: Whether PostgreSQL answered, so that a retry would end the same way.
    """

    def __init__(self, address: str, why: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.why = address, why
        # libpq has no code for a failed connection; a server that is starting also says FATAL.
        self.is_final = "FATAL" in why and "the database system is " not in why
        super().__init__(f"PostgreSQL at {address} refuses: {why}")


class DatabaseTooOld(MigrationError):
    """The database has the tables of version 0.3 or an earlier one.

    Attributes:
        address: ``host:port/database``.
        version: Its first migration.
    """

    def __init__(self, address: str, version: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.version = address, version
        super().__init__(
            f"the database {address} has the tables of version 0.3 or earlier (migration"
            f" {version}), which this version cannot migrate; name a new database, or delete this"
            " one with DROP DATABASE and create it again"
        )


class DatabaseTooNew(MigrationError):
    """The database has a migration that this version does not have.

    Attributes:
        address: ``host:port/database``.
        version: The migration.
    """

    def __init__(self, address: str, version: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.version = address, version
        super().__init__(
            f"the database {address} has the tables of a later version (migration {version}); use"
            " that version, or restore a backup from before it"
        )


class MigrationFailed(MigrationError):
    """PostgreSQL refuses a file; the database is as it was before.

    Attributes:
        address: ``host:port/database``.
        file: The file, within ``db/``.
        why: PostgreSQL's message.
    """

    def __init__(self, address: str, file: str, why: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.file, self.why = address, file, why
        super().__init__(f"{file} failed on {address}, and nothing was changed: {why}")
