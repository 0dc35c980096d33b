"""The pause before a retry.

The pause doubles with each failure in a row, up to a minute. Half of it is random, so that many
clients do not return at one moment. It is never shorter than the server's ``Retry-After``.
"""

from __future__ import annotations

__all__ = ["LONGEST_SECONDS", "pause_seconds"]

_FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0
"""The longest pause that the operator chooses."""
_LONGEST_ASKED_SECONDS = 600.0
"""The longest pause that the server can ask for."""
_MANY = 32


def pause_seconds(failures: int, chance: float, asked_seconds: float = 0.0) -> float:
    """Return how long to wait.

    Args:
        failures: The number of failures in a row before this one.
        chance: A random number from 0 to 1.
        asked_seconds: The least pause that the server asks for, such as by ``Retry-After``.
    """
    whole = min(_FIRST_SECONDS * 2.0 ** min(failures, _MANY), LONGEST_SECONDS)
    pause = whole * (1 + chance) / 2
    asked = min(asked_seconds, _LONGEST_ASKED_SECONDS)
    # Clients that must wait equally long are spread too.
    return max(pause, asked + min(asked, LONGEST_SECONDS) * chance / 2)
