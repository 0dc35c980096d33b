"""A shard: a fixed part of the users, with a separate random stream and counters.

Owns the order of a shard's events and when each is due. Sessions run in simulated time. The
schedule assigns a time to the n-th event of the shard. So the rate is exact, whatever the users do,
and the events are the same on every worker.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.ledger import MOST_REVISIONS

from clickstream_generator.core.events import Events, concatenate
from clickstream_generator.core.sessions import Sessions

if TYPE_CHECKING:
    from clickstream_generator.core.behaviour import Behaviour, Revision
    from clickstream_generator.core.population import Population
    from clickstream_generator.core.rhythm import Schedule

__all__ = ["Shard", "due_count"]

_EVENTS_PER_ROUND = 2048
"""Enough events that NumPy's cost per call is negligible."""
_ROUND_SECONDS = (0.25, 2.0)
"""Shortest and longest round of live time; a change of the mix waits for one round at most."""
_HISTORY_ROUND_SECONDS = 60.0
_SECONDS_PER_DAY = 86_400
_RESTORING_SECONDS = 600.0
"""Time constant with which simulated time is drawn back to real time."""


def due_count(events_due: float, shard: int, shards: int) -> int:
    """Return how many of all events due belong to the shard.

    Events are assigned to shards in turn: the shard's n-th event is event
    ``(n - 1) * shards + shard`` of all, counted from 0.
    """
    return max(0, int(np.floor((events_due - shard - 0.5) / shards)) + 1)


