"""The lease on a shard: which worker holds it, and until when it may make the shard's events.

Owns the rules by which the records of the shards' log decide both. The rules need no clock: a
worker acts only on decisions that it has read back from the log, and every worker reads the log
in the same order. The proof is in ``docs/adr/0012-decisions-go-through-the-log.md``.
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
    """A record with which a worker claims a shard.

    Attributes:
        shard: The shard.
        epoch: Number of this holder among the shard's holders.
        holder: The worker's random name.
    """

    shard: int
    epoch: int
    holder: str


@dataclass(frozen=True)
class Grant:
    """A holder's heartbeat, which grants events up to a moment.

    Attributes:
        shard: The shard.
        epoch: The holder's epoch.
        number: Number of the heartbeat; the holder counts up.
        until_seconds: The holder makes only events due until then, Unix seconds.
    """

    shard: int
    epoch: int
    number: int
    until_seconds: float


class Claims:
    """The holder of each shard after the claims read so far; the first claim of an epoch wins."""

    def __init__(self) -> None:
        self._last: dict[int, Claim] = {}
        self._read: set[Claim] = set()

    def take(self, claim: Claim) -> None:
        """Apply the next claim of the log."""
        self._read.add(claim)
        if claim.epoch > self.epoch_of(claim.shard):
            self._last[claim.shard] = claim

    def epoch_of(self, shard: int) -> int:
        """Return the epoch of the shard's last holder; 0 without one."""
        known = self._last.get(shard)
        return 0 if known is None else known.epoch

    def has_read(self, claim: Claim) -> bool:
        """Return whether the claim has been read back."""
        return claim in self._read

    def is_held_by(self, claim: Claim) -> bool:
        """Return whether the claim's worker holds the shard."""
        return self._last.get(claim.shard) == claim


class Lease:
    """A worker's lease on its shards, as read back from the log.

    Args:
        epochs: The epoch of the worker's hold, by shard.
        inherited_until: Earlier holders may have made events due until then, Unix seconds.
        grant_seconds: How long after a heartbeat events may be made.

    Attributes:
        inherited_until: As given; no decision of this worker may change earlier events.
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
        """The moment until which events of all shards may be made, Unix seconds."""
        return min(grant.until_seconds for grant in self._confirmed.values())

    @property
    def is_waiting(self) -> bool:
        """Whether a decision is not read back yet."""
        return bool(self._waiting)

    def next_grants(self, unix_seconds: float, *, is_last: bool = False) -> list[Grant]:
        """Return the next heartbeat, as one grant per shard.

        Args:
            unix_seconds: The current time.
            is_last: Whether this is the last heartbeat before a release.
        """
        self._number += 1
        ahead = 0.0 if is_last else self._grant_seconds
        until = max(self.inherited_until, unix_seconds + ahead)
        return [Grant(shard, epoch, self._number, until) for shard, epoch in self._epochs.items()]

    def when_confirmed(self, done: Callable[[], None]) -> None:
        """Call ``done`` once the last heartbeat is read back for every shard."""
        self._waiting.append((self._number, done))

    def take_claim(self, claim: Claim) -> None:
        """Apply another worker's claim, in the log's order.

        Raises:
            ShardTaken: The claim takes a shard from this worker.
        """
        if claim.epoch > self._epochs.get(claim.shard, claim.epoch):
            raise ShardTaken(claim.shard, claim.holder)

    def take_grant(self, grant: Grant) -> None:
        """Apply a heartbeat, in the log's order, and call the callbacks that waited for it."""
        if grant.epoch != self._epochs.get(grant.shard):
            return
        self._confirmed[grant.shard] = grant
        read_back = min(row.number for row in self._confirmed.values())
        while self._waiting and self._waiting[0][0] <= read_back:
            self._waiting.popleft()[1]()
