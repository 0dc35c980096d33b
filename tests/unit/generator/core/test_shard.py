"""The shard: its events, their order and times, and its end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.shard import Shard, due_count
from hypothesis import given
from hypothesis import strategies as st
from run_records import shared_worlds
from simulations import START_SECONDS, simulation, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


def _shard(rate: str = "{eventsPerSecond: 40}", more: str = "", number: int = 1) -> Shard:
    return simulator(rate, more, users=400, numbers=(number,)).shards[number]


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        (0.0, [0, 0, 0, 0]),
        (0.49, [0, 0, 0, 0]),
        (0.5, [1, 0, 0, 0]),
        (1.5, [1, 1, 0, 0]),
        (3.5, [1, 1, 1, 1]),
        (4.49, [1, 1, 1, 1]),
        (4.5, [2, 1, 1, 1]),
    ],
)
def test_events_are_dealt_in_turn(events: float, counts: list[int]) -> None:
    """Of all events due each shard gets every fourth, at the middle of its time."""
    assert [due_count(events, number, 4) for number in range(4)] == counts


@given(st.floats(0, 1e9), st.integers(1, 1_024))
def test_no_event_is_dealt_twice(events: float, shards: int) -> None:
    """The shards' parts add up to all events due."""
    total = sum(due_count(events, number, shards) for number in range(shards))

    assert total == math.floor(events + 0.5)


def test_events_have_numbers_and_moments() -> None:
    """The n-th event of a shard has number n and the moment of its place among all."""
    shard = _shard()

    rows = np.concatenate([shard.take(3).rows, shard.take(2).rows])

    assert rows["shard"].tolist() == [1] * 5
    assert rows["shard_seq"].tolist() == [1, 2, 3, 4, 5]
    # Events 1, 5, 9, 13 and 17 of 40 a second, each at its middle.
    wanted = [1000 * START_SECONDS + 1000 * (at + 0.5) / 40 for at in (1, 5, 9, 13, 17)]
    assert rows["event_time_ms"].tolist() == [math.floor(moment) for moment in wanted]
    assert shard.made == 5


def test_index_is_place_among_all() -> None:
    """A shard's n-th event is at (n - 1) times the shards plus its number."""
    assert _shard().index_of(np.array([1, 2, 10])).tolist() == [1.5, 5.5, 37.5]


def test_due_events_are_counted() -> None:
    """Events due by a moment and not taken are due; before the start none is due."""
    shard = _shard()

    assert shard.due(START_SECONDS) == 0
    assert shard.due(START_SECONDS + 1.5 / 40 - 0.001) == 0
    assert shard.due(START_SECONDS + 1.5 / 40 + 0.001) == 1
    assert shard.due(START_SECONDS + 10) == 100
    shard.take(30)
    assert shard.due(START_SECONDS + 10) == 70
    assert shard.due(START_SECONDS) == 0


def test_chunks_make_no_difference() -> None:
    """Events are the same whether taken one by one or all at once."""
    whole, pieces = _shard().take(3_000).rows, _shard()

    parts = [pieces.take(count).rows for count in (1, 1, 998, 2_000)]

    joined = np.concatenate(parts)
    for name in joined.dtype.names or ():
        if name != "order_row":
            assert np.array_equal(joined[name], whole[name]), name


def test_orders_come_with_their_events() -> None:
    """Each part has the lines of its orders, numbered from 0."""
    shard = _shard("{eventsPerSecond: 400}")
    seen = 0
    for _ in range(40):
        part = shard.take(500)
        bought = part.rows["order_row"][part.rows["order_row"] >= 0]
        assert bought.tolist() == list(range(len(part.line_products)))
        assert (part.line_products[:, 0] >= 0).all()
        assert (part.line_quantities.sum(axis=1) > 0).all()
        quantity = part.rows["cart_quantity"][part.rows["order_row"] >= 0]
        assert quantity.tolist() == part.line_quantities.sum(axis=1).tolist()
        seen += len(bought)
    assert seen > 50


def test_ready_events_are_a_copy() -> None:
    """Reading the events that are made and not taken does not change the shard."""
    shard, same = _shard("{eventsPerSecond: 400}"), _shard("{eventsPerSecond: 400}")
    shard.take(1)
    same.take(1)

    ready = shard.ready()
    ready.rows["user"] = -1

    assert len(ready) > 0
    assert np.array_equal(shard.take(len(ready)).rows, same.take(len(ready)).rows)
    assert len(shard.ready()) == 0


@pytest.mark.parametrize(
    ("stop", "last"),
    [
        ("{events: 10}", [3, 3, 2, 2]),
        ("{events: 2}", [1, 1, 0, 0]),
        ("{duration: 1s}", [10, 10, 10, 10]),
    ],
)
def test_end_is_dealt_to_shards(stop: str, last: list[int]) -> None:
    """The end of a run, by events or by time, is dealt to the shards in turn."""
    source = simulator("{eventsPerSecond: 40}", f"  stopAfter: {stop}\n", users=400)

    assert [shard.last_seq for shard in source.shards.values()] == last


