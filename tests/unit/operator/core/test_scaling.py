"""How many workers a simulation gets, and when that changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from clickstream_operator.core.scaling import (
    Trend,
    first_workers,
    is_below,
    is_limited,
    is_missed,
    is_pushed_back,
    is_silent,
    most_workers,
    next_workers,
)
from clusters import SETTINGS, scrape, simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_operator.core.observed import Scrape


def _next(
    workers: int,
    figures: Mapping[int, Scrape],
    trend: Trend,
    now: float,
    **wanted: int,
) -> tuple[int, Trend]:
    spec = simulation(workers=wanted or {"max": 4}).spec
    return next_workers(spec, workers, figures, trend, now, SETTINGS)


def _busy(*seconds: float, **figures: float) -> dict[int, Scrape]:
    """Return figures of workers that have been busy for so many seconds."""
    return {number: scrape(busy_seconds=row, **figures) for number, row in enumerate(seconds)}


def _read(at: float, *seconds: float) -> tuple[tuple[int, float, float], ...]:
    """Return what is remembered of workers that were busy for so many seconds."""
    return tuple((number, row, at) for number, row in enumerate(seconds))


@pytest.mark.parametrize(
    ("workers", "shards", "most"),
    [
        ({}, 16, 8),
        ({}, 5, 5),
        ({"max": 3}, 16, 3),
        ({"max": 9}, 8, 8),
        ({"count": 2}, 16, 2),
        ({"count": 12}, 8, 8),
        ({"count": 1_024}, 1_024, 8),
        ({"max": 1_024}, 1_024, 8),
    ],
)
def test_most_workers_are_bounded(workers: dict[str, int], shards: int, most: int) -> None:
    """The bound is what is asked; never more than the operator's limit, or than shards."""
    spec = simulation(workers=workers, shards=shards, users=10_000).spec

    assert most_workers(spec, SETTINGS) == most


@pytest.mark.parametrize(
    ("workers", "shards", "limited"),
    [({}, 16, False), ({"count": 8}, 16, False), ({"count": 9}, 8, False),
     ({"count": 9}, 16, True), ({"max": 9}, 16, True)],
)  # fmt: skip
def test_limit_is_known(workers: dict[str, int], shards: int, *, limited: bool) -> None:
    """A simulation is limited where its shards would allow more than the operator does."""
    assert is_limited(simulation(workers=workers, shards=shards).spec, SETTINGS) is limited


@pytest.mark.parametrize(
    ("rate", "workers", "first"),
    [
        (1, {}, 1),
        (50_000, {}, 1),
        (50_001, {}, 2),
        (100_000, {}, 2),
        (120_000, {}, 3),
        (1_000_000, {}, 8),
        (1_000_000, {"max": 2}, 2),
        (1, {"count": 5}, 5),
        (1_000_000, {"count": 1}, 1),
        (1, {"count": 500}, 8),
    ],
)
def test_first_guess_follows_the_rate(rate: int, workers: dict[str, int], first: int) -> None:
    """One worker for what one is taken to send, rounded up, within the bounds."""
    spec = simulation(rate={"eventsPerSecond": rate}, workers=workers).spec

    assert first_workers(spec, SETTINGS) == first


@pytest.mark.parametrize(
    ("queues", "is_full"),
    [((), False), ((159_999.0,), False), ((160_000.0,), True), ((0.0, 160_000.0, 0.0), True)],
)
def test_full_queue_pushes_back(queues: tuple[float, ...], *, is_full: bool) -> None:
    """One worker with four fifths of its records unacknowledged is enough."""
    figures = {number: scrape(queue_records=row) for number, row in enumerate(queues)}

    assert is_pushed_back(figures, SETTINGS) is is_full


@pytest.mark.parametrize(
    ("figures", "is_missed_now"),
    [
        ([{"target": 100.0, "achieved": 95.0}], False),
        ([{"target": 100.0, "achieved": 94.9}], True),
        ([{"target": 4.0, "achieved": 3.0}], True),
        ([{"target": 3.9, "achieved": 3.0, "lag_seconds": 10.0}], False),
        ([{"target": 3.9, "achieved": 3.0, "lag_seconds": 10.1}], True),
        ([{"target": 0.02, "achieved": 0.0, "lag_seconds": 0.1}], False),
        ([{"target": 0.02, "achieved": 0.0, "lag_seconds": 30.0}], True),
        ([{"target": 0.02, "achieved": 900.0, "lag_seconds": 86_400.0}], False),
        ([{"target": 3.0, "achieved": 2.0}, {"target": 3.0, "achieved": 2.0}], True),
        ([{"target": 60.0, "achieved": 50.0}, {"target": 40.0, "achieved": 45.0}], False),
        ([{"target": 1.0, "achieved": 0.0},
          {"target": 1.0, "achieved": 0.0, "lag_seconds": 11.0}], True),
        ([], False),
    ],
)  # fmt: skip
def test_rate_is_missed_together(figures: list[dict[str, float]], *, is_missed_now: bool) -> None:
    """The sums count; between two events of a slow shop its lateness counts instead."""
    rows = {number: scrape(**row) for number, row in enumerate(figures)}

    assert is_below(rows) is is_missed_now


