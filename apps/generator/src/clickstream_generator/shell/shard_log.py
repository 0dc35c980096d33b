"""The records of each shard in the compacted topic ``clickstream.shards.v1``.

Owns keys and values. Per run, shard and epoch (the number of the shard's holder) the topic has:

- *claims*, with which workers claim the shard; they are never removed.
- a *position*, the heartbeat: the last acknowledged event, the revisions announced since the last
  snapshot, and the moment until which the holder may make events.
- two *snapshots*, written in turn and split into parts, so that one is complete while the other is
  written.
- a *record*, once the shards of a worker are over: what is needed to make their events again. It
  has the key of the worker's first shard.

Keys include the epoch, so that late records of an earlier holder cannot replace those of the
current one.
"""

from __future__ import annotations

import json
import math
import struct
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.lease import Claim, Claims, Grant
from clickstream_generator.core.shard_history import (
    ShardHistory,
    pack_histories,
    unpack_histories,
)
from clickstream_generator.core.snapshot import Snapshot, load_snapshot
from clickstream_generator.errors import SnapshotUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

__all__ = [
    "LEASE_PARTITION",
    "OtherSnapshots",
    "Position",
    "Record",
    "ShardRecords",
    "StoredShard",
    "alive_row",
    "claim_row",
    "forgotten_rows",
    "heartbeat_seconds",
    "record_row",
    "snapshot_partition",
    "snapshot_rows",
]

Row = tuple[bytes, bytes | None]
"""Key and value."""
_Version = tuple[int, int]
"""Epoch and generation of a snapshot."""
_Part = tuple[int, bytes]
"""Number of a snapshot's parts, and the content of this part."""

LEASE_PARTITION = 0
"""The partition of claims and positions, which need one order."""
PART_BYTES = 1_000_000
"""Below the largest record that a broker accepts by default."""
_SLOTS = 2
_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    SimulationInvalid,
)
"""What reading an invalid record raises."""
_PART = struct.Struct(">QHH")
"""Header of a part: the snapshot's generation, the part's number, and the number of parts."""
_HEARTBEAT_SECONDS = 1.0
_SHARDS_PER_HEARTBEAT_SECOND = 100


class Record(NamedTuple):
    """A record of the topic, with its partition and its time."""

    partition: int
    key: bytes
    value: bytes | None
    seconds: float = math.inf
    """Unix seconds; infinity if the record has no timestamp."""


@dataclass(frozen=True)
class Position:
    """A holder's position of a shard.

    Attributes:
        shard_seq: This event and every earlier one are acknowledged.
        number: Number of the position; the holder counts up.
        granted_until: The holder makes only events due until then, Unix seconds.
        is_over: Whether the shard has ended.
        revisions: Announced revisions that the last snapshot may lack.
        records: Number of acknowledged records, once the shard is over.
        is_released: Whether the holder has released the shard.
        ends_at: The shard's last event, once its end is decided.
        snapshot_partition: The partition with the holder's snapshots. It stays the same if the
            topic gets more partitions.
    """

    shard_seq: int
    number: int = 0
    granted_until: float = 0.0
    is_over: bool = False
    revisions: tuple[Revision, ...] = ()
    records: int = 0
    is_released: bool = False
    ends_at: int | None = None
    snapshot_partition: int = 1

    def to_row(self, run_id: UUID, shard: int, epoch: int) -> Row:
        """Return the position as a record."""
        content = {**vars(self), "revisions": [revision.to_json() for revision in self.revisions]}
        return f"{run_id}/{shard}/{epoch}/position".encode(), json.dumps(content).encode()

    @classmethod
    def from_value(cls, value: bytes) -> Position:
        """Read the value of :meth:`to_row`."""
        content = json.loads(value)
        revisions = tuple(Revision.from_json(row) for row in content["revisions"])
        return cls(**{**content, "revisions": revisions})


@dataclass
class StoredShard:
    """The stored state of one shard.

    Attributes:
        position: The merged positions of all holders.
        snapshot: The newest complete snapshot, or ``None``.
        generation: The snapshot's generation.
        keys: Keys of earlier holders' records, which a new holder removes, with their partition.
    """

    position: Position = field(default_factory=lambda: Position(0))
    snapshot: Snapshot | None = None
    generation: int = 0
    keys: dict[bytes, int] = field(default_factory=dict)


