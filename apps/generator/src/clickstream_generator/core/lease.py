"""Which worker holds a shard, and up to which moment it may make the shard's events.

Owns the rules by which the records of the shards' log decide both. They need no clock: a worker
may only do what it has read back from the log, and the log has one order for all workers.
The proof is in ``docs/adr/0012-decisions-go-through-the-log.md``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_generator.errors import ShardTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Claim", "Claims", "Grant", "Lease"]


@dataclass(frozen=True)
class Claim:
    """A record by which a worker takes a shard.

    Attributes:
        shard: The shard.
        epoch: Counts the shard's holders.
        holder: The worker's own random name.
    """

    shard: int
    epoch: int
    holder: str


@dataclass(frozen=True)
class Grant:
    """A holder's heartbeat, which allows it to make events up to a moment.

    Attributes:
        shard: The shard.
        epoch: The holder's.
        number: Counts the holder's heartbeats.
        until_seconds: Only events due until then may be made, Unix seconds.
    """

    shard: int
    epoch: int
    number: int
    until_seconds: float


class Claims:
    """Who holds each shard, after the claims read so far: of one epoch, the first counts."""

    def __init__(self) -> None:
        self._last: dict[int, Claim] = {}
        self._read: set[Claim] = set()

    def take(self, claim: Claim) -> None:
        """Take up the next claim of the log."""
        self._read.add(claim)
        if claim.epoch > self.epoch_of(claim.shard):
            self._last[claim.shard] = claim

    def epoch_of(self, shard: int) -> int:
        """Return the epoch of the shard's last holder; 0 if it had none."""
        known = self._last.get(shard)
        return 0 if known is None else known.epoch

    def has_read(self, claim: Claim) -> bool:
        """Return whether the log's reader has come across the claim."""
        return claim in self._read

    def is_held_by(self, claim: Claim) -> bool:
        """Return whether the claim made its worker the shard's holder and is still the last."""
        return self._last.get(claim.shard) == claim


class Lease:
    """A worker's hold on its shards, as far as it has read it back from the log.

    Args:
        epochs: By shard, the epoch in which the worker holds it.
        inherited_until: Earlier holders may have made events due until then, Unix seconds.
        grant_seconds: For how long ahead a heartbeat allows events.

    Attributes:
        inherited_until: As given; no decision of this worker may concern earlier events.
    """

    def __init__(
        self, epochs: Mapping[int, int], inherited_until: float, grant_seconds: float
    ) -> None:
        self.inherited_until = inherited_until
        self._epochs = dict(epochs)
        self._grant_seconds = grant_seconds
        self._number = 0
        self._confirmed = {shard: Grant(shard, epoch, 0, 0.0) for shard, epoch in epochs.items()}
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def granted_until(self) -> float:
        """The moment up to which events of all shards may be made, Unix seconds."""
        return min(grant.until_seconds for grant in self._confirmed.values())

    @property
    def is_waiting(self) -> bool:
        """Whether a decision has not been read back yet."""
        return bool(self._waiting)

    def next_grants(self, unix_seconds: float, *, is_last: bool = False) -> list[Grant]:
        """Return what the next heartbeat says of each shard.

        Args:
            unix_seconds: The present.
            is_last: Whether the worker makes no events after this heartbeat.
        """
        self._number += 1
        ahead = 0.0 if is_last else self._grant_seconds
        until = max(self.inherited_until, unix_seconds + ahead)
        return [Grant(shard, epoch, self._number, until) for shard, epoch in self._epochs.items()]

    def when_confirmed(self, done: Callable[[], None]) -> None:
        """Have something done when the last heartbeat has been read back for every shard."""
        self._waiting.append((self._number, done))

    def take_claim(self, claim: Claim) -> None:
        """Take up another worker's claim, in the log's order.

        Raises:
            ShardTaken: It takes a shard away from this worker.
        """
        if claim.epoch > self._epochs.get(claim.shard, claim.epoch):
            raise ShardTaken(claim.shard, claim.holder)

    def take_grant(self, grant: Grant) -> None:
        """Take up a heartbeat, in the log's order, and do what has waited for it."""
        if grant.epoch != self._epochs.get(grant.shard):
            return
        self._confirmed[grant.shard] = grant
        read_back = min(row.number for row in self._confirmed.values())
        while self._waiting and self._waiting[0][0] <= read_back:
            self._waiting.popleft()[1]()
