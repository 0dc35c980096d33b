"""Errors of the console.

``ConsoleError`` is the root. ``DatabaseAway`` becomes 503, ``SimulationUnknown`` 404,
``TooManyStreams`` 503.
"""

from __future__ import annotations

__all__ = ["ConsoleError", "DatabaseAway", "SimulationUnknown", "TooManyStreams"]


class ConsoleError(Exception):
    """Root of the console's errors; their texts are for whoever asked."""


class DatabaseAway(ConsoleError):
    """PostgreSQL gives no answer now.

    Attributes:
        reason: What is the matter, without addresses or names of users.
    """

    def __init__(self, reason: str) -> None:
        """Keep the field and build the text."""
        self.reason = reason
        super().__init__(f"the database {reason}; try again soon")


class SimulationUnknown(ConsoleError):
    """No run of that simulation has been seen.

    Attributes:
        name: The simulation.
    """

    def __init__(self, name: str) -> None:
        """Keep the field and build the text."""
        self.name = name
        super().__init__(f"no run of simulation {name} is known; /api/v1/simulations lists them")


class TooManyStreams(ConsoleError):
    """As many live streams are open as may be.

    Attributes:
        limit: How many may be.
        is_of_peer: Whether the limit is that of one address, and not of all.
    """

    def __init__(self, limit: int, *, is_of_peer: bool = False) -> None:
        """Keep the fields and build the text."""
        self.limit, self.is_of_peer = limit, is_of_peer
        of = "of your address " if is_of_peer else ""
        super().__init__(f"{limit} live streams {of}are open, which is the limit; try again soon")
