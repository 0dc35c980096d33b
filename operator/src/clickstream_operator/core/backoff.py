"""How long to wait before something that failed is tried again.

Owns the pause: it doubles with each failure in a row up to a minute, a random half of it keeps
many from coming back at one moment, and what the server asks for is never undercut.
"""

from __future__ import annotations

__all__ = ["LONGEST_SECONDS", "pause_seconds"]

_FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0
"""Of a pause that the operator chooses."""
_LONGEST_ASKED_SECONDS = 600.0
"""Of a pause that the server asks for."""
_MANY = 32


def pause_seconds(failures: int, chance: float, asked_seconds: float = 0.0) -> float:
    """Return how long to wait.

    Args:
        failures: How many there were in a row before this one.
        chance: From 0 to 1, at random.
        asked_seconds: The least pause that the server asks for, such as by ``Retry-After``.
    """
    whole = min(_FIRST_SECONDS * 2.0 ** min(failures, _MANY), LONGEST_SECONDS)
    pause = whole * (1 + chance) / 2
    asked = min(asked_seconds, _LONGEST_ASKED_SECONDS)
    # Those that were asked to wait equally long are spread too.
    return max(pause, asked + min(asked, LONGEST_SECONDS) * chance / 2)
