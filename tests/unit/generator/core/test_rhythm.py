"""When users come: the week by country and hour, and the count of events due."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.personas import PERSONAS
from clickstream_contract.rate import Curve, Rate
from clickstream_generator.core.rhythm import Rhythm, Schedule, build_rhythm
from hypothesis import given
from hypothesis import strategies as st
from worlds import small_world

if TYPE_CHECKING:
    from clickstream_generator.core.world import World

MONDAY = 1_763_942_400.0
"""2025-11-24T00:00:00Z"""
START = MONDAY + 1_000
BINS = 2_016


def _build(world: World, curve: Curve, *events: float) -> Rhythm:
    """Return the rhythm for a mean number of events of each persona's sessions."""
    by_group = np.array(events)[world.group_persona][None, None]
    return build_rhythm(world, np.zeros(168, dtype=np.int64), by_group, curve)


def _world(*, hourly: tuple[int, ...], weekend_permille: int = 1_000) -> World:
    """Return a world in which only Browsers from Germany come, an hour before UTC."""
    persona = replace(PERSONAS["Browser"], hourly=hourly, weekend_permille=weekend_permille)
    return replace(
        small_world(),
        personas=(persona, PERSONAS["Bot"]),
        group_weight=np.array([1.0, 0.0, 0.0, 0.0]),
    )


def _flat(level: float = 1.0) -> Rhythm:
    return Rhythm(np.ones((BINS, 1)), np.full(BINS, level), np.ones((1, BINS)))


def _schedule(rhythm: Rhythm | None = None, origin: float = 0.0, **rate: object) -> Schedule:
    given_rate = Rate.model_validate({"eventsPerSecond": 10, **rate})
    return Schedule(given_rate, rhythm or _flat(), START, origin_after_seconds=origin)


@pytest.mark.parametrize(
    ("moment", "place"),
    [(0, 0), (299.999, 0), (300, 1), (86_400, 288), (604_799, 2_015), (604_800, 0), (-1, 2_015)],
)
def test_week_begins_on_monday(moment: float, place: int) -> None:
    """A bin is five minutes of the week, which begins on Monday at 00:00 UTC."""
    assert _flat().bin_of(MONDAY + moment) == place
    assert _flat().bin_of(np.array([MONDAY + moment])).tolist() == [place]


def test_constant_week_is_flat() -> None:
    """Without a daily curve all hours are alike, and groups come by their weight."""
    world = replace(small_world(), group_weight=np.array([1.0, 2.0, 0.0, 1.0]))

    rhythm = _build(world, Curve.CONSTANT, 10.0, 2.0)

    assert rhythm.level == pytest.approx(np.ones(BINS))
    assert rhythm.group_bounds.shape == (BINS, 4)
    assert rhythm.group_bounds[0].tolist() == [0.25, 0.75, 0.75, 1.0]
    assert rhythm.expected_events[0, [0, -1]].tolist() == [8.0, 8.0]


def test_steps_leave_the_week_flat() -> None:
    """Steps change the rate, not the mix of users by hour."""
    rhythm = _build(small_world(), Curve.STEPS, 1.0, 1.0)

    assert rhythm.level == pytest.approx(np.ones(BINS))


