"""What a run record says of the truth: about the run's incidents and the arms of its experiments.

Owns the members of a row of each kind, their types, and how many rows a record keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.incidents import MOST_DRAWN, MOST_INCIDENTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import UnionType

__all__ = ["EXPERIMENTS", "INCIDENTS", "RUN_TRUTHS", "RunTruth"]

INCIDENTS, EXPERIMENTS = "incidents", "experiments"


@dataclass(frozen=True)
class RunTruth:
    """A kind of truth in a run record.

    Attributes:
        members: The type of each member of a row; members that end with ``_seconds`` are Unix
            seconds.
        most: Most rows of a run.
    """

    members: Mapping[str, type[str | float] | UnionType]
    most: int


RUN_TRUTHS = {
    INCIDENTS: RunTruth(
        {
            "incident": str,
            "kind": str,
            "scope": str,
            "from_seconds": float,
            "until_seconds": float,
            "lost_orders": float,
            "orders_tolerance": float,
            "lost_revenue_minor": float,
            "revenue_tolerance_minor": float,
        },
        most=MOST_INCIDENTS + MOST_DRAWN,
    ),
    EXPERIMENTS: RunTruth(
        {
            "experiment": str,
            "arm": str,
            "from_seconds": float,
            "share": float,
            "conversion": float,
            "lift": float | None,
        },
        most=1_000,
    ),
}
"""The kinds, by the member of the run record that has their rows."""
