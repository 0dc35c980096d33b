"""What the records of a shard come to, in any order and from any holder."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.lease import Claim, Grant
from clickstream_generator.core.shard_history import ShardHistory
from clickstream_generator.core.snapshot import Snapshot, compress, dump_snapshot
from clickstream_generator.errors import SnapshotUnusable
from clickstream_generator.shell.shard_log import (
    LEASE_PARTITION,
    PART_BYTES,
    OtherSnapshots,
    Position,
    Record,
    ShardRecords,
    alive_row,
    claim_row,
    forgotten_rows,
    heartbeat_seconds,
    record_row,
    snapshot_partition,
    snapshot_rows,
)
from simulations import RUN_ID, START_SECONDS, carried, simulation


def _records() -> ShardRecords:
    return ShardRecords(RUN_ID, (0, 1))


def _claim(records: ShardRecords, epoch: int, shard: int = 0) -> Claim:
    claim = Claim(shard, epoch, f"holder-{epoch}")
    records.take(Record(LEASE_PARTITION, *claim_row(RUN_ID, claim)))
    return claim


def _position(records: ShardRecords, epoch: int, position: Position, shard: int = 0) -> None:
    records.take(Record(LEASE_PARTITION, *position.to_row(RUN_ID, shard, epoch)))


def _revision(after_seconds: float) -> Revision:
    moment = START_SECONDS + after_seconds
    return Revision(moment, moment, simulation())


def test_position_survives_as_record() -> None:
    """A position is read back as it was written, revisions with their specification."""
    written = Position(17, 4, START_SECONDS, revisions=(_revision(5),), ends_at=18)

    key, value = written.to_row(RUN_ID, 3, 2)

    assert key == f"{RUN_ID}/3/2/position".encode()
    assert value is not None
    assert Position.from_value(value) == written


def test_histories_come_from_both() -> None:
    """A shard that is over has its history in a record, another one in snapshot and position."""
    records, (_, shards) = _records(), carried()
    ended = {0: ShardHistory.of_ended(shards[0], 9)}
    key, value = record_row(RUN_ID, 3, ended)
    assert key == f"{RUN_ID}/0/3/record".encode()
    assert records.take(Record(LEASE_PARTITION, key, value)) == "record"
    _position(records, 3, Position(9, is_over=True))
    content = dump_snapshot(shards[1].snapshot())
    for row in snapshot_rows(RUN_ID, 1, 3, 1, content):
        records.take(Record(7, *row))
    _position(records, 3, Position(4, revisions=(_revision(5),)), shard=1)

    found = records.histories()

    assert found.keys() == {0, 1}
    assert found[0] == ended[0]
    assert found[1].revisions == (_revision(5).to_json(),)
    assert (found[1].first, found[1].ends_at) == (simulation(), None)
    records.take(Record(LEASE_PARTITION, key, None))
    assert records.histories().keys() == {1}


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", *map(compress, (b"{", b"1", b"[]", b"{}", b'{"first_document": ""}'))],
)
def test_broken_record_is_named(value: bytes) -> None:
    """A record that is no history is an error, not a traceback."""
    records = _records()
    records.take(Record(LEASE_PARTITION, f"{RUN_ID}/0/1/record".encode(), value))
    with pytest.raises(SnapshotUnusable, match="cannot be read"):
        records.histories()


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (1_000_000, 1), (1_000_001, 2)])
def test_snapshot_is_cut_into_parts(size: int, parts: int) -> None:
    """A part has at most a million bytes, after its generation, number and count."""
    content = bytes(range(256)) * (size // 256 + 1)

    rows = snapshot_rows(RUN_ID, 2, 9, 5, content[:size])

    assert PART_BYTES == 1_000_000
    prefix = f"{RUN_ID}/2/9/snapshot/1"
    assert [key for key, _ in rows] == [f"{prefix}/{n}".encode() for n in range(parts)]
    assert [struct.unpack_from(">QHH", value or b"") for _, value in rows] == [
        (5, number, parts) for number in range(parts)
    ]
    assert b"".join((value or b"")[12:] for _, value in rows) == content[:size]


def test_generations_take_two_slots() -> None:
    """Two generations never share a key, so one is whole while the other is written."""
    keys = [
        {key for key, _ in snapshot_rows(RUN_ID, 0, 1, generation, bytes(2_500_000))}
        for generation in (1, 2, 3)
    ]

    assert len(keys[0]) == 3
    assert not keys[0] & keys[1]
    assert keys[0] == keys[2]


def test_every_part_is_forgotten() -> None:
    """Forgetting a shard's snapshots deletes the parts of both slots."""
    rows = forgotten_rows(RUN_ID, 0, 1, 3)

    kept = [snapshot_rows(RUN_ID, 0, 1, generation, bytes(2_500_000)) for generation in (1, 2)]
    assert {key for key, _ in rows} == {key for part in kept for key, _ in part}
    assert {value for _, value in rows} == {None}
    assert len(rows) == 6
    assert forgotten_rows(RUN_ID, 0, 1, 0) == []


