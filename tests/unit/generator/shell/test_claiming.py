"""Claiming shards, on a log in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.lease import Claim
from clickstream_generator.core.snapshot import dump_snapshot
from clickstream_generator.errors import ShardTaken
from clickstream_generator.shell.claiming import Hold, claim_shards
from clickstream_generator.shell.shard_log import (
    Position,
    Record,
    alive_row,
    claim_row,
    snapshot_partition,
    snapshot_rows,
)
from holds import MemoryLog
from simulations import RUN_ID, START_SECONDS, carried

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_generator.shell.sink import Batch

_ROWS = list[tuple[bytes, bytes | None]]
_QUIET_POLLS = 15
"""Three heartbeats of a second each, listened to for 0.2 s at a time."""


class _Sink:
    """A sink that writes to the log in memory.

    Attributes:
        before_publish: What happens before the first records are written.
    """

    def __init__(self, log: MemoryLog, before_publish: Callable[[], None]) -> None:
        self._log, self._before_publish = log, before_publish

    def publish(self, _topic: str, rows: _ROWS, _batch: Batch, partition: int) -> None:
        """Write records."""
        self._before_publish()
        self._before_publish = lambda: None
        for row in rows:
            self._log.add(row, partition)

    def publish_unconfirmed(self, _topic: str, rows: _ROWS, partition: int) -> None:
        """Write records without a report."""
        for row in rows:
            self._log.add(row, partition)

    def is_idle(self) -> bool:
        """Return that all is acknowledged."""
        return True

    def poll(self, _seconds: float) -> list[Batch]:
        """Return no batch."""
        return []


def _claimed(
    log: MemoryLog,
    numbers: tuple[int, ...] = (0, 1),
    before_publish: Callable[[], None] = lambda: None,
) -> Hold:
    sink = _Sink(log, before_publish)
    return claim_shards(log, sink, RUN_ID, numbers, 4)  # type: ignore[arg-type]


def _held(log: MemoryLog, epoch: int, position: Position | None = None) -> None:
    """Make another worker the holder of shard 0."""
    log.add(claim_row(RUN_ID, Claim(0, epoch, f"other-{epoch}")))
    if position is not None:
        log.add(position.to_row(RUN_ID, 0, epoch))


def test_new_shards_are_claimed_at_once() -> None:
    """They get epoch 1, nothing is inherited, and nothing is granted yet."""
    log = MemoryLog()

    hold = _claimed(log)

    assert hold.epochs == {0: 1, 1: 1}
    assert hold.stored == {}
    assert (hold.lease.inherited_until, hold.lease.granted_until) == (0.0, 0.0)
    assert hold.snapshot_partition == 1
    assert log.polls < _QUIET_POLLS


def test_claimed_shards_heartbeat_at_once() -> None:
    """A claim is followed by a sign of life: reading snapshots may take long."""
    log = MemoryLog()

    _claimed(log)

    keys = [row.key for row in log.records]
    assert keys[-2:] == [alive_row(RUN_ID, shard, 1)[0] for shard in (0, 1)]


def test_released_shards_are_claimed_at_once() -> None:
    """The next epoch, and the moment up to which any earlier holder may have made events."""
    log = MemoryLog()
    _held(log, 1, Position(9, granted_until=START_SECONDS + 9))
    _held(log, 2, Position(8, granted_until=START_SECONDS, is_released=True))

    hold = _claimed(log)

    assert hold.epochs == {0: 3, 1: 1}
    assert hold.lease.inherited_until == START_SECONDS + 9
    assert hold.stored[0].position.shard_seq == 9
    assert log.polls < _QUIET_POLLS


def test_live_holder_is_waited_for() -> None:
    """Positions and alive records are heartbeats; three missed ones end the wait."""
    log = MemoryLog()
    _held(log, 1, Position(1))
    rows = [alive_row(RUN_ID, 0, 1), Position(2).to_row(RUN_ID, 0, 1)] * 20

    def publish() -> None:
        if rows:
            log.add(rows.pop())

    log.on_poll = publish
    hold = _claimed(log)

    assert not rows
    assert log.polls >= 40 + _QUIET_POLLS
    assert hold.epochs[0] == 2


def test_other_shards_delay_no_claim() -> None:
    """Heartbeats of a shard that this worker does not want are not listened to."""
    log = MemoryLog()
    _held(log, 1, Position(1))
    log.on_poll = lambda: log.add(Position(1).to_row(RUN_ID, 3, 1))

    assert _claimed(log).epochs[0] == 2


def test_slower_claim_waits_for_the_faster() -> None:
    """Another worker's claim that comes first wins its epoch, and is waited for."""
    log = MemoryLog()
    hold = _claimed(log, before_publish=lambda: _held(log, 1))

    assert hold.epochs == {0: 2, 1: 2}
    assert log.polls >= _QUIET_POLLS


