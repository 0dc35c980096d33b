"""The number of workers that a simulation needs.

The decision uses the workers' metrics. It is pure: former measurements are an argument and a
result. The operator adds a worker when the rate has been missed for a while and the broker is not
the cause. It removes a worker when the others could have done its work, with a reserve, for a long
while. The two thresholds are so far apart that a steady load never makes the number flap.
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
"""The part of the target rate below which the rate is missed."""
_COUNTABLE_PER_SECOND = 4.0
"""The rate from which ten seconds have enough events to distinguish 95 % from 100 %."""
_LATE_SECONDS = 10.0
"""How late the next event of a slower shop must be so that the rate counts as missed."""
_BUSY_ENOUGH = 0.6
"""How busy the remaining workers may be after one is removed."""
_QUEUE_FULL = 0.8
"""The part of the queue from which the broker counts as too slow."""


@dataclass(frozen=True)
class Trend:
    """The measurements of a simulation over time; times are Unix seconds.

    Attributes:
        below_since: Since when the rate has been missed without a break.
        calm_since: Since when there has been one worker too many without a break.
        busy: The busy seconds of each worker, and when they were read.
    """

    below_since: float | None = None
    calm_since: float | None = None
    busy: tuple[tuple[int, float, float], ...] = ()


def most_workers(spec: SimulationSpec, settings: Settings) -> int:
    """Return the highest number of workers: the simulation's, up to the operator's limit."""
    return min(_asked_workers(spec, settings), settings.max_workers)


def is_limited(spec: SimulationSpec, settings: Settings) -> bool:
    """Return whether the simulation asks for more workers than the operator allows."""
    return _asked_workers(spec, settings) > settings.max_workers


def _asked_workers(spec: SimulationSpec, settings: Settings) -> int:
    return min(spec.workers.count or spec.workers.max or settings.max_workers, spec.shards)


def first_workers(spec: SimulationSpec, settings: Settings) -> int:
    """Return the number of workers to begin with, before any measurement."""
    if spec.workers.count is not None:
        return most_workers(spec, settings)
    needed = -(-spec.rate.per_second // settings.worker_events_per_second)
    return max(1, min(int(needed), most_workers(spec, settings)))


def is_pushed_back(figures: Mapping[int, Scrape], settings: Settings) -> bool:
    """Return whether a worker's queue shows that the broker is too slow."""
    return any(
        row.queue_records >= _QUEUE_FULL * settings.queue_records for row in figures.values()
    )


def is_below(figures: Mapping[int, Scrape]) -> bool:
    """Return whether all workers together miss the rate."""
    target = sum(row.target for row in figures.values())
    if sum(row.achieved for row in figures.values()) >= _REACHED * target:
        return False
    return target >= _COUNTABLE_PER_SECOND or any(
        row.lag_seconds > _LATE_SECONDS for row in figures.values()
    )


def is_missed(trend: Trend, now: float, settings: Settings) -> bool:
    """Return whether the rate has been missed for long enough to add a worker."""
    return trend.below_since is not None and now - trend.below_since >= settings.below_seconds


def is_silent(figures: Mapping[int, Scrape]) -> bool:
    """Return whether events wait in every worker and the broker acknowledges none."""
    return bool(figures) and all(row.queue_records and not row.achieved for row in figures.values())


def next_workers(
    spec: SimulationSpec,
    workers: int,
    figures: Mapping[int, Scrape],
    trend: Trend,
    now: float,
    settings: Settings,
) -> tuple[int, Trend]:
    """Return the desired number of workers, and the measurements to remember.

    Args:
        spec: The simulation's spec.
        workers: The number of workers so far.
        figures: The metrics of the workers that answered.
        trend: The former measurements.
        now: Unix seconds.
        settings: The operator's settings.
    """
    most, is_fixed = most_workers(spec, settings), spec.workers.count is not None
    if workers > most or (is_fixed and workers < most):
        return most, Trend()
    if len(figures) < workers:
        # Some workers start or do not answer: there is nothing to decide on.
        return workers, Trend()
    busy = tuple(sorted((number, row.busy_seconds, now) for number, row in figures.items()))
    below = is_below(figures) and not is_pushed_back(figures, settings)
    calm = workers > 1 and not is_fixed and not below and _is_calm(trend.busy, busy, workers)
    updated = replace(
        trend,
        busy=busy,
        below_since=(trend.below_since if trend.below_since is not None else now)
        if below
        else None,
        calm_since=(trend.calm_since if trend.calm_since is not None else now) if calm else None,
    )
    if workers < most and is_missed(updated, now, settings):
        return workers + 1, Trend()
    if updated.calm_since is not None and now - updated.calm_since >= settings.calm_seconds:
        return workers - 1, Trend()
    return workers, updated


def _is_calm(
    before: tuple[tuple[int, float, float], ...],
    after: tuple[tuple[int, float, float], ...],
    workers: int,
) -> bool:
    """Return whether one worker less could do the work with a reserve."""
    earlier = {number: (busy, at) for number, busy, at in before}
    share = 0.0
    for number, busy, at in after:
        if number not in earlier or at <= earlier[number][1] or busy < earlier[number][0]:
            return False
        share += (busy - earlier[number][0]) / (at - earlier[number][1])
    return share / (workers - 1) < _BUSY_ENOUGH
