"""The worker: takes what is due, sends it, publishes the ledger, and keeps what it would need.

Owns the loop between clock, simulator and broker, and so the pace; and the order in which
state is kept: a snapshot is published once everything before it is acknowledged, and a
revision takes over once its announcement is. It does not know how events come about nor how
Kafka is spoken to.
"""

from __future__ import annotations

import heapq
import json
import logging
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.rate import OnOverload
from clickstream_contract.topics import LEDGER, SHARDS

from clickstream_generator.core.accounts import MINUTE_MS, Account
from clickstream_generator.core.behaviour import Revision, check_change
from clickstream_generator.core.faults import (
    FaultPlanter,
    LateRecord,
    Planted,
    held_arrays,
    held_from,
)
from clickstream_generator.core.snapshot import Snapshot, capture_shard, dump_snapshot
from clickstream_generator.shell.kafka_sink import Batch
from clickstream_generator.shell.shard_log import Position, forgotten_records, snapshot_records

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from clickstream_generator.core.accounts import Tally
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.settings import Settings
    from clickstream_generator.shell.kafka_sink import KafkaSink
    from clickstream_generator.shell.shard_log import StoredShard
    from clickstream_generator.shell.simulation_file import SimulationFile
    from clickstream_generator.shell.telemetry import Telemetry

__all__ = ["Clock", "Worker"]

_LOG = logging.getLogger(__name__)

_TICK_SECONDS = 0.05
_EVENTS_PER_TICK = 20_000
"""About 15 MB of text: large enough for speed, small enough to stop within a moment."""
_LEDGER_SECONDS = 2.0
_POSITION_SECONDS = 1.0
_SHARDS_PER_POSITION_SECOND = 100
_STATE_BYTES_PER_SECOND = 1_000_000
"""Snapshots grow with the users; taken so often that they cost this much at most."""
_ACHIEVED_SECONDS = 10.0
_SHED_BEHIND_SECONDS = 1.0
_KEEP_MINUTES = 120
"""Minutes of account that stay open: late events may still reach them."""


class Clock:
    """Unix time that never jumps: the wall's at the start, then the monotonic clock's."""

    def __init__(self) -> None:
        self._wall_seconds = time.time()
        self._started = time.monotonic()

    def now(self) -> float:
        """Return Unix seconds."""
        return self._wall_seconds + time.monotonic() - self._started


