"""The keeper: when state is published, and the content of its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.topics import SHARDS
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.faults import fault_rng
from clickstream_generator.core.making import Maker
from clickstream_generator.core.shard_history import unpack_histories
from clickstream_generator.core.snapshot import load_snapshot
from clickstream_generator.shell import shard_keeper
from clickstream_generator.shell.shard_keeper import ShardKeeper
from clickstream_generator.shell.shard_log import Position, StoredShard
from holds import MemoryLog, hold
from simulations import RUN_ID, START_SECONDS, carried, simulation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickstream_generator.shell.sink import Batch

NUMBERS = (0, 1, 2, 3)
Row = tuple[bytes, bytes | None]


class _Broker:
    """A sink that acknowledges when the test says so."""

    def __init__(self) -> None:
        self.published: list[tuple[list[Row], Batch]] = []
        self.log = MemoryLog()

    def publish(self, topic: str, rows: list[Row], batch: Batch, partition: int = -1) -> None:
        """Add the records to the log at once."""
        assert topic == SHARDS.name
        self.published.append((rows, batch))
        for row in rows:
            self.log.add(row, partition)

    def acknowledge(self) -> list[Row]:
        """Acknowledge everything, and return its records."""
        taken, self.published = self.published, []
        for _, batch in taken:
            if batch.done is not None:
                batch.done()
        return [row for rows, _ in taken for row in rows]


class _Kept:
    """A keeper of four shards, and what it works with."""

    def __init__(self, stored: Mapping[int, StoredShard] | None = None) -> None:
        self.source, self.shards = carried("{eventsPerSecond: 400}", users=400)
        self.broker = _Broker()
        self.hold = hold(NUMBERS, self.broker.log, stored)
        self.keeper = ShardKeeper(
            self.hold,
            Maker(self.source, self.shards),
            self.broker,  # type: ignore[arg-type]
            8.0,
        )

    def packed(self) -> list[Row]:
        """Wait until all snapshots are packed, and return their records."""
        while not self.keeper.is_idle():
            self.keeper._packing[0][2].result()
            self.keeper.publish_packed()
        return [row for rows, _ in self.broker.published for row in rows]

    def positions(self) -> dict[int, Position]:
        """Return the positions published since, by shard."""
        return {
            int(key.split(b"/")[1]): Position.from_value(value or b"")
            for key, value in self.broker.acknowledge()
            if key.endswith(b"/position")
        }


@pytest.fixture
def kept() -> Iterator[_Kept]:
    """Return a keeper whose shards have begun."""
    made = _Kept()
    yield made
    made.keeper._packer.shutdown()


def test_snapshots_do_not_heap_up(kept: _Kept) -> None:
    """During an outage of the broker each shard has one pending snapshot at most."""
    for second in range(60):
        kept.keeper.capture_next(START_SECONDS + 2 * second)

    assert len(kept.broker.published) == len(NUMBERS)


def test_shards_are_kept_in_turn(kept: _Kept) -> None:
    """One shard after the other is kept, all of them within the time between snapshots."""
    for tenth in range(60):
        kept.keeper.capture_next(START_SECONDS + tenth / 10)

    assert len(kept.broker.published) == 3
    kept.keeper.capture_next(START_SECONDS + 6)
    assert len(kept.broker.published) == 4


def test_snapshot_waits_for_acknowledgement(kept: _Kept) -> None:
    """A snapshot is published once all before it is acknowledged, with the ledger of then."""
    kept.source.take_due(START_SECONDS + 1, 10**9)
    kept.keeper.keep_all()
    assert kept.keeper.is_idle()
    kept.shards[2].ledger.shard_seq = 100
    kept.broker.acknowledge()
    assert not kept.keeper.is_idle()

    rows = dict(kept.packed())

    assert len(rows) == 4
    value = rows[f"{RUN_ID}/2/1/snapshot/1/0".encode()]
    assert value is not None
    snapshot = load_snapshot(value[12:])
    assert snapshot.shard_seq == 100
    assert snapshot.arrays["ledger_counts"].tolist() == [100, 0, 0]
    assert snapshot.header["fault_rng"] == fault_rng(42, 2).bit_generator.state
    assert kept.keeper.snapshot_bytes() == sum(len(row or b"") - 12 for row in rows.values())


def test_next_snapshot_takes_other_slot() -> None:
    """Snapshots of a shard have a number each, from the one that it was resumed with."""
    kept = _Kept({0: StoredShard(generation=7)})
    keys = []
    for _ in range(2):
        kept.keeper.keep_all()
        kept.broker.acknowledge()
        keys.append({key for key, _ in kept.packed()})
        kept.broker.acknowledge()
    kept.keeper._packer.shutdown()

    assert f"{RUN_ID}/0/1/snapshot/0/0".encode() in keys[0]
    assert f"{RUN_ID}/0/1/snapshot/1/0".encode() in keys[1]
    assert f"{RUN_ID}/1/1/snapshot/1/0".encode() in keys[0]


def test_heartbeat_grants_events_ahead(kept: _Kept) -> None:
    """Each second every shard's position is published, with how far events may be made."""
    kept.keeper.heartbeat(START_SECONDS)
    assert kept.positions() == dict.fromkeys(NUMBERS, Position(0, 1, START_SECONDS + 5))
    assert kept.hold.lease.granted_until == 0.0
    kept.hold.read_log()
    assert kept.hold.lease.granted_until == START_SECONDS + 5

    kept.keeper.heartbeat(START_SECONDS + 0.999)
    assert kept.positions() == {}
    kept.shards[1].ledger.shard_seq = 9
    kept.keeper.heartbeat(START_SECONDS + 1)

    assert kept.positions()[1] == Position(9, 2, START_SECONDS + 6)


