"""Holds on shards, and the log that decides them, for tests without a broker.

Owns a log in memory, which a worker's sink writes and its reader reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_generator.core.lease import Lease
from clickstream_generator.shell.claiming import Hold
from clickstream_generator.shell.shard_log import LEASE_PARTITION, Record
from simulations import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from uuid import UUID

    from clickstream_generator.shell.shard_log import StoredShard

__all__ = ["MemoryLog", "hold"]


class MemoryLog:
    """The shards' topic in memory, as a reader sees it.

    Args:
        partitions: Number of its partitions.

    Attributes:
        records: All there are.
        polls: How often the reader has looked.
        on_poll: What happens before each look.
        partitions: The partitions.
        read: The partitions that were read.
    """

    def __init__(self, partitions: int = 2) -> None:
        """Begin without a record."""
        self.partitions = tuple(range(partitions))
        self.read: set[int] = set()
        self.records: list[Record] = []
        self.polls = 0
        self.on_poll: Callable[[], None] = lambda: None
        self._at = dict.fromkeys(self.partitions, 0)
        self._followed = {LEASE_PARTITION}

    def add(self, row: tuple[bytes, bytes | None], partition: int = LEASE_PARTITION) -> None:
        """Add a record."""
        self.records.append(Record(partition, *row))

    def follow(self, partitions: Iterable[int]) -> None:
        """Read these from now on."""
        self._followed = set(partitions)

    def poll(self, _seconds: float) -> list[Record]:
        """Return what is new."""
        self.polls += 1
        self.on_poll()
        return self._take()

    def read_to_end(self, partitions: Iterable[int]) -> Iterator[Record]:
        """Return what is new in some partitions."""
        self.follow(partitions)
        yield from self._take()

    def _take(self) -> list[Record]:
        found = []
        self.read |= self._followed
        for partition in self._followed:
            own = [row for row in self.records if row.partition == partition]
            found += own[self._at[partition] :]
            self._at[partition] = len(own)
        return found


def hold(
    numbers: tuple[int, ...],
    log: MemoryLog | None = None,
    stored: Mapping[int, StoredShard] | None = None,
    run_id: UUID = RUN_ID,
) -> Hold:
    """Return a hold on shards in the first epoch; without ``log``, on an empty log."""
    epochs = dict.fromkeys(numbers, 1)
    lease = Lease(epochs, inherited_until=0.0, grant_seconds=5.0)
    reader = log or MemoryLog()
    return Hold(run_id, epochs, dict(stored or {}), lease, 1, reader)  # type: ignore[arg-type]
