"""The shards' topic: records of positions and snapshots, and what is read of them."""

from __future__ import annotations

import json
import struct
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest
from clickstream_contract.topics import SHARDS
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.snapshot import Snapshot, dump_snapshot
from clickstream_generator.errors import BrokerRefused, SnapshotUnusable
from clickstream_generator.settings import Settings
from clickstream_generator.shell import shard_log
from clickstream_generator.shell.shard_log import (
    PART_BYTES,
    Position,
    StoredShard,
    forgotten_records,
    position_seconds,
    read_shards,
    snapshot_records,
)
from confluent_kafka import KafkaError, KafkaException
from simulations import RUN_ID, simulation

SETTINGS = Settings(Path(__file__), "127.0.0.1:9")
Row = tuple[bytes, bytes | None]


def _snapshot(made: int) -> bytes:
    return dump_snapshot(Snapshot({"format": 2, "made": made}, {}))


class _Message:
    """A record, or the end of the partition."""

    def __init__(self, row: Row | None, code: int | None = None) -> None:
        self._row, self._code = row, code

    def error(self) -> KafkaError | None:
        """Return the error, if it is one."""
        return None if self._code is None else KafkaError(self._code)

    def partition(self) -> int:
        """Return the only one."""
        return 0

    def key(self) -> bytes | None:
        """Return the record's key."""
        return self._row[0] if self._row else None

    def value(self) -> bytes | None:
        """Return the record's value."""
        return self._row[1] if self._row else None


class _Consumer:
    """A consumer of a topic that the test has filled."""

    def __init__(self, messages: list[_Message | None], error: KafkaError | None = None) -> None:
        self._messages = deque(messages)
        self._error = error
        self.is_closed = False

    def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
        """Tell that the topic has one partition."""
        assert topic == SHARDS.name
        assert timeout > 0
        known = SimpleNamespace(error=self._error, partitions={0: None})
        return SimpleNamespace(topics={topic: known})

    def assign(self, _partitions: object) -> None:
        """Begin to read."""

    def poll(self, _seconds: float) -> _Message | None:
        """Return the next message."""
        return self._messages.popleft() if self._messages else None

    def close(self) -> None:
        """End."""
        self.is_closed = True


END = _Message(None, KafkaError._PARTITION_EOF)


def _read(
    monkeypatch: pytest.MonkeyPatch,
    rows: list[Row],
    *,
    numbers: tuple[int, ...] = (0, 1),
    after: tuple[_Message | None, ...] = (),
    error: KafkaError | None = None,
) -> dict[int, StoredShard]:
    messages = [*map(_Message, rows), END, *after]
    consumer = _Consumer(messages, error)
    monkeypatch.setattr(shard_log, "Consumer", lambda _: consumer)
    monkeypatch.setattr(shard_log, "position_seconds", lambda _: 0.02)
    try:
        return read_shards(SETTINGS, RUN_ID, numbers, 4)
    finally:
        assert consumer.is_closed


def test_position_survives_as_record() -> None:
    """A position is read back as it was written, revisions with their specification."""
    revision = Revision(1.5, 2.5, simulation("{eventsPerSecond: 7}"))
    written = Position(17, is_over=True, revisions=(revision,), records=9, is_left=True)

    key, value = written.to_row(RUN_ID, 3)

    assert key == f"{RUN_ID}/3/position".encode()
    assert value is not None
    assert Position.from_value(value) == written
    assert json.loads(value)["shard_seq"] == 17