def test_ended_run_leaves_no_claim() -> None:
    """If the faster worker has ended the run, the slower one holds nothing."""
    log = MemoryLog()

    hold = _claimed(
        log, (0,), before_publish=lambda: _held(log, 1, Position(9, is_over=True, records=12))
    )

    assert hold.epochs == {}


def test_finished_run_is_not_claimed() -> None:
    """Nothing is written, and what it came to is there."""
    log = MemoryLog()
    _held(log, 1, Position(9, is_over=True, records=12))
    before = list(log.records)

    hold = _claimed(log, (0,))

    assert hold.epochs == {}
    assert hold.stored[0].position.records == 12
    assert log.records == before


def test_holder_reads_back_its_grant() -> None:
    """Its heartbeat grants events, and another claim ends that."""
    log = MemoryLog()
    hold = _claimed(log, (0,))
    (grant,) = hold.lease.next_grants(START_SECONDS)
    position = Position(0, grant.number, grant.until_seconds)

    log.add(position.to_row(RUN_ID, 0, 1))
    hold.read_log()
    assert hold.lease.granted_until == grant.until_seconds > START_SECONDS

    _held(log, 2)
    with pytest.raises(ShardTaken):
        hold.read_log()


def test_abandoned_snapshots_are_removed() -> None:
    """A worker that claims its shards removes snapshots of runs that have been silent."""
    log = MemoryLog()
    key = b"00000000-0000-4000-8000-000000000001/0/1/snapshot/0/0"
    log.records.append(Record(1, key, b"x", 10.0))
    sink = _Sink(log, lambda: None)

    claim_shards(log, sink, RUN_ID, (0, 1), 4, 10.0)  # type: ignore[arg-type]
    assert Record(1, key, None) not in log.records

    again = MemoryLog()
    again.records = log.records
    claim_shards(again, _Sink(again, lambda: None), RUN_ID, (2,), 4, 11.0)  # type: ignore[arg-type]
    assert again.records.count(Record(1, key, None)) == 1


def _with_snapshots(log: MemoryLog, epoch: int, partition: int) -> None:
    """Let a holder of shard 0 release it, with a snapshot in a partition."""
    _, shards = carried()
    for row in snapshot_rows(RUN_ID, 0, epoch, epoch, dump_snapshot(shards[0].snapshot())):
        log.add(row, partition)
    _held(log, epoch, Position(3, is_released=True, snapshot_partition=partition))


def test_only_its_snapshots_are_read() -> None:
    """A worker reads the leases and the partition with its run's snapshots, and writes there."""
    log = MemoryLog(9)
    own = snapshot_partition(RUN_ID, 9)
    _with_snapshots(log, 1, own)

    hold = _claimed(log)

    assert log.read == {0, own}
    assert hold.snapshot_partition == own
    assert hold.stored[0].snapshot is not None


def test_snapshots_are_found_after_growth() -> None:
    """If the topic gets more partitions, a successor still finds its predecessors' snapshots."""
    own = snapshot_partition(RUN_ID, 9)
    former = own % 8 + 1
    log = MemoryLog(9)
    _with_snapshots(log, 1, former)

    hold = _claimed(log)

    assert log.read == {0, own, former}
    assert (hold.snapshot_partition, hold.stored[0].generation) == (own, 1)
    assert set(hold.stored[0].keys.values()) == {0, former}
