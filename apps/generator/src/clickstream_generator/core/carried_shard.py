"""A shard that this process carries: its events, and what the run keeps beside them.

Owns which parts a shard's state has, and how a snapshot is made of them and taken apart again. A
snapshot leaves out everything that follows from seed and specification, such as users' traits and
the catalog, and holds only its fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.document import dump_simulation

from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.events import Events
from clickstream_generator.core.faults import FaultSource, fault_rng
from clickstream_generator.core.fingerprint import Fingerprint, check_fingerprint
from clickstream_generator.core.late_records import LateRecords
from clickstream_generator.core.revision_rows import pack_rows, unpack_rows
from clickstream_generator.core.rhythm import Schedule
from clickstream_generator.core.sessions import Sessions
from clickstream_generator.core.shard import Shard
from clickstream_generator.core.shard_ledger import ShardLedger
from clickstream_generator.core.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.behaviour import Behaviours
    from clickstream_generator.core.population import Population

__all__ = ["Captured", "CarriedShard"]

_POPULATION = ("seen", "sessions", "is_here", "saved_cart")
_SCHEDULE = ("start_seconds", "origin_after_seconds", "first_index", "ran_seconds")
_SESSIONS = [entry.name for entry in fields(Sessions) if entry.name != "begun"]


@dataclass(frozen=True)
class Captured:
    """A copy of a shard's state after the last event taken, without the acknowledged records.

    Attributes:
        header: As in the snapshot.
        arrays: Some of the snapshot's arrays.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


@dataclass
class CarriedShard:
    """A shard with everything that moves with it to another worker.

    Attributes:
        first: The simulation at the start of the run.
        start_seconds: When the run's live part started, Unix seconds.
        shard: The source of its events.
        fault_rng: The random stream of its faults.
        ledger: Its sent and acknowledged records.
        late: Its records that are held back.
        announced: Revisions that its last stored snapshot may lack.
    """

    first: Simulation
    start_seconds: float
    shard: Shard
    fault_rng: np.random.Generator
    ledger: ShardLedger
    late: LateRecords = field(default_factory=LateRecords)
    announced: list[Revision] = field(default_factory=list)

    @classmethod
    def begin(cls, first: Simulation, shard: Shard, start_seconds: float) -> CarriedShard:
        """Return a shard that has sent nothing.

        Args:
            first: The simulation at the start of the run.
            shard: The source of its events.
            start_seconds: When the run's live part starts, Unix seconds.
        """
        return cls(
            first,
            start_seconds,
            shard,
            fault_rng(first.spec.seed, shard.number),
            ShardLedger(shard.number, shard.shards),
        )

    @classmethod
    def from_snapshot(
        cls, snapshot: Snapshot, first: Simulation, population: Population, behaviours: Behaviours
    ) -> CarriedShard:
        """Return the shard as it was when the snapshot was taken.

        Args:
            snapshot: The shard's snapshot.
            first: The simulation at the start of the run.
            population: The shard's users at the start of the run; they are changed in place.
            behaviours: The behaviours of the run.

        Raises:
            WorldChanged: This process would make other events than the run has.
        """
        header, arrays = snapshot.header, snapshot.arrays
        written = Fingerprint.from_json(header["fingerprint"])
        check_fingerprint(written, behaviours.world.fingerprint)
        return cls(
            first,
            header["start_seconds"],
            _restored(snapshot, first.spec.shards, population, behaviours),
            _rng_at(header["fault_rng"]),
            ShardLedger.from_arrays(snapshot.number, first.spec.shards, arrays),
            LateRecords.from_arrays(snapshot.number, arrays),
        )

    def capture(self) -> Captured:
        """Return a copy of the state that changes with each event."""
        shard = self.shard
        sessions, ready = shard.sessions, shard.ready()
        running = self.first.model_copy(update={"spec": shard.behaviour.spec})
        header = {
            "fingerprint": shard.behaviour.world.fingerprint.to_json(),
            "number": shard.number,
            "start_seconds": self.start_seconds,
            "made": shard.made,
            "own_seconds": shard.own_seconds,
            "schedule": {name: getattr(shard.schedule, name) for name in _SCHEDULE},
            "rng": shard.rng.bit_generator.state,
            "begun": sessions.begun,
            "joined": shard.population.joined[:],
            "document": dump_simulation(running),
            "first_document": dump_simulation(self.first),
            "applied": pack_rows(shard.applied),
            "pending": [revision.to_json() for revision, _ in shard.pending],
            "fault_rng": self.fault_rng.bit_generator.state,
        }
        arrays = {
            "ready": ready.rows,
            "ready_products": ready.line_products,
            "ready_quantities": ready.line_quantities,
        }
        for name in _POPULATION:
            arrays[f"population_{name}"] = getattr(shard.population, name).copy()
        for name in _SESSIONS:
            column = getattr(sessions, name).copy()
            if name not in {"free", "next_seconds"}:
                # The old content of a free slot is never read again; zeros compress well.
                column[sessions.free] = 0
            arrays[f"sessions_{name}"] = column
        return Captured(header, arrays)

    def snapshot(self, captured: Captured | None = None) -> Snapshot:
        """Return a snapshot.

        Args:
            captured: The state to resume from; the current one if absent. Every record up to it,
                and none after it, must be acknowledged.
        """
        taken = captured or self.capture()
        held = self.late.to_arrays(taken.header["made"])
        return Snapshot(taken.header, {**taken.arrays, **self.ledger.to_arrays(), **held})

    def fault_source(self) -> FaultSource:
        """Return what decides the faults of the next events."""
        spec = self.shard.behaviour.spec
        own = any(any(overlay.faults.shares) for overlay in spec.effects.every)
        return FaultSource(self.fault_rng, spec.faults, own)

    def later(self, revisions: Iterable[Revision]) -> tuple[Revision, ...]:
        """Return the revisions after the current one, of a shard made from a snapshot."""
        since = self.shard.schedule.start_seconds
        return tuple(row for row in revisions if row.from_seconds > since)

    def forget_announced(self, since_seconds: float) -> None:
        """Drop the announced revisions that a stored snapshot includes.

        Args:
            since_seconds: The snapshot's ``since_seconds``.
        """
        self.announced = [row for row in self.announced if row.from_seconds > since_seconds]


