"""All shards that one process carries, as one source of events.

Owns which events are due next over several shards, when a revision takes over and when the
run is over. The caller says what time it is. It does not know how events are sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.behaviour import Behaviours, Revision
from clickstream_generator.core.encoding import Encoder
from clickstream_generator.core.events import Events, concatenate
from clickstream_generator.core.population import build_population
from clickstream_generator.core.rhythm import Schedule
from clickstream_generator.core.shard import Shard
from clickstream_generator.core.snapshot import restore_shard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.fingerprint import Fingerprint
    from clickstream_generator.core.snapshot import Snapshot

__all__ = ["Simulator"]

_SECONDS_PER_DAY = 86_400
_REPLAY_CHUNK = 20_000
"""Events replayed at a time, so that memory stays flat."""


class Simulator:
    """The events of some shards of a simulation.

    Making one takes as long as making its users; :meth:`begin` takes no time.

    Args:
        first: The simulation as it was when the run began.
        numbers: The shards to carry.
        run_id: The run.

    Attributes:
        run_id: As given.
        shards: By number.
        encoder: Writes the events.
        shed_events: Events left out because the process could not keep up.
    """

    def __init__(self, first: Simulation, numbers: tuple[int, ...], run_id: UUID) -> None:
        spec = first.spec
        self.first = first
        self.run_id = run_id
        self.shards: dict[int, Shard] = {}
        self.shed_events = 0
        self._total_shards = spec.shards
        self._behaviours = Behaviours(spec)
        world = self._behaviours.world
        self._populations = {
            number: build_population(
                world,
                (spec.users - number + spec.shards - 1) // spec.shards,
                number,
                spec.seed,
            )
            for number in numbers
        }
        self.encoder = Encoder(world, self._populations, first.full_name, run_id, spec.shards)

    def begin(self, start_seconds: float, snapshots: Mapping[int, Snapshot] | None = None) -> None:
        """Let the run begin, or go on.

        Args:
            start_seconds: When the live part starts, Unix seconds; history comes before it.
            snapshots: Of the shards that have run before, where each stood.
        """
        spec = self.first.spec
        history_seconds = spec.backfill.days * _SECONDS_PER_DAY if spec.backfill else 0
        behaviour = self._behaviours.of(spec)
        for number, population in self._populations.items():
            if snapshots and number in snapshots:
                self.shards[number] = restore_shard(
                    snapshots[number], self._total_shards, population, self._behaviours
                )
                continue
            self.shards[number] = Shard(
                number=number,
                shards=self._total_shards,
                behaviour=behaviour,
                population=population,
                schedule=Schedule(
                    spec.rate,
                    behaviour.rhythm,
                    start_seconds=start_seconds - history_seconds,
                    origin_after_seconds=float(history_seconds),
                ),
                rng=np.random.default_rng([number, spec.seed]),
            )

    @property
    def fingerprint(self) -> Fingerprint:
        """What the run's events follow from, beside its specification."""
        return self._behaviours.world.fingerprint

    @property
    def live_from_seconds(self) -> float:
        """When the live part starts or started, Unix seconds; what is due before is history."""
        schedule = next(iter(self.shards.values())).schedule
        return schedule.start_seconds + schedule.origin_after_seconds

    def check(self, simulation: Simulation) -> None:
        """Work a specification out before anybody is told of it.

        Raises:
            SimulationInvalid: A session could go on for ever.
        """
        self._behaviours.of(simulation.spec)

    def revise(self, revision: Revision, numbers: tuple[int, ...] | None = None) -> None:
        """Let a revision take over when its time has come.

        Args:
            revision: What and when; not before what was handed out.
            numbers: The shards that it is for; all if absent.
        """
        behaviour = self._behaviours.of(revision.simulation.spec)
        for number in self.shards if numbers is None else numbers:
            self.shards[number].pending.append((revision, behaviour))

    def take_due(self, unix_seconds: float, at_most: int) -> Events:
        """Hand out events that are due by the moment, the earliest ones first.

        Args:
            unix_seconds: The moment.
            at_most: About how many; what is left comes with the next call.
        """
        # First, since a chunk is measured by the rate that holds now.
        for shard in self.shards.values():
            shard.apply_due_revisions(unix_seconds)
        horizon = self._horizon(unix_seconds, at_most)
        parts = []
        for shard in self.shards.values():
            count = shard.due(horizon)
            if count:
                parts.append(shard.take(count))
        return concatenate(parts)

    def replay(self, number: int, shard_seq: int, unix_seconds: float = float("inf")) -> Events:
        """Hand out the shard's next events up to the one with the number, at most a chunk.

        None is left once the number is reached.

        Args:
            number: The shard.
            shard_seq: The number of the last event wanted.
            unix_seconds: Only events that are due by this moment.
        """
        shard = self.shards[number]
        shard.apply_due_revisions(unix_seconds)
        count = min(shard_seq - shard.made, _REPLAY_CHUNK)
        if shard.pending:
            unix_seconds = min(unix_seconds, shard.pending[0][0].until_seconds)
        if np.isfinite(unix_seconds):
            count = min(count, shard.due(unix_seconds))
        return shard.take(count) if count > 0 else concatenate([])

    def reached_seconds(self, unix_seconds: float) -> float:
        """Return the moment up to which all is handed out, not after the given one."""
        return unix_seconds - self.lag_seconds(unix_seconds)

    def following_seconds(self) -> float:
        """Return the moment by which an event or a revision is due next; infinity if never."""
        return min(
            (
                min(
                    float(shard.schedule.times_of(shard.index_of(np.array([shard.made + 1])))[0]),
                    *(row.until_seconds for row, _ in shard.pending[:1]),
                    np.inf,
                )
                for shard in self.shards.values()
                if not shard.is_over()
            ),
            default=np.inf,
        )

    def lag_seconds(self, unix_seconds: float) -> float:
        """Return how far the next event to be handed out lies behind the moment."""
        shard = self._hindmost()
        if shard is None:
            return 0.0
        following = shard.schedule.times_of(shard.index_of(np.array([shard.made + 1])))
        return max(0.0, unix_seconds - float(following[0]))

    def earliest_revision_seconds(self) -> float:
        """Return the moment before which another revision would overtake one announced."""
        return max(
            (row.from_seconds for shard in self.shards.values() for row, _ in shard.pending),
            default=0.0,
        )

    def has_pending_revisions(self) -> bool:
        """Say whether a shard has yet to take up a revision."""
        return any(shard.pending for shard in self.shards.values())

    def shedding(self, unix_seconds: float, not_before: float = 0.0) -> Revision:
        """Return the revision that leaves out what should have been sent before the moment.

        Args:
            unix_seconds: The moment.
            not_before: Nothing that was due until then is left out, Unix seconds.
        """
        shards = list(self.shards.values())
        foremost = max(shards, key=lambda shard: shard.made)
        index = foremost.index_of(np.array([foremost.made + 1]))
        following = float(foremost.schedule.times_of(index)[0])
        until = min(unix_seconds, max(following, not_before))
        simulation = self.first.model_copy(update={"spec": foremost.behaviour.spec})
        due = foremost.schedule.events_by(unix_seconds) - foremost.schedule.events_by(until)
        self.shed_events += round(due * len(shards) / self._total_shards)
        return Revision(until, unix_seconds, simulation)

    def stop(self) -> None:
        """End the run with what has been handed out."""
        for shard in self.shards.values():
            shard.end_at(shard.made)

    def is_over(self) -> bool:
        """Say whether every shard has handed out its last event."""
        return all(shard.is_over() for shard in self.shards.values())

    def target_events_per_second(self, unix_seconds: float) -> float:
        """Return the rate wanted at the moment of the shards carried here."""
        schedule = next(iter(self.shards.values())).schedule
        share = len(self.shards) / self._total_shards
        return schedule.rate_after(unix_seconds - schedule.start_seconds) * share

    def sessions_under_way(self) -> dict[int, int]:
        """Return how many sessions each shard has under way."""
        return {number: shard.sessions.under_way() for number, shard in self.shards.items()}

    def _hindmost(self) -> Shard | None:
        """Return the shard that has most to catch up; all advance side by side."""
        going = [shard for shard in self.shards.values() if not shard.is_over()]
        return min(going, key=lambda shard: shard.made, default=None)

    def _horizon(self, unix_seconds: float, at_most: int) -> float:
        """Return the moment by which about ``at_most`` events are due, or the given one."""
        shard = self._hindmost()
        if shard is None:
            return unix_seconds
        per_shard = max(1, at_most // len(self.shards))
        index = shard.index_of(np.array([shard.made + per_shard]))
        if index[0] >= shard.schedule.events_by(unix_seconds):
            return unix_seconds
        return min(unix_seconds, float(shard.schedule.times_of(index)[0]))
