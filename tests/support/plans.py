"""How many rows of a table PostgreSQL reads for a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg2.extensions import cursor as Cursor

__all__ = ["rows_read"]


def rows_read(
    cursor: Cursor, statement: str, values: Mapping[str, object] | None, relation: str
) -> int:
    """Return how many rows of a table a statement reads; change nothing.

    Args:
        cursor: Of a transaction.
        statement: The statement.
        values: The values of its placeholders.
        relation: The table, with its schema.
    """
    cursor.execute("SAVEPOINT look")
    cursor.execute(f"EXPLAIN (ANALYZE, VERBOSE, TIMING off, FORMAT json) {statement}", values)
    ((plan,),) = cursor.fetchall()
    cursor.execute("ROLLBACK TO SAVEPOINT look")
    return int(sum(_rows(plan[0]["Plan"], relation)))


def _rows(node: dict[str, Any], relation: str) -> Iterator[float]:
    if f"{node.get('Schema')}.{node.get('Relation Name')}" == relation:
        filtered = node.get("Rows Removed by Filter", 0)
        yield (node["Actual Rows"] + filtered) * node["Actual Loops"]
    for part in node.get("Plans", ()):
        yield from _rows(part, relation)
