"""The worker: takes what is due, sends it, and publishes the ledger.

Owns the loop between clock, simulator and broker, and so the pace. It does not know how
events come about nor how Kafka is spoken to.
"""

from __future__ import annotations

import heapq
import json
import logging
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.simulation import OnOverload
from clickstream_contract.topics import LEDGER

from clickstream_generator.core.accounts import MINUTE_MS, Account
from clickstream_generator.core.faults import FaultPlanter, LateRecord
from clickstream_generator.shell.kafka_sink import Batch

if TYPE_CHECKING:
    from uuid import UUID

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.shell.kafka_sink import KafkaSink
    from clickstream_generator.shell.telemetry import Telemetry

__all__ = ["Clock", "Worker"]

_LOG = logging.getLogger(__name__)

_TICK_SECONDS = 0.05
_EVENTS_PER_TICK = 20_000
"""About 15 MB of text: large enough for speed, small enough to stop within a moment."""
_LEDGER_SECONDS = 2.0
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
        simulation: What is simulated.
        run_id: The run.
        simulator: Where events come from.
        sink: Where records go.
        telemetry: Where figures are shown.
        clock: What time it is.
        drain_seconds: How long to wait for acknowledgements at the end.
    """

    def __init__(
        self,
        simulation: Simulation,
        run_id: UUID,
        simulator: Simulator,
        sink: KafkaSink,
        telemetry: Telemetry,
        clock: Clock,
        drain_seconds: float,
    ) -> None:
        self._simulation = simulation
        self._run_id = run_id
        self._simulator = simulator
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._drain_seconds = drain_seconds
        self._planter = FaultPlanter(simulation.spec.seed, list(simulator.shards))
        self._accounts = {
            number: Account(number, simulation.spec.shards) for number in simulator.shards
        }
        self._late: list[tuple[float, int, LateRecord]] = []
        self._late_count = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._delivered = 0
        self._is_stopping = False

    def stop(self) -> None:
        """Ask the worker to end: what has been made is still sent. Safe in a signal handler."""
        self._is_stopping = True

    def run(self) -> None:
        """Work until the simulation is over or :meth:`stop` was called, then drain."""
        next_ledger = self._clock.now() + _LEDGER_SECONDS
        while not self._is_stopping and not self._simulator.is_over():
            now = self._clock.now()
            self._shed_if_behind(now)
            sent = self._send_due(now) + self._send_late(now)
            if now >= next_ledger:
                self._publish_ledger()
                self._show(now)
                next_ledger = now + _LEDGER_SECONDS
            # Full ticks follow each other at once; a light one waits for the next moment.
            wait = 0.0 if sent >= _EVENTS_PER_TICK // 2 else _TICK_SECONDS
            self._acknowledge(self._sink.poll(wait))
        self._finish()

    def _send_due(self, now: float) -> int:
        """Send the events that are due, unless the broker cannot keep up; return how many."""
        if not self._sink.has_room(_EVENTS_PER_TICK):
            return 0
        events = self._simulator.take_due(now, _EVENTS_PER_TICK)
        if not len(events):
            return 0
        rows = events.rows
        encoded = self._simulator.encoder.encode(events, int(now * 1000))
        planted = self._planter.plant(rows, encoded, self._simulation.spec.faults)
        for late in planted.late:
            self._late_count += 1
            heapq.heappush(self._late, (now + late.delay_seconds, self._late_count, late))
        last_seq = {
            number: int(rows["shard_seq"][rows["shard"] == number].max())
            for number in np.unique(rows["shard"]).tolist()
        }
        self._count_sent(planted.sent_by_shard)
        self._sink.send(planted.records, Batch(planted.tally, planted.sent_by_shard, last_seq))
        for code, count in enumerate(np.bincount(rows["code"], minlength=len(EVENT_NAMES))):
            self._telemetry.events.labels(EVENT_NAMES[code]).inc(int(count))
        return len(events)

    def _send_late(self, now: float) -> int:
        """Send the events whose delay is over; return how many."""
        sent = 0
        while self._late and self._late[0][0] <= now and self._sink.has_room(1):
            late = heapq.heappop(self._late)[2]
            self._count_sent({late.shard: 1})
            self._sink.send([late.record], Batch(late.tally, {late.shard: 1}, {}))
            sent += 1
        return sent

    def _count_sent(self, by_shard: dict[int, int]) -> None:
        for number, count in by_shard.items():
            self._accounts[number].records_sent += count

    def _acknowledge(self, batches: list[Batch]) -> None:
        """Write what the broker has acknowledged into the accounts."""
        acknowledged = 0
        for batch in batches:
            for (number, minute_ms), figures in batch.tally.items():
                self._accounts[number].add(minute_ms, figures)
            for number, count in batch.sent_by_shard.items():
                self._accounts[number].records_acknowledged += count
                acknowledged += count
            for number, shard_seq in batch.last_seq.items():
                self._accounts[number].shard_seq = shard_seq
        if acknowledged:
            self._delivered += acknowledged
            self._recent.append((self._clock.now(), acknowledged))
            self._telemetry.acknowledged.inc(acknowledged)
            self._telemetry.is_ready = True

    def _publish_ledger(self, *, is_end: bool = False) -> None:
        """Publish each account's changed minutes."""
        open_sessions = self._simulator.sessions_under_way()
        spec = self._simulation.spec
        target = spec.rate.milli_events_per_second // spec.shards
        batch = Batch({}, {}, {})
        oldest_ms = int(self._clock.now() * 1000) - _KEEP_MINUTES * MINUTE_MS
        for number, account in self._accounts.items():
            key = f"{self._run_id}/{number}".encode()
            for record in account.records(
                self._simulation.name, self._run_id, open_sessions[number], target, is_end=is_end
            ):
                value = json.dumps(record, separators=(",", ":")).encode()
                self._sink.publish(LEDGER.name, key, value, batch)
            account.forget_before(min(oldest_ms, max(account.minutes, default=0)))

    def _shed_if_behind(self, now: float) -> None:
        """Leave out what could not be sent in time, where the simulation wants that."""
        simulator = self._simulator
        if (
            self._simulation.spec.rate.on_overload is OnOverload.SHED
            and now - simulator.lag_seconds(now) >= simulator.live_from_seconds
            and simulator.lag_seconds(now) > _SHED_BEHIND_SECONDS
        ):
            self._telemetry.shed.inc(simulator.shed(now))

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

    def _finish(self) -> None:
        """Send what is held back, wait for every acknowledgement, and close the ledger."""
        self._simulator.stop()
        self._send_late(float("inf"))
        self._acknowledge(self._sink.drain(self._drain_seconds, self._clock.now))
        self._publish_ledger(is_end=True)
        self._sink.drain(self._drain_seconds, self._clock.now)
        self._telemetry.is_ready = False
        _LOG.info(
            "run %s is over: %d records acknowledged, %d events shed",
            self._run_id,
            self._delivered,
            self._simulator.shed_events,
        )
