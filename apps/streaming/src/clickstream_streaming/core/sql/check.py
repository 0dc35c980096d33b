"""One check of the verification, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Check", "differing", "summed"]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: The name in the documentation.
        defect: The kind of defect that it counts.
        rows: Returns a row for each defect, with a text that names the place. A second column may
            hold a number of defects: an invented ledger can claim any number of events.
        has_counts: Whether the query has the second column.
        basis: The common table expressions that the rows follow from; empty without one. PostgreSQL
            computes them once for all checks that have the same.
        is_hashed: Whether PostgreSQL must group without a sort: there are far fewer groups than it
            expects.
    """

    name: str
    defect: str
    rows: str
    has_counts: bool = False
    basis: str = ""
    is_hashed: bool = False

    @property
    def query(self) -> str:
        """Return the query for the rows, with the basis."""
        return (
            f"WITH {self.basis}\nSELECT * FROM ({self.rows}) AS found" if self.basis else self.rows
        )


def summed(checks: Sequence[Check], examples: int) -> str:
    """Return a query for a row per check: the number of defects, and the first examples.

    PostgreSQL counts the defects, so that only the examples are sent.

    Args:
        checks: Checks with the same basis.
        examples: The highest number of examples of each.
    """
    basis = f"WITH {checks[0].basis}\n" if checks[0].basis else ""
    parts = "UNION ALL".join(_summed(*row, examples) for row in enumerate(checks))
    return f"{basis}SELECT defects, examples FROM ({parts}) AS one ORDER BY place"


def _summed(place: int, check: Check, examples: int) -> str:
    columns = "shown, defects" if check.has_counts else "shown"
    defects = "sum(defects)" if check.has_counts else "count(*)"
    return f"""
SELECT {place} AS place, coalesce({defects}, 0)::bigint AS defects,
    coalesce(array_agg(shown) FILTER (WHERE number <= {examples}), ARRAY[]::text[]) AS examples
FROM (
    SELECT *, row_number() OVER () AS number FROM ({check.rows}) AS found ({columns})
) AS numbered
"""


def differing(shown: str, key: str, values: str, condition: str = "") -> str:
    """Return the end of a query with ``found`` and ``wanted``: a row for each key that differs.

    Args:
        shown: The text that names the place, as SQL over the key.
        key: The columns of the key, which no two rows of one side share.
        values: The other columns.
        condition: Whether to compare at all, as SQL; always if empty.
    """
    columns = [name.strip() for name in f"{key}, {values}".split(",")]
    found, wanted = (
        ", ".join(f"{side}.{name}" for name in columns) for side in ("found", "wanted")
    )
    also = f" AND {condition}" if condition else ""
    return f"""
SELECT {shown} FROM found FULL JOIN wanted USING ({key})
WHERE ({found}) IS DISTINCT FROM ({wanted}){also}
"""
