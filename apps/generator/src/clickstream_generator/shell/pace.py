"""The pace of a run: in real time, or as fast as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickstream_generator.core.simulator import Simulator

__all__ = ["TICK_SECONDS", "horizon_seconds"]

TICK_SECONDS = 0.05
"""How long a run waits when nothing is due."""
_AHEAD_SECONDS = 86_400.0
"""One day: schedules are computed in blocks of a day."""


def horizon_seconds(simulator: Simulator, now: float, *, is_paced: bool) -> float:
    """Return the moment up to which events may be made; infinity if no event will be due.

    Args:
        simulator: The run's simulator.
        now: The current time, Unix seconds.
        is_paced: Whether events are made when they are due.
    """
    return now if is_paced else simulator.following_seconds() + _AHEAD_SECONDS
