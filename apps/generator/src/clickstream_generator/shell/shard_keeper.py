"""The keeper of the shards' state in Kafka, from which the next worker resumes them.

Owns the order of writes: a snapshot is published once every record before it is acknowledged. A
revision applies, and a shard ends, once the decision is read back from the log. A separate thread
packs snapshots: packing takes a tenth of a second, which would delay events.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from clickstream_contract.topics import SHARDS

from clickstream_generator.core.shard_history import ShardHistory
from clickstream_generator.core.snapshot import dump_snapshot
from clickstream_generator.shell.shard_log import (
    LEASE_PARTITION,
    PART_BYTES,
    Position,
    StoredShard,
    forgotten_rows,
    heartbeat_seconds,
    record_row,
    snapshot_rows,
)
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from concurrent.futures import Future

    from clickstream_generator.core.behaviour import Revision
    from clickstream_generator.core.carried_shard import Captured, CarriedShard
    from clickstream_generator.core.making import Maker
    from clickstream_generator.shell.claiming import Hold
    from clickstream_generator.shell.kafka_sink import KafkaSink

__all__ = ["ShardKeeper"]

_LOG = logging.getLogger(__name__)

_STATE_BYTES_PER_SECOND = 1_000_000
"""Most bytes of snapshots per second; larger snapshots, with more users, are taken less often."""


@dataclass
class _Kept:
    """A shard, and what the topic has of it.

    Attributes:
        carried: The shard.
        epoch: The epoch of this worker's hold on it.
        generation: The generation of its last snapshot.
        parts: The most parts that a snapshot of this holder had.
        snapshot_bytes: Size of the last snapshot.
        former_keys: Keys of earlier holders' records, with their partition.
        is_under_way: Whether a snapshot is taken and not yet acknowledged.
    """

    carried: CarriedShard
    epoch: int
    generation: int = 0
    parts: int = 0
    snapshot_bytes: int = 0
    former_keys: dict[bytes, int] = field(default_factory=dict)
    is_under_way: bool = False


class ShardKeeper:
    """The keeper of the state of the shards that a process carries.

    Args:
        hold: The hold on these shards.
        maker: The maker with the shards.
        sink: The sink for the shards' topic.
        snapshot_seconds: Shortest time between two snapshots of a shard.

    Attributes:
        announced: The revision that is not read back yet; no event that it concerns may be made.
    """

    def __init__(self, hold: Hold, maker: Maker, sink: KafkaSink, snapshot_seconds: float) -> None:
        self.announced: Revision | None = None
        self._hold = hold
        self._simulator = maker.simulator
        self._sink = sink
        self._snapshot_seconds = snapshot_seconds
        self._kept: dict[int, _Kept] = {}
        for number, carried in maker.carried.items():
            found = hold.stored.get(number, StoredShard())
            self._kept[number] = _Kept(
                carried, hold.epochs[number], found.generation, former_keys=found.keys
            )
        self._capture_order = deque(self._kept.values())
        self._next_capture = 0.0
        self._next_positions = 0.0
        self._packer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshots")
        self._packing: deque[tuple[_Kept, float, Future[bytes]]] = deque()

    def is_idle(self) -> bool:
        """Return whether every snapshot taken is published."""
        return not self._packing

    def snapshot_bytes(self) -> int:
        """Return the size of the last snapshots of all shards."""
        return sum(kept.snapshot_bytes for kept in self._kept.values())

    def keep_all(self) -> None:
        """Take a snapshot of every shard."""
        for kept in self._kept.values():
            self._capture(kept)

    def heartbeat(self, now: float) -> None:
        """Publish each shard's position when a heartbeat is due."""
        if now >= self._next_positions:
            self._publish_positions(now)
            self._next_positions = now + heartbeat_seconds(len(self._kept))

    def capture_next(self, now: float) -> None:
        """Take a snapshot of the next shard when one is due."""
        if now < self._next_capture:
            return
        kept = self._capture_order[0]
        self._capture_order.rotate(-1)
        # One unpublished snapshot per shard: without a broker they would pile up.
        if not kept.is_under_way:
            self._capture(kept)
        self._next_capture = now + max(
            self._snapshot_seconds / len(self._capture_order),
            kept.snapshot_bytes / _STATE_BYTES_PER_SECOND,
        )

    def announce(self, revision: Revision, now: float) -> None:
        """Publish a revision; it applies once it is read back."""
        self.announced = revision
        for kept in self._kept.values():
            kept.carried.announced.append(revision)
        self._publish_positions(now)
        self._hold.lease.when_confirmed(partial(self._take_over, revision))

    def release(self, now: float) -> None:
        """Publish each shard's position, and release the shards."""
        self._packer.shutdown()
        self._publish_positions(now, is_released=True)
        self._next_positions = math.inf

    def decide_end(self, now: float) -> None:
        """Publish each shard's last event, which binds every successor."""
        self._publish_positions(now)
        self._hold.lease.when_confirmed(lambda: None)

    def _publish_positions(self, now: float, *, is_released: bool = False) -> None:
        rows = []
        for grant in self._hold.lease.next_grants(now, is_last=is_released):
            carried = self._kept[grant.shard].carried
            position = Position(
                carried.ledger.shard_seq,
                grant.number,
                grant.until_seconds,
                revisions=tuple(carried.announced),
                is_released=is_released,
                ends_at=carried.shard.ends_at,
                snapshot_partition=self._hold.snapshot_partition,
            )
            rows.append(position.to_row(self._hold.run_id, grant.shard, grant.epoch))
        self._sink.publish(SHARDS.name, rows, Batch(), LEASE_PARTITION)

    def close(self) -> None:
        """Publish that every shard is over, and the record; remove the snapshots."""
        self._packer.shutdown()
        self._next_positions = math.inf
        run_id = self._hold.run_id
        histories = {
            number: ShardHistory.of_ended(kept.carried, kept.carried.ledger.shard_seq)
            for number, kept in self._kept.items()
        }
        # Before the snapshots go: at any time, one of the two has the shards' histories.
        key, value = record_row(run_id, self._kept[min(histories)].epoch, histories)
        if len(value) <= PART_BYTES:
            self._sink.publish(SHARDS.name, [(key, value)], Batch(), LEASE_PARTITION)
        else:
            _LOG.warning("run %s cannot be repeated: its record has %d bytes", run_id, len(value))
        for number, kept in self._kept.items():
            ledger = kept.carried.ledger
            position = Position(ledger.shard_seq, is_over=True, records=ledger.records_acknowledged)
            row = position.to_row(run_id, number, kept.epoch)
            self._sink.publish(SHARDS.name, [row], Batch(), LEASE_PARTITION)
            self._forget_former(kept)
            rows = forgotten_rows(run_id, number, kept.epoch, kept.parts)
            self._sink.publish(SHARDS.name, rows, Batch(), self._hold.snapshot_partition)

    def _take_over(self, revision: Revision) -> None:
        self._simulator.revise(revision)
        self.announced = None

    def _capture(self, kept: _Kept) -> None:
        """Copy a shard's state; it is published once every event before it is acknowledged."""
        captured = kept.carried.capture()
        kept.is_under_way = True
        self._sink.publish(SHARDS.name, [], Batch(done=partial(self._pack, kept, captured)))

    def _pack(self, kept: _Kept, captured: Captured) -> None:
        """Queue a snapshot for packing, with the ledger of exactly the events before it."""
        snapshot = kept.carried.snapshot(captured)
        packed = self._packer.submit(dump_snapshot, snapshot)
        self._packing.append((kept, snapshot.since_seconds, packed))

    def publish_packed(self) -> None:
        """Publish the packed snapshots, in the order in which they were taken."""
        while self._packing and self._packing[0][2].done():
            kept, since_seconds, packed = self._packing.popleft()
            self._publish(kept, since_seconds, packed.result())

    def _publish(self, kept: _Kept, since_seconds: float, content: bytes) -> None:
        kept.generation += 1
        kept.snapshot_bytes = len(content)
        rows = snapshot_rows(
            self._hold.run_id, kept.carried.shard.number, kept.epoch, kept.generation, content
        )
        kept.parts = max(kept.parts, len(rows))
        done = Batch(done=partial(self._forget, kept, since_seconds))
        self._sink.publish(SHARDS.name, rows, done, self._hold.snapshot_partition)

    def _forget(self, kept: _Kept, since_seconds: float) -> None:
        """Drop the revisions that the published snapshot includes, and the records it replaces."""
        kept.is_under_way = False
        kept.carried.forget_announced(since_seconds)
        if self._hold.lease.granted_until:
            self._forget_former(kept)

    def _forget_former(self, kept: _Kept) -> None:
        """Remove earlier holders' records of a shard, once this holder's records replace them."""
        former, kept.former_keys = kept.former_keys, {}
        for key, partition in former.items():
            self._sink.publish(SHARDS.name, [(key, None)], Batch(), partition)
