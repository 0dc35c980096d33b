"""Snapshots: a shard that another process restores makes the same events."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.shard_ledger import Tally, tally_events
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.snapshot import (
    Snapshot,
    capture_shard,
    dump_snapshot,
    load_snapshot,
)
from clickstream_generator.errors import SnapshotUnusable
from hypothesis import given, settings
from hypothesis import strategies as st
from simulations import RUN_ID, START_SECONDS, simulation, simulator

NUMBERS = (0, 1, 2, 3)
RATE = "{eventsPerSecond: 400}"


def _lines(source: Simulator, until: float, chunk: int) -> list[bytes]:
    """Return everything due by then, taken in chunks."""
    found: list[bytes] = []
    while len(part := source.take_due(START_SECONDS + until, chunk)):
        found += source.encoder.encode(part, 0).values
    return found


def _moved(source: Simulator, *carried: tuple[int, ...]) -> list[Simulator]:
    """Move the shards to other workers, as bytes."""
    kept = {
        number: load_snapshot(dump_snapshot(capture_shard(shard, source.first)))
        for number, shard in source.shards.items()
    }
    workers = []
    for numbers in carried:
        worker = Simulator(source.first, numbers, RUN_ID)
        worker.begin(START_SECONDS + 999, {number: kept[number] for number in numbers})
        workers.append(worker)
    return workers


def _busier() -> Revision:
    moment = START_SECONDS + 7.3
    wanted = simulation("{eventsPerSecond: 600}", mix="Browser: 100, Loyal: 300, Bot: 50")
    return Revision(moment, moment, wanted)


@settings(max_examples=5, deadline=None)
@given(
    cuts=st.lists(st.floats(0.1, 14.9), min_size=1, max_size=3),
    chunk=st.integers(200, 4_000),
)
def test_moved_run_makes_same_bytes(cuts: list[float], chunk: int) -> None:
    """A takeover at any moment, also during a change, gives the same bytes."""
    whole = simulator(RATE)
    whole.revise(_busier())
    expected = sorted(_lines(whole, 15, 10**9))

    first = simulator(RATE)
    first.revise(_busier())
    workers, found = [first], []
    for place, cut in enumerate(sorted(cuts)):
        for worker in workers:
            found += _lines(worker, cut, chunk)
        carried = ((0, 2), (1, 3)) if place % 2 == 0 else ((0, 1, 2, 3),)
        if len(workers) == 1:
            workers = _moved(workers[0], *carried)
    for worker in workers:
        found += _lines(worker, 15, chunk)

    assert sorted(found) == expected


def test_small_shard_moves_unchanged() -> None:
    """Also where a persona of the mix has no users: none joins on the way."""

    def begun() -> Simulator:
        mix = "Browser: 900, Researcher: 40, Loyal: 30, Bot: 30"
        built = Simulator(simulation("{eventsPerSecond: 200}", users=64, mix=mix), NUMBERS, RUN_ID)
        built.begin(START_SECONDS)
        return built

    expected = _lines(begun(), 20, 10**9)
    first = begun()
    found = _lines(first, 7, 10**9)
    (second,) = _moved(first, NUMBERS)
    found += _lines(second, 20, 10**9)

    assert sorted(found) == sorted(expected)


def test_replay_precedes_next_event() -> None:
    """After a replay up to a number, the next event is the one after it."""
    source = simulator(RATE)
    source.revise(_busier())
    source.take_due(START_SECONDS + 2, 10**9)
    (again,) = _moved(source, NUMBERS)
    expected = _lines(source, 12, 10**9)
    for number in NUMBERS:
        while len(again.replay(number, 800)):
            pass
        assert again.shards[number].made == 800

    found = _lines(again, 12, 10**9)

    assert set(found) <= set(expected)
    assert len(expected) - len(found) == sum(800 - 200 for _ in NUMBERS)


def test_replayed_events_count_the_same() -> None:
    """What was acknowledged and is worked out again counts as it did, content and all."""
    source = simulator(RATE)
    source.take_due(START_SECONDS + 2, 10**9)
    (again,) = _moved(source, NUMBERS)
    sent = source.take_due(START_SECONDS + 90, 10**9)
    encoded = source.encoder.encode(sent, 1_764_000_090_000)
    wanted = tally_events(sent.rows, encoded.checksums)

    replayed = [again.replay(number, source.shards[number].made) for number in NUMBERS]
    found: Tally = {}
    for part in replayed:
        found |= tally_events(part.rows, again.encoder.encode(part, 0).checksums)

    assert len(wanted) == 2 * len(NUMBERS)
    assert {key: row.tolist() for key, row in found.items()} == {
        key: row.tolist() for key, row in wanted.items()
    }


def _snapshot() -> Snapshot:
    source = simulator(RATE)
    source.revise(_busier())
    source.take_due(START_SECONDS + 2, 10**9)
    return capture_shard(source.shards[2], source.first)


def test_snapshot_survives_as_bytes() -> None:
    """A loaded snapshot equals the dumped one, to the last bit and type."""
    written = _snapshot()

    read = load_snapshot(dump_snapshot(written))

    assert read.header == json.loads(json.dumps(written.header))
    assert read.arrays.keys() >= written.arrays.keys()
    for name, array in written.arrays.items():
        assert read.arrays[name].dtype == array.dtype
        assert np.array_equal(read.arrays[name], array)


def test_snapshot_has_the_position() -> None:
    """A snapshot has its shard, the last event's number and the simulations."""
    snapshot = _snapshot()

    assert snapshot.header["number"] == 2
    assert snapshot.shard_seq == 200
    assert snapshot.first == simulation(RATE)
    assert snapshot.running == simulation(RATE)
    (row,) = snapshot.header["pending"]
    assert Revision.from_json(row) == _busier()


