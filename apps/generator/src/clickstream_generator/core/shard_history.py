"""What decides the events of a shard, and the run record that follows from all shards' histories.

Owns the JSON in which a worker leaves the histories of its shards behind when they are over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.ledger import MOST_REVISIONS

from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.fingerprint import Fingerprint
from clickstream_generator.core.revision_rows import pack_rows, unpack_rows
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.core.snapshot import compress, decompress
from clickstream_generator.errors import RecordUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.carried_shard import CarriedShard
    from clickstream_generator.core.snapshot import Snapshot

__all__ = ["ShardHistory", "merged_record", "pack_histories", "unpack_histories"]


@dataclass(frozen=True)
class ShardHistory:
    """What decides the events of one shard.

    Attributes:
        first: The simulation at the start of the run.
        start_seconds: When the run's live part started, Unix seconds.
        fingerprint: The fingerprint of the run's world and random streams.
        revisions: Every change, in order, as :meth:`Revision.to_json` gives it.
        ends_at: The number of the last event, once it is decided.
    """

    first: Simulation
    start_seconds: float
    fingerprint: Fingerprint
    revisions: tuple[dict[str, Any], ...] = ()
    ends_at: int | None = None

    @classmethod
    def of_ended(cls, carried: CarriedShard, ends_at: int) -> ShardHistory:
        """Return the history of a shard that is over after an event."""
        shard = carried.shard
        return cls(
            carried.first,
            carried.start_seconds,
            shard.behaviour.world.fingerprint,
            # Revisions that were still to come have changed nothing.
            tuple(shard.applied),
            ends_at,
        )

    @classmethod
    def of_snapshot(
        cls, snapshot: Snapshot, announced: Iterable[Revision], ends_at: int | None
    ) -> ShardHistory:
        """Return the history of a shard that is not over.

        Args:
            snapshot: Its last snapshot.
            announced: The revisions that the snapshot may lack.
            ends_at: The number of its last event, if it is decided.
        """
        header = snapshot.header
        kept = [*unpack_rows(header["applied"]), *header["pending"]]
        known = {row["from_seconds"] for row in kept}
        ahead = [
            row.to_json()
            for row in announced
            if row.from_seconds > snapshot.since_seconds and row.from_seconds not in known
        ]
        return cls(
            snapshot.first,
            header["start_seconds"],
            Fingerprint.from_json(header["fingerprint"]),
            (*kept, *ahead),
            ends_at,
        )


def pack_histories(histories: Mapping[int, ShardHistory]) -> bytes:
    """Return the histories of shards that one worker carries, by shard, as compressed JSON."""
    some = next(iter(histories.values()))
    groups: list[tuple[tuple[dict[str, Any], ...], dict[str, int | None]]] = []
    for number, row in histories.items():
        ends = next((ends for revisions, ends in groups if revisions == row.revisions), None)
        if ends is None:
            groups.append((row.revisions, ends := {}))
        ends[str(number)] = row.ends_at
    content = {
        "first_document": dump_simulation(some.first),
        "start_seconds": some.start_seconds,
        "fingerprint": some.fingerprint.to_json(),
        "groups": [
            {"revisions": pack_rows(revisions), "ends_at": ends} for revisions, ends in groups
        ],
    }
    # Compressed: documents differ little, and all of them must fit into one record.
    return compress(json.dumps(content).encode())


def unpack_histories(value: bytes) -> dict[int, ShardHistory]:
    """Read the bytes of :func:`pack_histories`."""
    content: dict[str, Any] = json.loads(decompress(value))
    first = parse_simulation(content["first_document"])
    fingerprint = Fingerprint.from_json(content["fingerprint"])
    return {
        int(number): ShardHistory(first, content["start_seconds"], fingerprint, revisions, ends_at)
        for group in content["groups"]
        for revisions in [tuple(unpack_rows(group["revisions"]))]
        for number, ends_at in group["ends_at"].items()
    }


def merged_record(
    run_id: UUID,
    histories: Mapping[int, ShardHistory],
    version: str,
    began_at: str,
    ended_at: str | None,
) -> RunRecord:
    """Return the record of a run.

    Args:
        run_id: The run.
        histories: By shard.
        version: The version of the generator.
        began_at: When the run began, ISO 8601.
        ended_at: When it ended, ISO 8601; ``None`` before.

    Raises:
        RecordUnusable: A shard has no history yet, or a record cannot say how shards differ.
    """
    place = f"run {run_id}"
    if not histories:
        raise RecordUnusable(place, "no snapshot", "try again once it sends events")
    some = max(histories.values(), key=lambda row: len(row.revisions))
    if len(some.revisions) > MOST_REVISIONS:
        raise RecordUnusable(
            place, f"more than {MOST_REVISIONS:,} revisions", "repeat a run with fewer of them"
        )
    _check_agreement(place, some, histories)
    ends = {number: row.ends_at for number, row in sorted(histories.items())}
    is_decided = None not in ends.values()
    return RunRecord(
        run_id,
        some.first,
        some.start_seconds,
        some.fingerprint,
        version,
        began_at,
        tuple(map(Revision.from_json, some.revisions)),
        {number: last for number, last in ends.items() if last is not None} if is_decided else {},
        ended_at,
    )


def _check_agreement(place: str, some: ShardHistory, histories: Mapping[int, ShardHistory]) -> None:
    """Raise an error unless one record can say what all shards did.

    Args:
        place: The run, for the error.
        some: The history with the most revisions.
        histories: By shard.

    Raises:
        RecordUnusable: A shard has no history yet, or another one.
    """
    missing = sorted(set(range(some.first.spec.shards)) - set(histories))
    if missing:
        raise RecordUnusable(
            place, f"no snapshot of shard {missing[0]}", "try again once it sends events"
        )
    for number, row in sorted(histories.items()):
        # A shard that is over, or behind, lacks the last revisions.
        if row.revisions != some.revisions[: len(row.revisions)]:
            raise RecordUnusable(
                place,
                f"other revisions in shard {number} than in another shard",
                "run it in one worker: a record has one list of revisions for all shards",
            )
        if (row.first, row.start_seconds, row.fingerprint) != (
            some.first,
            some.start_seconds,
            some.fingerprint,
        ):
            raise RecordUnusable(
                place,
                f"another simulation, start or library in shard {number} than in another shard",
                "start all workers of a run with the same simulation and start time",
            )
