"""A shard's records that are held back and sent late.

Owns which of them is due next, and which are not acknowledged.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.faults import LateRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_generator.core.shard_ledger import Tally

__all__ = ["LateRecords"]


class LateRecords:
    """The late records of one shard."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, LateRecord]] = []
        self._count = 0
        self._open: dict[int, LateRecord] = {}

    def hold(self, late: LateRecord) -> None:
        """Keep a record until it is due."""
        self._count += 1
        self._open[late.shard_seq] = late
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
        """Forget a record that the receiver has acknowledged."""
        del self._open[late.shard_seq]

    def tallies(self) -> list[Tally]:
        """Return the figures of all records that are not acknowledged."""
        return [late.tally for late in self._open.values()]

    def to_arrays(self, shard_seq: int) -> dict[str, np.ndarray]:
        """Return the records that are not acknowledged as arrays for the shard's snapshot.

        Args:
            shard_seq: Only records of events up to this number.
        """
        held = [late for seq, late in self._open.items() if seq <= shard_seq]
        values = [late.record[0] or b"" for late in held]
        keys = [late.record[1] for late in held]
        figures = [(minute, row) for late in held for (_, minute), row in late.tally.items()]
        return {
            "held_due": np.array([late.due_seconds for late in held], dtype=np.float64),
            "held_seq": np.array([late.shard_seq for late in held], dtype=np.int64),
            "held_minutes": np.array([minute for minute, _ in figures], dtype=np.int64),
            "held_figures": np.array([row for _, row in figures], dtype=np.int64),
            "held_lengths": np.array([len(text) for text in values + keys], dtype=np.int64),
            "held_bytes": np.frombuffer(b"".join(values + keys), dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, shard: int, arrays: Mapping[str, np.ndarray]) -> LateRecords:
        """Read the arrays of :meth:`to_arrays`; every record is still to be sent."""
        count = len(arrays["held_seq"])
        content = arrays["held_bytes"].tobytes()
        ends = np.cumsum(arrays["held_lengths"]).tolist()
        texts = [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        records = cls()
        for place in range(count):
            minute = int(arrays["held_minutes"][place])
            records.hold(
                LateRecord(
                    (texts[place], texts[count + place]),
                    float(arrays["held_due"][place]),
                    shard,
                    int(arrays["held_seq"][place]),
                    {(shard, minute): arrays["held_figures"][place]},
                )
            )
        return records