def test_old_position_is_read() -> None:
    """A position of a version that knew neither records nor leaving is read."""
    value = b'{"shard_seq": 5, "is_over": false, "revisions": []}'

    assert Position.from_value(value) == Position(5)


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (1_000_000, 1), (1_000_001, 2)])
def test_snapshot_is_cut_into_parts(size: int, parts: int) -> None:
    """A part has at most a million bytes, after its generation, number and count."""
    content = bytes(range(256)) * (size // 256 + 1)

    rows = snapshot_records(RUN_ID, 2, 5, content[:size])

    assert PART_BYTES == 1_000_000
    assert [key for key, _ in rows] == [f"{RUN_ID}/2/1/{n}".encode() for n in range(parts)]
    assert [struct.unpack_from(">QHH", value or b"") for _, value in rows] == [
        (5, number, parts) for number in range(parts)
    ]
    assert b"".join((value or b"")[12:] for _, value in rows) == content[:size]


def test_generations_take_two_slots() -> None:
    """Two generations never share a key, so one is whole while the other is written."""
    keys = [
        {key for key, _ in snapshot_records(RUN_ID, 0, generation, bytes(2_500_000))}
        for generation in (1, 2, 3)
    ]

    assert len(keys[0]) == 3
    assert not keys[0] & keys[1]
    assert keys[0] == keys[2]


def test_every_part_is_forgotten() -> None:
    """Forgetting a shard deletes the parts of both slots."""
    rows = forgotten_records(RUN_ID, 0, 3)

    kept = [snapshot_records(RUN_ID, 0, generation, bytes(2_500_000)) for generation in (1, 2)]
    assert {key for key, _ in rows} == {key for part in kept for key, _ in part}
    assert {value for _, value in rows} == {None}
    assert len(rows) == 6
    assert forgotten_records(RUN_ID, 0, 0) == []


@pytest.mark.parametrize(("shards", "seconds"), [(1, 1.0), (100, 1.0), (101, 1.01), (1_000, 10.0)])
def test_many_shards_are_heard_less(shards: int, seconds: float) -> None:
    """A process publishes its positions each second, with more than a hundred shards less often."""
    assert position_seconds(shards) == seconds


def test_newest_whole_snapshot_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the snapshots the newest that has all its parts is taken, with the last position."""
    big = snapshot_records(RUN_ID, 0, 3, bytes(1_500_000))
    rows = [
        Position(1).to_row(RUN_ID, 0),
        *snapshot_records(RUN_ID, 0, 1, _snapshot(1)),
        *snapshot_records(RUN_ID, 0, 2, _snapshot(20)),
        big[0],
        Position(30, is_left=True).to_row(RUN_ID, 0),
    ]

    found = _read(monkeypatch, rows)

    assert set(found) == {0}
    assert found[0].position == Position(30, is_left=True)
    assert found[0].generation == 2
    assert found[0].snapshot is not None
    assert found[0].snapshot.shard_seq == 20


def test_other_records_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of other runs and shards, and those without key or value, do not count."""
    other = RUN_ID.__class__(int=8)
    rows: list[Row] = [
        Position(1).to_row(other, 0),
        Position(2).to_row(RUN_ID, 7),
        (f"{RUN_ID}/x/position".encode(), b"{}"),
        (f"{RUN_ID}/0/0/0".encode(), None),
        (b"\xff", b"?"),
    ]

    assert _read(monkeypatch, rows) == {}


def test_finished_shard_has_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that is over is not taken up again, whatever is left of its snapshots."""
    rows = [
        *snapshot_records(RUN_ID, 0, 1, _snapshot(1)),
        Position(9, is_over=True).to_row(RUN_ID, 0),
    ]

    found = _read(monkeypatch, rows)

    assert found[0].snapshot is None
    assert found[0].position.is_over


def test_snapshot_needs_no_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard with a snapshot and no position is at the beginning."""
    found = _read(monkeypatch, snapshot_records(RUN_ID, 1, 1, _snapshot(4)))

    assert found[1].position == Position(0)
    assert found[1].generation == 1


def test_carried_shard_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process is heard its shards are not taken; what it says last counts."""
    rows = [Position(1).to_row(RUN_ID, 0)]
    later = tuple(
        _Message(Position(seq, is_left=seq == 4).to_row(RUN_ID, 0)) for seq in (2, 3, 4, 5)
    )

    found = _read(monkeypatch, rows, after=(later[0], None, END, *later[1:]))

    assert found[0].position == Position(4, is_left=True)


def test_silent_process_is_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that says no more is gone, and its shards can be taken."""
    found = _read(monkeypatch, [Position(1).to_row(RUN_ID, 0)])

    assert found[0].position == Position(1)


@pytest.mark.parametrize(
    "row",
    [
        (f"{RUN_ID}/0/0/0".encode(), b"short"),
        (f"{RUN_ID}/0/position".encode(), b"no json"),
        (f"{RUN_ID}/0/position".encode(), b"{}"),
        (f"{RUN_ID}/0/position".encode(), b"[]"),
    ],
)
def test_strange_record_is_refused(monkeypatch: pytest.MonkeyPatch, row: Row) -> None:
    """A record that is not one of ours is named, never guessed at."""
    with pytest.raises(SnapshotUnusable, match="a record of it is not one of ours"):
        _read(monkeypatch, [row])


def test_missing_topic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its topic no run can continue."""
    error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)

    with pytest.raises(BrokerRefused, match=f"look at topic {SHARDS.name}") as caught:
        _read(monkeypatch, [], error=error)

    assert caught.value.code == "UNKNOWN_TOPIC_OR_PART"


def test_silent_topic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that is not read to its end in time is refused."""
    consumer = _Consumer([])
    monkeypatch.setattr(shard_log, "Consumer", lambda _: consumer)

    with pytest.raises(BrokerRefused, match="the topic cannot be read"):
        read_shards(SETTINGS, RUN_ID, (0,), 1)

    assert consumer.is_closed


def test_broken_connection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the broker is named, with the addresses to look at."""
    consumer = _Consumer([_Message(None, KafkaError._TRANSPORT)])
    monkeypatch.setattr(shard_log, "Consumer", lambda _: consumer)

    with pytest.raises(BrokerRefused, match="look at CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS"):
        read_shards(SETTINGS, RUN_ID, (0,), 1)


def test_hopeless_error_names_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client has noticed of the connection says more than that it broke."""

    class Refused(_Consumer):
        def __init__(self, options: dict[str, object]) -> None:
            super().__init__([])
            self._noticed = options["error_cb"]

        def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, f"{topic} {timeout}"))

        def poll(self, _seconds: float) -> _Message | None:
            for code in (KafkaError._TRANSPORT, KafkaError._SSL):
                self._noticed(KafkaError(code))  # type: ignore[operator]
            return None

    monkeypatch.setattr(shard_log, "Consumer", Refused)

    with pytest.raises(BrokerRefused, match="CLICKSTREAM_GENERATOR_CA_FILE") as caught:
        read_shards(SETTINGS, RUN_ID, (0,), 1)

    assert caught.value.code == "_SSL"
