"""The derived parts of the schema's files: columns, comments, and figures of views.

A file marks a part by ``-- derived: NAME`` and ``-- end`` on lines of their own. Owns how the
contract's fields and the definitions of marts become SQL, and which part is in which file.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_streaming.core.sql import ledger_by_shard
from clickstream_streaming.core.sql.columns import WRITER, Column, selected
from clickstream_streaming.core.sql.kpis import KPIS, PRODUCT_KPIS
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS
from pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickstream_contract.fields import Field
    from clickstream_streaming.core.sql.mart import Mart

__all__ = ["PARTS", "SCHEMA", "renewed_schema", "schema_files", "table_parts", "view_parts"]

SCHEMA = ROOT / "db" / "schema"
_MARK = re.compile(r"^( *)-- derived: ([a-z]+)\n.*?^ *-- end$", re.MULTILINE | re.DOTALL)
_WIDTH = 96
"""Characters of a line without its indent."""
_FIGURES = {
    "mart.kpis": KPIS,
    "mart.kpis_day": KPIS,
    "mart.kpis_hour": KPIS,
    "mart.product_day": PRODUCT_KPIS,
    "mart.top_products": PRODUCT_KPIS,
}
"""Views with the same figures."""


def _line(column: Column) -> str:
    """Return a column of a ``CREATE TABLE``, with a comma."""
    if not column.computed:
        return " ".join(filter(None, (column.name, column.type, column.constraint))) + ","
    head = f"{column.name} {column.type} GENERATED ALWAYS AS ("
    line = f"{head}{column.computed}) VIRTUAL,"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    return f"{head}\n{textwrap.indent(column.computed, '    ')}\n) VIRTUAL,"


def _comments(relation: str, columns: Sequence[Column]) -> str:
    return "\n".join(
        f"COMMENT ON COLUMN {relation}.{column.name} IS {_literal(column.comment)};"
        for column in columns
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def table_parts(mart: Mart) -> dict[str, str]:
    """Return columns and comments of a mart's file."""
    columns = (*mart.keys, *mart.fields, *[WRITER] * mart.is_shared)
    key = f"PRIMARY KEY ({', '.join(mart.written_key)})"
    table = mart.written_table
    text = f"{mart.table} by writer." if mart.is_shared else mart.comment
    return {
        "columns": "\n".join((*map(_line, columns), key)),
        "comments": f"COMMENT ON TABLE {table} IS {_literal(text)};\n{_comments(table, columns)}",
    }


def view_parts(mart: Mart) -> dict[str, str]:
    """Return query and comments of a shared mart's view."""
    comment = f"COMMENT ON VIEW {mart.table} IS {_literal(mart.comment)};"
    return {
        "view": f"CREATE OR REPLACE VIEW {mart.table} AS\n{mart.view};",
        "comments": f"{comment}\n{_comments(mart.table, (*mart.keys, *mart.fields))}",
    }


def _contract_parts(relation: str, fields: Sequence[Field]) -> dict[str, str]:
    """Return columns and comments of a table with the fields of a record."""
    columns = [
        Column(
            column.name,
            column.type.replace("timestamp with time zone", "timestamptz"),
            column.comment,
            constraint="" if column.nullable else "NOT NULL",
        )
        for column in postgres_columns(fields)
    ]
    return {"columns": "\n".join(map(_line, columns)), "comments": _comments(relation, columns)}


_SESSION = (*SESSIONS.keys, *SESSIONS.fields)

PARTS: dict[str, dict[str, str]] = {
    "raw/events.sql": _contract_parts("raw.events", EVENT_FIELDS),
    "ops/ledger.sql": _contract_parts("ops.ledger", LEDGER_COLUMNS),
    "ops/ledger_by_shard.sql": {
        "columns": "\n".join(map(_line, ledger_by_shard.COLUMNS)),
        "comments": _comments("ops.ledger_by_shard", ledger_by_shard.COLUMNS),
    },
    "functions/ops.seal_of.sql": {
        "ledger": textwrap.fill(" ".join(f"one.{field.name}," for field in LEDGER_COLUMNS), _WIDTH)
    },
    "views/mart.fact_sessions.sql": {
        "columns": "\n".join(f"sessions.{column.name}," for column in _SESSION),
        "comments": _comments("mart.fact_sessions", _SESSION),
    },
    **{f"{mart.written_table.replace('.', '/')}.sql": table_parts(mart) for mart in MARTS},
    **{f"views/{mart.table}.sql": view_parts(mart) for mart in MARTS if mart.is_shared},
    **{
        f"views/{view}.sql": {
            "figures": selected(figures).replace("\n    ", "\n"),
            "comments": _comments(view, figures),
        }
        for view, figures in _FIGURES.items()
    },
}
"""The parts of each file of the schema that has some, by the file's path and the part's name."""


def renewed_schema(text: str, parts: Mapping[str, str]) -> str:
    """Return a file of the schema with its parts as they should be.

    Raises:
        KeyError: The file marks a part that it does not have.
    """

    def renewed(found: re.Match[str]) -> str:
        indent, name = found.groups()
        part = textwrap.indent(parts[name], indent)
        return f"{indent}-- derived: {name}\n{part}\n{indent}-- end"

    return _MARK.sub(renewed, text)


def schema_files() -> dict[str, str]:
    """Return the text of each file with derived parts, by its path below the root."""
    return {
        f"db/schema/{path}": renewed_schema((SCHEMA / path).read_text("utf-8"), parts)
        for path, parts in PARTS.items()
    }
