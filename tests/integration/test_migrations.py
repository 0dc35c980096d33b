"""Migrations: each goes up and down again, and the tables that are left are the ones before."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import DEVICES
from clickstream_local.migrations import migrate, migrations_folder
from clickstream_local.postgres import OWNER
from psycopg2 import sql

if TYPE_CHECKING:
    from pipeline import Pipeline

pytestmark = pytest.mark.services

_SHAPE = """
SELECT table_schema, table_name, column_name, data_type, is_nullable
FROM information_schema.columns
WHERE table_schema IN ('raw', 'ops', 'mart') AND table_name !~ '^events_[0-9]+$'
ORDER BY 1, 2, 3
"""


def test_each_migration_can_be_undone_and_done_again(pipeline: Pipeline) -> None:
    """Down to nothing and up again gives the same columns."""
    postgres, name = pipeline.postgres, "migrated"
    admin = postgres.connect(OWNER, "postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    password = quote(postgres.state.secret(OWNER).read_text(encoding="utf-8"))
    url = f"postgres://{OWNER}:{password}@{postgres.host}:{postgres.port}/{name}?sslmode=disable"

    def shape() -> list[tuple[object, ...]]:
        connection = postgres.connect(OWNER, name)
        with connection, connection.cursor() as cursor:
            cursor.execute(_SHAPE)
            found = cursor.fetchall()
        connection.close()
        return found

    try:
        migrate(postgres, name)
        wanted = shape()
        for _ in migrations_folder().glob("*.sql"):
            subprocess.run(
                [
                    str(Path(sys.executable).with_name("dbmate")), "--no-dump-schema",
                    "--migrations-dir", str(migrations_folder()), "rollback",
                ],
                env={"DATABASE_URL": url},
                check=True,
                capture_output=True,
            )  # fmt: skip
        assert shape() == []
        migrate(postgres, name)
        assert shape() == wanted
    finally:
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        admin.close()


def test_fixed_dimensions_are_the_contracts(pipeline: Pipeline) -> None:
    """Countries and devices in the tables are those that simulations can name."""
    connection = pipeline.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT country, name, utc_offset_minutes, language FROM mart.dim_country")
        assert set(cursor.fetchall()) == {
            (row.code, row.name, row.utc_offset_minutes, row.language) for row in COUNTRIES.values()
        }
        cursor.execute("SELECT device FROM mart.dim_device")
        assert {device for (device,) in cursor.fetchall()} == set(DEVICES)
    connection.close()


def test_every_table_and_view_is_documented(pipeline: Pipeline) -> None:
    """``docs/tables.md`` names each of them, and none that is not there."""
    text = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
    connection = pipeline.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables"
            " WHERE table_schema IN ('raw', 'ops', 'mart') AND table_name !~ '^events_[0-9]+$'"
        )
        there = {name for (name,) in cursor.fetchall()}
    connection.close()
    assert set(re.findall(r"^\| `([a-z]+\.[a-z0-9_]+)` \|", text, re.MULTILINE)) == there
