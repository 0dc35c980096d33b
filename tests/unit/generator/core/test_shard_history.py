"""The histories of shards, and the run record that follows from them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.ledger import MOST_REVISIONS
from clickstream_generator.core import shard_history
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.shard_history import (
    ShardHistory,
    merged_record,
    pack_histories,
    unpack_histories,
)
from clickstream_generator.errors import RecordUnusable
from clickstream_generator.shell.shard_log import PART_BYTES
from simulations import RUN_ID, START_SECONDS, carried, simulation

if TYPE_CHECKING:
    from clickstream_generator.core.run_record import RunRecord

NUMBERS = (0, 1, 2, 3)
RATE = "{eventsPerSecond: 400}"
_BEGAN = "2026-11-29T00:00:00.000Z"


def _revision(after_seconds: float, rate: str = "{eventsPerSecond: 600}") -> Revision:
    moment = START_SECONDS + after_seconds
    return Revision(moment, moment, simulation(rate))


def _merged(histories: dict[int, ShardHistory], ended_at: str | None = None) -> RunRecord:
    return merged_record(RUN_ID, histories, "1.2.3", _BEGAN, ended_at)


@pytest.fixture(scope="module")
def histories() -> dict[int, ShardHistory]:
    """The histories of four shards after an applied revision and a coming one."""
    source, shards = carried(RATE)
    source.revise(_revision(3))
    for _ in range(2):
        source.take_due(START_SECONDS + 4, 10**9)
    source.revise(_revision(30))
    return {
        number: ShardHistory.of_ended(row, 100 + number) for number, row in sorted(shards.items())
    }


def test_ended_shard_has_applied_revisions(histories: dict[int, ShardHistory]) -> None:
    """Of a shard that is over, a revision that was still to come has changed nothing."""
    assert all(row.revisions == (_revision(3).to_json(),) for row in histories.values())
    assert histories[2].first == simulation(RATE)
    assert histories[2].start_seconds == START_SECONDS
    assert histories[2].ends_at == 102


def test_snapshot_and_position_complete_history() -> None:
    """The snapshot has applied and coming revisions; the position adds those it lacks, once."""
    source, shards = carried(RATE)
    source.revise(_revision(3))
    for _ in range(2):
        source.take_due(START_SECONDS + 4, 10**9)
    source.revise(_revision(30))
    snapshot = shards[1].snapshot()
    announced = (_revision(3), _revision(30), _revision(40, RATE))

    found = ShardHistory.of_snapshot(snapshot, announced, 7)

    assert found.revisions == tuple(row.to_json() for row in announced)
    assert (found.first, found.start_seconds) == (simulation(RATE), START_SECONDS)
    assert found.fingerprint == source.fingerprint
    assert found.ends_at == 7


def test_packed_histories_are_equal(histories: dict[int, ShardHistory]) -> None:
    """Histories are read back as they were written, also if one shard differs."""
    different = histories | {2: replace(histories[2], revisions=(), ends_at=None)}
    assert unpack_histories(pack_histories(different)) == different


def test_many_revisions_are_small(histories: dict[int, ShardHistory]) -> None:
    """A thousand revisions fit into a small part of a record, shed or edited."""
    some = _revision(5).to_json()
    shed = tuple(some | {"from_seconds": START_SECONDS + n} for n in range(1_000))
    content = pack_histories({n: replace(row, revisions=shed) for n, row in histories.items()})
    assert len(content) < 20_000
    assert unpack_histories(content)[3].revisions == shed

    edited = tuple(row | {"document": f"{row['document']}# {n}"} for n, row in enumerate(shed))
    content = pack_histories({n: replace(row, revisions=edited) for n, row in histories.items()})
    assert len(content) < PART_BYTES / 4


def test_too_many_revisions_are_named(
    histories: dict[int, ShardHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with more revisions than a shard keeps has no record."""
    many = (_revision(5).to_json(),) * (MOST_REVISIONS + 1)
    with pytest.raises(RecordUnusable, match="more than 1,000 revisions"):
        _merged({number: replace(row, revisions=many) for number, row in histories.items()})
    monkeypatch.setattr(shard_history, "MOST_REVISIONS", 9)  # each takes milliseconds to read
    few = {number: replace(row, revisions=many[:9]) for number, row in histories.items()}
    assert len(_merged(few).revisions) == 9


def test_record_has_all_shards(histories: dict[int, ShardHistory]) -> None:
    """The record has the run's start, revisions and each shard's last event."""
    record = _merged(histories, "2026-11-29T01:00:00.000Z")

    assert record.run_id == RUN_ID
    assert (record.first, record.start_seconds) == (simulation(RATE), START_SECONDS)
    assert record.revisions == (_revision(3),)
    assert record.ends_at == {number: 100 + number for number in NUMBERS}
    assert (record.version, record.began_at) == ("1.2.3", _BEGAN)
    assert record.ended_at == "2026-11-29T01:00:00.000Z"


def test_shard_behind_lacks_revisions(histories: dict[int, ShardHistory]) -> None:
    """A shard that is over or behind may lack the last revisions; without its end, none has one."""
    behind = replace(histories[0], revisions=(), ends_at=None)
    record = _merged(histories | {0: behind})
    assert record.revisions == (_revision(3),)
    assert record.ends_at == {}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"revisions": (_revision(2).to_json(),)}, "other revisions in shard 1"),
        ({"start_seconds": START_SECONDS + 1}, "another simulation, start or library in shard 1"),
        ({"first": simulation("{eventsPerSecond: 401}")}, "another simulation, start or library"),
    ],
)
def test_differing_shard_is_refused(
    histories: dict[int, ShardHistory], changes: dict[str, object], part: str
) -> None:
    """A record has one list of revisions and one start, so a shard with others is an error."""
    different = histories | {1: replace(histories[1], **changes)}  # type: ignore[arg-type]
    with pytest.raises(RecordUnusable, match=part):
        _merged(different)


def test_missing_shards_are_named(histories: dict[int, ShardHistory]) -> None:
    """A run without a shard's history has no record yet."""
    some = {number: row for number, row in histories.items() if number not in {1, 3}}
    with pytest.raises(RecordUnusable, match="no snapshot of shard 1"):
        _merged(some)
    with pytest.raises(RecordUnusable, match=f"run {RUN_ID} has no snapshot; try again"):
        _merged({})
