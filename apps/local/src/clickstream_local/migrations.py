"""Migrations of the laptop's own database: its address, its passwords, its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_migrations import schema
from clickstream_migrations.database import Database
from clickstream_migrations.errors import DatabaseTooOld, MigrationError

from clickstream_local.errors import ServiceFailed, StateTooOld
from clickstream_local.postgres import DATABASE, OWNER

if TYPE_CHECKING:
    from clickstream_local.postgres import Postgres

__all__ = ["migrate"]


def migrate(postgres: Postgres, database: str = DATABASE) -> None:
    """Bring a database to this version's schema.

    Raises:
        StateTooOld: The database is from before the first version that can be migrated.
        ServiceFailed: A migration failed.
    """
    target = Database(postgres.host, postgres.port, database, OWNER, postgres.state.secret(OWNER))
    try:
        schema.migrate(target)
    except DatabaseTooOld as error:
        raise StateTooOld(postgres.state.root, error.version) from error
    except MigrationError as error:
        log_file = postgres.state.log_file("migrations")
        log_file.write_text(f"{error}\n", encoding="utf-8")
        raise ServiceFailed("migrations", "failed", log_file) from error
