"""The worker: sends events when they are due, and publishes the ledger.

Owns the loop between clock, simulator and broker, and the handling of changed specifications.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.rate import OnOverload

from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.errors import DrainTimeout, SnapshotUnusable
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.shard_keeper import ShardKeeper
from clickstream_generator.shell.sink import Batch
from clickstream_generator.shell.truth import LedgerTopic

if TYPE_CHECKING:
    from threading import Event

    from clickstream_generator.core.behaviour import Revision
    from clickstream_generator.core.incident_truth import IncidentTruths
    from clickstream_generator.core.making import Maker
    from clickstream_generator.core.segment_truth import ArmTruths
    from clickstream_generator.core.snapshot import Snapshot
    from clickstream_generator.settings import Settings
    from clickstream_generator.shell.claiming import Hold
    from clickstream_generator.shell.clock import Clock
    from clickstream_generator.shell.kafka_sink import KafkaSink
    from clickstream_generator.shell.shard_log import StoredShard
    from clickstream_generator.shell.simulation_file import SimulationFile
    from clickstream_generator.shell.telemetry import Telemetry

__all__ = ["Worker"]

_LOG = logging.getLogger(__name__)

_TICK_SECONDS = 0.05
_EVENTS_PER_TICK = 20_000
"""About 15 MB of records: large enough for speed, small enough for a quick stop."""
_LEDGER_SECONDS = 2.0
_REVISIONS_AT_ONCE = 20
"""A worker that resumes has up to a thousand to publish again, which would delay events."""
_ACHIEVED_SECONDS = 10.0
_SHED_BEHIND_SECONDS = 1.0


class Worker:
    """A worker, which runs the shards of a simulation.

    Args:
        hold: The hold on the shards.
        maker: The maker of records; its simulator has begun.
        sink: The Kafka sink.
        telemetry: The metrics.
        clock: The clock.
        file: The simulation's file.
        settings: The process's settings.
    """

    def __init__(
        self,
        hold: Hold,
        maker: Maker,
        sink: KafkaSink,
        telemetry: Telemetry,
        clock: Clock,
        file: SimulationFile,
        settings: Settings,
    ) -> None:
        self._hold = hold
        self._run_id = hold.run_id
        self._maker = maker
        self._simulator = maker.simulator
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._file = file
        self._edits = Edits(file, count=lambda name: telemetry.spec_changes.labels(name).inc())
        # A chunk with its faulty records must fit into the client's queue.
        self._chunk = min(_EVENTS_PER_TICK, settings.queue_records // 2)
        self._settings = settings
        self._simulation = maker.simulator.first
        self._ledger = LedgerTopic(sink, maker.simulator.first.spec.event_output.ledger_topic)
        self._keeper = ShardKeeper(hold, maker, sink, settings.snapshot_seconds)
        self._recent: deque[tuple[float, int]] = deque()
        self._began = clock.now()
        self._delivered = 0
        self._closed_records = 0
        self._truths: dict[str, IncidentTruths | ArmTruths] = {}
        self._has_resumed = self._specs_differ = False
        self._stopped_at: float | None = None

    def resume(self) -> None:
        """Resume the shards: replay the acknowledged events after their snapshots, without sending.

        Raises:
            SnapshotUnusable: A shard has sent events, but has no snapshot.
        """
        resumed = 0
        stored = self._hold.stored
        for number, found in stored.items():
            if found.position.is_over:
                self._closed_records += found.position.records
            elif found.snapshot is not None:
                self._resume_shard(number, found, found.snapshot)
                resumed += 1
            elif found.position.shard_seq:
                # A fresh start would make other events with the ids of the sent ones.
                raise SnapshotUnusable(
                    f"shard {number} has sent {found.position.shard_seq} events, but has no"
                    " snapshot"
                )
        self._telemetry.resumed_shards.set(resumed)
        self._telemetry.shards_over.set(sum(row.position.is_over for row in stored.values()))

    def _resume_shard(self, number: int, found: StoredShard, snapshot: Snapshot) -> None:
        carried, position = self._maker.carried[number], found.position
        ahead = carried.later(position.revisions)
        carried.announced.extend(ahead)
        self._maker.add_revisions(carried, ahead)
        self._maker.replay(carried, position.shard_seq, int(self._clock.now() * 1000))
        running = ahead[-1].simulation if ahead else snapshot.running
        # Restored shards may carry different specs; announce the newest one again.
        self._specs_differ |= self._has_resumed and running.spec != self._simulation.spec
        self._has_resumed = True
        self._simulation = running
        if position.ends_at is not None:
            carried.shard.end_at(position.ends_at)
        _LOG.info("resumed shard %d after event %d", number, carried.shard.made)

    def run(self, stop: Event) -> None:
        """Run until the simulation is over or ``stop`` is set, then end or pause the run.

        Args:
            stop: Set it to stop the worker; events already made are still sent, also those that an
                earlier holder may have made.

        Raises:
            BrokerRefused: Kafka refuses a record, and a retry cannot help.
            DrainTimeout: Records were not acknowledged in time.
            ShardTaken: Another worker holds a shard now.
        """
        # Publish snapshots before the first grant: a successor resumes from them.
        self._keeper.keep_all()
        with self._hold.heartbeats(self._sink):
            while not self._must_stop(stop) and not self._is_settled():
                self._settle()
        while not self._must_stop(stop) and not self._hold.lease.granted_until:
            self._keeper.heartbeat(self._clock.now())
            self._settle()
        self._telemetry.is_ready = True
        self._keep_record()
        self._skip_pause()
        next_ledger = working_since = self._began = self._clock.now()
        while not self._must_stop(stop) and not self._simulator.is_over():
            self._hold.read_log()
            now = self._clock.now()
            self._look_for_change(now)
            self._shed_if_behind(now)
            sent = self._send_due(now)
            sent += self._send_late(self._simulator.reached_seconds(now), now)
            if now >= next_ledger:
                self._publish_ledger()
                self._show(now)
                next_ledger = now + _LEDGER_SECONDS
            self._keeper.heartbeat(now)
            self._keeper.capture_next(now)
            self._keeper.publish_packed()
            # A full chunk is followed at once by the next one; after a small one the loop waits.
            wait = 0.0 if sent >= self._chunk // 2 else _TICK_SECONDS
            idle_from = self._clock.now()
            complete = self._sink.poll(wait)
            idle_to = self._clock.now() if wait else idle_from
            self._acknowledge(complete)
            self._telemetry.busy.inc(max(0.0, idle_from - working_since))
            working_since = idle_to
        if self._settings.on_stop == "pause" and not self._simulator.is_over():
            self._pause()
        else:
            self._finish()

    def _must_stop(self, stop: Event) -> bool:
        """Return whether to stop now.

        A run must not end before an event that an earlier holder may have sent, so these are made
        first.

        Raises:
            DrainTimeout: They were not made in time.
        """
        if not stop.is_set():
            return False
        now = self._clock.now()
        if self._stopped_at is None:
            self._stopped_at = now
        if self._settings.on_stop == "pause":
            return True
        if self._simulator.reached_seconds(now) >= self._hold.lease.inherited_until:
            return True
        if now > self._stopped_at + self._settings.drain_seconds:
            raise DrainTimeout(self._sink.in_flight(), self._settings.drain_seconds)
        return False

    def _send_due(self, now: float) -> int:
        """Send the events that are due, if the sink has room; return how many."""
        if not self._sink.has_room(self._chunk):
            return 0
        # Events that an announced revision concerns wait until the log has the revision.
        announced = self._keeper.announced
        horizon = min(now, self._hold.lease.granted_until)
        if announced is not None:
            horizon = min(horizon, announced.until_seconds)
        events = self._simulator.take_due(horizon, self._chunk)
        if not len(events):
            return 0
        planted = self._maker.make(events, int(now * 1000))
        self._maker.count_sent(planted.sent_by_shard)
        self._sink.send(
            planted.records,
            Batch(planted.tally, planted.sent_by_shard, _last_seq(events.rows), len(events)),
        )
        counts = np.bincount(events.rows["code"], minlength=len(EVENT_NAMES))
        for code, count in enumerate(counts.tolist()):
            self._telemetry.events.labels(EVENT_NAMES[code]).inc(count)
        return len(events)

    def _send_late(self, reached: float, now: float) -> int:
        """Send the late records that are due by ``reached``, if the sink has room; return how many.

        Lateness is relative to the events already sent: a late event of history stays in history.
        """
        sent = 0
        waiting = self._maker.take_late(self._maker.carried.values(), reached, int(now * 1000))
        while self._sink.has_room(1) and (late := next(waiting, None)) is not None:
            done = partial(self._maker.close, late)
            self._maker.count_sent({late.shard: 1})
            self._sink.send([late.record], Batch(late.tally, {late.shard: 1}, done=done))
            sent += 1
        return sent

    def _acknowledge(self, batches: list[Batch]) -> None:
        """Add acknowledged batches to the ledgers."""
        acknowledged = events = 0
        for batch in batches:
            self._maker.acknowledge(batch.tally, batch.sent_by_shard, batch.last_seq)
            acknowledged += sum(batch.sent_by_shard.values())
            events += batch.events
            if batch.done is not None:
                batch.done()
        if acknowledged:
            self._delivered += acknowledged
            self._telemetry.acknowledged.inc(acknowledged)
        if events:
            # Count events, like the target rate: faults add or remove records.
            self._recent.append((self._clock.now(), events))

    def _look_for_change(self, now: float) -> None:
        """Announce a changed specification."""
        if self._keeper.announced is not None:
            return
        revision = self._edits.next_revision(
            self._simulator,
            self._simulation,
            now,
            not_before=self._hold.lease.inherited_until,
            is_repeated=self._specs_differ,
        )
        if revision is not None:
            self._announce(revision)

    def _announce(self, revision: Revision) -> None:
        self._simulation = revision.simulation
        self._specs_differ = False
        self._keeper.announce(revision, self._clock.now())

    def _skip_pause(self) -> None:
        """Leave out the live events that were due while the simulation was suspended."""
        resumed = self._file.simulation.resumed_at_seconds
        if resumed is not None and resumed > self._hold.lease.inherited_until:
            reached = self._simulator.reached_seconds(max(resumed, self._clock.now()))
            if self._simulator.live_from_seconds <= reached < resumed:
                self._shed(resumed)

    def _shed_if_behind(self, now: float) -> None:
        """Leave out overdue events, if the simulation sheds on overload."""
        simulator = self._simulator
        lag_seconds = simulator.lag_seconds(now)
        if (
            self._keeper.announced is None
            and not simulator.has_pending_revisions()
            and self._simulation.spec.rate.on_overload is OnOverload.SHED
            and now - lag_seconds >= simulator.live_from_seconds
            and lag_seconds > _SHED_BEHIND_SECONDS
            and now > self._hold.lease.inherited_until
        ):
            self._shed(now)

    def _shed(self, until_seconds: float) -> None:
        """Leave out the unsent events that are due by the moment."""
        before = self._simulator.shed_events
        self._announce(self._simulator.shedding(until_seconds, self._hold.lease.inherited_until))
        self._telemetry.shed.inc(self._simulator.shed_events - before)

    def _keep_record(self) -> None:
        """Publish the run record; of all workers, the one with shard 0 does it."""
        carried = self._maker.carried.get(0)
        if carried is not None:
            # No clock: entries of all workers of the run have one start.
            start_ms = np.datetime64(int(1_000 * carried.start_seconds), "ms")
            record = RunRecord(
                self._run_id,
                carried.first,
                carried.start_seconds,
                self._simulator.fingerprint,
                version("clickstream-generator"),
                f"{start_ms}Z",
            )
            self._ledger.keep_record(record)
            self._truths = self._simulator.truths(carried.first, carried.start_seconds)

    def _publish_ledger(self, *, is_end: bool = False) -> None:
        """Publish the changed minutes of each ledger; for shard 0 also revisions and truths."""
        now = self._clock.now()
        reached = self._simulator.reached_seconds(now)
        if 0 in self._maker.carried:
            applied = self._maker.carried[0].shard.applied
            self._ledger.keep_revisions(applied, None if is_end else _REVISIONS_AT_ONCE)
        for kind, truths in self._truths.items():
            self._ledger.keep_truths(kind, truths.rows_until(reached))
        records = self._maker.ledger_records(
            self._maker.carried.values(),
            reached,
            self._sink.tallies(),
            target_at=now,
            is_end=is_end,
        )
        self._ledger.keep_ledger(records)

    def _show(self, now: float) -> None:
        """Update the metrics."""
        while self._recent and self._recent[0][0] < now - _ACHIEVED_SECONDS:
            self._recent.popleft()
        # Divide by the whole window, not by the age of the oldest batch: one batch gives no rate.
        span = min(_ACHIEVED_SECONDS, now - self._began)
        counted = sum(count for _, count in self._recent)
        shown = self._telemetry
        shown.achieved.set(counted / span if span else 0.0)
        shown.target.set(self._simulator.target_events_per_second(now))
        shown.queue.set(self._sink.in_flight())
        shown.lag.set(self._simulator.lag_seconds(now))
        shown.snapshot_bytes.set(self._keeper.snapshot_bytes())
        shown.delivered.set(self._records_acknowledged())
        shown.active_sessions.set(sum(self._simulator.sessions_under_way().values()))

    def _records_acknowledged(self) -> int:
        """Return the number of acknowledged records of the run, over the shards carried here."""
        return self._closed_records + sum(
            carried.ledger.records_acknowledged for carried in self._maker.carried.values()
        )

    def _pause(self) -> None:
        """Publish the state of every shard, and release the shards."""
        self._keeper.keep_all()
        self._drain()
        self._keeper.release(self._clock.now())
        self._publish_ledger()
        self._drain()
        self._telemetry.is_ready = False
        _LOG.info("run %s is paused: %d records acknowledged", self._run_id, self._delivered)

    def _finish(self) -> None:
        """Send the late records, wait for every acknowledgement, and complete the ledger."""
        self._simulator.stop()
        self._keeper.decide_end(self._clock.now())
        self._drain(with_late=True)
        self._publish_ledger(is_end=True)
        self._keeper.close()
        self._drain()
        self._show(self._clock.now())
        self._telemetry.shards_over.inc(len(self._maker.carried))
        _LOG.info(
            "run %s is over: %d records acknowledged, %d events shed",
            self._run_id,
            self._delivered,
            self._simulator.shed_events,
        )

    def _drain(self, *, with_late: bool = False) -> None:
        """Wait until all records are acknowledged and all snapshots are published.

        Args:
            with_late: Whether to send the late records first.

        Raises:
            DrainTimeout: Records were not acknowledged in time.
        """
        deadline = self._clock.now() + self._settings.drain_seconds
        while True:
            now = self._clock.now()
            if with_late:
                self._send_late(float("inf"), now)
            if self._is_settled() and not (with_late and self._maker.has_late()):
                return
            if now > deadline:
                raise DrainTimeout(self._sink.in_flight(), self._settings.drain_seconds)
            self._settle()
            self._keeper.heartbeat(now)

    def _is_settled(self) -> bool:
        """Return whether all records and snapshots are acknowledged, and decisions read back."""
        return self._sink.is_idle() and self._keeper.is_idle() and not self._hold.lease.is_waiting

    def _settle(self) -> None:
        """Wait briefly for acknowledgements, and process them."""
        self._acknowledge(self._sink.poll(_TICK_SECONDS))
        self._hold.read_log()
        self._keeper.publish_packed()


def _last_seq(rows: np.ndarray) -> dict[int, int]:
    """Return the highest ``shard_seq`` among the events, by shard."""
    return {
        number: int(rows["shard_seq"][rows["shard"] == number].max())
        for number in np.unique(rows["shard"]).tolist()
    }