def _restored(
    snapshot: Snapshot, shards: int, population: Population, behaviours: Behaviours
) -> Shard:
    """Return the source of a shard's events as :meth:`CarriedShard.capture` found it."""
    header, arrays = snapshot.header, snapshot.arrays
    behaviour = behaviours.of(snapshot.running.spec)
    for persona, users in header["joined"]:
        population.add_users(behaviour.world, persona, users)
    for name in _POPULATION:
        setattr(population, name, arrays[f"population_{name}"])
    # Not apply_mix(): the snapshot already has the users that joined with a revision.
    population.return_share = behaviour.world.return_share[behaviour.world.group_persona]
    columns = {name: arrays[f"sessions_{name}"] for name in _SESSIONS}
    pending = [Revision.from_json(row) for row in header["pending"]]
    return Shard(
        number=snapshot.number,
        shards=shards,
        behaviour=behaviour,
        population=population,
        schedule=Schedule(behaviour.spec.rate, behaviour.rhythm, **header["schedule"]),
        rng=_rng_at(header["rng"]),
        sessions=Sessions(**columns, begun=header["begun"]),
        made=snapshot.shard_seq,
        own_seconds=header["own_seconds"],
        applied=unpack_rows(header["applied"]),
        pending=[(revision, behaviours.of(revision.simulation.spec)) for revision in pending],
        waiting=Events(arrays["ready"], arrays["ready_products"], arrays["ready_quantities"]),
    )


def _rng_at(state: dict[str, Any]) -> np.random.Generator:
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng
