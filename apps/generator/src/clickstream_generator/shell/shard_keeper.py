"""Keeping each shard's state in Kafka, so that whoever carries it next goes on where it was.

Owns the order in which state is kept: a snapshot is published once everything before it is
acknowledged; a revision takes over, and a shard ends, once this has been read back from the log.
Snapshots are packed beside the events' way: one takes a tenth of a second, for which no event is
to wait.
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
"""Snapshots grow with the users; taken so often that they cost this much at most."""


class ShardKeeper:
    """Keeps the state of the shards that a process carries.

    Args:
        hold: On these shards, each with its epoch.
        simulator: What is kept; it has begun.
        ledgers: By shard; snapshots hold them.
        planter: Its random streams are kept too.
        late: What is held back is kept too.
        sink: Where it is kept.
        snapshot_seconds: How often each shard's snapshot is taken, at most.

    Attributes:
        snapshot_bytes: Size of each shard's last snapshot.
        announced: The revision that has not been read back yet: no event it concerns may be made.
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
        """Say whether every snapshot that was taken is on its way."""
        return not self._packing

    def resume(self, number: int, generation: int, revisions: tuple[Revision, ...]) -> None:
        """Go on after a shard's stored snapshot.

        Args:
            number: The shard.
            generation: Of its snapshot.
            revisions: Announced since.
        """
        self._generation[number] = generation
        self._revisions[number].extend(revisions)

    def keep_all(self) -> None:
        """Take a snapshot of every shard."""
        for number in self._simulator.shards:
            self._capture(number)

    def heartbeat(self, now: float) -> None:
        """Publish how far the shards are, if it is time: a successor waits for silence."""
        if now >= self._next_positions:
            self._publish_positions(now)
            self._next_positions = now + heartbeat_seconds(len(self._ledgers))

    def capture_next(self, now: float) -> None:
        """Take the snapshot of the next shard, if it is time."""
        if now < self._next_capture:
            return
        number = self._capture_order[0]
        self._capture_order.rotate(-1)
        # While the broker is away they would only heap up.
        if number not in self._under_way:
            self._capture(number)
        self._next_capture = now + max(
            self._snapshot_seconds / len(self._capture_order),
            self.snapshot_bytes[number] / _STATE_BYTES_PER_SECOND,
        )

    def announce(self, revision: Revision, now: float) -> None:
        """Publish a revision; it takes over when it has been read back."""
        self.announced = revision
        for revisions in self._revisions.values():
            revisions.append(revision)
        self._publish_positions(now)
        self._hold.lease.when_confirmed(partial(self._take_over, revision))

    def release(self, now: float) -> None:
        """Publish how far the shards are, and that another worker may take them."""
        self._packer.shutdown()
        self._publish_positions(now, is_released=True)
        self._next_positions = math.inf

    def decide_end(self, now: float) -> None:
        """Publish after which event each shard ends; no successor makes another one."""
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
        """Publish that every shard is over, and forget what was kept."""
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
        """Copy a shard's state; it is published when all that it knows of is acknowledged."""
        shard = self._simulator.shards[number]
        snapshot = capture_shard(shard, self._simulator.first)
        snapshot.header["fault_rng"] = self._planter.state(number)
        self._under_way.add(number)
        self._sink.publish(SHARDS.name, [], Batch(done=partial(self._keep, number, snapshot)))

    def _keep(self, number: int, snapshot: Snapshot) -> None:
        """Have a snapshot packed, with the ledger as it is: of exactly the events before it."""
        held = self._late.open_up_to(number, snapshot.shard_seq)
        snapshot.arrays.update(self._ledgers[number].to_arrays(), **held_arrays(held))
        packed = self._packer.submit(dump_snapshot, snapshot)
        self._packing.append((number, snapshot, packed))

    def publish_packed(self) -> None:
        """Publish the snapshots that are packed by now, in the order in which they were taken."""
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
        """Forget the revisions that the kept snapshot has behind it, and what it replaces."""
        self._under_way.discard(number)
        self._revisions[number] = [
            row for row in self._revisions[number] if row.from_seconds > started_seconds
        ]
        if self._hold.lease.granted_until:
            self._forget_former(number)

    def _forget_former(self, number: int) -> None:
        """Remove what earlier holders kept of a shard, once this one's own records replace it."""
        for key, partition in self._former_keys.pop(number, {}).items():
            self._sink.publish(SHARDS.name, [(key, None)], Batch(), partition)
