"""How many workers a simulation needs.

Owns the decision from the workers' own figures. Pure: what was seen before is an argument and
a result. A worker is added when the rate is missed for a while and the broker is not to blame;
one is taken away when the others could have done its work with room to spare for a long
while. Between the two lies a gap that a steady load cannot cross, so it never flaps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import SimulationSpec

    from clickstream_operator.core.observed import Scrape
    from clickstream_operator.settings import Settings

__all__ = [
    "Trend",
    "first_workers",
    "is_below",
    "is_limited",
    "is_missed",
    "is_pushed_back",
    "is_silent",
    "most_workers",
    "next_workers",
]

_REACHED = 0.95
"""Of the target; below it the rate is missed."""
_COUNTABLE_PER_SECOND = 4.0
"""From so many events a worker's last ten seconds hold enough of them to tell 95 % from all."""
_LATE_SECONDS = 10.0
"""How late the next event of a slower shop must be for the rate to be missed."""
_BUSY_ENOUGH = 0.6
"""What the workers that stay may be busy after one has gone."""
_QUEUE_FULL = 0.8
"""Of the records that may be without acknowledgement: the broker cannot keep up."""


@dataclass(frozen=True)
class Trend:
    """What was seen of a simulation over time; moments are Unix seconds.

    Attributes:
        below_since: Since when the rate has been missed without a break.
        calm_since: Since when a worker has been too many without a break.
        busy: Busy seconds of each worker, and when they were read.
    """

    below_since: float | None = None
    calm_since: float | None = None
    busy: tuple[tuple[int, float, float], ...] = ()


def most_workers(spec: SimulationSpec, settings: Settings) -> int:
    """Return how many workers there may be: what is asked, up to the operator's limit."""
    return min(_asked_workers(spec, settings), settings.max_workers)


def is_limited(spec: SimulationSpec, settings: Settings) -> bool:
    """Return whether the simulation asks for more workers than the operator allows."""
    return _asked_workers(spec, settings) > settings.max_workers


def _asked_workers(spec: SimulationSpec, settings: Settings) -> int:
    return min(spec.workers.count or spec.workers.max or settings.max_workers, spec.shards)


def first_workers(spec: SimulationSpec, settings: Settings) -> int:
    """Return how many workers to begin with, before anything is measured."""
    if spec.workers.count is not None:
        return most_workers(spec, settings)
    needed = -(-spec.rate.per_second // settings.worker_events_per_second)
    return max(1, min(int(needed), most_workers(spec, settings)))


def is_pushed_back(figures: Mapping[int, Scrape], settings: Settings) -> bool:
    """Say whether a worker's queue shows that the broker cannot keep up."""
    return any(
        row.queue_records >= _QUEUE_FULL * settings.queue_records for row in figures.values()
    )


def is_below(figures: Mapping[int, Scrape]) -> bool:
    """Say whether all workers together miss the rate."""
    target = sum(row.target for row in figures.values())
    if sum(row.achieved for row in figures.values()) >= _REACHED * target:
        return False
    return target >= _COUNTABLE_PER_SECOND or any(
        row.lag_seconds > _LATE_SECONDS for row in figures.values()
    )


def is_missed(trend: Trend, now: float, settings: Settings) -> bool:
    """Say whether the rate has been missed for as long as it takes to add a worker."""
    return trend.below_since is not None and now - trend.below_since >= settings.below_seconds


def is_silent(figures: Mapping[int, Scrape]) -> bool:
    """Say whether something waits in every worker and nothing is acknowledged."""
    return bool(figures) and all(row.queue_records and not row.achieved for row in figures.values())


def next_workers(
    spec: SimulationSpec,
    workers: int,
    figures: Mapping[int, Scrape],
    trend: Trend,
    now: float,
    settings: Settings,
) -> tuple[int, Trend]:
    """Return how many workers there shall be, and what to remember.

    Args:
        spec: What is wanted.
        workers: How many there shall be as decided before.
        figures: Of the workers that could be asked.
        trend: What was seen before.
        now: Unix seconds.
        settings: How long to wait for what.
    """
    most, is_fixed = most_workers(spec, settings), spec.workers.count is not None
    if workers > most or (is_fixed and workers < most):
        return most, Trend()
    if len(figures) < workers:
        # Some are starting or away: nothing can be said, and nothing is to be done.
        return workers, Trend()
    busy = tuple(sorted((number, row.busy_seconds, now) for number, row in figures.items()))
    below = is_below(figures) and not is_pushed_back(figures, settings)
    calm = workers > 1 and not is_fixed and not below and _is_calm(trend.busy, busy, workers)
    seen = replace(
        trend,
        busy=busy,
        below_since=(trend.below_since if trend.below_since is not None else now)
        if below
        else None,
        calm_since=(trend.calm_since if trend.calm_since is not None else now) if calm else None,
    )
    if workers < most and is_missed(seen, now, settings):
        return workers + 1, Trend()
    if seen.calm_since is not None and now - seen.calm_since >= settings.calm_seconds:
        return workers - 1, Trend()
    return workers, seen


def _is_calm(
    before: tuple[tuple[int, float, float], ...],
    after: tuple[tuple[int, float, float], ...],
    workers: int,
) -> bool:
    """Say whether one worker less could do the work with room to spare."""
    earlier = {number: (busy, at) for number, busy, at in before}
    share = 0.0
    for number, busy, at in after:
        if number not in earlier or at <= earlier[number][1] or busy < earlier[number][0]:
            return False
        share += (busy - earlier[number][0]) / (at - earlier[number][1])
    return share / (workers - 1) < _BUSY_ENOUGH