def test_ended_shard_has_nothing_due() -> None:
    """After its last event a shard is over and has nothing due."""
    shard = _shard(more="  stopAfter: {events: 10}\n")

    assert shard.due(START_SECONDS + 1_000) == 3
    assert not shard.is_over()
    shard.take(3)
    assert shard.is_over()
    assert shard.due(START_SECONDS + 1_000) == 0
    assert not _shard().is_over()


def test_duration_counts_live_time() -> None:
    """A duration is of live time: history does not use it up."""
    shard = _shard("{eventsPerMinute: 60}", "  backfill: {days: 1}\n  stopAfter: {duration: 8s}\n")

    assert shard.last_seq == (86_400 + 8) / 4


def _revise(shard: Shard, until: float, start: float, rate: str, more: str = "") -> None:
    wanted = simulation(rate, more, 400)
    revision = Revision(START_SECONDS + until, START_SECONDS + start, wanted)
    source = simulator(rate, more, users=400, numbers=(shard.number,))
    shard.pending.append((revision, source.shards[shard.number].behaviour))


def test_revision_waits_for_its_events() -> None:
    """A revision applies when it is due and every event before it is taken."""
    shard = _shard()
    _revise(shard, 10, 10, "{eventsPerSecond: 80}")

    assert shard.due(START_SECONDS + 20) == 100
    shard.apply_due_revisions(START_SECONDS + 20)
    assert len(shard.pending) == 1
    shard.take(100)
    shard.apply_due_revisions(START_SECONDS + 9.999)
    assert len(shard.pending) == 1
    shard.apply_due_revisions(START_SECONDS + 10)
    assert shard.pending == []
    assert shard.due(START_SECONDS + 20) == 200
    assert shard.schedule.rate_after(0) == 80


def test_revisions_are_taken_in_order() -> None:
    """Several revisions apply one after the other, each with its gap."""
    shard = _shard()
    _revise(shard, 1, 2, "{eventsPerSecond: 80}")
    _revise(shard, 3, 3, "{eventsPerSecond: 8}", "  stopAfter: {events: 124}\n")
    found = []
    for _ in range(4):
        shard.apply_due_revisions(START_SECONDS + 100)
        count = shard.due(START_SECONDS + 100)
        found.append(count)
        shard.take(count)

    assert found == [10, 20, 1, 0]
    assert shard.last_seq == 31
    assert shard.is_over()


def test_sessions_keep_to_real_time() -> None:
    """The sessions' own time stays near the time that the events are due at."""
    shard = _shard("{eventsPerSecond: 400}")

    shard.take(60_000)

    assert shard.own_seconds == pytest.approx(600, rel=0.1)


def test_few_users_fill_every_group() -> None:
    """In a shard with fewer users than groups, only those that exist come."""
    source = simulator("{eventsPerSecond: 40}", users=4)
    for shard in source.shards.values():
        rows = shard.take(200).rows
        assert set(rows["user"].tolist()) == {0}
        assert set(rows["persona"].tolist()) == set(shard.population.persona.tolist())


def test_decided_end_outlasts_revisions() -> None:
    """No revision makes a shard longer than its holder decided."""
    source = simulator("{eventsPerSecond: 400}", users=64)
    moment = START_SECONDS + 2
    source.revise(Revision(moment, moment, simulation("{eventsPerSecond: 800}", users=64)))
    source.take_due(START_SECONDS + 1, 10**9)
    for shard in source.shards.values():
        shard.end_at(300)

    while len(source.take_due(START_SECONDS + 60, 10**9)):
        pass

    assert {shard.made for shard in source.shards.values()} == {300}
    assert source.is_over()


def test_sessions_begin_within_their_round() -> None:
    """The events of a round are in its simulated time, in order."""
    shard = _shard("{eventsPerSecond: 400}")
    shard.take(1)

    seconds = shard.ready().rows["time_seconds"]
    assert (np.diff(seconds) >= 0).all()
    assert seconds[0] >= 0
    assert seconds[-1] <= shard.own_seconds


def test_history_has_long_rounds() -> None:
    """A round of history lasts a minute, one of live time at most two seconds."""
    history, live = (
        _shard("{eventsPerMinute: 60}", more) for more in ("  backfill: {days: 1}\n", "")
    )
    history.take(1)
    live.take(1)

    assert history.own_seconds % 60 == 0
    assert live.own_seconds % 60 > 0
    assert live.own_seconds % 2 == 0


def test_few_users_share_the_sessions() -> None:
    """Sessions of groups without a user go to all users of the shard alike."""
    (shard,) = simulator("{eventsPerSecond: 40}", users=16, numbers=(0,)).shards.values()

    rows = shard.take(2_000).rows
    sessions = np.bincount(rows["user"][rows["session_seq"] == 1])
    assert len(sessions) == 4
    assert sessions.min() > sessions.sum() / 10
