"""A carried shard: wherever it is resumed, it makes the same events and keeps its ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
from clickstream_contract.ledger import MOST_REVISIONS
from clickstream_generator.core import behaviour
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.making import Maker
from clickstream_generator.core.revision_rows import unpack_rows
from clickstream_generator.core.shard_ledger import Tally, tally_events
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.snapshot import dump_snapshot, load_snapshot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from run_records import shared_worlds
from simulations import RUN_ID, START_SECONDS, carried, simulation, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_generator.core.carried_shard import CarriedShard

NUMBERS = (0, 1, 2, 3)
RATE = "{eventsPerSecond: 400}"
VARIED = "  effects: {preset: Retail}\n  tastes: {}\n"


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


def _lines(source: Simulator, until: float, chunk: int) -> list[bytes]:
    """Return everything due by then, taken in chunks."""
    found: list[bytes] = []
    while len(part := source.take_due(START_SECONDS + until, chunk)):
        found += source.encoder.encode(part, 0).values
    return found


_Begun = tuple[Simulator, dict[int, "CarriedShard"]]


def _moved(begun: _Begun, numbers: tuple[int, ...] = NUMBERS) -> _Begun:
    """Move shards to another worker, as bytes."""
    source, shards = begun
    kept = {number: load_snapshot(dump_snapshot(shards[number].snapshot())) for number in numbers}
    worker = Simulator(source.first, numbers, RUN_ID)
    return worker, worker.begin(START_SECONDS + 999, kept)


def _busier() -> Revision:
    moment = START_SECONDS + 7.3
    wanted = simulation("{eventsPerSecond: 600}", mix="Browser: 100, Loyal: 300, Bot: 50")
    return Revision(moment, moment, wanted)


@settings(max_examples=4, deadline=None)
@example(cuts=[8.5], chunk=1_000)
@given(
    cuts=st.lists(st.floats(0.1, 9.9), min_size=1, max_size=3),
    chunk=st.integers(200, 4_000),
)
def test_moved_run_makes_same_bytes(cuts: list[float], chunk: int) -> None:
    """A takeover at any moment, also during a change of mix and effects, gives the same bytes."""
    whole = simulator(RATE, VARIED)
    whole.revise(_busier())
    expected = sorted(_lines(whole, 10, 10**9))

    first = carried(RATE, VARIED)
    first[0].revise(_busier())
    workers, found = [first], []
    for place, cut in enumerate(sorted(cuts)):
        for worker, _ in workers:
            found += _lines(worker, cut, chunk)
        shares = ((0, 2), (1, 3)) if place % 2 == 0 else (NUMBERS,)
        if len(workers) == 1:
            workers = [_moved(workers[0], numbers) for numbers in shares]
    for worker, _ in workers:
        found += _lines(worker, 10, chunk)

    assert sorted(found) == expected


def test_small_shard_moves_unchanged() -> None:
    """Also where a persona of the mix has no users: none joins on the way."""

    def begun() -> _Begun:
        mix = "Browser: 900, Researcher: 40, Loyal: 30, Bot: 30"
        built = Simulator(simulation("{eventsPerSecond: 200}", users=64, mix=mix), NUMBERS, RUN_ID)
        return built, built.begin(START_SECONDS)

    expected = _lines(begun()[0], 20, 10**9)
    first = begun()
    found = _lines(first[0], 7, 10**9)
    second, _ = _moved(first)
    found += _lines(second, 20, 10**9)

    assert sorted(found) == sorted(expected)


def test_replay_precedes_next_event() -> None:
    """After a replay up to a number, the next event is the one after it."""
    source, shards = carried(RATE)
    source.revise(_busier())
    source.take_due(START_SECONDS + 2, 10**9)
    again, _ = _moved((source, shards))
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
    source, shards = carried(RATE)
    source.take_due(START_SECONDS + 2, 10**9)
    again, _ = _moved((source, shards))
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


def test_running_simulation_follows_revision() -> None:
    """After a revision the running simulation is the new one; the first stays the first."""
    source, shards = carried(RATE)
    source.revise(_busier())
    for _ in range(2):
        source.take_due(START_SECONDS + 8, 10**9)

    snapshot = shards[0].snapshot()

    assert snapshot.first == simulation(RATE)
    assert snapshot.running == _busier().simulation
    assert snapshot.header["pending"] == []
    assert unpack_rows(snapshot.header["applied"]) == [_busier().to_json()]
    assert snapshot.header["start_seconds"] == START_SECONDS
    assert [users for _, users in snapshot.header["joined"]] == [8_333]


def test_snapshot_writes_no_applied_revision() -> None:
    """A moved shard has its applied revisions as text: a snapshot parses and writes none of them.

    Each one takes milliseconds, for which the worker would send no event.
    """
    source, shards = carried(RATE)
    source.revise(_busier())
    for _ in range(2):
        source.take_due(START_SECONDS + 8, 10**9)
    with mock.patch.object(behaviour, "parse_simulation", side_effect=AssertionError):
        _, moved = _moved((source, shards), (0,))
        with mock.patch.object(behaviour, "dump_simulation", side_effect=AssertionError):
            again = moved[0].snapshot()

    assert unpack_rows(again.header["applied"]) == [_busier().to_json()]


def test_applied_revisions_are_bounded() -> None:
    """A shard keeps a thousand applied revisions, and one that says that there were others."""
    source, shards = carried(RATE)
    shard = shards[0].shard
    shard.applied = [_busier().to_json()] * MOST_REVISIONS
    for seconds in (1, 2, 3):
        moment = START_SECONDS + seconds
        source.revise(Revision(moment, moment, _busier().simulation))
    while shard.pending:
        source.take_due(START_SECONDS + 4, 10**9)

    assert len(shard.applied) == MOST_REVISIONS + 1


def test_snapshot_copies_the_state() -> None:
    """A snapshot does not change when the shard continues."""
    source, shards = carried(RATE)
    source.take_due(START_SECONDS + 2, 10**9)
    snapshot = shards[0].snapshot()
    before = {name: array.copy() for name, array in snapshot.arrays.items()}
    header = json.dumps(snapshot.header)

    source.take_due(START_SECONDS + 9, 10**9)

    assert all(np.array_equal(snapshot.arrays[name], array) for name, array in before.items())
    assert json.dumps(snapshot.header) == header


def test_free_slots_are_cleared() -> None:
    """What free slots held before is not kept: zeros take no room."""
    source, shards = carried(RATE)
    source.take_due(START_SECONDS + 30, 10**9)

    snapshot = shards[0].snapshot()

    free = snapshot.arrays["sessions_free"]
    assert source.shards[0].sessions.user[free].any()
    for name in ("user", "lines", "line_products", "session_no", "code"):
        assert not snapshot.arrays[f"sessions_{name}"][free].any()
    assert np.isinf(snapshot.arrays["sessions_next_seconds"][free]).all()


_FAULTY = "  faults: {latePermille: 50, duplicatePermille: 50, maxLatenessSeconds: 1}\n"


def test_whole_state_survives() -> None:
    """Ledger, late records, fault stream and pending revisions move with the shard."""
    source, shards = carried(RATE, _FAULTY)
    maker = Maker(source, shards)
    maker.replay(shards[2], 500, 0)
    source.revise(_busier())
    shards[2].ledger.records_sent += 7

    _, moved = _moved((source, shards))

    old, new = shards[2], moved[2]
    assert len(new.late.tallies()) == len(old.late.tallies()) > 10
    assert new.ledger.shard_seq == 500
    assert new.ledger.minutes.keys() == old.ledger.minutes.keys() == new.ledger.changed
    assert new.ledger.records_sent == new.ledger.records_acknowledged > 450
    assert new.fault_rng.random() == old.fault_rng.random()
    assert [row for row, _ in new.shard.pending] == [_busier()]
    assert new.fault_source().faults == source.first.spec.faults
    assert shards[1].ledger.shard_seq == moved[1].ledger.shard_seq == 0


@pytest.mark.parametrize(("more", "has_own"), [("", False), ("latePermille: 1", True)])
def test_faults_of_overlays_are_drawn(more: str, *, has_own: bool) -> None:
    """A shard draws faults for its overlays, also in a simulation without other faults."""
    _, shards = carried(RATE, f"  effects: {{overlays: [{{name: a, faults: {{{more}}}}}]}}\n")

    assert shards[2].fault_source().has_own is has_own


def test_later_moments_do_not_mix() -> None:
    """Events and faults of a snapshot are from its capture, the acknowledged figures from later."""
    source, shards = carried(RATE, _FAULTY)
    maker = Maker(source, shards)
    maker.replay(shards[2], 500, 0)
    captured = shards[2].capture()
    rng = captured.header["fault_rng"]
    planted = maker.make(source.replay(2, 900), 0)
    assert any(late.shard_seq > 500 for late in planted.late)
    shards[2].ledger.records_acknowledged += 1

    snapshot = shards[2].snapshot(captured)

    assert snapshot.shard_seq == 500
    assert snapshot.header["fault_rng"] == rng != shards[2].snapshot().header["fault_rng"]
    assert snapshot.arrays["held_seq"].max() <= 500
    assert snapshot.arrays["ledger_counts"][2] == shards[2].ledger.records_acknowledged


def test_included_revisions_are_forgotten() -> None:
    """A revision that a stored snapshot has behind it is dropped; a later one stays."""
    _, shards = carried(RATE)
    moments = (START_SECONDS - 9, START_SECONDS, START_SECONDS + 9)
    rows = [Revision(moment, moment, simulation(RATE)) for moment in moments]
    shards[0].announced += rows

    assert shards[0].later(rows) == (rows[2],)
    shards[0].forget_announced(shards[0].snapshot().since_seconds)
    assert shards[0].announced == [rows[2]]
