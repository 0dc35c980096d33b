"""Records made from events, and the ledgers that count them.

Owns what happens to the carried shards from event to acknowledgement. The caller sends the records,
and reports which are acknowledged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clickstream_generator.core.encodings import JSON
from clickstream_generator.core.faults import plant_faults
from clickstream_generator.core.fingerprint import check_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clickstream_generator.core.behaviour import Revision
    from clickstream_generator.core.carried_shard import CarriedShard
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
        simulator: The source of events.
        carried: The shards that it has begun, by number.
        encoding: The encoding of the records.

    Attributes:
        simulator, carried: As given.
    """

    def __init__(
        self, simulator: Simulator, carried: Mapping[int, CarriedShard], encoding: Encoding = JSON
    ) -> None:
        self.simulator, self.carried = simulator, carried
        self._encoding = encoding

    def make(self, events: Events, now_ms: int) -> Planted:
        """Return the records of events, with faults; hold back the late ones."""
        encoded = self.simulator.encoder.encode(events, now_ms)
        sources = {number: carried.fault_source() for number, carried in self.carried.items()}
        values = self._encoding.encode(events, encoded, now_ms)
        planted = plant_faults(events.rows, encoded, sources, self._encoding, values)
        for late in planted.late:
            self.carried[late.shard].late.hold(late)
        return planted

    def take_late(
        self, shards: Iterable[CarriedShard], reached_seconds: float, now_ms: int
    ) -> Iterator[LateRecord]:
        """Return the late records whose delay is over, with the current ``sent_at``.

        A record that the caller does not draw from the iterator stays in its queue.

        Args:
            shards: The shards.
            reached_seconds: The moment that the run has reached, Unix seconds; infinity at the end.
            now_ms: The current time, Unix milliseconds.
        """
        for carried in shards:
            while (late := carried.late.take_due(reached_seconds)) is not None:
                value, key = late.record
                stamped = self.simulator.encoder.stamped(value or b"", now_ms)
                yield replace(late, record=(self._encoding.encode_one(stamped), key))

    def has_late(self) -> bool:
        """Return whether a late record is still to be sent."""
        return any(carried.late.is_waiting() for carried in self.carried.values())

    def close(self, late: LateRecord) -> None:
        """Forget a late record that is acknowledged."""
        self.carried[late.shard].late.close(late)

    def count_sent(self, sent_by_shard: Mapping[int, int]) -> None:
        """Count records that the output has received."""
        for number, count in sent_by_shard.items():
            self.carried[number].ledger.records_sent += count

    def acknowledge(
        self, tally: Tally, sent_by_shard: Mapping[int, int], last_seq: Mapping[int, int]
    ) -> None:
        """Count records that the output has acknowledged.

        Args:
            tally: Their figures.
            sent_by_shard: Their number, by shard.
            last_seq: The last event up to which all are acknowledged, by shard.
        """
        for (number, minute_ms), figures in tally.items():
            self.carried[number].ledger.add(minute_ms, figures)
        for number, count in sent_by_shard.items():
            self.carried[number].ledger.records_acknowledged += count
        for number, shard_seq in last_seq.items():
            self.carried[number].ledger.shard_seq = shard_seq

    def replay(self, carried: CarriedShard, shard_seq: int, now_ms: int) -> None:
        """Make a shard's events up to a number again, and count them as acknowledged."""
        shard = carried.shard
        while len(events := self.simulator.replay(shard.number, shard_seq)):
            planted = self.make(events, now_ms)
            self.count_sent(planted.sent_by_shard)
            self.acknowledge(planted.tally, planted.sent_by_shard, {shard.number: shard.made})

    def add_revisions(self, carried: CarriedShard, revisions: Iterable[Revision]) -> None:
        """Add revisions to a shard, unless they are pending already."""
        known = {revision.from_seconds for revision, _ in carried.shard.pending}
        for revision in revisions:
            if revision.from_seconds not in known:
                self.simulator.revise(revision, (carried.shard.number,))

    def ledger_records(
        self,
        shards: Iterable[CarriedShard],
        reached_seconds: float,
        in_flight: Iterable[Tally] = (),
        *,
        target_at: float | None = None,
        is_end: bool = False,
    ) -> list[dict[str, Any]]:
        """Return the ledger entries of the minutes changed since the last call.

        Args:
            shards: The shards.
            reached_seconds: The moment that they have reached, Unix seconds.
            in_flight: Figures of records in flight; their minutes stay open.
            target_at: When the entries' target rate applies, Unix seconds; ``reached_seconds`` if
                absent.
            is_end: Whether to add each shard's last entry.
        """
        simulator = self.simulator
        moment = reached_seconds if target_at is None else target_at
        share = round(1_000 * simulator.target_events_per_second(moment) / len(self.carried))
        reached_ms = int(1_000 * reached_seconds)
        flying_ms = min((minute for row in in_flight for _, minute in row), default=reached_ms)
        rows: list[dict[str, Any]] = []
        for carried in shards:
            rows += carried.ledger.records(
                simulator.first.full_name,
                simulator.run_id,
                carried.shard.sessions.under_way(),
                share,
                is_end=is_end,
            )
            lateness_minutes = carried.shard.behaviour.spec.faults.max_lateness_seconds // 60 + 2
            open_ms = 60_000 * max(_KEEP_MINUTES, lateness_minutes)
            # History runs days ahead of its acknowledgements: keep the minutes that still change.
            late_ms = (minute for row in carried.late.tallies() for _, minute in row)
            carried.ledger.forget_before(min(reached_ms - open_ms, flying_ms, *late_ms))
        return rows


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
    carried = simulator.begin(record.start_seconds, kept)
    maker = Maker(simulator, carried, encoding)
    for number, row in carried.items():
        ahead = row.later(record.revisions) if number in kept else record.revisions
        maker.add_revisions(row, ahead)
        if record.ends_at:
            row.shard.end_at(record.ends_at[number])
    return maker
