"""What a check of the verification is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check", "differing", "summed"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What it compares, as the documentation says it.
        defect: The figure that it counts towards.
        query: Returns rows with a text that says where; each is a defect, or as many as a second
            column says. A count needs no rows: an invented ledger can claim any number of events.
        has_counts: Whether the query has that second column.
    """

    name: str
    defect: str
    query: str
    has_counts: bool = False


def summed(check: Check, examples: int) -> str:
    """Return a query for one row: how many defects a check finds, and the first examples.

    However many there are, PostgreSQL counts them and none but the examples is sent.

    Args:
        check: The check.
        examples: How many texts at most.
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


def differing(shown: str, key: str) -> str:
    """Return the end of a query with ``found`` and ``wanted``: a row for each key that differs.

    Args:
        shown: A text that says where, as SQL over the key.
        key: The columns that name a row.
    """
    return f"""
SELECT {shown} FROM (
    (SELECT * FROM found EXCEPT SELECT * FROM wanted)
    UNION ALL
    (SELECT * FROM wanted EXCEPT SELECT * FROM found)
) AS differing GROUP BY {key}
"""
