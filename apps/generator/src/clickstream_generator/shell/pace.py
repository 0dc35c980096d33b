"""How far a run may go at a moment: at the rate of its specification, or as fast as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickstream_generator.core.simulator import Simulator

__all__ = ["TICK_SECONDS", "horizon_seconds"]

TICK_SECONDS = 0.05
"""How long a run waits when nothing is due."""
_AHEAD_SECONDS = 86_400.0
"""Schedules are worked out by the day."""


def horizon_seconds(simulator: Simulator, now: float, *, is_paced: bool) -> float:
    """Return the moment up to which events may be made; infinity if none will ever be due.

    Args:
        simulator: Of the run.
        now: The present, Unix seconds.
        is_paced: Whether events are made when they are due.
    """
    return now if is_paced else simulator.following_seconds() + _AHEAD_SECONDS
