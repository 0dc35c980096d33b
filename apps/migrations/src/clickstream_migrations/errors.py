"""Errors of the migrations.

MigrationError
├── DatabaseRefused   PostgreSQL refuses the login or a statement
├── DatabaseTooOld    the tables are from before the baseline
├── DatabaseTooNew    the tables are of a later version
└── MigrationFailed   PostgreSQL refuses a file
"""

from __future__ import annotations

from clickstream_contract.libpq import is_refusal

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
        reason: PostgreSQL's message.
        is_final: Whether PostgreSQL answered, so that a retry would end the same way.
    """

    def __init__(self, address: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.reason = address, reason
        self.is_final = is_refusal(reason)
        super().__init__(
            f"PostgreSQL at {address} refuses: {reason}; check its address, login and certificate"
        )


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
        reason: PostgreSQL's message.
    """

    def __init__(self, address: str, file: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.file, self.reason = address, file, reason
        super().__init__(
            f"{file} failed on {address}, and nothing was changed: {reason}; correct what it names,"
            " and migrate again"
        )
