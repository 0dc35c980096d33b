"""A rate from totals that were seen at moments.

Owns the window. It does not know what is counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["RateWindow"]


@dataclass
class RateWindow:
    """Totals of the last seconds.

    Attributes:
        seconds: Length of the window: long beside the time between two batches.
    """

    seconds: float = 12.0
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, at_seconds: float, total: int) -> float | None:
        """Take a total and return the rate per second over the window; ``None`` of a first one.

        A total that goes down is another run's: the window begins anew.
        """
        if self._seen and (total < self._seen[-1][1] or at_seconds <= self._seen[-1][0]):
            self._seen.clear()
        self._seen.append((at_seconds, total))
        while len(self._seen) > 2 and self._seen[1][0] <= at_seconds - self.seconds:
            self._seen.popleft()
        began, first = self._seen[0]
        return (total - first) / (at_seconds - began) if at_seconds > began else None