@dataclass
class Shard:
    """One shard and its state.

    Attributes:
        number: The shard's number, from 0.
        shards: Number of shards in the run.
        behaviour: The current behaviour of its users.
        schedule: When its events are due.
        made: Number of events taken so far; ``shard_seq`` of the last one.
        own_seconds: Simulated time since the first event.
        last_seq: Number of the shard's last event, or ``None``.
        ends_at: The decided last event, which overrides specifications; ``None`` before.
        applied: Revisions that apply already, in order, as JSON values. At most
            :data:`MOST_REVISIONS` and one more, which says that there were others.
        pending: Revisions to apply, each with its behaviour, the next one first.
        waiting: Events that were made and not taken.
    """

    number: int
    shards: int
    behaviour: Behaviour
    population: Population
    schedule: Schedule
    rng: np.random.Generator
    sessions: Sessions = field(default_factory=Sessions)
    made: int = 0
    own_seconds: float = 0.0
    last_seq: int | None = None
    ends_at: int | None = None
    applied: list[dict[str, Any]] = field(default_factory=list)
    pending: list[tuple[Revision, Behaviour]] = field(default_factory=list)
    waiting: InitVar[Events | None] = None
    _made: Events = field(init=False)
    _at: int = field(init=False, default=0)

    def __post_init__(self, waiting: Events | None) -> None:
        """Restore the events that were made and not taken, and compute the end."""
        self._made = concatenate([]) if waiting is None else waiting
        self._find_end()

    def ready(self) -> Events:
        """Return the events that are made and not taken, in new arrays."""
        return _with_own_orders(self._made.part(self._at, len(self._made)))

    def due(self, unix_seconds: float) -> int:
        """Return how many events are due by the moment and not yet taken.

        Events after the next revision do not count: call :meth:`apply_due_revisions` first.
        """
        if self.pending:
            unix_seconds = min(unix_seconds, self.pending[0][0].until_seconds)
        total = due_count(self.schedule.events_by(unix_seconds), self.number, self.shards)
        if self.last_seq is not None:
            total = min(total, self.last_seq)
        return max(0, total - self.made)

    def apply_due_revisions(self, unix_seconds: float) -> None:
        """Apply the revisions that are due, once all events before them are taken."""
        while self.pending and self.pending[0][0].until_seconds <= unix_seconds:
            if self.due(unix_seconds):
                return
            before = self.behaviour
            revision, self.behaviour = self.pending.pop(0)
            if len(self.applied) <= MOST_REVISIONS:
                self.applied.append(revision.to_json())
            self.population.apply_mix(self.behaviour.world)
            self.schedule = self.schedule.followed_by(
                self.behaviour.spec.rate,
                self.behaviour.rhythm,
                revision.until_seconds,
                revision.from_seconds,
            )
            if self.behaviour.spec.effects != before.spec.effects:
                self._renew_profiles()
            self._find_end()

    def is_over(self) -> bool:
        """Return whether the last event has been taken."""
        return self.last_seq is not None and self.made >= self.last_seq

    def end_at(self, shard_seq: int) -> None:
        """End the shard after an event; this overrides specifications."""
        self.ends_at = self.last_seq = shard_seq

    def take(self, count: int) -> Events:
        """Return the next ``count`` events, with their numbers and times."""
        waiting = len(self._made) - self._at
        if waiting < count:
            parts = [self.ready()]
            while waiting < count:
                parts.append(self._round(self.made + waiting))
                waiting += len(parts[-1])
            self._made, self._at = concatenate(parts), 0
        taken = _with_own_orders(self._made.part(self._at, self._at + count))
        self._at += count
        rows = taken.rows
        rows["shard"] = self.number
        rows["shard_seq"] = self.made + 1 + np.arange(count)
        times = self.schedule.times_of(self.index_of(rows["shard_seq"]))
        rows["event_time_ms"] = np.floor(1000 * times)
        self.made += count
        return taken

    def index_of(self, shard_seq: np.ndarray) -> np.ndarray:
        """Return the position of this shard's events among the events of all shards."""
        return (shard_seq - 1) * float(self.shards) + self.number + 0.5

    def _find_end(self) -> None:
        """Compute the shard's last event from ``stopAfter``."""
        stop_after = self.behaviour.spec.stop_after
        if stop_after is None or self.ends_at is not None:
            self.last_seq = self.ends_at
            return
        if stop_after.events is not None:
            total = float(stop_after.events)
        else:
            live_from = self.schedule.start_seconds + self.schedule.origin_after_seconds
            total = self.schedule.events_by(live_from + float(stop_after.duration_seconds or 0))
        self.last_seq = due_count(total, self.number, self.shards)

    def _round(self, made: int) -> Events:
        """Run the sessions for a short simulated time, and return their events."""
        schedule = self.schedule
        elapsed = float(schedule.elapsed_of(self.index_of(np.array([made + 1])))[0])
        if not np.isfinite(elapsed):
            elapsed = 0.0
        rate = max(schedule.rate_after(elapsed) / self.shards, 1e-3)
        shortest, longest = _ROUND_SECONDS
        backfill = self.behaviour.spec.backfill
        if backfill and schedule.ran_seconds + elapsed < backfill.days * _SECONDS_PER_DAY:
            longest = _HISTORY_ROUND_SECONDS
        span = float(np.clip(_EVENTS_PER_ROUND / rate, shortest, longest))
        until = self.own_seconds + span
        self._begin_sessions(elapsed, rate, span)
        world, journeys = self.behaviour.world, self.behaviour.journeys
        profiles = self.behaviour.profiles
        parts = []
        while (
            step := self.sessions.step(
                until,
                world,
                journeys,
                self.population,
                self.rng,
                profiles.exposures,
                profiles.faults,
            )
        ) is not None:
            parts.append(step)
        self.own_seconds = until
        events = concatenate(parts)
        order = np.argsort(events.rows["time_seconds"], kind="stable")
        return Events(events.rows[order], events.line_products, events.line_quantities)

    def _begin_sessions(self, elapsed_seconds: float, rate: float, span: float) -> None:
        """Begin as many sessions as keep the rate, from the groups of this hour."""
        rhythm = self.behaviour.rhythm
        place = int(rhythm.bin_of(self.schedule.start_seconds + elapsed_seconds))
        part = self.behaviour.profiles.range_of(
            elapsed_seconds - self.schedule.origin_after_seconds
        )
        ahead = self.own_seconds - (self.schedule.ran_seconds + elapsed_seconds)
        restoring = 1.0 + float(np.clip(ahead / _RESTORING_SECONDS, -0.5, 0.5))
        mean = rate * span / rhythm.expected_events[part, place] * restoring
        count = int(self.rng.poisson(mean))
        if not count:
            return
        at_seconds = self.own_seconds + span * np.sort(self.rng.random(count))
        group = np.searchsorted(rhythm.group_bounds[place], self.rng.random(count), side="right")
        group = self._with_users(group)
        user = self.population.draw(group, self.rng)
        profile = self._profiles_of(user, elapsed_seconds)
        self.sessions.begin(user, profile, at_seconds, self.population)

    def _profiles_of(self, user: np.ndarray, elapsed_seconds: float) -> np.ndarray:
        """Return the profiles of the users' sessions, by the time after the schedule's start."""
        return self.behaviour.profiles.of(
            self.behaviour.world,
            self.population,
            user,
            elapsed_seconds - self.schedule.origin_after_seconds,
            self.schedule.start_seconds + elapsed_seconds,
        )

    def _renew_profiles(self) -> None:
        """Give the open sessions the profiles of changed effects, as if they began now."""
        slot = self.sessions.open_slots()
        self.sessions.profile[slot] = self._profiles_of(self.sessions.user[slot], 0.0)

    def _with_users(self, group: np.ndarray) -> np.ndarray:
        """Replace groups that have no users in this shard by groups that have some."""
        empty = np.flatnonzero(self.population.size[group] == 0)
        if empty.size:
            bounds = np.cumsum(self.population.size)
            users = (bounds[-1] * self.rng.random(len(empty))).astype(np.int64)
            group[empty] = np.searchsorted(bounds, users, side="right")
        return group


def _with_own_orders(events: Events) -> Events:
    """Return the events with only their own orders, in new arrays."""
    rows = events.rows.copy()
    bought = np.flatnonzero(rows["order_row"] >= 0)
    kept = rows["order_row"][bought]
    rows["order_row"][bought] = np.arange(len(bought))
    return Events(rows, events.line_products[kept], events.line_quantities[kept])
