"""How a generator's process ends: what the generator returns and the operator reads.

Owns the numbers. It does not know which error leads to which of them.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["WorkerExit"]


class WorkerExit(IntEnum):
    """Exit codes of a worker."""

    DONE = 0
    """The run is over, or paused."""
    FAILED = 1
    MISCONFIGURED = 2
    """Settings or simulation are wrong."""
    BROKER_REFUSED = 3
    """Kafka refuses the worker, or a record."""
    SHARDS_TAKEN = 4
    """Another worker holds the shards."""
    WORLD_CHANGED = 5
    """The run's state was written with other data or libraries."""