class Worker:
    """Runs a simulation until it is over or told to stop.

    Args:
        run_id: The run.
        simulator: Where events come from; it has begun.
        sink: Where records go.
        telemetry: Where figures are shown.
        clock: What time it is.
        file: The simulation as its owner wants it now.
        settings: How to stop, and how often to keep state.
    """

    def __init__(
        self,
        run_id: UUID,
        simulator: Simulator,
        sink: KafkaSink,
        telemetry: Telemetry,
        clock: Clock,
        file: SimulationFile,
        settings: Settings,
    ) -> None:
        self._run_id = run_id
        self._simulator = simulator
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._file = file
        # With faults on top, a bite must still fit into the client's queue.
        self._bite = min(_EVENTS_PER_TICK, settings.queue_records // 2)
        self._settings = settings
        first = simulator.first
        self._simulation = first
        self._planter = FaultPlanter(first.spec.seed, list(simulator.shards))
        self._accounts = {number: Account(number, first.spec.shards) for number in simulator.shards}
        self._late: list[tuple[float, int, LateRecord]] = []
        self._late_count = 0
        self._held: dict[int, dict[int, LateRecord]] = {number: {} for number in simulator.shards}
        self._generation = dict.fromkeys(simulator.shards, 0)
        self._parts = dict.fromkeys(simulator.shards, 0)
        self._snapshot_bytes = dict.fromkeys(simulator.shards, 0)
        self._revisions: dict[int, list[Revision]] = {number: [] for number in simulator.shards}
        self._published_seq = dict.fromkeys(simulator.shards, -1)
        self._announced: Revision | None = None
        self._to_capture = deque(simulator.shards)
        self._next_capture = 0.0
        self._recent: deque[tuple[float, int]] = deque()
        self._delivered = 0
        self._is_stopping = False

    def stop(self) -> None:
        """Ask the worker to end: what has been made is still sent. Safe in a signal handler."""
        self._is_stopping = True

    def resume(self, stored: dict[int, StoredShard]) -> None:
        """Take up what was acknowledged after the shards' snapshots, without sending it."""
        for number, found in stored.items():
            snapshot = found.snapshot
            if snapshot is None:
                continue
            self._accounts[number] = Account.from_arrays(
                number, self._simulator.first.spec.shards, snapshot.arrays
            )
            self._planter.resume(number, snapshot.header["fault_rng"])
            self._generation[number] = found.generation
            for late in held_from(number, snapshot.arrays):
                self._hold(late)
            shard = self._simulator.shards[number]
            known = {revision.from_seconds for revision, _ in shard.ahead}
            for revision in found.position.revisions:
                if revision.from_seconds > shard.schedule.start_seconds:
                    self._revisions[number].append(revision)
                    if revision.from_seconds not in known:
                        self._simulator.revise(revision, (number,))
            while len(events := self._simulator.replay(number, found.position.shard_seq)):
                planted = self._plant(events, int(self._clock.now() * 1000))
                self._account_for(planted.tally, planted.sent_by_shard, _last_seq(events.rows))
                self._count_sent(planted.sent_by_shard)
            running = self._revisions[number][-1:]
            self._simulation = running[0].simulation if running else snapshot.running
            _LOG.info("shard %d goes on after event %d", number, shard.made)
        self._telemetry.resumed_shards.set(len(stored))

    def run(self) -> None:
        """Work until the simulation is over or :meth:`stop` was called, then drain.

        Raises:
            BrokerRefused: Kafka will not take a record, now or later.
            DrainTimeout: Records were without acknowledgement when time was up.
        """
        # Before the first event: where the run began must be known to whoever goes on.
        for number in self._simulator.shards:
            self._capture(number)
        while not self._is_stopping and not self._sink.is_idle():
            self._acknowledge(self._sink.poll(_TICK_SECONDS))
        next_ledger = next_position = self._clock.now()
        while not self._is_stopping and not self._simulator.is_over():
            now = self._clock.now()
            self._look_for_change(now)
            self._shed_if_behind(now)
            sent = self._send_due(now) + self._send_late(now)
            if now >= next_ledger:
                self._publish_ledger()
                self._show(now)
                next_ledger = now + _LEDGER_SECONDS
            if now >= next_position:
                self._publish_positions()
                shards = len(self._simulator.shards)
                next_position = now + max(_POSITION_SECONDS, shards / _SHARDS_PER_POSITION_SECOND)
            self._capture_in_turn(now)
            # Full ticks follow each other at once; a light one waits for the next moment.
            wait = 0.0 if sent >= self._bite // 2 else _TICK_SECONDS
            self._acknowledge(self._sink.poll(wait))
        if self._settings.on_stop == "pause" and not self._simulator.is_over():
            self._pause()
        else:
            self._finish()

    def _send_due(self, now: float) -> int:
        """Send the events that are due, unless the broker cannot keep up; return how many."""
        if not self._sink.has_room(self._bite):
            return 0
        # Nothing that an announced revision is about goes out before all know of it.
        horizon = now if self._announced is None else min(now, self._announced.until_seconds)
        events = self._simulator.take_due(horizon, self._bite)
        if not len(events):
            return 0
        planted = self._plant(events, int(now * 1000))
        self._count_sent(planted.sent_by_shard)
        self._sink.send(
            planted.records, Batch(planted.tally, planted.sent_by_shard, _last_seq(events.rows))
        )
        counts = np.bincount(events.rows["code"], minlength=len(EVENT_NAMES))
        for code, count in enumerate(counts.tolist()):
            self._telemetry.events.labels(EVENT_NAMES[code]).inc(count)
        return len(events)

    def _plant(self, events: Events, now_ms: int) -> Planted:
        """Encode events and plant faults; those that are to come late are held back."""
        encoded = self._simulator.encoder.encode(events, now_ms)
        faults = {
            number: shard.behaviour.spec.faults for number, shard in self._simulator.shards.items()
        }
        planted = self._planter.plant(events.rows, encoded, faults)
        for late in planted.late:
            self._hold(late)
        return planted

    def _hold(self, late: LateRecord) -> None:
        self._late_count += 1
        self._held[late.shard][late.shard_seq] = late
        heapq.heappush(self._late, (late.due_seconds, self._late_count, late))

    def _let_go(self, late: LateRecord) -> None:
        del self._held[late.shard][late.shard_seq]

    def _send_late(self, now: float) -> int:
        """Send the events whose delay is over; return how many."""
        sent = 0
        # Measured by where the stream has got to: history is late within history.
        reached = now if np.isinf(now) else self._simulator.reached_seconds(now)
        while self._late and self._late[0][0] <= reached and self._sink.has_room(1):
            late = heapq.heappop(self._late)[2]
            value, key = late.record
            stamped = self._simulator.encoder.stamped(value or b"", int(self._clock.now() * 1000))
            self._count_sent({late.shard: 1})
            let_go = partial(self._let_go, late)
            self._sink.send([(stamped, key)], Batch(late.tally, {late.shard: 1}, done=let_go))
            sent += 1
        return sent

    def _count_sent(self, by_shard: dict[int, int]) -> None:
        for number, count in by_shard.items():
            self._accounts[number].records_sent += count

    def _acknowledge(self, batches: list[Batch]) -> None:
        """Write what the broker has acknowledged into the accounts."""
        acknowledged = 0
        for batch in batches:
            self._account_for(batch.tally, batch.sent_by_shard, batch.last_seq)
            acknowledged += sum(batch.sent_by_shard.values())
            if batch.done is not None:
                batch.done()
        if acknowledged:
            self._delivered += acknowledged
            self._recent.append((self._clock.now(), acknowledged))
            self._telemetry.acknowledged.inc(acknowledged)
            self._telemetry.is_ready = True

    def _account_for(
        self, tally: Tally, sent_by_shard: dict[int, int], last_seq: dict[int, int]
    ) -> None:
        for (number, minute_ms), figures in tally.items():
            self._accounts[number].add(minute_ms, figures)
        for number, count in sent_by_shard.items():
            self._accounts[number].records_acknowledged += count
        for number, shard_seq in last_seq.items():
            self._accounts[number].shard_seq = shard_seq

    def _look_for_change(self, now: float) -> None:
        """Announce a changed specification, or refuse it."""
        if self._announced is not None:
            return
        try:
            self._file.look(now)
            wanted = self._file.simulation
            if wanted.spec == self._simulation.spec:
                return
            check_change(self._simulator.first, wanted)
        except SimulationInvalid as error:
            self._refuse(error)
            return
        moment = max(now, wanted.effective_from_seconds or now, self._simulator.free_from_seconds())
        self._announce(Revision(moment, moment, wanted))
        self._telemetry.spec_changes.labels("accepted").inc()

    def _refuse(self, error: SimulationInvalid) -> None:
        _LOG.error("the changed simulation is refused, the old one stays in force: %s", error)
        self._telemetry.spec_changes.labels("refused").inc()
        self._file.simulation = self._simulation

    def _announce(self, revision: Revision) -> None:
        """Make a revision known; it takes over when the broker has acknowledged that."""
        self._announced = revision
        self._simulation = revision.simulation
        for revisions in self._revisions.values():
            revisions.append(revision)
        self._publish_positions(done=partial(self._take_over, revision))

    def _take_over(self, revision: Revision) -> None:
        self._simulator.revise(revision)
        self._announced = None
        _LOG.info("another specification holds from %.3f", revision.from_seconds)

    def _shed_if_behind(self, now: float) -> None:
        """Leave out what could not be sent in time, where the simulation wants that."""
        simulator = self._simulator
        lag_seconds = simulator.lag_seconds(now)
        if (
            self._announced is None
            and not simulator.has_revisions_ahead()
            and self._simulation.spec.rate.on_overload is OnOverload.SHED
            and now - lag_seconds >= simulator.live_from_seconds
            and lag_seconds > _SHED_BEHIND_SECONDS
        ):
            before = simulator.shed_events
            self._announce(simulator.shedding(now))
            self._telemetry.shed.inc(simulator.shed_events - before)

    def _capture_in_turn(self, now: float) -> None:
        """Take the snapshot of the next shard if it is time."""
        if now < self._next_capture:
            return
        number = self._to_capture[0]
        self._to_capture.rotate(-1)
        self._capture(number)
        self._next_capture = now + max(
            self._settings.snapshot_seconds / len(self._to_capture),
            self._snapshot_bytes[number] / _STATE_BYTES_PER_SECOND,
        )

    def _capture(self, number: int) -> None:
        """Copy a shard's state; it is published when all that it knows of is acknowledged."""
        shard = self._simulator.shards[number]
        snapshot = capture_shard(shard, self._simulator.first)
        snapshot.header["fault_rng"] = self._planter.state(number)
        self._sink.publish(SHARDS.name, [], Batch(done=partial(self._keep, number, snapshot)))

    def _keep(self, number: int, snapshot: Snapshot) -> None:
        """Publish a snapshot, with the account as it is now: of exactly the events before it."""
        held = [late for seq, late in self._held[number].items() if seq <= snapshot.shard_seq]
        snapshot.arrays.update(self._accounts[number].to_arrays(), **held_arrays(held))
        content = dump_snapshot(snapshot)
        self._generation[number] += 1
        self._snapshot_bytes[number] = len(content)
        rows = snapshot_records(self._run_id, number, self._generation[number], content)
        self._parts[number] = max(self._parts[number], len(rows))
        started = snapshot.header["schedule"]["start_seconds"]
        self._sink.publish(SHARDS.name, rows, Batch(done=partial(self._forget, number, started)))
        self._telemetry.snapshot_bytes.set(sum(self._snapshot_bytes.values()))

    def _forget(self, number: int, started_seconds: float) -> None:
        """Let go of revisions that the kept snapshot has behind it."""
        self._revisions[number] = [
            row for row in self._revisions[number] if row.from_seconds > started_seconds
        ]

    def _publish_positions(self, *, done: Callable[[], None] | None = None) -> None:
        """Say how far the shards have got; all of them if somebody waits for it."""
        rows = []
        for number, account in self._accounts.items():
            if done is not None or account.shard_seq != self._published_seq[number]:
                position = Position(account.shard_seq, revisions=tuple(self._revisions[number]))
                rows.append(position.to_row(self._run_id, number))
                self._published_seq[number] = account.shard_seq
        if rows:
            self._sink.publish(SHARDS.name, rows, Batch(done=done))

    def _publish_ledger(self, *, is_end: bool = False) -> None:
        """Publish each account's changed minutes."""
        open_sessions = self._simulator.sessions_under_way()
        now = self._clock.now()
        shards = len(self._accounts)
        target = round(1_000 * self._simulator.target_events_per_second(now) / shards)
        # Behind where the stream has got to, history or live, by more than an event can be late.
        lateness_minutes = self._simulation.spec.faults.max_lateness_seconds // 60 + 2
        reached_ms = int(self._simulator.reached_seconds(now) * 1000)
        oldest_ms = reached_ms - max(_KEEP_MINUTES, lateness_minutes) * MINUTE_MS
        rows: list[tuple[bytes, bytes | None]] = []
        for number, account in self._accounts.items():
            key = f"{self._run_id}/{number}".encode()
            records = account.records(
                self._simulation.name, self._run_id, open_sessions[number], target, is_end=is_end
            )
            rows.extend(
                (key, json.dumps(record, separators=(",", ":")).encode()) for record in records
            )
            account.forget_before(oldest_ms)
        if rows:
            self._sink.publish(LEDGER.name, rows, Batch())

    def _show(self, now: float) -> None:
        """Bring the metrics up to date."""
        while self._recent and self._recent[0][0] < now - _ACHIEVED_SECONDS:
            self._recent.popleft()
        span = now - self._recent[0][0] if self._recent else 0.0
        counted = sum(count for _, count in self._recent)
        shown = self._telemetry
        shown.achieved.set(counted / span if span else 0.0)
        shown.target.set(self._simulator.target_events_per_second(now))
        shown.queue.set(self._sink.in_flight())
        shown.lag.set(self._simulator.lag_seconds(now))
        shown.active_sessions.set(sum(self._simulator.sessions_under_way().values()))

    def _pause(self) -> None:
        """Keep the state of every shard, for whoever goes on."""
        for number in self._simulator.shards:
            self._capture(number)
        self._drain()
        self._publish_positions()
        self._publish_ledger()
        self._drain()
        self._telemetry.is_ready = False
        _LOG.info("run %s is paused: %d records acknowledged", self._run_id, self._delivered)

    def _finish(self) -> None:
        """Send what is held back, wait for every acknowledgement, and close the ledger."""
        self._simulator.stop()
        self._send_late(float("inf"))
        self._drain()
        self._publish_ledger(is_end=True)
        over = [
            row
            for number, account in self._accounts.items()
            for row in (
                Position(account.shard_seq, is_over=True).to_row(self._run_id, number),
                *forgotten_records(self._run_id, number, self._parts[number]),
            )
        ]
        self._sink.publish(SHARDS.name, over, Batch())
        self._drain()
        self._telemetry.is_ready = False
        _LOG.info(
            "run %s is over: %d records acknowledged, %d events shed",
            self._run_id,
            self._delivered,
            self._simulator.shed_events,
        )

    def _drain(self) -> None:
        """Wait until everything is acknowledged, also what that brings about."""
        while not self._sink.is_idle():
            self._acknowledge(self._sink.drain(self._settings.drain_seconds, self._clock.now))


def _last_seq(rows: np.ndarray) -> dict[int, int]:
    """Return each shard's last event number among the events."""
    return {
        number: int(rows["shard_seq"][rows["shard"] == number].max())
        for number in np.unique(rows["shard"]).tolist()
    }
