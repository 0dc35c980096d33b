"""What can go wrong with a migration.

MigrationError
├── DatabaseRefused   it does not let us in, or not do what we must
└── MigrationFailed   dbmate gave up
"""

from __future__ import annotations

__all__ = ["DatabaseRefused", "MigrationError", "MigrationFailed"]


class MigrationError(Exception):
    """The database is not at this version."""


class DatabaseRefused(MigrationError):
    """PostgreSQL does not let us in, or not do what we must.

    Attributes:
        address: ``host:port/database``.
        why: What it says.
        is_final: Whether PostgreSQL answered, so that a retry would end the same way.
    """

    def __init__(self, address: str, why: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.why = address, why
        # libpq passes on no code for a failed connection; a server that is only starting also
        # says FATAL.
        self.is_final = "FATAL" in why and "the database system is " not in why
        super().__init__(f"PostgreSQL at {address} refuses: {why}")


class MigrationFailed(MigrationError):
    """Dbmate gave up; what it printed says why.

    Attributes:
        address: ``host:port/database``.
        code: Its exit code.
    """

    def __init__(self, address: str, code: int) -> None:
        """Keep the fields and build the text."""
        self.address, self.code = address, code
        super().__init__(f"dbmate ended with {code} on {address}; it said why just before")