@pytest.mark.parametrize(
    ("below_since", "now", "is_long"),
    [(None, 1_000.0, False), (0.0, 59.9, False), (0.0, 60.0, True), (940.0, 1_000.0, True)],
)
def test_missed_takes_a_minute(below_since: float | None, now: float, *, is_long: bool) -> None:
    """The rate counts as missed once it has been below for the whole configured time."""
    assert is_missed(Trend(below_since=below_since), now, SETTINGS) is is_long


@pytest.mark.parametrize(
    ("figures", "is_quiet"),
    [
        ([], False),
        ([(10.0, 0.0)], True),
        ([(1.0, 0.0)], True),
        ([(10.0, 1.0)], False),
        ([(0.0, 0.0)], False),
        ([(10.0, 0.0), (10.0, 5.0)], False),
        ([(10.0, 0.0), (5.0, 0.0)], True),
    ],
)
def test_silence_is_of_all(figures: list[tuple[float, float]], *, is_quiet: bool) -> None:
    """The broker is silent if every worker waits and none has anything acknowledged."""
    rows = {
        number: scrape(queue_records=queue, achieved=achieved)
        for number, (queue, achieved) in enumerate(figures)
    }

    assert is_silent(rows) is is_quiet


def test_too_many_workers_shrink_at_once() -> None:
    """More workers than are allowed are no matter of measuring."""
    trend = Trend(below_since=1.0)

    assert _next(5, {}, trend, 9.0) == (4, Trend())
    assert _next(5, {}, trend, 9.0, count=2) == (2, Trend())


def test_fixed_count_is_reached_at_once() -> None:
    """A fixed count is taken as it is, in both directions; a maximum is not."""
    assert _next(1, {}, Trend(), 9.0, count=3) == (3, Trend())
    assert _next(3, {}, Trend(), 9.0, count=3) == (3, Trend())
    assert _next(1, {}, Trend(), 9.0, max=3) == (1, Trend())


def test_unasked_worker_decides_nothing() -> None:
    """While a worker gives no figures nothing is decided and what was seen is dropped."""
    trend = Trend(below_since=0.0, calm_since=0.0)

    assert _next(2, {0: scrape(achieved=1.0)}, trend, 900.0) == (2, Trend())


def test_missed_rate_is_remembered() -> None:
    """The first moment of a missed rate is kept while it is missed, and then dropped."""
    low, well = {0: scrape(achieved=1.0)}, {0: scrape()}
    seen = Trend(below_since=30.0, busy=_read(35.0, 0.0))

    assert _next(1, low, Trend(), 30.0) == (1, Trend(30.0, None, _read(30.0, 0.0)))
    assert _next(1, low, Trend(), 0.0) == (1, Trend(0.0, None, _read(0.0, 0.0)))
    assert _next(1, low, seen, 35.0) == (1, seen)
    assert _next(1, low, Trend(0.0), 5.0) == (1, Trend(0.0, None, _read(5.0, 0.0)))
    assert _next(1, well, seen, 40.0) == (1, Trend(None, None, _read(40.0, 0.0)))


def test_missed_minute_adds_a_worker() -> None:
    """After a minute below the rate there is one more worker, and a new beginning."""
    low = {0: scrape(achieved=1.0)}
    trend = Trend(below_since=0.0)

    assert _next(1, low, trend, 59.0)[0] == 1
    assert _next(1, low, trend, 60.0) == (2, Trend())


def test_maximum_is_kept() -> None:
    """At the maximum a missed rate adds no worker, and it stays known that it is missed."""
    low = dict.fromkeys(range(4), scrape(achieved=1.0))

    workers, trend = _next(4, low, Trend(below_since=0.0), 3_600.0)

    assert (workers, trend.below_since) == (4, 0.0)
    assert _next(3, low, Trend(below_since=0.0), 3_600.0) == (4, Trend())


def test_slow_broker_gets_no_worker() -> None:
    """A rate that is missed because of the broker counts as not missed."""
    slow = {0: scrape(achieved=1.0, queue_records=190_000.0)}

    assert _next(1, slow, Trend(0.0), 3_600.0) == (1, Trend(None, None, _read(3_600.0, 0.0)))


def test_calm_is_remembered() -> None:
    """The first moment at which one worker less would do is kept while that is so."""
    before = Trend(busy=_read(0.0, 0.0, 0.0))

    assert _next(2, _busy(2.0, 3.0), before, 10.0) == (2, Trend(None, 10.0, _read(10.0, 2.0, 3.0)))
    assert _next(2, _busy(2.0, 3.0), replace(before, calm_since=0.0), 10.0)[1].calm_since == 0.0
    assert _next(2, _busy(4.0, 5.0), replace(before, calm_since=0.0), 10.0)[1].calm_since is None


