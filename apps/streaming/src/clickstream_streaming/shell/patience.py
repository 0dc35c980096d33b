"""Patience: how long something may take, counted while this process runs.

Owns the count. All processes of a laptop stop while its lid is closed, and of a container while it
is paused; some clocks go on. When they continue, each finds that its time is over, though nothing
had a chance to answer.
"""

from __future__ import annotations

import time

__all__ = ["Patience"]

_STEP_SECONDS = 30.0
"""No single attempt takes longer; what a clock shows beyond that was a stop."""


class Patience:
    """Counts down some seconds, from look to look.

    Args:
        seconds: How long something may take.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._looked = time.monotonic()

    def is_over(self) -> bool:
        """Return whether the seconds have passed; between two looks at most 30 do."""
        now = time.monotonic()
        self._left -= min(now - self._looked, _STEP_SECONDS)
        self._looked = now
        return self._left < 0
