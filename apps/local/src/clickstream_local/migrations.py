"""Migrations of the local database, with its address, password and log file.

The package ``clickstream_migrations`` has the migrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_migrations import database as databases
from clickstream_migrations.errors import MigrationFailed

from clickstream_local.errors import ServiceFailed
from clickstream_local.postgres import DATABASE, OWNER

if TYPE_CHECKING:
    from clickstream_local.postgres import Postgres

__all__ = ["migrate"]


def migrate(postgres: Postgres, database: str = DATABASE, command: str = "migrate") -> None:
    """Apply the missing migrations, or run another dbmate command.

    Raises:
        ServiceFailed: A migration failed.
    """
    target = databases.Database(
        postgres.host, postgres.port, database, OWNER, postgres.state.secret(OWNER)
    )
    log_file = postgres.state.log_file("migrations")
    with log_file.open("ab") as log:
        try:
            databases.migrate(target, log, command)
        except MigrationFailed as error:
            raise ServiceFailed("migrations", "failed", log_file) from error