def test_calm_while_takes_a_worker() -> None:
    """After ten calm minutes there is one worker less, and a new beginning."""
    before = Trend(calm_since=0.0, busy=_read(590.0, 0.0, 0.0))

    assert _next(2, _busy(1.0, 1.0), before, 599.0)[0] == 2
    assert _next(2, _busy(1.0, 1.0), before, 600.0) == (1, Trend())


@pytest.mark.parametrize(
    ("busy", "is_calm"),
    [
        ((3.0, 3.0), False),
        ((3.0, 2.9), True),
        ((4.0, 4.0, 4.0), False),
        ((4.0, 4.0, 3.9), True),
    ],
)
def test_others_must_have_room(busy: tuple[float, ...], *, is_calm: bool) -> None:
    """One worker is too many if the others stay below 60 percent with its work."""
    before = Trend(busy=_read(0.0, *(0.0 for _ in busy)))

    _, trend = _next(len(busy), _busy(*busy), before, 10.0)

    assert (trend.calm_since is not None) is is_calm


@pytest.mark.parametrize(
    "before",
    [
        (),
        ((0, 0.0, 0.0),),
        ((0, 0.0, 0.0), (1, 0.0, 10.0)),
        ((0, 0.0, 0.0), (1, 0.0, 11.0)),
        ((0, 0.0, 0.0), (1, 1.1, 0.0)),
    ],
    ids=["first look", "new worker", "same moment", "clock set back", "restarted"],
)
def test_unknown_work_is_not_calm(before: tuple[tuple[int, float, float], ...]) -> None:
    """Without a figure from before, of the same process, nothing is said of a worker's work."""
    _, trend = _next(2, _busy(1.0, 1.0), Trend(busy=before), 10.0)

    assert trend.calm_since is None


def test_idle_worker_is_calm() -> None:
    """A worker that has not worked at all since the last reconcile has a reserve."""
    before = Trend(busy=((0, 1.0, 0.0), (1, 1.0, 9.0)))

    assert _next(2, _busy(1.0, 1.0), before, 10.0)[1].calm_since == 10.0


@pytest.mark.parametrize(("workers", "wanted"), [(1, {"max": 4}), (2, {"count": 2})])
def test_needed_workers_are_never_calm(workers: int, wanted: dict[str, int]) -> None:
    """The only worker and a fixed number of workers are never too many."""
    idle = (0.0,) * workers
    before = Trend(calm_since=0.0, busy=_read(0.0, *idle))

    number, trend = _next(workers, _busy(*idle), before, 3_600.0, **wanted)

    assert (number, trend) == (workers, Trend(None, None, _read(3_600.0, *idle)))


def test_missed_rate_is_not_calm() -> None:
    """Workers that miss the rate are not too many, however little they work."""
    before = Trend(calm_since=0.0, busy=_read(0.0, 0.0, 0.0))

    number, trend = _next(2, _busy(0.0, 0.0, achieved=1.0), before, 3_600.0)

    assert (number, trend.calm_since, trend.below_since) == (2, None, 3_600.0)


def _scaled(share: float, seconds: int, workers: int = 1, *, busy: float = 0.5) -> int:
    """Return the workers after so long with the same achieved share of the target."""
    trend, now, first = Trend(), 0.0, workers
    while now <= seconds and workers == first:
        row = scrape(target=100.0, achieved=share * 100, busy_seconds=now * busy)
        workers, trend = _next(workers, dict.fromkeys(range(workers), row), trend, now)
        now += 5
    return workers


def test_short_dips_add_nobody() -> None:
    """A worker is added after a minute of a missed rate, not sooner, not beyond the maximum."""
    assert _scaled(0.90, 55) == 1
    assert _scaled(0.90, 60) == 2
    assert _scaled(0.96, 3_600) == 1
    assert _scaled(0.50, 3_600, workers=4) == 4


def test_short_calm_takes_nobody() -> None:
    """A worker goes after ten minutes of calm, not sooner, and never if the work is needed."""
    assert _scaled(1.0, 595, workers=2, busy=0.2) == 2
    assert _scaled(1.0, 615, workers=2, busy=0.2) == 1
    assert _scaled(1.0, 7_200, workers=2, busy=0.4) == 2


@pytest.mark.parametrize("load", range(10, 400, 60))
def test_steady_load_never_flaps(load: int) -> None:
    """A steady load, in percent of one worker, comes to rest at one number for a day."""
    spec = simulation(workers={"max": 6}).spec
    workers, trend, busy = first_workers(spec, SETTINGS), Trend(), 0.0
    numbers = []

    for now in range(0, 86_400, 20):
        share = load / 100 / workers
        busy += min(1.0, share) * 20
        row = scrape(target=100.0, achieved=min(1.0, 1 / share) * 100, busy_seconds=busy)
        figures = dict.fromkeys(range(workers), row)
        workers, trend = next_workers(spec, workers, figures, trend, now, SETTINGS)
        numbers.append(workers)

    assert sum(one != other for one, other in pairwise(numbers)) <= 5
    assert len(set(numbers[-2_500:])) == 1
    assert numbers[-1] >= load / 105
