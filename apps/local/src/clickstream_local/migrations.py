"""Migrations: brings a database to the tables of this version.

Owns the call of dbmate and where the files are: beside the package when it is installed, in
``db/migrations`` when it runs from a checkout. It does not know what they say.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from clickstream_local.errors import ServiceFailed
from clickstream_local.postgres import DATABASE, OWNER

if TYPE_CHECKING:
    from clickstream_local.postgres import Postgres

__all__ = ["migrate", "migrations_folder"]


def migrations_folder() -> Path:
    """Return the folder with the migrations."""
    packaged = Path(__file__).with_name("migrations")
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "db" / "migrations"


def migrate(postgres: Postgres, database: str = DATABASE) -> None:
    """Apply what is missing.

    Raises:
        ServiceFailed: A migration failed.
    """
    dbmate = shutil.which("dbmate", path=str(Path(sys.executable).parent)) or "dbmate"
    password = postgres.state.secret(OWNER).read_text(encoding="utf-8")
    address = f"{postgres.host}:{postgres.port}/{database}?sslmode=disable"
    log_file = postgres.state.log_file("migrations")
    with log_file.open("ab") as log:
        done = subprocess.run(
            [dbmate, "--no-dump-schema", "--migrations-dir", str(migrations_folder()), "migrate"],
            env={"DATABASE_URL": f"postgres://{OWNER}:{quote(password)}@{address}"},
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        raise ServiceFailed("migrations", "failed", log_file)
