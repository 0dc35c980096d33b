"""Records made from events, and the ledgers that count them.

Owns the state of a run beside its shards: the fault planter, the late records and the ledgers. The
caller reports which records are acknowledged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clickstream_generator.core.encodings import JSON
from clickstream_generator.core.faults import FaultPlanter, held_arrays, held_from
from clickstream_generator.core.fingerprint import check_fingerprint
from clickstream_generator.core.late_records import LateRecords
from clickstream_generator.core.shard_ledger import ShardLedger
from clickstream_generator.core.snapshot import capture_shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_generator.core.encodings import Encoding
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.faults import LateRecord, Planted
    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.core.snapshot import Snapshot

__all__ = ["Maker", "begin_run"]

_KEEP_MINUTES = 120
"""The least number of minutes that a ledger keeps open for late events."""


class Maker:
    """The maker of records for the shards of a simulator.

    Args:
        simulator: The source of events; it has begun.
        encoding: The encoding of the records.

    Attributes:
        simulator: As given.
        ledgers: The shards' ledgers, by shard.
    """

    def __init__(self, simulator: Simulator, encoding: Encoding = JSON) -> None:
        spec = simulator.first.spec
        self.simulator = simulator
        self.ledgers = {number: ShardLedger(number, spec.shards) for number in simulator.shards}
        self._encoding = encoding
        self._planter = FaultPlanter(spec.seed, list(simulator.shards), encoding)
        self._late = {number: LateRecords((number,)) for number in simulator.shards}

    def make(self, events: Events, now_ms: int) -> Planted:
        """Return the records of events, with faults; hold back the late ones."""
        encoded = self.simulator.encoder.encode(events, now_ms)
        faults = {
            number: shard.behaviour.spec.faults for number, shard in self.simulator.shards.items()
        }
        values = self._encoding.encode(events, encoded, now_ms)
        planted = self._planter.plant(events.rows, encoded, faults, values)
        for late in planted.late:
            self._late[late.shard].hold(late)
        return planted

    def take_late(self, number: int, reached_seconds: float, now_ms: int) -> list[LateRecord]:
        """Return a shard's late records whose delay is over, with the current ``sent_at``.

        Args:
            number: The shard.
            reached_seconds: The moment that the run has reached, Unix seconds; infinity at the end.
            now_ms: The current time, Unix milliseconds.
        """
        found = []
        while (late := self._late[number].take_due(reached_seconds)) is not None:
            value, key = late.record
            stamped = self.simulator.encoder.stamped(value or b"", now_ms)
            found.append(replace(late, record=(self._encoding.encode_one(stamped), key)))
        return found

    def close(self, late: LateRecord) -> None:
        """Forget a late record that is acknowledged."""
        self._late[late.shard].close(late)

    def count_sent(self, sent_by_shard: dict[int, int]) -> None:
        """Count records that the output has received."""
        for number, count in sent_by_shard.items():
            self.ledgers[number].records_sent += count

    def acknowledge(
        self, tally: Tally, sent_by_shard: dict[int, int], last_seq: dict[int, int]
    ) -> None:
        """Count records that the output has acknowledged."""
        for (number, minute_ms), figures in tally.items():
            self.ledgers[number].add(minute_ms, figures)
        for number, count in sent_by_shard.items():
            self.ledgers[number].records_acknowledged += count
        for number, shard_seq in last_seq.items():
            self.ledgers[number].shard_seq = shard_seq

    def ledger_records(
        self,
        number: int,
        unix_seconds: float,
        in_flight: Iterable[Tally] = (),
        *,
        is_end: bool = False,
    ) -> list[dict[str, Any]]:
        """Return the ledger entries of a shard's minutes changed since the last call.

        Args:
            number: The shard.
            unix_seconds: The moment that the shard has reached; entries hold the target rate then.
            in_flight: Figures of records in flight; their minutes stay open.
            is_end: Whether to add the shard's last entry.
        """
        simulator, ledger = self.simulator, self.ledgers[number]
        share = 1_000 * simulator.target_events_per_second(unix_seconds) / len(self.ledgers)
        records = ledger.records(
            simulator.first.full_name,
            simulator.run_id,
            simulator.shards[number].sessions.under_way(),
            round(share),
            is_end=is_end,
        )
        spec = simulator.shards[number].behaviour.spec
        lateness_minutes = spec.faults.max_lateness_seconds // 60 + 2
        open_ms = 60_000 * max(_KEEP_MINUTES, lateness_minutes)
        waiting = [
            minute_ms
            for tally in (*self._late[number].tallies(), *in_flight)
            for _, minute_ms in tally
        ]
        ledger.forget_before(min([int(1000 * unix_seconds) - open_ms, *waiting]))
        return records

    def capture(self, number: int) -> Snapshot:
        """Return a snapshot of a shard and its ledger."""
        shard = self.simulator.shards[number]
        snapshot = capture_shard(shard, self.simulator.first)
        snapshot.header["fault_rng"] = self._planter.state(number)
        held = self._late[number].open_up_to(number, snapshot.shard_seq)
        snapshot.arrays.update(self.ledgers[number].to_arrays(), **held_arrays(held))
        return snapshot

    def restore(self, number: int, snapshot: Snapshot) -> None:
        """Restore a shard's ledger and faults; the simulator has begun with the same snapshot."""
        self.ledgers[number] = ShardLedger.from_arrays(
            number, self.simulator.first.spec.shards, snapshot.arrays
        )
        self._planter.resume(number, snapshot.header["fault_rng"])
        for late in held_from(number, snapshot.arrays):
            self._late[number].hold(late)


def begin_run(
    simulator: Simulator,
    record: RunRecord,
    snapshots: Mapping[int, Snapshot] | None = None,
    encoding: Encoding = JSON,
) -> Maker:
    """Return the maker of a run's records, from the start or from snapshots of its shards.

    Args:
        simulator: The run's simulator; it has not begun.
        record: The run record.
        snapshots: Snapshots of some shards, by shard.
        encoding: The encoding of the records.

    Raises:
        WorldChanged: This process would make other events than the run has.
    """
    kept = snapshots or {}
    check_fingerprint(record.fingerprint, simulator.fingerprint)
    simulator.begin(record.start_seconds, kept)
    maker = Maker(simulator, encoding)
    for number, shard in simulator.shards.items():
        known = {row.from_seconds for row, _ in shard.pending}
        if number in kept:
            maker.restore(number, kept[number])
            known |= {
                row.from_seconds
                for row in record.revisions
                if row.from_seconds <= shard.schedule.start_seconds
            }
        for revision in record.revisions:
            if revision.from_seconds not in known:
                simulator.revise(revision, (number,))
        if record.ends_at:
            shard.end_at(record.ends_at[number])
    return maker
