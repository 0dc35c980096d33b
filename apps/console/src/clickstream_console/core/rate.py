"""A rate over a window of totals."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["RateWindow"]


@dataclass
class RateWindow:
    """The totals of the last seconds.

    Attributes:
        seconds: Length of the window: much longer than the time between two batches.
    """

    seconds: float = 12.0
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, at_seconds: float, total: int) -> float | None:
        """Add a total and return the rate per second over the window; ``None`` for the first one.

        A lower total belongs to another run: it starts a new window.
        """
        if self._seen and (total < self._seen[-1][1] or at_seconds <= self._seen[-1][0]):
            self._seen.clear()
        self._seen.append((at_seconds, total))
        while len(self._seen) > 2 and self._seen[1][0] <= at_seconds - self.seconds:
            self._seen.popleft()
        began, first = self._seen[0]
        return (total - first) / (at_seconds - began) if at_seconds > began else None
