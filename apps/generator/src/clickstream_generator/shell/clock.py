"""The clock that paces a run."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """A Unix clock that never jumps: wall time at the start, then the monotonic clock."""

    def __init__(self) -> None:
        self._wall_seconds = time.time()
        self._started = time.monotonic()

    def now(self) -> float:
        """Return the current time, Unix seconds."""
        return self._wall_seconds + time.monotonic() - self._started
