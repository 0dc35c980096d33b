"""A shard: one part of the visitors, with a random stream and counters of its own.

Owns the order of a shard's events and when each is due. The visits run in the simulation's
own time; the n-th event they make gets the moment at which the schedule wants the shard's
n-th event. So the rate is exact whatever the visitors do, and the content is the same
whoever carries the shard. It does not know the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.events import Events, concatenate
from clickstream_generator.core.visits import Visits

if TYPE_CHECKING:
    from clickstream_generator.core.journeys import Journeys
    from clickstream_generator.core.population import Population
    from clickstream_generator.core.rhythm import Schedule
    from clickstream_generator.core.world import World

__all__ = ["Shard", "due_count"]

_EVENTS_PER_ROUND = 2048
"""Enough that NumPy's cost per call does not show."""
_ROUND_SECONDS = (0.25, 2.0)
"""Live: a change of the mix takes effect after one round at the latest."""
_HISTORY_ROUND_SECONDS = 60.0
_RESTORING_SECONDS = 600.0
"""Time constant with which visits' own time is held to real time."""


def due_count(events_due: float, shard: int, shards: int) -> int:
    """Return how many of all events due are the shard's.

    Events are dealt to shards in turn: the shard's n-th is event ``(n - 1) * shards + shard``
    of all, counted from 0.
    """
    return max(0, int(np.floor((events_due - shard - 0.5) / shards)) + 1)


@dataclass
class Shard:
    """One shard and where it stands.

    Attributes:
        number: Which shard, from 0.
        shards: How many there are.
        made: Events made so far and handed out; the last one's ``shard_seq``.
        began_seconds: When the shard's first event was due, in Unix seconds.
        live_from_seconds: Before this moment it is history, and rounds may be long.
        own_seconds: The simulation's own time, counted from the first event.
        last_seq: The number after which the shard ends, or ``None``.
    """

    number: int
    shards: int
    world: World
    journeys: Journeys
    population: Population
    schedule: Schedule
    began_seconds: float
    live_from_seconds: float
    rng: np.random.Generator
    last_seq: int | None = None
    visits: Visits = field(default_factory=Visits)
    made: int = 0
    own_seconds: float = 0.0
    _ready: Events = field(default_factory=lambda: concatenate([]))

    def due(self, unix_seconds: float) -> int:
        """Return how many events are due by the moment and not yet handed out."""
        total = due_count(self.schedule.events_by(unix_seconds), self.number, self.shards)
        if self.last_seq is not None:
            total = min(total, self.last_seq)
        return max(0, total - self.made)

    def take(self, count: int) -> Events:
        """Hand out the next ``count`` events, with their numbers and times."""
        parts = [self._ready]
        ready = len(self._ready)
        while ready < count:
            made = self._round(self.made + ready)
            ready += len(made)
            parts.append(made)
        events = concatenate(parts)
        taken = events.part(0, count)
        # A copy, so that what was handed out does not stay in memory with the rest.
        self._ready = concatenate([_with_own_orders(events.part(count, ready))])
        rows = taken.rows
        rows["shard"] = self.number
        rows["shard_seq"] = self.made + 1 + np.arange(count)
        rows["event_time_ms"] = np.floor(1000 * self._times(rows["shard_seq"]))
        self.made += count
        return taken

    def follow(self, schedule: Schedule) -> None:
        """Go on by another schedule, from the next event on."""
        self.schedule = schedule

    def _times(self, shard_seq: np.ndarray) -> np.ndarray:
        """Return when the shard's events with these numbers are due, in Unix seconds."""
        return self.schedule.times_of((shard_seq - 1) * float(self.shards) + self.number + 0.5)

    def _round(self, made: int) -> Events:
        """Let the visits run for a short while of their own time."""
        now_seconds = float(self._times(np.array([made + 1]))[0])
        if not np.isfinite(now_seconds):
            now_seconds = self.schedule.start_seconds
        rate = max(self.schedule.rate_at(now_seconds) / self.shards, 1e-3)
        shortest, longest = _ROUND_SECONDS
        if now_seconds < self.live_from_seconds:
            longest = _HISTORY_ROUND_SECONDS
        span = float(np.clip(_EVENTS_PER_ROUND / rate, shortest, longest))
        until = self.own_seconds + span
        self._admit(now_seconds, rate, span)
        parts = []
        while (
            step := self.visits.step(until, self.world, self.journeys, self.population, self.rng)
        ) is not None:
            parts.append(step)
        self.own_seconds = until
        events = concatenate(parts)
        order = np.lexsort((events.rows["session_no"], events.rows["time_seconds"]))
        return Events(events.rows[order], events.line_products, events.line_quantities)

    def _admit(self, now_seconds: float, rate: float, span: float) -> None:
        """Let new visitors in, as many as keep the rate, each from who comes at this hour."""
        rhythm = self.schedule.rhythm
        place = int(rhythm.bin_of(now_seconds))
        ahead = self.own_seconds - (now_seconds - self.began_seconds)
        restoring = 1.0 + float(np.clip(ahead / _RESTORING_SECONDS, -0.5, 0.5))
        mean = rate * span / rhythm.expected_events[place] * restoring
        count = int(self.rng.poisson(mean))
        if not count:
            return
        at_seconds = self.own_seconds + span * np.sort(self.rng.random(count))
        group = np.searchsorted(rhythm.group_bounds[place], self.rng.random(count), side="right")
        group = self._inhabited(np.minimum(group, len(self.world.group_weight) - 1))
        user = self.population.draw(group, self.rng)
        self.visits.begin(user, at_seconds, self.population)

    def _inhabited(self, group: np.ndarray) -> np.ndarray:
        """Replace groups without users, in a shard of few, by ones that have some."""
        size = np.diff(self.population.first_user)
        empty = np.flatnonzero(size[group] == 0)
        if empty.size:
            users = self.population.first_user[-1] * self.rng.random(len(empty))
            group[empty] = (
                np.searchsorted(self.population.first_user, users.astype(np.int64), side="right")
                - 1
            )
        return group


def _with_own_orders(events: Events) -> Events:
    """Return the events with only the orders that are theirs, in new arrays."""
    rows = events.rows.copy()
    bought = np.flatnonzero(rows["order_row"] >= 0)
    kept = rows["order_row"][bought]
    rows["order_row"][bought] = np.arange(len(bought))
    return Events(rows, events.line_products[kept], events.line_quantities[kept])