def claim_row(run_id: UUID, claim: Claim) -> Row:
    """Return the record of a claim."""
    return f"{run_id}/{claim.shard}/{claim.epoch}/claim/{claim.holder}".encode(), b"{}"


def alive_row(run_id: UUID, shard: int, epoch: int) -> Row:
    """Return the heartbeat of a holder that is still starting."""
    return f"{run_id}/{shard}/{epoch}/alive".encode(), b"{}"


def snapshot_partition(run_id: UUID, partitions: int) -> int:
    """Return the partition for a run's new snapshots: each has those of some runs.

    Args:
        run_id: The run.
        partitions: The number of the topic's partitions.
    """
    others = partitions - 1
    return 1 + run_id.int % others if others else LEASE_PARTITION


def snapshot_rows(
    run_id: UUID, shard: int, epoch: int, generation: int, content: bytes
) -> list[Row]:
    """Return a snapshot as records, one per part."""
    pieces = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
    slot = generation % _SLOTS
    return [
        (
            f"{run_id}/{shard}/{epoch}/snapshot/{slot}/{part}".encode(),
            _PART.pack(generation, part, len(pieces)) + piece,
        )
        for part, piece in enumerate(pieces)
    ]


def record_row(
    run_id: UUID, epoch: int, histories: Mapping[int, ShardHistory]
) -> tuple[bytes, bytes]:
    """Return the histories of a worker's shards as a record.

    Args:
        run_id: The run.
        epoch: The epoch of the first shard.
        histories: By shard.
    """
    return f"{run_id}/{min(histories)}/{epoch}/record".encode(), pack_histories(histories)


def forgotten_rows(run_id: UUID, shard: int, epoch: int, parts: int) -> list[Row]:
    """Return tombstones for a holder's snapshots of a shard."""
    return [
        (f"{run_id}/{shard}/{epoch}/snapshot/{slot}/{part}".encode(), None)
        for slot in range(_SLOTS)
        for part in range(parts)
    ]


def heartbeat_seconds(shards: int) -> float:
    """Return the time between two heartbeats of a worker with this many shards."""
    return max(_HEARTBEAT_SECONDS, shards / _SHARDS_PER_HEARTBEAT_SECOND)


