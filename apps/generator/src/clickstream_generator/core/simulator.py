"""The simulator: the source of events of all shards that one process carries.

Owns which events are due next over several shards, when a revision applies, and when the run is
over. The caller passes the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.run_truths import EXPERIMENTS, INCIDENTS

from clickstream_generator.core.behaviour import Behaviours, Revision
from clickstream_generator.core.carried_shard import CarriedShard
from clickstream_generator.core.encoding import Encoder
from clickstream_generator.core.events import Events, concatenate
from clickstream_generator.core.incident_truth import IncidentTruths
from clickstream_generator.core.population import build_population
from clickstream_generator.core.rhythm import Schedule
from clickstream_generator.core.segment_truth import ArmTruths
from clickstream_generator.core.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.catalog import Catalog
    from clickstream_generator.core.fingerprint import Fingerprint
    from clickstream_generator.core.population import Population
    from clickstream_generator.core.snapshot import Snapshot

__all__ = ["Simulator"]

_SECONDS_PER_DAY = 86_400
_REPLAY_CHUNK = 20_000
"""Events replayed at a time, so that memory stays bounded."""


class Simulator:
    """The source of events of some shards of a simulation.

    The constructor builds the users and takes long; :meth:`begin` is fast.

    Args:
        first: The simulation at the start of the run.
        numbers: The shards to carry.
        run_id: The run.
        catalog: The shop's own catalog; ``None`` for one of the specification.

    Attributes:
        run_id: As given.
        shards: The shards, by number.
        encoder: The encoder of the run's events.
        shed_events: Number of events left out because of overload.
    """

    def __init__(
        self,
        first: Simulation,
        numbers: tuple[int, ...],
        run_id: UUID,
        catalog: Catalog | None = None,
    ) -> None:
        spec = first.spec
        self.first = first
        self.run_id = run_id
        self.shards: dict[int, Shard] = {}
        self.shed_events = 0
        self._total_shards = spec.shards
        self._behaviours = Behaviours(spec, catalog)
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

    def begin(
        self, start_seconds: float, snapshots: Mapping[int, Snapshot] | None = None
    ) -> dict[int, CarriedShard]:
        """Begin or resume the run, and return the carried shards, by number.

        Args:
            start_seconds: When the live part starts, Unix seconds; history comes before it.
            snapshots: Snapshots of the shards to resume, by shard.

        Raises:
            WorldChanged: This process would make other events than the run has.
        """
        carried = {
            number: CarriedShard.from_snapshot(
                snapshots[number], self.first, population, self._behaviours
            )
            if snapshots and number in snapshots
            else CarriedShard.begin(
                self.first, self._fresh(number, population, start_seconds), start_seconds
            )
            for number, population in self._populations.items()
        }
        self.shards = {number: row.shard for number, row in carried.items()}
        return carried

    def _fresh(self, number: int, population: Population, start_seconds: float) -> Shard:
        """Return a shard at the start of the run."""
        spec = self.first.spec
        history_seconds = spec.backfill.days * _SECONDS_PER_DAY if spec.backfill else 0
        behaviour = self._behaviours.of(spec)
        return Shard(
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
        """The fingerprint of the run's world."""
        return self._behaviours.world.fingerprint

    def truths(
        self, first: Simulation, start_seconds: float
    ) -> dict[str, IncidentTruths | ArmTruths]:
        """Return the truths of the run, by the member of the run record.

        Args:
            first: The simulation at the start of the run; that of this simulator may be an edit.
            start_seconds: When the live part starts, Unix seconds.
        """
        behaviour = self._behaviours.of(first.spec)
        return {
            INCIDENTS: IncidentTruths(behaviour, start_seconds),
            EXPERIMENTS: ArmTruths(behaviour, start_seconds),
        }

    @property
    def live_from_seconds(self) -> float:
        """When the live part starts, Unix seconds; events due earlier are history."""
        schedule = next(iter(self.shards.values())).schedule
        return schedule.start_seconds + schedule.origin_after_seconds

    def check(self, simulation: Simulation) -> None:
        """Build the behaviour of a specification, to check it before it is announced.

        Raises:
            SimulationInvalid: A session could never end.
        """
        self._behaviours.of(simulation.spec)

    def revise(self, revision: Revision, numbers: tuple[int, ...] | None = None) -> None:
        """Add a revision, which applies when it is due.

        Args:
            revision: The revision; not due before the last event taken.
            numbers: The shards that it concerns; all if absent.
        """
        behaviour = self._behaviours.of(revision.simulation.spec)
        for number in self.shards if numbers is None else numbers:
            self.shards[number].pending.append((revision, behaviour))

    def take_due(self, unix_seconds: float, at_most: int) -> Events:
        """Return events that are due by the moment, the earliest ones first.

        Args:
            unix_seconds: The moment.
            at_most: About how many; the next call returns the rest.
        """
        # First, because the current rate determines the size of a chunk.
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
        """Return the shard's next events up to a number, at most one chunk.

        The result is empty once the number is reached.

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
        """Return the moment up to which all due events are taken; at most the given one."""
        return unix_seconds - self.lag_seconds(unix_seconds)

    def following_seconds(self) -> float:
        """Return when the next event or revision is due; infinity for never."""
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
        """Return how long before the moment the next event was due, in seconds."""
        shard = self._furthest_behind()
        if shard is None:
            return 0.0
        following = shard.schedule.times_of(shard.index_of(np.array([shard.made + 1])))
        return max(0.0, unix_seconds - float(following[0]))

    def earliest_revision_seconds(self) -> float:
        """Return the earliest moment for another revision: after every pending one."""
        return max(
            (row.from_seconds for shard in self.shards.values() for row, _ in shard.pending),
            default=0.0,
        )

    def has_pending_revisions(self) -> bool:
        """Return whether a shard has a pending revision."""
        return any(shard.pending for shard in self.shards.values())

    def shedding(self, unix_seconds: float, not_before: float = 0.0) -> Revision:
        """Return the revision that leaves out the unsent events due before the moment.

        Args:
            unix_seconds: The moment.
            not_before: Events due until then are not left out, Unix seconds.
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
        """End the run after the events taken so far."""
        for shard in self.shards.values():
            shard.end_at(shard.made)

    def is_over(self) -> bool:
        """Return whether every shard is over."""
        return all(shard.is_over() for shard in self.shards.values())

    def target_events_per_second(self, unix_seconds: float) -> float:
        """Return the target rate at the moment, over the shards carried here."""
        schedule = next(iter(self.shards.values())).schedule
        share = len(self.shards) / self._total_shards
        return schedule.rate_after(unix_seconds - schedule.start_seconds) * share

    def sessions_under_way(self) -> dict[int, int]:
        """Return the number of open sessions, by shard."""
        return {number: shard.sessions.under_way() for number, shard in self.shards.items()}

    def _furthest_behind(self) -> Shard | None:
        """Return the shard with the fewest events taken that is not over."""
        going = [shard for shard in self.shards.values() if not shard.is_over()]
        return min(going, key=lambda shard: shard.made, default=None)

    def _horizon(self, unix_seconds: float, at_most: int) -> float:
        """Return the moment by which about ``at_most`` events are due; at most the given one."""
        shard = self._furthest_behind()
        if shard is None:
            return unix_seconds
        per_shard = max(1, at_most // len(self.shards))
        index = shard.index_of(np.array([shard.made + per_shard]))
        if index[0] >= shard.schedule.events_by(unix_seconds):
            return unix_seconds
        return min(unix_seconds, float(shard.schedule.times_of(index)[0]))