def _announced(kept: _Kept) -> Revision | None:
    return kept.keeper.announced


def test_revision_follows_its_announcement(kept: _Kept) -> None:
    """A revision takes over once its announcement has been read back, and not before."""
    revision = Revision(START_SECONDS + 5, START_SECONDS + 5, simulation("{eventsPerSecond: 7}"))
    kept.keeper.announce(revision, START_SECONDS)

    assert [row.revisions for row in kept.positions().values()] == [(revision,)] * len(NUMBERS)
    assert _announced(kept) == revision
    assert not kept.source.has_pending_revisions()
    kept.hold.read_log()
    assert _announced(kept) is None
    assert all(shard.pending[0][0] == revision for shard in kept.source.shards.values())


def test_kept_revision_is_dropped(kept: _Kept) -> None:
    """A revision that the stored snapshot has behind it is not announced again; a later one is."""
    late = Revision(START_SECONDS + 9, START_SECONDS + 9, simulation("{eventsPerSecond: 7}"))
    past = Revision(START_SECONDS - 9, START_SECONDS, simulation("{eventsPerSecond: 8}"))
    kept.shards[0].announced += (past, late)
    kept.keeper.keep_all()
    kept.broker.acknowledge()
    kept.packed()
    kept.broker.acknowledge()

    kept.keeper.heartbeat(START_SECONDS)

    assert kept.positions()[0].revisions == (late,)


def test_release_is_the_last_heartbeat(kept: _Kept) -> None:
    """A release grants nothing ahead, and no heartbeat takes it back."""
    kept.keeper.release(START_SECONDS)

    released = Position(0, 1, START_SECONDS, is_released=True)
    assert kept.positions() == dict.fromkeys(NUMBERS, released)
    kept.keeper.heartbeat(START_SECONDS + 99)
    assert kept.positions() == {}


def test_end_is_decided_in_the_log(kept: _Kept) -> None:
    """The position says after which event each shard ends; the decision is waited for."""
    kept.source.take_due(START_SECONDS + 1, 10**9)
    kept.source.stop()

    kept.keeper.decide_end(START_SECONDS + 1)

    assert {row.ends_at for row in kept.positions().values()} == {100}
    assert kept.hold.lease.is_waiting
    kept.hold.read_log()
    assert not kept.hold.lease.is_waiting


def test_earlier_holders_records_are_removed() -> None:
    """They are removed once a snapshot and a position of this holder's own replace them."""
    key = f"{RUN_ID}/2/0/position".encode()
    kept = _Kept({2: StoredShard(keys={key: 0})})
    removed: list[Row] = []

    for second in range(2):
        kept.keeper.keep_all()
        kept.broker.acknowledge()
        kept.packed()
        kept.broker.acknowledge()
        removed += [row for row in kept.broker.acknowledge() if row[1] is None]
        assert removed == ([] if second == 0 else [(key, None)])
        kept.keeper.heartbeat(START_SECONDS + second)
        kept.hold.read_log()

    kept.keeper._packer.shutdown()


def test_large_record_ends_no_run(
    kept: _Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that the broker could refuse is left out with a warning; the run ends."""
    monkeypatch.setattr(shard_keeper, "PART_BYTES", 10)
    kept.keeper.close()
    rows = {key for key, value in kept.broker.acknowledge() if value is not None}
    assert rows == {f"{RUN_ID}/{number}/1/position".encode() for number in NUMBERS}
    assert f"run {RUN_ID} cannot be repeated" in caplog.text


def test_end_lets_go_of_state(kept: _Kept) -> None:
    """At the end every shard is over with its history, and its snapshots are deleted."""
    kept.keeper.keep_all()
    kept.broker.acknowledge()
    kept.packed()
    kept.broker.acknowledge()
    ledger = kept.shards[3].ledger
    ledger.shard_seq, ledger.records_acknowledged = 8, 9

    kept.keeper.close()

    rows = kept.broker.acknowledge()
    kept_rows = {key: value for key, value in rows if value is not None}
    last = kept_rows[f"{RUN_ID}/3/1/position".encode()]
    assert Position.from_value(last or b"") == Position(8, is_over=True, records=9)
    record = kept_rows.pop(f"{RUN_ID}/0/1/record".encode())
    assert unpack_histories(record)[3].ends_at == 8
    assert len(kept_rows) == 4
    assert {key for key, value in rows if value is None} == {
        f"{RUN_ID}/{number}/1/snapshot/{slot}/0".encode() for number in NUMBERS for slot in (0, 1)
    }
