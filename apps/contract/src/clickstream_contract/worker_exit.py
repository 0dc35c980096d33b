"""The exit codes of a generator's process, which the operator reads."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["WorkerExit"]


class WorkerExit(IntEnum):
    """Exit codes of a worker."""

    DONE = 0
    """The run is over or paused."""
    FAILED = 1
    MISCONFIGURED = 2
    """The settings or the simulation are invalid."""
    BROKER_REFUSED = 3
    """Kafka refuses the worker or a record."""
    SHARDS_TAKEN = 4
    """Another worker holds the shards."""
    WORLD_CHANGED = 5
    """This process would make other events: its data or libraries differ."""
    REGISTRY_REFUSED = 6
    """The schema registry does not answer, or refuses the worker or the schema."""