class ShardRecords:
    """The state of some shards of a run, built from their records.

    Args:
        run_id: The run.
        numbers: The shards.

    Attributes:
        claims: The claims read so far.
    """

    def __init__(self, run_id: UUID, numbers: tuple[int, ...]) -> None:
        self.claims = Claims()
        self._run, self._numbers = str(run_id), frozenset(numbers)
        self._positions: dict[int, dict[int, Position]] = defaultdict(dict)
        self._parts: dict[int, dict[_Version, dict[int, _Part]]] = defaultdict(dict)
        self._keys: dict[int, dict[bytes, int]] = defaultdict(dict)
        self._records: dict[bytes, bytes] = {}

    def take(self, record: Record) -> Claim | Grant | str:
        """Apply a record.

        Returns:
            The record's claim or grant, else its kind; empty if it concerns none of the shards.

        Raises:
            SnapshotUnusable: The record belongs to the run, but has another format.
        """
        run, _, rest = record.key.decode(errors="replace").partition("/")
        shard, _, rest = rest.partition("/")
        if run != self._run or not shard.isdecimal() or int(shard) not in self._numbers:
            return ""
        try:
            epoch, kind, *more = rest.split("/")
            return self._take(int(shard), int(epoch), kind, more, record)
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise SnapshotUnusable(f"a record of it cannot be read ({error!r})") from None

    def _take(
        self, shard: int, epoch: int, kind: str, more: list[str], record: Record
    ) -> Claim | Grant | str:
        if kind == "claim":
            claim = Claim(shard, epoch, more[0])
            self.claims.take(claim)
            return claim
        if record.value is None:
            self._keys[shard].pop(record.key, None)
            self._records.pop(record.key, None)
            if kind == "position":
                self._positions[shard].pop(epoch, None)
            return kind
        self._keys[shard][record.key] = record.partition
        if kind == "position":
            position = Position.from_value(record.value)
            self._positions[shard][epoch] = position
            return Grant(shard, epoch, position.number, position.granted_until)
        if kind == "snapshot":
            generation, part, count = _PART.unpack_from(record.value)
            kept = self._parts[shard]
            kept.setdefault((epoch, generation), {})[part] = (count, record.value[_PART.size :])
            for old in [
                known for known in kept if known[0] == epoch and known[1] <= generation - _SLOTS
            ]:
                del kept[old]
            return kind
        if kind == "record":
            self._records[record.key] = record.value
            return kind
        if kind == "alive":
            return kind
        raise ValueError(f"kind {kind!r}")

    def are_released(self) -> bool:
        """Return whether all shards are released, over or unclaimed."""
        for shard in self._numbers:
            epoch = self.claims.epoch_of(shard)
            position = self._positions[shard].get(epoch)
            if epoch and not (position and (position.is_released or position.is_over)):
                return False
        return True

    def unfinished(self) -> tuple[int, ...]:
        """Return the shards that are not over."""
        return tuple(
            shard
            for shard in sorted(self._numbers)
            if not any(row.is_over for row in self._positions[shard].values())
        )

    def snapshot_partitions(self) -> set[int]:
        """Return the partitions in which holders of the shards have written snapshots."""
        return {
            row.snapshot_partition
            for positions in self._positions.values()
            for row in positions.values()
        }

    def found(self) -> dict[int, StoredShard]:
        """Return the stored state by shard, without shards that never ran.

        Raises:
            SnapshotUnusable: A snapshot cannot be read.
        """
        found = {}
        for shard in sorted(self._numbers):
            positions = self._positions[shard]
            if not positions and not self._parts[shard]:
                continue
            stored = StoredShard(_merged(positions), keys=self._keys[shard])
            if not stored.position.is_over:
                self._add_snapshot(shard, stored)
            found[shard] = stored
        return found

    def histories(self) -> dict[int, ShardHistory]:
        """Return what decides the events of each shard: of those that are over, or have a snapshot.

        Raises:
            SnapshotUnusable: A record or a snapshot cannot be read.
        """
        found = {
            shard: ShardHistory.of_snapshot(
                stored.snapshot, stored.position.revisions, stored.position.ends_at
            )
            for shard, stored in self.found().items()
            if stored.snapshot is not None
        }
        for value in self._records.values():
            try:
                found |= unpack_histories(value)
            except _UNREADABLE as error:
                raise SnapshotUnusable(f"a record of it cannot be read ({error!r})") from None
        return found

    def _add_snapshot(self, shard: int, stored: StoredShard) -> None:
        """Add the newest complete snapshot, of the last holder that has one."""
        kept = self._parts[shard]
        whole = [at for at, pieces in kept.items() if 0 in pieces and len(pieces) == pieces[0][0]]
        if whole:
            newest = max(whole)
            content = b"".join(kept[newest][part][1] for part in sorted(kept[newest]))
            stored.generation, stored.snapshot = newest[1], load_snapshot(content)


class OtherSnapshots:
    """The snapshots of other runs in the partitions that were read.

    A run removes its snapshots when it ends; a run whose simulation was deleted leaves them behind.

    Args:
        run_id: The current run.
    """

    def __init__(self, run_id: UUID) -> None:
        self._own = str(run_id)
        self._keys: dict[str, dict[bytes, int]] = defaultdict(dict)
        self._latest: dict[str, float] = defaultdict(float)

    def take(self, record: Record) -> None:
        """Apply a record."""
        name, is_snapshot, _ = record.key.decode(errors="replace").partition("/snapshot/")
        run = name.partition("/")[0]
        if not is_snapshot or run == self._own:
            return
        if record.value is None:
            self._keys[run].pop(record.key, None)
        else:
            self._keys[run][record.key] = record.partition
            self._latest[run] = max(self._latest[run], record.seconds)

    def keys_before(self, seconds: float) -> dict[bytes, int]:
        """Return the keys, with their partition, of runs that wrote no snapshot since a time."""
        return {
            key: partition
            for run, keys in self._keys.items()
            if self._latest[run] < seconds
            for key, partition in sorted(keys.items())
        }


def _merged(positions: dict[int, Position]) -> Position:
    """Return one position, merged from those of all epochs.

    Decisions come from the last holder, which has taken over those of its predecessors. Progress is
    the furthest of all holders: an event that an earlier holder had acknowledged is acknowledged.
    """
    if not positions:
        return Position(0)
    every = positions.values()
    return replace(
        positions[max(positions)],
        shard_seq=max(row.shard_seq for row in every),
        granted_until=max(row.granted_until for row in every),
        is_over=any(row.is_over for row in every),
        records=max(row.records for row in every),
    )
