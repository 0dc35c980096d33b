"""What the run has sent, per minute: counts and sums of checksums.

Owns the sums over events that are made again. Sums of several shards can be merged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clickstream_judge.core.remaking import Chunk

__all__ = ["Span", "Sums", "TrueSums"]

Sums = dict[int | None, tuple[int, int]]
"""Rows and sum of checksums, by Unix minute."""


@dataclass(frozen=True)
class Span:
    """The judged minutes.

    Attributes:
        since: The first one; ``None`` for the run's first.
        before: The one after the last; ``None`` for the run's end.
    """

    since: int | None = None
    before: int | None = None

    def covers(self, minutes: np.ndarray) -> np.ndarray:
        """Return which Unix minutes are judged, as bool."""
        inside: np.ndarray = minutes >= (self.since or 0)
        return inside if self.before is None else inside & (minutes < self.before)


@dataclass
class TrueSums:
    """What the run has sent, per minute.

    Attributes:
        sums: Events and sum of checksums.
        late: Number of late events.
        by_shard: Events by shard and minute, to compare them with the ledger.
        unsettled: Minutes with late events that the pipeline may not have stored yet.
    """

    sums: Sums = field(default_factory=dict)
    late: int = 0
    by_shard: dict[tuple[int, int], int] = field(default_factory=dict)
    unsettled: set[int] = field(default_factory=set)

    def add(self, chunk: Chunk, numbers: np.ndarray, span: Span) -> None:
        """Add events.

        Args:
            chunk: The events.
            numbers: Shape (events,), int64; their checksums.
            span: Only these minutes count.
        """
        minutes = chunk.time_ms // 60_000
        kept = span.covers(minutes)
        minutes, numbers, late_seconds = minutes[kept], numbers[kept], chunk.late_seconds[kept]
        self.late += int(np.count_nonzero(late_seconds))
        if span.before is not None:
            # Of the events that happened before, only late ones were sent after.
            sent_minute = (chunk.time_ms[kept] + late_seconds * 1000) // 60_000
            self.unsettled.update(minutes[sent_minute >= span.before].tolist())
        for minute in np.unique(minutes).tolist():
            at = minutes == minute
            count, total = int(at.sum()), sum(numbers[at].tolist())
            known = self.sums.get(minute, (0, 0))
            self.sums[minute] = known[0] + count, known[1] + total
            key = chunk.shard, minute
            self.by_shard[key] = self.by_shard.get(key, 0) + count

    def merge(self, other: TrueSums) -> None:
        """Add the sums of other shards."""
        for minute, (count, total) in other.sums.items():
            known = self.sums.get(minute, (0, 0))
            self.sums[minute] = known[0] + count, known[1] + total
        self.late += other.late
        self.by_shard |= other.by_shard
        self.unsettled |= other.unsettled
