"""Retries: one attempt after another until one succeeds or the time is over.

Owns the deadline, which counts only the time in which this process runs. A laptop with a closed lid
and a paused container stop all processes, but some clocks run on. After such a stop, other
processes need time to answer.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GIVE_UP_SECONDS", "RETRY_SECONDS", "Deadline", "retry"]

_LOG = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Time between two attempts."""
GIVE_UP_SECONDS = 300.0
"""How long a batch waits for Kafka or PostgreSQL."""
_MAX_STEP_SECONDS = 30.0
"""No attempt takes longer; if the clock shows more, the process was stopped."""

_Result = TypeVar("_Result")


class Deadline:
    """Deadline that stops with its process.

    Args:
        seconds: Time until the deadline.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._checked_at = time.monotonic()

    def has_passed(self) -> bool:
        """Return whether the time is over; between two calls at most 30 seconds count."""
        now = time.monotonic()
        self._left -= min(now - self._checked_at, _MAX_STEP_SECONDS)
        self._checked_at = now
        return self._left < 0


def retry(
    attempt: Callable[[], _Result],
    errors: type[Exception] | tuple[type[Exception], ...],
    seconds: float,
    failure: str,
    *,
    on_error: Callable[[Exception], None] = lambda _: None,
    wait: Callable[[float], object] = time.sleep,
) -> _Result:
    """Return the result of the first attempt that succeeds.

    Raises the last error once the time is over.

    Args:
        attempt: The work.
        errors: Errors after which another attempt may succeed.
        seconds: How long to retry.
        failure: The failure, for the log.
        on_error: Called after each failed attempt; cleans up, or raises an error that is final.
        wait: Waits between two attempts; returns true if there shall be no other attempt.
    """
    deadline = Deadline(seconds)
    while True:
        try:
            return attempt()
        except errors as error:
            on_error(error)
            if deadline.has_passed():
                raise
            _LOG.warning("%s, retrying: %s", failure, error)
            if wait(RETRY_SECONDS):
                raise
