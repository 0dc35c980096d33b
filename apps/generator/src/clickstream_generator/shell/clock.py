"""The clock that paces a run."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Unix time that never jumps: the wall's at the start, then the monotonic clock's."""

    def __init__(self) -> None:
        self._wall_seconds = time.time()
        self._started = time.monotonic()

    def now(self) -> float:
        """Return Unix seconds."""
        return self._wall_seconds + time.monotonic() - self._started
