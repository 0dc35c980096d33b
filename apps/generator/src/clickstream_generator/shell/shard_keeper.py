"""The keeper of the shards' state in Kafka, from which the next worker resumes them.

Owns the order of writes: a snapshot is published once every record before it is acknowledged. A
revision applies, and a shard ends, once the decision is read back from the log. A separate thread
packs snapshots: packing takes a tenth of a second, which would delay events.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from clickstream_contract.topics import SHARDS

from clickstream_generator.core.faults import held_arrays
from clickstream_generator.core.snapshot import Snapshot, capture_shard, dump_snapshot
from clickstream_generator.shell.shard_log import (
    LEASE_PARTITION,
    Position,
    forgotten_rows,
    heartbeat_seconds,
    snapshot_rows,
)
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from clickstream_generator.core.behaviour import Revision
    from clickstream_generator.core.faults import FaultPlanter
    from clickstream_generator.core.late_records import LateRecords
    from clickstream_generator.core.shard_ledger import ShardLedger
    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.shell.claiming import Hold
    from clickstream_generator.shell.kafka_sink import KafkaSink

__all__ = ["ShardKeeper"]

_STATE_BYTES_PER_SECOND = 1_000_000
"""Most bytes of snapshots per second; larger snapshots, with more users, are taken less often."""


class ShardKeeper:
    """The keeper of the state of the shards that a process carries.

    Args:
        hold: The hold on these shards.
        simulator: The simulator with the shards; it has begun.
        ledgers: The shards' ledgers, which snapshots include.
        planter: The fault planter, whose random streams snapshots include.
        late: The late records, which snapshots include.
        sink: The sink for the shards' topic.
        snapshot_seconds: Shortest time between two snapshots of a shard.

    Attributes:
        snapshot_bytes: Size of each shard's last snapshot.
        announced: The revision that is not read back yet; no event that it concerns may be made.
    """

    def __init__(
        self,
        hold: Hold,
        simulator: Simulator,
        ledgers: Mapping[int, ShardLedger],
        planter: FaultPlanter,
        late: LateRecords,
        sink: KafkaSink,
        snapshot_seconds: float,
    ) -> None:
        self.snapshot_bytes = dict.fromkeys(simulator.shards, 0)
        self.announced: Revision | None = None
        self._hold = hold
        self._simulator = simulator
        self._ledgers = ledgers
        self._planter = planter
        self._late = late
        self._sink = sink
        self._snapshot_seconds = snapshot_seconds
        self._generation = dict.fromkeys(simulator.shards, 0)
        self._parts = dict.fromkeys(simulator.shards, 0)
        self._revisions: dict[int, list[Revision]] = {number: [] for number in simulator.shards}
        self._former_keys = {
            number: hold.stored[number].keys for number in simulator.shards if number in hold.stored
        }
        self._capture_order = deque(simulator.shards)
        self._under_way: set[int] = set()
        self._next_capture = 0.0
        self._next_positions = 0.0
        self._packer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshots")
        self._packing: deque[tuple[int, Snapshot, Future[bytes]]] = deque()

    def is_idle(self) -> bool:
        """Return whether every snapshot taken is published."""
        return not self._packing

    def resume(self, number: int, generation: int, revisions: tuple[Revision, ...]) -> None:
        """Continue from a shard's stored snapshot.

        Args:
            number: The shard.
            generation: The snapshot's generation.
            revisions: The revisions announced since the snapshot.
        """
        self._generation[number] = generation
        self._revisions[number].extend(revisions)

    def keep_all(self) -> None:
        """Take a snapshot of every shard."""
        for number in self._simulator.shards:
            self._capture(number)

    def heartbeat(self, now: float) -> None:
        """Publish each shard's position when a heartbeat is due."""
        if now >= self._next_positions:
            self._publish_positions(now)
            self._next_positions = now + heartbeat_seconds(len(self._ledgers))

    def capture_next(self, now: float) -> None:
        """Take a snapshot of the next shard when one is due."""
        if now < self._next_capture:
            return
        number = self._capture_order[0]
        self._capture_order.rotate(-1)
        # One unpublished snapshot per shard: without a broker they would pile up.
        if number not in self._under_way:
            self._capture(number)
        self._next_capture = now + max(
            self._snapshot_seconds / len(self._capture_order),
            self.snapshot_bytes[number] / _STATE_BYTES_PER_SECOND,
        )

    def announce(self, revision: Revision, now: float) -> None:
        """Publish a revision; it applies once it is read back."""
        self.announced = revision
        for revisions in self._revisions.values():
            revisions.append(revision)
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
            position = Position(
                self._ledgers[grant.shard].shard_seq,
                grant.number,
                grant.until_seconds,
                revisions=tuple(self._revisions[grant.shard]),
                is_released=is_released,
                ends_at=self._simulator.shards[grant.shard].ends_at,
            )
            rows.append(position.to_row(self._hold.run_id, grant.shard, grant.epoch))
        self._sink.publish(SHARDS.name, rows, Batch(), LEASE_PARTITION)

    def close(self) -> None:
        """Publish that every shard is over, and remove the snapshots."""
        self._packer.shutdown()
        self._next_positions = math.inf
        for number, ledger in self._ledgers.items():
            position = Position(ledger.shard_seq, is_over=True, records=ledger.records_acknowledged)
            row = position.to_row(self._hold.run_id, number, self._hold.epochs[number])
            self._sink.publish(SHARDS.name, [row], Batch(), LEASE_PARTITION)
            self._forget_former(number)
            rows = forgotten_rows(
                self._hold.run_id, number, self._hold.epochs[number], self._parts[number]
            )
            self._sink.publish(SHARDS.name, rows, Batch(), self._hold.snapshot_partition)

    def _take_over(self, revision: Revision) -> None:
        self._simulator.revise(revision)
        self.announced = None

    def _capture(self, number: int) -> None:
        """Copy a shard's state; it is published once every event before it is acknowledged."""
        shard = self._simulator.shards[number]
        snapshot = capture_shard(shard, self._simulator.first)
        snapshot.header["fault_rng"] = self._planter.state(number)
        self._under_way.add(number)
        self._sink.publish(SHARDS.name, [], Batch(done=partial(self._keep, number, snapshot)))

    def _keep(self, number: int, snapshot: Snapshot) -> None:
        """Queue a snapshot for packing, with the ledger of exactly the events before it."""
        held = self._late.open_up_to(number, snapshot.shard_seq)
        snapshot.arrays.update(self._ledgers[number].to_arrays(), **held_arrays(held))
        packed = self._packer.submit(dump_snapshot, snapshot)
        self._packing.append((number, snapshot, packed))

    def publish_packed(self) -> None:
        """Publish the packed snapshots, in the order in which they were taken."""
        while self._packing and self._packing[0][2].done():
            number, snapshot, packed = self._packing.popleft()
            self._publish(number, snapshot, packed.result())

    def _publish(self, number: int, snapshot: Snapshot, content: bytes) -> None:
        self._generation[number] += 1
        self.snapshot_bytes[number] = len(content)
        rows = snapshot_rows(
            self._hold.run_id, number, self._hold.epochs[number], self._generation[number], content
        )
        self._parts[number] = max(self._parts[number], len(rows))
        started = snapshot.header["schedule"]["start_seconds"]
        done = Batch(done=partial(self._forget, number, started))
        self._sink.publish(SHARDS.name, rows, done, self._hold.snapshot_partition)

    def _forget(self, number: int, started_seconds: float) -> None:
        """Drop the revisions that the published snapshot includes, and the records it replaces."""
        self._under_way.discard(number)
        self._revisions[number] = [
            row for row in self._revisions[number] if row.from_seconds > started_seconds
        ]
        if self._hold.lease.granted_until:
            self._forget_former(number)

    def _forget_former(self, number: int) -> None:
        """Remove earlier holders' records of a shard, once this holder's records replace them."""
        for key, partition in self._former_keys.pop(number, {}).items():
            self._sink.publish(SHARDS.name, [(key, None)], Batch(), partition)
