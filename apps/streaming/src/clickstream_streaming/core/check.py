"""What a check of the verification is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check", "differing"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What it compares, as the documentation says it.
        defect: The figure that it counts towards.
        query: Returns rows with a text that says where; each is a defect, or as many as a second
            column says. A count needs no rows: an invented ledger can claim any number of events.
    """

    name: str
    defect: str
    query: str


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
