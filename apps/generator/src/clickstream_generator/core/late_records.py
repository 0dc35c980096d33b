"""Records that are held back and sent late.

Owns which of them is due next, and which are not acknowledged.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickstream_generator.core.faults import LateRecord
    from clickstream_generator.core.shard_ledger import Tally

__all__ = ["LateRecords"]


class LateRecords:
    """The late records of some shards.

    Args:
        shards: The shards.
    """

    def __init__(self, shards: Iterable[int]) -> None:
        self._queue: list[tuple[float, int, LateRecord]] = []
        self._count = 0
        self._open: dict[int, dict[int, LateRecord]] = {number: {} for number in shards}

    def hold(self, late: LateRecord) -> None:
        """Keep a record until it is due."""
        self._count += 1
        self._open[late.shard][late.shard_seq] = late
        heapq.heappush(self._queue, (late.due_seconds, self._count, late))

    def take_due(self, reached_seconds: float) -> LateRecord | None:
        """Return the first record that is due by the moment, or ``None``; it stays open."""
        if self._queue and self._queue[0][0] <= reached_seconds:
            return heapq.heappop(self._queue)[2]
        return None

    def is_waiting(self) -> bool:
        """Return whether a record is still to be sent."""
        return bool(self._queue)

    def close(self, late: LateRecord) -> None:
        """Forget a record that the broker has acknowledged."""
        del self._open[late.shard][late.shard_seq]

    def tallies(self) -> list[Tally]:
        """Return the figures of all records that are not acknowledged."""
        return [late.tally for known in self._open.values() for late in known.values()]

    def open_up_to(self, shard: int, shard_seq: int) -> list[LateRecord]:
        """Return a shard's records that are not acknowledged, up to an event number."""
        return [late for seq, late in self._open[shard].items() if seq <= shard_seq]
