"""Snapshots: the state of a shard, from which another process resumes it.

Owns the format: a NumPy archive (``.npz``) with a JSON header, compressed with Zstandard. The
snapshot leaves out everything that follows from seed and specification, such as users' traits and
the catalog, and holds only its fingerprint.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from clickstream_contract.document import dump_simulation, parse_simulation

from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.events import Events
from clickstream_generator.core.fingerprint import Fingerprint, check_fingerprint
from clickstream_generator.core.rhythm import Schedule
from clickstream_generator.core.sessions import Sessions
from clickstream_generator.core.shard import Shard
from clickstream_generator.errors import SnapshotUnusable

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.behaviour import Behaviours
    from clickstream_generator.core.population import Population

__all__ = ["Snapshot", "capture_shard", "dump_snapshot", "load_snapshot", "restore_shard"]

_FORMAT = 4
_POPULATION = ("seen", "sessions", "is_here", "saved_cart")
_SCHEDULE = ("start_seconds", "origin_after_seconds", "first_index", "ran_seconds")


@dataclass(frozen=True)
class Snapshot:
    """The state of a shard at one moment.

    Attributes:
        header: Numbers and texts, as JSON values.
        arrays: The state in arrays, which belong to the snapshot.
    """

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def shard_seq(self) -> int:
        """The number of the last event taken."""
        return int(self.header["made"])

    @property
    def first(self) -> Simulation:
        """The simulation at the start of the run."""
        return parse_simulation(self.header["first_document"])

    @property
    def running(self) -> Simulation:
        """The simulation at the time of the snapshot."""
        return parse_simulation(self.header["document"])


def capture_shard(shard: Shard, first: Simulation) -> Snapshot:
    """Return a copy of a shard's state.

    Args:
        shard: The shard.
        first: The simulation at the start of the run.
    """
    sessions = shard.sessions
    header = {
        "format": _FORMAT,
        "fingerprint": shard.behaviour.world.fingerprint.to_json(),
        "number": shard.number,
        "made": shard.made,
        "own_seconds": shard.own_seconds,
        "schedule": {name: getattr(shard.schedule, name) for name in _SCHEDULE},
        "rng": shard.rng.bit_generator.state,
        "begun": sessions.begun,
        "joined": shard.population.joined[:],
        "document": dump_simulation(first.model_copy(update={"spec": shard.behaviour.spec})),
        "first_document": dump_simulation(first),
        "pending": [revision.to_json() for revision, _ in shard.pending],
    }
    ready = shard.ready()
    arrays = {
        "ready": ready.rows,
        "ready_products": ready.line_products,
        "ready_quantities": ready.line_quantities,
    }
    for name in _POPULATION:
        arrays[f"population_{name}"] = getattr(shard.population, name).copy()
    for name in _columns():
        column = getattr(sessions, name).copy()
        if name not in {"free", "next_seconds"}:
            # The old content of a free slot is never read again; zeros compress well.
            column[sessions.free] = 0
        arrays[f"sessions_{name}"] = column
    return Snapshot(header, arrays)


def restore_shard(
    snapshot: Snapshot, shards: int, population: Population, behaviours: Behaviours
) -> Shard:
    """Return the shard as it was when the snapshot was taken.

    Args:
        snapshot: The shard's snapshot.
        shards: Number of shards in the run.
        population: The shard's users at the start of the run; they are changed in place.
        behaviours: The behaviours of the run.

    Raises:
        WorldChanged: This process would make other events than the run has.
    """
    written = Fingerprint.from_json(snapshot.header["fingerprint"])
    check_fingerprint(written, behaviours.world.fingerprint)
    header, arrays = snapshot.header, snapshot.arrays
    behaviour = behaviours.of(snapshot.running.spec)
    for persona, users in header["joined"]:
        population.add_users(behaviour.world, persona, users)
    for name in _POPULATION:
        setattr(population, name, arrays[f"population_{name}"])
    # Not apply_mix(): the snapshot already has the users that joined with a revision.
    population.return_share = behaviour.world.return_share[behaviour.world.group_persona]
    rng = np.random.default_rng()
    rng.bit_generator.state = header["rng"]
    columns = {name: arrays[f"sessions_{name}"] for name in _columns()}
    pending = [Revision.from_json(row) for row in header["pending"]]
    return Shard(
        number=header["number"],
        shards=shards,
        behaviour=behaviour,
        population=population,
        schedule=Schedule(behaviour.spec.rate, behaviour.rhythm, **header["schedule"]),
        rng=rng,
        sessions=Sessions(**columns, begun=header["begun"]),
        made=header["made"],
        own_seconds=header["own_seconds"],
        pending=[(revision, behaviours.of(revision.simulation.spec)) for revision in pending],
        waiting=Events(arrays["ready"], arrays["ready_products"], arrays["ready_quantities"]),
    )


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    plain = io.BytesIO()
    header = np.frombuffer(json.dumps(snapshot.header).encode(), dtype=np.uint8)
    np.savez(plain, header=header, allow_pickle=False, **snapshot.arrays)
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(plain.getbuffer())
    return bytes(packed.getvalue())


def load_snapshot(content: bytes) -> Snapshot:
    """Read the bytes of :func:`dump_snapshot`.

    Raises:
        SnapshotUnusable: The bytes are not a snapshot of this format.
    """
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            plain = io.BytesIO(stream.read())
        with np.load(plain, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise SnapshotUnusable(f"its bytes cannot be read ({error})") from None
    if header.get("format") != _FORMAT:
        raise SnapshotUnusable(f"its format is {header.get('format')}, not {_FORMAT}")
    return Snapshot(header, arrays)


def _columns() -> list[str]:
    """Return the names of the sessions' arrays."""
    return [entry.name for entry in fields(Sessions) if entry.name != "begun"]