@pytest.mark.parametrize(("shards", "seconds"), [(1, 1.0), (100, 1.0), (101, 1.01), (1_000, 10.0)])
def test_many_shards_have_fewer_heartbeats(shards: int, seconds: float) -> None:
    """A worker publishes positions each second, with more than a hundred shards less often."""
    assert heartbeat_seconds(shards) == seconds


def test_decisions_are_the_last_holders() -> None:
    """A stale position's revisions and end are ignored; its acknowledged events count."""
    records = _records()
    kept = (_revision(1), _revision(2))
    _position(records, 2, Position(50, 3, START_SECONDS + 5, revisions=kept))

    stale = Position(70, 9, START_SECONDS + 9, revisions=(_revision(3),), ends_at=70)
    _position(records, 1, stale)

    found = records.found()[0].position
    assert (found.revisions, found.ends_at) == (kept, None)
    assert (found.shard_seq, found.granted_until) == (70, START_SECONDS + 9)


def test_end_outlasts_later_positions() -> None:
    """A shard that is over stays over."""
    records = _records()
    _position(records, 1, Position(9, is_over=True, records=10))
    _position(records, 2, Position(3))

    assert records.unfinished() == (1,)
    assert records.found()[0].position.is_over


@pytest.mark.parametrize(
    ("last", "is_free"),
    [
        (Position(1), False),
        (Position(1, is_released=True), True),
        (Position(1, is_over=True), True),
    ],
)
def test_shards_are_released(last: Position, *, is_free: bool) -> None:
    """A release of an earlier holder does not free a shard that was claimed since."""
    records = _records()
    assert records.are_released()

    _claim(records, 1)
    assert not records.are_released()
    _position(records, 1, last)
    assert records.are_released() is is_free

    _claim(records, 2)
    assert not records.are_released()


def _snapshots(*seconds: int) -> list[Snapshot]:
    """Return a shard's snapshots after some seconds of its run."""
    source, shards = carried(users=64)
    snapshots = []
    for second in seconds:
        source.take_due(START_SECONDS + second, 10**9)
        snapshots.append(shards[0].snapshot())
    return snapshots


def _keep(records: ShardRecords, epoch: int, generation: int, content: bytes) -> None:
    for row in snapshot_rows(RUN_ID, 0, epoch, generation, content):
        records.take(Record(1, *row))


def test_newest_whole_snapshot_counts() -> None:
    """A newer snapshot of which a part is missing does not count."""
    older, newer = _snapshots(1, 2)
    records = _records()
    _keep(records, 1, 1, dump_snapshot(older))
    _keep(records, 1, 2, dump_snapshot(newer))

    records.take(Record(1, *snapshot_rows(RUN_ID, 0, 1, 3, bytes(1_500_000))[0]))

    found = records.found()[0]
    assert found.generation == 2
    assert found.snapshot is not None
    assert found.snapshot.shard_seq == newer.shard_seq > older.shard_seq


def test_stale_snapshots_replace_none() -> None:
    """The last holder's newest complete snapshot counts, whatever arrives after it."""
    first, second, third = _snapshots(1, 2, 3)
    records = _records()
    _keep(records, 1, 7, dump_snapshot(first))
    _keep(records, 2, 8, dump_snapshot(second))

    _keep(records, 1, 9, dump_snapshot(third))

    found = records.found()[0]
    assert found.snapshot is not None
    assert found.snapshot.shard_seq == second.shard_seq
    assert found.generation == 8


def test_snapshot_needs_no_position() -> None:
    """A shard with a snapshot and no position is at the beginning."""
    records = _records()
    _keep(records, 1, 1, dump_snapshot(*_snapshots(1)))

    found = records.found()

    assert set(found) == {0}
    assert found[0].position == Position(0)
    assert found[0].snapshot is not None


def test_finished_shard_has_no_snapshot() -> None:
    """A shard that is over is not resumed, whatever is left of its snapshots."""
    records = _records()
    _keep(records, 1, 1, dump_snapshot(*_snapshots(1)))

    _position(records, 1, Position(9, is_over=True))

    assert records.found()[0].snapshot is None


