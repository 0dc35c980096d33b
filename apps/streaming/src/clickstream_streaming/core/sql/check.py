"""One check of the verification, as SQL."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check", "differing", "summed"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: The name in the documentation.
        defect: The kind of defect that it counts.
        query: Returns a row for each defect, with a text that names the place. A second column may
            hold a number of defects: an invented ledger can claim any number of events.
        has_counts: Whether the query has the second column.
    """

    name: str
    defect: str
    query: str
    has_counts: bool = False


def summed(check: Check, examples: int) -> str:
    """Return a query for one row: the number of defects, and the first examples.

    PostgreSQL counts the defects, so that only the examples are sent.

    Args:
        check: The check.
        examples: The highest number of examples.
    """
    columns = "shown, defects" if check.has_counts else "shown"
    defects = "sum(defects)" if check.has_counts else "count(*)"
    return f"""
SELECT coalesce({defects}, 0)::bigint,
    coalesce(array_agg(shown) FILTER (WHERE number <= {examples}), ARRAY[]::text[])
FROM (
    SELECT *, row_number() OVER () AS number FROM ({check.query}) AS found ({columns})
) AS numbered
"""


def differing(shown: str, key: str, condition: str = "") -> str:
    """Return the end of a query with ``found`` and ``wanted``: a row for each key that differs.

    Args:
        shown: The text that names the place, as SQL over the key.
        key: The columns of the key.
        condition: Whether to compare at all, as SQL; always if empty.
    """
    where = f" WHERE {condition}" if condition else ""
    return f"""
SELECT {shown} FROM (
    (SELECT * FROM found EXCEPT SELECT * FROM wanted)
    UNION ALL
    (SELECT * FROM wanted EXCEPT SELECT * FROM found)
) AS differing{where} GROUP BY {key}
"""
