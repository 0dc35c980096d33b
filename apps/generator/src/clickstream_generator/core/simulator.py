"""All shards that one process carries, as one source of events.

Owns which events are due next over several shards and when the run is over. The caller says
what time it is. It does not know how events are sent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.encoding import Encoder
from clickstream_generator.core.events import Events, concatenate
from clickstream_generator.core.journeys import compile_journeys
from clickstream_generator.core.population import build_population
from clickstream_generator.core.rhythm import Schedule, build_rhythm
from clickstream_generator.core.shard import Shard, due_count
from clickstream_generator.core.world import build_world

if TYPE_CHECKING:
    from uuid import UUID

    from clickstream_contract.simulation import Simulation

__all__ = ["Simulator"]

_SECONDS_PER_DAY = 86_400


class Simulator:
    """The events of some shards of a simulation.

    Making one takes as long as making its users; :meth:`begin` takes no time.

    Args:
        simulation: What to simulate.
        numbers: The shards to carry.
        run_id: The run.

    Attributes:
        shards: By number.
        live_from_seconds: When the live part starts; what is due before is history.
        schedule: When events are due, over all shards of the simulation.
        encoder: Writes the events.
        shed_events: Events left out because the process could not keep up.
    """

    schedule: Schedule
    live_from_seconds: float

    def __init__(self, simulation: Simulation, numbers: tuple[int, ...], run_id: UUID) -> None:
        spec = simulation.spec
        if spec.users < spec.shards:
            raise SimulationInvalid(
                "spec.users", spec.users, f"at least one user per shard is needed: {spec.shards}"
            )
        self.shards: dict[int, Shard] = {}
        self.shed_events = 0
        self._spec = spec
        self._total_shards = spec.shards
        self._world = build_world(spec)
        self._journeys = compile_journeys(self._world.personas)
        self._rhythm = build_rhythm(self._world, self._journeys, spec.rate.curve)
        self._populations = {
            number: build_population(
                self._world,
                (spec.users - number + spec.shards - 1) // spec.shards,
                number,
                spec.seed,
            )
            for number in numbers
        }
        self.encoder = Encoder(self._world, self._populations, simulation.name, run_id, spec.shards)

    def begin(self, start_seconds: float) -> None:
        """Let the run begin.

        Args:
            start_seconds: When the live part starts, Unix seconds; history comes before it.
        """
        spec = self._spec
        history_days = spec.backfill.days if spec.backfill else 0
        begin_seconds = start_seconds - history_days * _SECONDS_PER_DAY
        self.live_from_seconds = start_seconds
        self.schedule = Schedule(
            spec.rate, self._rhythm, start_seconds=begin_seconds, origin_seconds=start_seconds
        )
        for number, population in self._populations.items():
            self.shards[number] = Shard(
                number=number,
                shards=spec.shards,
                world=self._world,
                journeys=self._journeys,
                population=population,
                schedule=self.schedule,
                began_seconds=begin_seconds,
                live_from_seconds=start_seconds,
                rng=np.random.default_rng([number, spec.seed]),
                last_seq=self._last_seq(number),
            )

    def take_due(self, unix_seconds: float, at_most: int) -> Events:
        """Hand out events that are due by the moment, the earliest ones first.

        Args:
            unix_seconds: The moment.
            at_most: About how many; what is left comes with the next call.
        """
        horizon = self._horizon(unix_seconds, at_most)
        parts = []
        for shard in self.shards.values():
            count = shard.due(horizon)
            if count:
                parts.append(shard.take(count))
        return concatenate(parts)

    def lag_seconds(self, unix_seconds: float) -> float:
        """Return how far the next event to be handed out lies behind the moment."""
        waiting = [self._next_due(shard) for shard in self.shards.values() if not _over(shard)]
        return max(0.0, unix_seconds - min(waiting, default=unix_seconds))

    def shed(self, unix_seconds: float) -> int:
        """Let go of what should have been sent before the moment, and count it."""
        late_seconds = self.lag_seconds(unix_seconds)
        if not late_seconds:
            return 0
        done = min(shard.made for shard in self.shards.values()) * float(self._total_shards)
        due = self.schedule.events_by(unix_seconds)
        missed = max(0, int((due - done) * len(self.shards) / self._total_shards))
        self.schedule = replace(self.schedule, start_seconds=unix_seconds, first_index=done)
        for shard in self.shards.values():
            shard.follow(self.schedule)
            shard.began_seconds += late_seconds
        self.shed_events += missed
        return missed

    def stop(self) -> None:
        """End the run with what has been handed out."""
        for shard in self.shards.values():
            shard.last_seq = shard.made

    def is_over(self) -> bool:
        """Say whether every shard has handed out its last event."""
        return all(_over(shard) for shard in self.shards.values())

    def target_events_per_second(self, unix_seconds: float) -> float:
        """Return the rate wanted at the moment of the shards carried here."""
        share = len(self.shards) / self._total_shards
        return self.schedule.rate_at(unix_seconds) * share

    def sessions_under_way(self) -> dict[int, int]:
        """Return how many visits each shard has under way."""
        return {number: shard.visits.under_way() for number, shard in self.shards.items()}

    def _horizon(self, unix_seconds: float, at_most: int) -> float:
        """Return the moment by which about ``at_most`` events are due, or the given one."""
        going = [shard.made for shard in self.shards.values() if not _over(shard)]
        if not going:
            return unix_seconds
        per_shard = max(1, at_most // len(going))
        index = np.array([float((min(going) + per_shard) * self._total_shards)])
        if index[0] >= self.schedule.events_by(unix_seconds):
            return unix_seconds
        return min(unix_seconds, float(self.schedule.times_of(index)[0]))

    def _next_due(self, shard: Shard) -> float:
        index = shard.made * float(self._total_shards) + shard.number + 0.5
        return float(self.schedule.times_of(np.array([index]))[0])

    def _last_seq(self, number: int) -> int | None:
        """Return after which event the shard ends, as ``stopAfter`` says."""
        stop_after = self._spec.stop_after
        if stop_after is None:
            return None
        if stop_after.events is not None:
            total = float(stop_after.events)
        else:
            end_seconds = self.live_from_seconds + float(stop_after.duration_seconds or 0)
            total = self.schedule.events_by(end_seconds)
        return due_count(total, number, self._total_shards)


def _over(shard: Shard) -> bool:
    return shard.last_seq is not None and shard.made >= shard.last_seq