def test_forgotten_keys_are_not_kept() -> None:
    """A successor removes what its predecessors left, but never a claim."""
    records = _records()
    _claim(records, 1)
    _position(records, 1, Position(4))
    records.take(Record(LEASE_PARTITION, *alive_row(RUN_ID, 0, 1)))
    for row in snapshot_rows(RUN_ID, 0, 1, 1, bytes(1_500_000)):
        records.take(Record(1, *row))

    for row in forgotten_rows(RUN_ID, 0, 1, 1):
        records.take(Record(1, *row))

    prefix = f"{RUN_ID}/0/1"
    assert records._keys[0] == {
        f"{prefix}/position".encode(): LEASE_PARTITION,
        f"{prefix}/alive".encode(): LEASE_PARTITION,
        f"{prefix}/snapshot/1/1".encode(): 1,
    }


def test_records_name_what_they_decide() -> None:
    """Claims and grants are read; those of other runs and shards are ignored."""
    records = _records()
    position = Position(4, 6, START_SECONDS)
    key, value = position.to_row(RUN_ID, 1, 3)

    assert records.take(Record(0, key, value)) == Grant(1, 3, 6, START_SECONDS)
    assert _claim(records, 5, shard=1) == Claim(1, 5, "holder-5")
    assert records.take(Record(0, *replace(position).to_row(RUN_ID, 2, 1))) == ""
    assert records.take(Record(0, b"another key", b"")) == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("position", b"{}"),  # as versions before epochs wrote it
        ("0/0", b"x"),
        ("1/position", b'"'),
        ("1/position", b'{"revisions": [], "colour": 1}'),
        ("1/snapshot/0/0", b"x"),
        ("1/something", b"{}"),
        ("one/position", b"{}"),
    ],
)
def test_unreadable_record_is_named(key: str, value: bytes) -> None:
    """An unreadable record with one of the run's keys is an error, never ignored."""
    with pytest.raises(SnapshotUnusable, match="cannot be used"):
        _records().take(Record(0, f"{RUN_ID}/0/{key}".encode(), value))


def test_silent_runs_snapshots_are_forgotten() -> None:
    """Of other runs, those that wrote no snapshot since; claims, positions and one's own stay."""
    silent, active = UUID(int=1), UUID(int=2)
    others = OtherSnapshots(RUN_ID)
    removed = f"{silent}/1/1/snapshot/0/0".encode()
    for run_id, shard, seconds in (
        (silent, 0, 10.0), (silent, 1, 20.0), (active, 0, 10.0), (active, 1, 30.0), (RUN_ID, 0, 1.0)
    ):  # fmt: skip
        others.take(Record(1, f"{run_id}/{shard}/1/snapshot/0/0".encode(), b"x", seconds))
        others.take(Record(0, f"{run_id}/{shard}/1/position".encode(), b"{}", 1.0))
        others.take(Record(0, f"{run_id}/{shard}/1/claim/holder".encode(), b"{}", 1.0))
    others.take(Record(1, removed, None, 20.0))

    assert others.keys_before(20.0) == {}
    assert others.keys_before(20.1) == {f"{silent}/0/1/snapshot/0/0".encode(): 1}
    assert len(others.keys_before(30.1)) == 3


def test_runs_share_the_partitions() -> None:
    """A run's snapshots are in one partition, never in that of the leases, if there is another."""
    runs = [uuid4() for _ in range(2_000)]

    found = Counter(snapshot_partition(run, 5) for run in runs)

    assert set(found) == {1, 2, 3, 4}
    assert min(found.values()) > 350
    assert {snapshot_partition(run, 2) for run in runs} == {1}
    assert {snapshot_partition(run, 1) for run in runs} == {LEASE_PARTITION}
    assert snapshot_partition(RUN_ID, 17) == snapshot_partition(UUID(str(RUN_ID)), 17)


def test_positions_name_their_snapshots() -> None:
    """The partitions of all holders of the shards, until their positions are removed."""
    records = _records()
    for epoch, partition in ((1, 3), (2, 5)):
        position = Position(1, snapshot_partition=partition)
        records.take(Record(LEASE_PARTITION, *position.to_row(RUN_ID, 0, epoch)))
    assert records.snapshot_partitions() == {3, 5}

    records.take(Record(LEASE_PARTITION, f"{RUN_ID}/0/1/position".encode(), None))

    assert records.snapshot_partitions() == {5}
