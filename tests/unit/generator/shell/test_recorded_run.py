"""A run of workers, read from the records of its topics."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Self
from uuid import UUID

import pytest
from clickstream_contract.topics import LEDGER, SHARDS
from clickstream_generator.core.lease import Claim
from clickstream_generator.core.shard_history import ShardHistory
from clickstream_generator.core.snapshot import dump_snapshot
from clickstream_generator.errors import RecordUnusable
from clickstream_generator.settings import KafkaSettings
from clickstream_generator.shell import recorded_run
from clickstream_generator.shell.recorded_run import read_ledger, read_record
from clickstream_generator.shell.shard_log import (
    LEASE_PARTITION,
    Position,
    Record,
    claim_row,
    record_row,
    snapshot_partition,
    snapshot_rows,
)
from run_records import run_record
from simulations import RUN_ID, START_SECONDS, carried, simulation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:9")
_OTHER = UUID(int=9)
_LAST = 1


class _Topics:
    """Records of topics, which take the place of the reader.

    Attributes:
        partitions: Number of the partitions of the shards' topic.
        read: The partitions that were read.
    """

    def __init__(self) -> None:
        self.partitions = _LAST + 1
        self.read: set[int] = set()
        self.records: dict[str, list[Record]] = {SHARDS.name: [], LEDGER.name: []}

    def add(
        self, row: tuple[bytes, bytes | None], partition: int = LEASE_PARTITION, second: float = 1.0
    ) -> None:
        """Add a record of the shards' topic."""
        self.records[SHARDS.name].append(Record(partition, *row, second))

    def add_claims(self, run_id: UUID, second: float) -> None:
        """Add the claims of four shards."""
        for shard in range(4):
            self.add(claim_row(run_id, Claim(shard, 1, "holder")), second=second)

    def reader(self, settings: KafkaSettings, topic: str = SHARDS.name) -> _Reader:
        """Return a reader of a topic."""
        assert settings is SETTINGS
        return _Reader(self.records[topic], self.partitions, self.read)


class _Reader:
    """A reader of records in a list."""

    def __init__(self, records: list[Record], partitions: int, read: set[int]) -> None:
        self._records = records
        self.partitions = tuple(range(partitions))
        self._read = read

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def read_to_end(self, partitions: Iterable[int]) -> Iterator[Record]:
        """Return the records of some partitions."""
        wanted = set(partitions)
        self._read |= wanted
        return (row for row in self._records if row.partition in wanted)


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> _Topics:
    """Empty topics."""
    made = _Topics()
    monkeypatch.setattr(recorded_run, "TopicReader", made.reader)
    return made


def _add_running(topics: _Topics, numbers: tuple[int, ...], partition: int = _LAST) -> None:
    """Add snapshots and positions of shards that send events."""
    _, shards = carried()
    for number in numbers:
        for row in snapshot_rows(RUN_ID, number, 1, 1, dump_snapshot(shards[number].snapshot())):
            topics.add(row, partition)
        position = Position(3, snapshot_partition=partition)
        topics.add(position.to_row(RUN_ID, number, 1), second=50.0)


def _add_ended(topics: _Topics, numbers: tuple[int, ...]) -> None:
    """Add the record and the last positions of shards that are over."""
    _, shards = carried()
    histories = {number: ShardHistory.of_ended(shards[number], 7) for number in numbers}
    topics.add(record_row(RUN_ID, 1, histories), second=59.0)
    for number in numbers:
        topics.add(Position(7, is_over=True).to_row(RUN_ID, number, 1), second=60.5)


def test_only_the_runs_snapshots_are_read(topics: _Topics) -> None:
    """Snapshots of other runs in other partitions are not read; those before a growth are."""
    topics.partitions = 9
    own = snapshot_partition(RUN_ID, 9)
    former = own % 8 + 1
    topics.add_claims(RUN_ID, 12.0)
    _add_running(topics, (0, 1), own)
    _add_running(topics, (2, 3), former)

    assert read_record(SETTINGS, RUN_ID).first == simulation()
    assert topics.read == {0, own, former}


def test_running_run_has_a_record(topics: _Topics) -> None:
    """A run that still sends has its start and no end."""
    topics.add_claims(RUN_ID, 12.0)
    _add_running(topics, (0, 1, 2, 3))

    record = read_record(SETTINGS, None)

    assert (record.run_id, record.first) == (RUN_ID, simulation())
    assert record.start_seconds == START_SECONDS
    assert record.began_at == "1970-01-01T00:00:12.000Z"
    assert (record.ended_at, record.ends_at) == (None, {})


def test_ended_run_has_its_ends(topics: _Topics) -> None:
    """A run whose shards are over has the last event of each, and when it ended."""
    topics.add_claims(RUN_ID, 12.0)
    _add_ended(topics, (0, 1))
    _add_ended(topics, (2, 3))

    record = read_record(SETTINGS, RUN_ID)

    assert record.ends_at == dict.fromkeys(range(4), 7)
    assert record.ended_at == "1970-01-01T00:01:00.500Z"


def test_half_ended_run_still_runs(topics: _Topics) -> None:
    """A run is over once all of its shards are."""
    topics.add_claims(RUN_ID, 12.0)
    _add_ended(topics, (0, 1))
    _add_running(topics, (2, 3))
    record = read_record(SETTINGS, None)
    assert (record.ended_at, record.ends_at) == (None, {})


def test_times_are_needed(topics: _Topics) -> None:
    """A cluster that keeps no times cannot say when a run began."""
    topics.add_claims(RUN_ID, math.inf)
    with pytest.raises(RecordUnusable, match="records without a time"):
        read_record(SETTINGS, None)


def test_chosen_run_is_read(topics: _Topics) -> None:
    """Of several runs, the id chooses one; without it, the error lists them."""
    topics.add_claims(_OTHER, 1.0)
    topics.add((b"no-run/0/1/alive", b"{}"))
    topics.add_claims(RUN_ID, 12.0)
    _add_running(topics, (0, 1, 2, 3))

    assert read_record(SETTINGS, RUN_ID).began_at == "1970-01-01T00:00:12.000Z"
    with pytest.raises(RecordUnusable, match=f"2 runs: {_OTHER}, {RUN_ID}; name one"):
        read_record(SETTINGS, None)
    with pytest.raises(RecordUnusable, match="no snapshot; try again"):
        read_record(SETTINGS, _OTHER)


def test_absent_run_is_named(topics: _Topics) -> None:
    """A topic without runs, and a run that it lacks, are errors."""
    with pytest.raises(RecordUnusable, match=r"no run; check the servers"):
        read_record(SETTINGS, None)
    topics.add_claims(RUN_ID, 1.0)
    with pytest.raises(RecordUnusable, match=f"no run {_OTHER}; check --run-id"):
        read_record(SETTINGS, _OTHER)


def test_ledger_is_that_of_the_run(topics: _Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries come in their order and in portions, without other runs' and what is no entry."""
    monkeypatch.setattr(recorded_run, "_ENTRIES_AT_ONCE", 2)
    record, _ = run_record()
    rows = [{"run_id": str(record.run_id), "minute": minute} for minute in range(5)]
    values = [json.dumps(row).encode() for row in rows]
    strange = [None, b"\xff", b"[1]", b'{"run_id": "another"}']
    topics.records[LEDGER.name] = [
        Record(LEASE_PARTITION, b"", value) for value in [*values[:3], *strange, *values[3:]]
    ]

    found = [*read_ledger(SETTINGS, record)]

    assert [len(part) for part in found] == [2, 2, 1]
    assert [row for part in found for row in part] == rows