def test_hours_hold_at_their_middle() -> None:
    """Between the middles of two hours the traffic is a straight line, in local time."""
    hourly = (*(12 * [10]), *(12 * [30]))
    rhythm = _build(_world(hourly=hourly), Curve.DIURNAL, 1.0, 1.0)

    # German time is an hour ahead: 12:00 there is 11:00 UTC.
    minutes = np.array([8 * 60, 10 * 60 + 30, 11 * 60, 11 * 60 + 30, 18 * 60, 22 * 60 + 30])
    before = rhythm.level[minutes // 5 - 1]
    after = rhythm.level[minutes // 5]
    assert (before + after) / 2 == pytest.approx([0.5, 0.505, 1.0, 1.495, 1.5, 1.495], abs=0.03)
    assert rhythm.level[10 * 12 + 6] == pytest.approx(0.5 + 2.5 / 60)
    assert rhythm.level.mean() == pytest.approx(1.0)


def test_midnight_has_no_seam() -> None:
    """The last hour of the day leads over to the first."""
    hourly = (30, *(22 * [10]), 10)
    rhythm = _build(_world(hourly=hourly), Curve.DIURNAL, 1.0, 1.0)

    midnight = 23 * 12  # UTC
    mean = sum(hourly) / 24
    assert rhythm.level[midnight - 6 - 1] == pytest.approx(10 / mean)
    assert rhythm.level[midnight] == pytest.approx((10 + 20 * 32.5 / 60) / mean)
    assert rhythm.level[midnight + 6] == pytest.approx((30 - 20 * 2.5 / 60) / mean)


def test_daily_curve_has_no_weekend() -> None:
    """Only the weekly curve knows weekends."""
    world = _world(hourly=24 * (1,), weekend_permille=3_000)

    daily = _build(world, Curve.DIURNAL, 1.0, 1.0)

    assert daily.level == pytest.approx(np.ones(BINS))


def test_weekend_is_local() -> None:
    """The weekend goes from Saturday to Sunday midnight, in the country's own time."""
    world = _world(hourly=24 * (1,), weekend_permille=3_000)

    level = _build(world, Curve.WEEKLY, 1.0, 1.0).level

    friday = 5 * 288 - 12  # 23:00 UTC is midnight there
    assert level[friday] == pytest.approx(3 * level[friday - 1])
    assert np.count_nonzero(level > 1) == 2 * 288
    assert level[-13] == pytest.approx(3 * level[-12])


def test_events_follow_the_mix() -> None:
    """An hour in which long sessions begin has more events per session."""
    hourly = (*(12 * [0]), *(12 * [2]))
    world = replace(_world(hourly=hourly), group_weight=np.array([1.0, 0.0, 1.0, 0.0]))

    rhythm = _build(world, Curve.DIURNAL, 9.0, 1.0)

    assert rhythm.expected_events[0, 5 * 12] == pytest.approx(1.0)
    assert rhythm.expected_events[0, 18 * 12] == pytest.approx((2 * 9 + 1) / 3)
    assert rhythm.level[18 * 12] / rhythm.level[5 * 12] == pytest.approx(19.0)
    assert rhythm.group_bounds[5 * 12].tolist() == pytest.approx([0.0, 0.0, 1.0, 1.0])


def test_constant_rate_counts_evenly() -> None:
    """At a constant rate the count is rate times time, also after many days."""
    schedule = _schedule()

    for seconds in (0.0, 0.05, 1.0, 86_400.0, 86_400.5, 3 * 86_400.0):
        assert schedule.events_by(START + seconds) == pytest.approx(10 * seconds)


@given(st.floats(0, 300_000))
def test_moment_and_count_agree(index: float) -> None:
    """The event with a number is due when that number of events is."""
    schedule = _schedule(bursts=[{"at": "1h", "for": "1h", "multiplierPermille": 3_000}])

    (moment,) = schedule.elapsed_of(np.array([index]))

    assert schedule.events_by(START + moment) == pytest.approx(index, abs=1e-3)
    assert schedule.times_of(np.array([index]))[0] == START + moment


def test_many_moments_at_once() -> None:
    """Each number has its moment, in any order, and none has none."""
    schedule = _schedule()

    assert schedule.elapsed_of(np.array([5.0, 0.0, 2_000_000.0])).tolist() == pytest.approx(
        [0.5, 0.0, 200_000.0]
    )
    assert schedule.elapsed_of(np.array([])).tolist() == []


STEPS = [
    {"for": "10s", "multiplierPermille": 500},
    {"for": "20s", "multiplierPermille": 2_000},
]


def test_last_step_stays() -> None:
    """Each step applies for its time, and the last one for ever."""
    schedule = _schedule(curve="Steps", steps=STEPS)

    assert [schedule.rate_after(at) for at in (0, 9.99, 10, 29, 30, 10_000)] == [
        5.0, 5.0, 20.0, 20.0, 20.0, 20.0,
    ]  # fmt: skip
    assert schedule.events_by(START + 12) == pytest.approx(50 + 40)


def test_first_step_holds_in_history() -> None:
    """Steps are counted from the origin; before it the first one holds."""
    schedule = _schedule(origin=100.0, curve="Steps", steps=STEPS)

    assert [schedule.rate_after(at) for at in (0, 109, 110)] == [5.0, 5.0, 20.0]
    assert schedule.events_by(START + 112) == pytest.approx(550 + 40)


def test_burst_multiplies_its_time() -> None:
    """A burst changes the rate from its beginning to before its end, from the origin on."""
    bursts = [{"at": "10s", "for": "5s", "multiplierPermille": 3_000}]
    schedule = _schedule(origin=100.0, bursts=bursts)

    assert [schedule.rate_after(at) for at in (10, 109.9, 110, 114.9, 115)] == [
        10.0, 10.0, 30.0, 30.0, 10.0,
    ]  # fmt: skip
    assert schedule.events_by(START + 120) == pytest.approx(1_200 + 100)


def test_curve_multiplies_the_rate() -> None:
    """With a daily curve the rate follows the week's bins, from wherever it begins."""
    level = np.ones(BINS)
    level[4] = 3.0  # from 1200 s to 1500 s of Monday
    schedule = _schedule(replace(_flat(), level=level), curve="Diurnal")

    assert [schedule.rate_after(at) for at in (199, 200, 499, 500)] == [10.0, 30.0, 30.0, 10.0]
    assert schedule.events_by(START + 600) == pytest.approx(6_000 + 300 * 20)
    assert schedule.events_by(START + 604_800 + 200) == pytest.approx(
        10 * 605_000 + 300 * 20, abs=1e-3
    )
    assert _schedule(replace(_flat(), level=level)).rate_after(200) == 10.0
    assert _schedule(replace(_flat(), level=level), curve="Weekly").rate_after(200) == 30.0


def test_closed_shop_has_no_next_event() -> None:
    """After a last step with rate 0 no further event is due, on every call."""
    steps = [{"for": "5s", "multiplierPermille": 1_000}, {"for": "5s", "multiplierPermille": 0}]
    schedule = _schedule(curve="Steps", steps=steps)

    sizes = []
    for _ in range(4):
        found = schedule.elapsed_of(np.array([49.0, 50.5]))
        assert found.tolist() == pytest.approx([4.9, np.inf])
        sizes.append(len(schedule._edges))
    assert len(set(sizes[1:])) == 1, "looking far ahead finds no more, and is not done again"
    assert schedule.events_by(START + 1_000) == pytest.approx(50.0)


def test_rare_event_is_found_far_ahead() -> None:
    """A pause of many days does not hide the event that comes after it."""
    schedule = _schedule(
        curve="Steps",
        steps=[
            {"for": "1s", "multiplierPermille": 1_000},
            {"for": "500d", "multiplierPermille": 0},
            {"for": "1s", "multiplierPermille": 1_000},
        ],
    )

    (found,) = schedule.elapsed_of(np.array([10.5]))

    assert found == pytest.approx(500 * 86_400 + 1.05)


def test_next_schedule_continues_the_count() -> None:
    """The schedule that takes over counts on, and keeps origin and time gone by."""
    first = _schedule(origin=100.0)
    rate = Rate.model_validate({"eventsPerSecond": 20})

    second = first.followed_by(rate, _flat(), START + 30, START + 30)

    assert second.events_by(START + 30) == pytest.approx(300)
    assert second.events_by(START + 40) == pytest.approx(500)
    assert second.start_seconds == START + 30
    assert second.origin_after_seconds == pytest.approx(70.0)
    assert second.ran_seconds == pytest.approx(30.0)
    third = second.followed_by(rate, _flat(), START + 40, START + 40)
    assert (third.ran_seconds, third.origin_after_seconds) == pytest.approx((40.0, 60.0))


def test_left_out_time_has_no_events() -> None:
    """Events due between the end of a schedule and the start of the next are left out."""
    first = _schedule(origin=100.0)

    second = first.followed_by(first.rate, first.rhythm, START + 30, START + 50)

    assert second.events_by(START + 50) == pytest.approx(300)
    assert second.events_by(START + 51) == pytest.approx(310)
    assert second.start_seconds == START + 50
    assert second.origin_after_seconds == pytest.approx(50.0)
    assert second.ran_seconds == pytest.approx(30.0)
    assert second.elapsed_of(np.array([305.0])).tolist() == pytest.approx([0.5])