def test_snapshot_keeps_the_namespace() -> None:
    """Another process that takes a shard up sends events under the same full name."""
    wanted = simulation(users=400).model_copy(update={"namespace": "blue"})
    source = Simulator(wanted, NUMBERS, RUN_ID)
    source.begin(START_SECONDS)

    snapshot = load_snapshot(dump_snapshot(capture_shard(source.shards[1], source.first)))

    assert snapshot.first.full_name == snapshot.running.full_name == "blue/tested"


def test_running_simulation_follows_revision() -> None:
    """After a revision the running simulation is the new one; the first stays the first."""
    source = simulator(RATE)
    source.revise(_busier())
    for _ in range(2):
        source.take_due(START_SECONDS + 8, 10**9)

    snapshot = capture_shard(source.shards[0], source.first)

    assert snapshot.first == simulation(RATE)
    assert snapshot.running == _busier().simulation
    assert snapshot.header["pending"] == []
    assert [users for _, users in snapshot.header["joined"]] == [8_333]


def test_capture_copies_the_state() -> None:
    """A snapshot does not change when the shard continues."""
    source = simulator(RATE)
    source.take_due(START_SECONDS + 2, 10**9)
    snapshot = capture_shard(source.shards[0], source.first)
    before = {name: array.copy() for name, array in snapshot.arrays.items()}
    header = json.dumps(snapshot.header)

    source.take_due(START_SECONDS + 9, 10**9)

    assert all(np.array_equal(snapshot.arrays[name], array) for name, array in before.items())
    assert json.dumps(snapshot.header) == header


def test_free_slots_are_cleared() -> None:
    """What free slots held before is not kept: zeros take no room."""
    source = simulator(RATE)
    source.take_due(START_SECONDS + 30, 10**9)

    snapshot = capture_shard(source.shards[0], source.first)

    free = snapshot.arrays["sessions_free"]
    assert source.shards[0].sessions.user[free].any()
    for name in ("user", "lines", "line_products", "session_no", "code"):
        assert not snapshot.arrays[f"sessions_{name}"][free].any()
    assert np.isinf(snapshot.arrays["sessions_next_seconds"][free]).all()


def test_other_bytes_are_refused() -> None:
    """Bytes that are no snapshot, or a part of one, are refused with the reason."""
    for content in (b"something else", b"", dump_snapshot(_snapshot())[:-100]):
        with pytest.raises(SnapshotUnusable, match="its bytes cannot be read"):
            load_snapshot(content)


def test_other_format_is_refused() -> None:
    """A snapshot of another format is refused with both formats."""
    snapshot = _snapshot()
    snapshot.header["format"] = 99

    with pytest.raises(SnapshotUnusable, match="its format is 99, not 4"):
        load_snapshot(dump_snapshot(snapshot))


def test_missing_format_is_refused() -> None:
    """A header without a format is of no snapshot."""
    snapshot = _snapshot()
    del snapshot.header["format"]

    with pytest.raises(SnapshotUnusable, match="its format is None"):
        load_snapshot(dump_snapshot(snapshot))
