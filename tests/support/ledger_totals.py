"""The totals of the ledger, after a test has changed the ledger itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.ledger_by_shard import REPLACE_TOTALS, WRONG_TOTALS

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

__all__ = ["replace_totals"]


def replace_totals(cursor: Cursor) -> int:
    """Compute the wrong totals again, within the transaction; return their number."""
    cursor.execute(WRONG_TOTALS)
    wrong = cursor.fetchall()
    values = {"run_ids": [run_id for run_id, _ in wrong], "shards": [shard for _, shard in wrong]}
    cursor.execute(REPLACE_TOTALS, values)
    return len(wrong)
