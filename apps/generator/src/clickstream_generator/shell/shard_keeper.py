"""Keeping each shard's state in Kafka, so that whoever carries it next goes on where it was.

Owns the order in which state is kept: a snapshot is published once everything before it is
acknowledged, and a revision takes over once its announcement is. Snapshots are packed beside the
events' way: one takes a tenth of a second, for which no event is to wait. It does not know how
events are sent nor when they are due.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from clickstream_contract.topics import SHARDS

from clickstream_generator.core.faults import held_arrays
from clickstream_generator.core.snapshot import Snapshot, capture_shard, dump_snapshot
from clickstream_generator.shell.kafka_sink import Batch
from clickstream_generator.shell.shard_log import (
    Position,
    forgotten_records,
    position_seconds,
    snapshot_records,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from uuid import UUID

    from clickstream_generator.core.accounts import Account
    from clickstream_generator.core.behaviour import Revision
    from clickstream_generator.core.faults import FaultPlanter
    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.core.waiting import LateRecords
    from clickstream_generator.shell.kafka_sink import KafkaSink

__all__ = ["ShardKeeper"]

_STATE_BYTES_PER_SECOND = 1_000_000
"""Snapshots grow with the users; taken so often that they cost this much at most."""


class ShardKeeper:
    """Keeps the state of the shards that a process carries.

    Args:
        run_id: The run.
        simulator: What is kept; it has begun.
        accounts: By shard; snapshots hold them.
        planter: Its random streams are kept too.
        late: What is held back is kept too.
        sink: Where it is kept.
        snapshot_seconds: How often each shard's snapshot is taken, at most.

    Attributes:
        snapshot_bytes: Size of each shard's last snapshot.
        announced: The revision that not all know of yet: nothing it is about may be sent.
    """

    def __init__(
        self,
        run_id: UUID,
        simulator: Simulator,
        accounts: Mapping[int, Account],
        planter: FaultPlanter,
        late: LateRecords,
        sink: KafkaSink,
        snapshot_seconds: float,
    ) -> None:
        self.snapshot_bytes = dict.fromkeys(simulator.shards, 0)
        self.announced: Revision | None = None
        self._run_id = run_id
        self._simulator = simulator
        self._accounts = accounts
        self._planter = planter
        self._late = late
        self._sink = sink
        self._snapshot_seconds = snapshot_seconds
        self._generation = dict.fromkeys(simulator.shards, 0)
        self._parts = dict.fromkeys(simulator.shards, 0)
        self._revisions: dict[int, list[Revision]] = {number: [] for number in simulator.shards}
        self._published_seq = dict.fromkeys(simulator.shards, -1)
        self._turns = deque(simulator.shards)
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

    def be_heard(self, now: float) -> None:
        """Say how far the shards have got, if it is time: whoever wants them waits for that."""
        if now >= self._next_positions:
            self.publish_positions()
            self._next_positions = now + position_seconds(len(self._accounts))

    def keep_in_turn(self, now: float) -> None:
        """Take the snapshot of the next shard, if it is time."""
        if now < self._next_capture:
            return
        number = self._turns[0]
        self._turns.rotate(-1)
        # While the broker is away they would only heap up.
        if number not in self._under_way:
            self._capture(number)
        self._next_capture = now + max(
            self._snapshot_seconds / len(self._turns),
            self.snapshot_bytes[number] / _STATE_BYTES_PER_SECOND,
        )

    def announce(self, revision: Revision) -> None:
        """Make a revision known; it takes over when the broker has acknowledged that."""
        self.announced = revision
        for revisions in self._revisions.values():
            revisions.append(revision)
        self.publish_positions(done=partial(self._take_over, revision))

    def leave(self) -> None:
        """Say how far the shards have got, and that whoever wants them may have them."""
        self._packer.shutdown()
        self.publish_positions(is_left=True)

    def publish_positions(
        self, *, is_left: bool = False, done: Callable[[], None] | None = None
    ) -> None:
        """Say how far the shards have got; all of them if somebody waits for it."""
        rows = []
        for number, account in self._accounts.items():
            if is_left or done is not None or account.shard_seq != self._published_seq[number]:
                revisions = tuple(self._revisions[number])
                position = Position(account.shard_seq, revisions=revisions, is_left=is_left)
                rows.append(position.to_row(self._run_id, number))
                self._published_seq[number] = account.shard_seq
        if rows:
            self._sink.publish(SHARDS.name, rows, Batch(done=done))

    def close(self) -> None:
        """Say that every shard is over, and let go of what was kept."""
        self._packer.shutdown()
        rows = [
            row
            for number, account in self._accounts.items()
            for row in (
                Position(
                    account.shard_seq, is_over=True, records=account.records_acknowledged
                ).to_row(self._run_id, number),
                *forgotten_records(self._run_id, number, self._parts[number]),
            )
        ]
        self._sink.publish(SHARDS.name, rows, Batch())

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
        """Have a snapshot packed, with the account as it is: of exactly the events before it."""
        held = self._late.open_up_to(number, snapshot.shard_seq)
        snapshot.arrays.update(self._accounts[number].to_arrays(), **held_arrays(held))
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
        rows = snapshot_records(self._run_id, number, self._generation[number], content)
        self._parts[number] = max(self._parts[number], len(rows))
        started = snapshot.header["schedule"]["start_seconds"]
        self._sink.publish(SHARDS.name, rows, Batch(done=partial(self._forget, number, started)))

    def _forget(self, number: int, started_seconds: float) -> None:
        """Let go of revisions that the kept snapshot has behind it."""
        self._under_way.discard(number)
        self._revisions[number] = [
            row for row in self._revisions[number] if row.from_seconds > started_seconds
        ]
