"""docs/tables.md names every table, view, column and function that the migrations make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markdown_tables import table
from pages import DOCS, renewed

if TYPE_CHECKING:
    from pipeline import Pipeline

pytestmark = pytest.mark.services

_RELATIONS = r"""
SELECT space.nspname, rel.relname, rel.relkind = 'v', coalesce(obj_description(rel.oid), '')
FROM pg_class AS rel INNER JOIN pg_namespace AS space ON space.oid = relnamespace
WHERE space.nspname IN ('mart', 'raw', 'ops') AND rel.relkind IN ('r', 'p', 'v')
    AND NOT rel.relispartition
ORDER BY array_position(ARRAY['mart', 'raw', 'ops'], space.nspname::text), 3, 2
"""
_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull,
    coalesce(col_description(attrelid, attnum), '')
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_FUNCTIONS = """
SELECT space.nspname || '.' || proname || '(' || pg_get_function_arguments(fun.oid) || ')',
    coalesce(obj_description(fun.oid), '')
FROM pg_proc AS fun INNER JOIN pg_namespace AS space ON space.oid = pronamespace
WHERE space.nspname IN ('mart', 'raw', 'ops') ORDER BY 1
"""


def test_the_page_of_tables_is_current(pipeline: Pipeline, request: pytest.FixtureRequest) -> None:
    """Each has a different text, and the page has them all."""
    connection = pipeline.connect()
    silent: list[str] = []
    sections: list[str] = []
    with connection, connection.cursor() as cursor:
        cursor.execute(_RELATIONS)
        schema = ""
        for space, name, is_view, comment in cursor.fetchall():
            if space != schema:
                sections.append(f"## {space}")
                schema = space
            cursor.execute(_COLUMNS, (f"{space}.{name}",))
            columns = cursor.fetchall()
            silent += [f"{space}.{name}"] if not comment else []
            silent += [f"{space}.{name}.{row[0]}" for row in columns if not row[3]]
            sections.append(f"### {space}.{name}\n\n{comment}{' A view.' if is_view else ''}")
            sections.append(_shown(columns, is_view=is_view))
        cursor.execute(_FUNCTIONS)
        functions = cursor.fetchall()
        silent += [name for name, comment in functions if not comment]
        rows = [(f"`{name}`", comment) for name, comment in functions]
        sections.append("## Functions\n\n" + table(("Function", "What it does"), rows))
    connection.close()
    page = DOCS / "tables.md"
    wanted = renewed(page.read_text(encoding="utf-8"), {"tables": lambda: "\n\n".join(sections)})
    if request.config.getoption("--update-golden"):
        page.write_text(wanted, encoding="utf-8")

    assert silent == []
    assert page.read_text(encoding="utf-8") == wanted, "stale: run `make generate`"


def _shown(columns: list[tuple[str, str, bool, str]], *, is_view: bool) -> str:
    """Return the table of a relation's columns; of a view's, PostgreSQL knows no NOT NULL."""
    if is_view:
        return table(
            ("Column", "Type", "Meaning"), [(f"`{row[0]}`", row[1], row[3]) for row in columns]
        )
    return table(
        ("Column", "Type", "May be null", "Meaning"),
        [(f"`{row[0]}`", row[1], "" if row[2] else "yes", row[3]) for row in columns],
    )
