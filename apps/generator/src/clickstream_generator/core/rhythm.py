"""The rate of events over time, and the mix of users by hour.

Owns the curve of a simulation's rate as an exact count: how many events are due by a moment, and
when the n-th event is due. Moments are Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.rate import Curve

if TYPE_CHECKING:
    from clickstream_contract.rate import Rate

    from clickstream_generator.core.world import World

__all__ = ["Rhythm", "Schedule", "build_rhythm"]

_BIN_SECONDS = 300
_BINS_PER_DAY = 86_400 // _BIN_SECONDS
_BINS_PER_WEEK = 7 * _BINS_PER_DAY
_EPOCH_WEEKDAY_SHIFT_SECONDS = 3 * 86_400
"""1 January 1970 was a Thursday; weeks here begin on Monday."""
_BLOCK_SECONDS = 86_400.0
_FARTHEST_BLOCKS = 800


@dataclass(frozen=True)
class Rhythm:
    """The week in bins of five minutes, UTC, from Monday 00:00.

    Attributes:
        group_bounds: Shape (bins, groups); cumulative shares of the groups among the sessions that
            begin in the bin.
        level: Shape (bins,); rate of events relative to its mean over the week.
        expected_events: Shape (ranges, bins); mean number of events of a session begun in the bin,
            by the range of the run (:class:`~clickstream_generator.core.profiles.Profiles`).
    """

    group_bounds: np.ndarray
    level: np.ndarray
    expected_events: np.ndarray

    def bin_of(self, unix_seconds: float | np.ndarray) -> np.ndarray:
        """Return the bin of each moment."""
        shifted = np.asarray(unix_seconds) + _EPOCH_WEEKDAY_SHIFT_SECONDS
        return (shifted // _BIN_SECONDS).astype(np.int64) % _BINS_PER_WEEK


def build_rhythm(
    world: World, hour_class: np.ndarray, expected_events: np.ndarray, curve: Curve
) -> Rhythm:
    """Return the week's rhythm from the countries' local times and the personas' hours.

    Args:
        world: The world with its groups.
        hour_class: Shape (168,); the class of each local hour of the week.
        expected_events: Shape (ranges, classes of hours, groups); mean number of events of a
            session.
        curve: The curve of the rate.
    """
    minute = np.arange(_BINS_PER_WEEK) * (_BIN_SECONDS // 60) + _BIN_SECONDS / 120
    local = minute[:, None] + world.utc_offset_minutes[world.group_country][None, :]
    traffic = np.broadcast_to(world.group_weight, local.shape).copy()
    if curve in {Curve.DIURNAL, Curve.WEEKLY}:
        hourly = np.array([persona.hourly for persona in world.personas], dtype=float)
        hourly /= hourly.mean(axis=1, keepdims=True)
        # An hour's weight applies at its middle; between two middles the weight is interpolated.
        place = (local / 60 - 0.5) % 24
        hour = place.astype(np.int64)
        share = place - hour
        persona = world.group_persona[None, :]
        traffic *= hourly[persona, hour] * (1 - share) + hourly[persona, (hour + 1) % 24] * share
    if curve is Curve.WEEKLY:
        weekend = np.array([persona.weekend_permille / 1000 for persona in world.personas])
        is_weekend = (local // 1440) % 7 >= 5
        traffic *= np.where(is_weekend, weekend[world.group_persona][None, :], 1.0)
    sessions = traffic.sum(axis=1)
    own_class = hour_class[(local // 60).astype(np.int64) % len(hour_class)]
    events = np.array(
        [
            sum((traffic * (own_class == place)) @ row for place, row in enumerate(of_range))
            for of_range in expected_events
        ]
    )
    bounds = np.cumsum(traffic, axis=1)
    return Rhythm(
        # Exactly 1 from the last group with a weight on, so that no later group is drawn.
        group_bounds=bounds / bounds[:, -1:],
        # Outside all ranges: an overlay for some time changes no rate.
        level=events[0] / events[0].mean(),
        expected_events=events / sessions,
    )


@dataclass
class Schedule:
    """The number of events due by a moment, over all shards.

    Times are computed in seconds after the start, so that two runs with different starts agree to
    the last bit.

    Attributes:
        rate: The simulation's rate.
        rhythm: The week's rhythm.
        start_seconds: When the schedule begins, Unix seconds.
        origin_after_seconds: The origin of bursts and steps, in seconds after the start; negative
            if it lies before the start.
        first_index: Number of events due before the start.
        ran_seconds: How long the run had lasted before the start.
    """

    rate: Rate
    rhythm: Rhythm
    start_seconds: float
    origin_after_seconds: float = 0.0
    first_index: float = 0.0
    ran_seconds: float = 0.0
    _edges: np.ndarray = field(init=False)
    _counts: np.ndarray = field(init=False)
    _is_silent: bool = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty table of counts."""
        self._is_silent = False
        self._edges = np.array([0.0])
        self._counts = np.array([self.first_index])

    def events_by(self, unix_seconds: float) -> float:
        """Return how many events are due by the moment, with the fraction of the next one."""
        elapsed = unix_seconds - self.start_seconds
        while self._edges[-1] < elapsed:
            self._extend()
        return float(np.interp(elapsed, self._edges, self._counts))

    def elapsed_of(self, index: np.ndarray) -> np.ndarray:
        """Return when events are due, in seconds after the start; infinity for never."""
        highest = float(index.max()) if index.size else 0.0
        known = self._counts[-1]
        for _ in range(0 if self._is_silent else _FARTHEST_BLOCKS):
            if self._counts[-1] > highest:
                break
            self._extend()
        else:
            # The last step has rate 0: remember it, so that later calls do not extend again.
            self._is_silent = bool(self._counts[-1] == known)
        at = np.searchsorted(self._counts, index, side="right")
        never = at >= len(self._counts)
        at = np.minimum(at, len(self._counts) - 1)
        low, high = self._counts[at - 1], self._counts[at]
        share = (index - low) / np.where(high > low, high - low, 1.0)
        start, stop = self._edges[at - 1], self._edges[at]
        return np.where(never, np.inf, start + share * (stop - start))

    def times_of(self, index: np.ndarray) -> np.ndarray:
        """Return when events are due, in Unix seconds; infinity for never."""
        return self.start_seconds + self.elapsed_of(index)

    def rate_after(self, elapsed_seconds: float) -> float:
        """Return the target rate at a time after the start, in events per second."""
        return float(self._rates(np.array([elapsed_seconds]))[0])

    def followed_by(
        self, rate: Rate, rhythm: Rhythm, until_seconds: float, from_seconds: float
    ) -> Schedule:
        """Return the next schedule; this one applies until ``until_seconds``.

        Events that would have been due between the two moments are left out.
        """
        lasted = until_seconds - self.start_seconds
        shift = from_seconds - until_seconds
        return Schedule(
            rate,
            rhythm,
            start_seconds=from_seconds,
            origin_after_seconds=self.origin_after_seconds - lasted - shift,
            first_index=self.events_by(until_seconds),
            ran_seconds=self.ran_seconds + lasted,
        )

    def _extend(self) -> None:
        """Extend the table of counts by one block of time."""
        start = float(self._edges[-1])
        stop = start + _BLOCK_SECONDS
        edges = [np.array([start, stop])]
        if self.rate.curve in {Curve.DIURNAL, Curve.WEEKLY}:
            past_edge = self.start_seconds % _BIN_SECONDS
            first = np.floor((start + past_edge) / _BIN_SECONDS) * _BIN_SECONDS - past_edge
            edges.append(np.arange(first, stop, _BIN_SECONDS))
        edges.append(self.origin_after_seconds + np.array(self._change_points()))
        every = np.unique(np.concatenate(edges))
        every = every[(every >= start) & (every <= stop)]
        middles = (every[:-1] + every[1:]) / 2
        counts = self._counts[-1] + np.cumsum(self._rates(middles) * np.diff(every))
        self._edges = np.concatenate([self._edges, every[1:]])
        self._counts = np.concatenate([self._counts, counts])

    def _change_points(self) -> list[float]:
        """Return the seconds after the origin at which a burst or step begins or ends."""
        points = [
            float(edge)
            for burst in self.rate.bursts
            for edge in (burst.at_seconds, burst.at_seconds + burst.for_seconds)
        ]
        at = 0
        for step in self.rate.steps:
            at += step.for_seconds
            points.append(float(at))
        return points

    def _rates(self, elapsed_seconds: np.ndarray) -> np.ndarray:
        """Return the target rate at each moment after the start, in events per second."""
        rates = np.full(len(elapsed_seconds), self.rate.per_second)
        since = elapsed_seconds - self.origin_after_seconds
        if self.rate.curve in {Curve.DIURNAL, Curve.WEEKLY}:
            rates *= self.rhythm.level[self.rhythm.bin_of(self.start_seconds + elapsed_seconds)]
        if self.rate.curve is Curve.STEPS:
            ends = np.cumsum([step.for_seconds for step in self.rate.steps])
            # The last step applies for ever; before the origin (in history), the first one applies.
            at = np.minimum(np.searchsorted(ends, since, side="right"), len(ends) - 1)
            rates *= np.array([step.multiplier_permille for step in self.rate.steps])[at] / 1000
        for burst in self.rate.bursts:
            inside = (since >= burst.at_seconds) & (since < burst.at_seconds + burst.for_seconds)
            rates[inside] *= burst.multiplier_permille / 1000
        return rates
