"""A shard that goes on elsewhere, and a simulation that changes while it runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.personas import PERSONAS
from clickstream_generator.core.accounts import Account, Tally, tally_events
from clickstream_generator.core.behaviour import Revision, check_change
from clickstream_generator.core.faults import FaultPlanter, Planted, held_arrays, held_from
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.snapshot import capture_shard, dump_snapshot, load_snapshot
from clickstream_generator.core.waiting import LateRecords
from clickstream_generator.errors import SnapshotUnusable
from clickstream_generator.shell.shard_keeper import ShardKeeper
from clickstream_generator.shell.shard_log import Position, snapshot_records
from hypothesis import given, settings
from hypothesis import strategies as st
from simulations import RUN_ID, START_SECONDS, events, simulation, simulator

if TYPE_CHECKING:
    from clickstream_generator.core.events import Events

NUMBERS = (0, 1, 2, 3)


def _lines(source: Simulator, until: float, bite: int) -> list[bytes]:
    """Return everything due by then, taken in bites."""
    found: list[bytes] = []
    while len(part := source.take_due(START_SECONDS + until, bite)):
        found += source.encoder.encode(part, 0).values
    return found


def _moved(source: Simulator, *carried: tuple[int, ...]) -> list[Simulator]:
    """Hand the shards over to other workers, by nothing but bytes."""
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
    wanted = simulation("{eventsPerSecond: 3000}", mix="Browser: 100, Loyal: 300, Bot: 50")
    return Revision(moment, moment, wanted)


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.floats(0.1, 14.9), min_size=1, max_size=4),
    bite=st.integers(300, 20_000),
)
def test_a_run_that_moved_equals_one_that_did_not(cuts: list[float], bite: int) -> None:
    """Wherever shards are taken over, in the middle of a change too, the bytes are the same."""
    whole = simulator()
    whole.revise(_busier())
    expected = sorted(_lines(whole, 15, 10**9))

    first = simulator()
    first.revise(_busier())
    workers, found = [first], []
    for place, cut in enumerate(sorted(cuts)):
        for worker in workers:
            found += _lines(worker, cut, bite)
        carried = ((0, 2), (1, 3)) if place % 2 == 0 else ((0, 1, 2, 3),)
        if len(workers) == 1:
            workers = _moved(workers[0], *carried)
    for worker in workers:
        found += _lines(worker, 15, bite)

    assert sorted(found) == expected


def test_a_small_shard_goes_on_as_if_it_had_not_moved() -> None:
    """Also where a persona of the mix has nobody in it: nobody joins on the way."""

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


def test_a_change_by_which_visits_could_go_on_for_ever_is_refused() -> None:
    """By the numbers of a cart, which the way to the exit in the table does not tell."""
    steps = dict.fromkeys(PERSONAS["Browser"].transitions["page_view"], 0)
    steps |= {"page_view": 1, "view_cart": 1}
    table = ", ".join(f"{name}: {weight}" for name, weight in steps.items())
    own = f"{{name: Odd, basedOn: Browser, transitions: {{page_view: {{{table}}}}}}}"

    with pytest.raises(SimulationInvalid, match="a way to the exit"):
        simulator().check(simulation(more=f"  personas: [{own}]\n"))


def test_a_shop_that_closes_for_good_costs_nothing_to_ask() -> None:
    """Steps that end with none: looking far ahead for the next event is done once."""
    steps = "[{for: 5s, multiplierPermille: 1000}, {for: 5s, multiplierPermille: 0}]"
    source = simulator(f"{{eventsPerSecond: 10, curve: Steps, steps: {steps}}}")
    assert len(source.take_due(START_SECONDS + 60, 10**9)) == 50
    sizes = set()
    for second in range(60, 70):
        source.lag_seconds(START_SECONDS + second)
        sizes.add(sum(len(shard.schedule._edges) for shard in source.shards.values()))

    assert len(sizes) == 1


class _SilentBroker:
    """A sink that nobody acknowledges."""

    def __init__(self) -> None:
        self.published = 0

    def publish(self, _topic: str, _rows: list[object], _batch: object) -> None:
        """Count it."""
        self.published += 1


def test_snapshots_do_not_heap_up_while_the_broker_is_away() -> None:
    """Each shard has one under way at most."""
    source, broker = simulator(), _SilentBroker()
    accounts = {number: Account(number, 4) for number in NUMBERS}
    planter, late = FaultPlanter(42, NUMBERS), LateRecords(NUMBERS)
    keeper = ShardKeeper(RUN_ID, source, accounts, planter, late, broker, 1.0)
    for second in range(60):
        keeper.keep_in_turn(START_SECONDS + second)
    keeper.leave()

    assert broker.published == len(NUMBERS) + 1  # and the last position


def test_what_was_acknowledged_is_worked_out_again_and_not_sent() -> None:
    """After a replay up to a number, the next event is the one after it."""
    source = simulator()
    source.revise(_busier())
    source.take_due(START_SECONDS + 2, 10**9)
    (again,) = _moved(source, NUMBERS)
    expected = _lines(source, 12, 10**9)
    for number in NUMBERS:
        while len(again.replay(number, 4_000)):
            pass
        assert again.shards[number].made == 4_000

    found = _lines(again, 12, 10**9)

    assert set(found) <= set(expected)
    assert len(expected) - len(found) == sum(4_000 - 1_000 for _ in NUMBERS)


def test_replayed_events_have_the_same_figures() -> None:
    """What was acknowledged and is worked out again counts as it did, content and all."""
    source = simulator()
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


def test_the_content_does_not_depend_on_when_the_run_begins() -> None:
    """But for times, two runs of one specification say the same, whenever they begin."""

    def lines(start: float) -> list[bytes]:
        source = Simulator(simulation(), NUMBERS, RUN_ID)
        source.begin(start)
        found = []
        for at in range(1, 21):
            part = source.take_due(start + at, 10**9)
            found += source.encoder.encode(part, 0).values
        return [re.sub(rb'"event_time":"[^"]*"', b"", line) for line in sorted(found)]

    assert lines(START_SECONDS) == lines(START_SECONDS + 12_345.678901)


def test_a_change_takes_effect_at_its_moment_and_leaves_no_gap() -> None:
    """Rate and mix change at one moment on all shards; a new persona brings its users."""
    source = simulator()
    source.revise(_busier())
    rows = events(source, 60)

    early = rows["event_time_ms"] / 1000 < START_SECONDS + 7.3
    assert np.count_nonzero(early) == 2000 * 7.3
    assert np.count_nonzero(~early) == pytest.approx(3000 * 52.7, abs=1)
    for number in NUMBERS:
        own = rows["shard_seq"][rows["shard"] == number]
        assert np.array_equal(own, np.arange(1, len(own) + 1))
    names = [persona.name for persona in source.shards[0].behaviour.world.personas]
    starts = rows[(rows["session_seq"] == 1) & (rows["event_time_ms"] / 1000 > START_SECONDS + 12)]
    share = np.bincount(starts["persona"], minlength=len(names)) / len(starts)
    assert share[names.index("Loyal")] == pytest.approx(300 / 450, abs=0.03)
    assert share[names.index("Buyer")] == 0


def test_what_is_shed_is_counted_and_leaves_no_gap() -> None:
    """After a stall the run goes on in the present; what is left out has no numbers."""
    source = simulator()
    before = source.take_due(START_SECONDS + 5, 10**9).rows
    source.revise(source.shedding(START_SECONDS + 15))
    after = np.concatenate([source.take_due(START_SECONDS + 20, 10**9).rows for _ in range(2)])

    rows = np.concatenate([before, after])
    assert source.shed_events == pytest.approx(20_000, abs=2)
    assert len(rows) == pytest.approx(20_000, abs=4)
    for number in NUMBERS:
        own = rows["shard_seq"][rows["shard"] == number]
        assert np.array_equal(own, np.arange(1, len(own) + 1))
    # What was due at the very moment of the cut may still have gone out.
    assert np.count_nonzero(after["event_time_ms"] < 1000 * (START_SECONDS + 15)) <= len(NUMBERS)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"users": 60_000}, "spec.users"),
        ({"more": "  devices: {mobile: 1, desktop: 1, tablet: 1}\n"}, "spec.devices"),
        ({"more": "  backfill: {days: 1}\n"}, "spec.backfill"),
        ({"more": "  personas: [{name: Own, basedOn: Bot}]\n"}, "spec.personas"),
    ],
)
def test_what_holds_for_the_whole_run_cannot_change(change: dict[str, object], path: str) -> None:
    """Who the users are is decided when the run begins."""
    with pytest.raises(SimulationInvalid) as refused:
        check_change(simulation(), simulation(**change))  # type: ignore[arg-type]

    assert refused.value.path == path


def _planted(faults: str, seconds: float) -> tuple[Events, Planted]:
    """Return the events of a short time, and what goes out with faults planted."""
    source = simulator(more=f"  faults: {{{faults}}}\n")
    part = source.take_due(START_SECONDS + seconds, 10**9)
    wanted = dict.fromkeys(NUMBERS, source.first.spec.faults)
    encoded = source.encoder.encode(part, 0)
    return part, FaultPlanter(42, list(NUMBERS)).plant(part.rows, encoded, wanted)


def test_no_change_overtakes_one_that_was_announced() -> None:
    """A change that comes while another is still ahead waits for its turn."""
    source = simulator()
    assert source.free_from_seconds() == 0
    source.revise(_busier())
    assert source.free_from_seconds() == _busier().from_seconds
    source.take_due(START_SECONDS + 8, 10**9)
    source.take_due(START_SECONDS + 8, 10**9)
    assert source.free_from_seconds() == 0


def test_accounts_and_held_events_survive() -> None:
    """What belongs to the worker is kept with the shard, to the last figure."""
    part, planted = _planted("latePermille: 100, maxLatenessSeconds: 60", 1)
    held = [late for late in planted.late if late.shard == 1]
    account = Account(1, 4, records_sent=9, records_acknowledged=8, shard_seq=7)
    checksums = np.arange(len(part)) + 2**32
    for (shard, minute), figures in tally_events(part.rows, checksums).items():
        if shard == 1:
            account.add(minute, figures)

    arrays = account.to_arrays() | held_arrays(held)
    again = Account.from_arrays(1, 4, arrays)

    (record,) = again.records("n", RUN_ID, 0, 0)
    assert record["events"] == 500
    assert record["content_checksum"] == checksums[part.rows["shard"] == 1].sum()
    assert (again.shard_seq, again.records_acknowledged) == (7, 8)
    assert len(held) > 20
    for before, after in zip(held, held_from(1, arrays), strict=True):
        assert (after.record, after.due_seconds, after.shard_seq) == (
            before.record,
            before.due_seconds,
            before.shard_seq,
        )
        assert {key: row.tolist() for key, row in after.tally.items()} == {
            key: row.tolist() for key, row in before.tally.items()
        }


def test_a_bite_of_which_nothing_is_sent_counts_nothing() -> None:
    """When each event of a bite is lost or late, there is no figure and no error."""
    part, planted = _planted("lossPermille: 1000", 0.01)

    assert planted.records == []
    assert sum(figures.sum() for figures in planted.tally.values()) == len(part)


def test_a_snapshot_of_another_format_is_refused() -> None:
    """Bytes that are no snapshot are named, never guessed at."""
    snapshot = capture_shard(simulator().shards[0], simulation())
    snapshot.header["format"] = 99
    with pytest.raises(SnapshotUnusable, match="format is 99"):
        load_snapshot(dump_snapshot(snapshot))
    with pytest.raises(SnapshotUnusable, match="cannot be read"):
        load_snapshot(b"something else")


def test_a_position_says_what_was_announced() -> None:
    """A position is read back as it was written, revisions with their specification."""
    written = Position(17, revisions=(_busier(),))
    key, value = written.to_row(RUN_ID, 3)

    assert key == f"{RUN_ID}/3/position".encode()
    assert value is not None
    assert Position.from_value(value) == written
    assert json.loads(value)["shard_seq"] == 17


def test_snapshots_are_cut_into_parts_in_two_slots() -> None:
    """Two generations never share a key, so one is whole while the other is written."""
    content = bytes(2_500_000)
    keys = [
        {key for key, _ in snapshot_records(RUN_ID, 0, generation, content)}
        for generation in (1, 2, 3)
    ]

    assert len(keys[0]) == 3
    assert not keys[0] & keys[1]
    assert keys[0] == keys[2]
