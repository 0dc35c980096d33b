"""Errors of the console.

``ConsoleError`` is the root. ``DatabaseAway`` becomes 503, ``SimulationUnknown`` 404,
``TooManyStreams`` 503.
"""

from __future__ import annotations

__all__ = ["ConsoleError", "DatabaseAway", "SimulationUnknown", "TooManyStreams"]


class ConsoleError(Exception):
    """Root of the console's errors; a client sees their texts."""


class DatabaseAway(ConsoleError):
    """PostgreSQL does not answer now.

    Attributes:
        reason: The cause, without addresses or names of users.
    """

    def __init__(self, reason: str) -> None:
        """Keep the field and build the text."""
        self.reason = reason
        super().__init__(f"the database {reason}; try again soon")


class SimulationUnknown(ConsoleError):
    """The database has no run of that simulation.

    Attributes:
        name: The simulation.
    """

    def __init__(self, name: str) -> None:
        """Keep the field and build the text."""
        self.name = name
        super().__init__(f"no run of simulation {name} is known; /api/v1/simulations lists them")


class TooManyStreams(ConsoleError):
    """The limit of live streams is reached.

    Attributes:
        limit: The highest number of live streams.
        is_of_peer: Whether the limit is per address.
    """

    def __init__(self, limit: int, *, is_of_peer: bool = False) -> None:
        """Keep the fields and build the text."""
        self.limit, self.is_of_peer = limit, is_of_peer
        of = "of your address " if is_of_peer else ""
        super().__init__(f"{limit} live streams {of}are open, which is the limit; try again soon")
