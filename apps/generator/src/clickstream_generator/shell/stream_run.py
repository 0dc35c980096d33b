"""A run that sends its records in order, to standard output, Kafka or an HTTP receiver.

Owns the loop between clock, simulator and sink, and when the run record and the ledger are written.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.events import Events
from clickstream_generator.errors import DrainTimeout
from clickstream_generator.shell.pace import TICK_SECONDS, horizon_seconds
from clickstream_generator.shell.record_keeper import RecordKeeper
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from clickstream_generator.core.faults import LateRecord, Record
    from clickstream_generator.core.making import Maker
    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.shell.clock import Clock
    from clickstream_generator.shell.edits import Edits
    from clickstream_generator.shell.sink import Sink
    from clickstream_generator.shell.truth import Truth

__all__ = ["StreamRun"]

_FIRST_CHUNK, _CHUNK = 500, 20_000
"""Events made in one step: the first chunk is small, so that the reader sees output at once."""
_LEDGER_SECONDS = 2.0
_DRAIN_SECONDS = 60.0


class StreamRun:
    """A run that sends its events in the order of their time.

    Args:
        maker: The maker of records of all shards.
        sink: The output for records.
        truths: The outputs for run record and ledger.
        record: The run record.
        clock: The clock.
        edits: Edits of the simulation's file; ``None`` to ignore them.
        show: Called after progress.
        is_paced: Whether events are sent when they are due, else as fast as possible.
    """

    def __init__(
        self,
        maker: Maker,
        sink: Sink,
        truths: Sequence[Truth],
        record: RunRecord,
        clock: Clock,
        edits: Edits | None,
        show: Callable[[], None],
        *,
        is_paced: bool,
    ) -> None:
        self._maker = maker
        self._simulator = maker.simulator
        self._sink = sink
        self._truths = truths
        self._clock = clock
        self._keeper = RecordKeeper(record, self._store_record, maker.simulator, edits)
        self._show = show
        self._is_paced = is_paced
        self._reached = self._last_event_seconds = record.start_seconds
        self._run_truths = maker.simulator.truths(record.first, record.start_seconds)

    @property
    def record(self) -> RunRecord:
        """The current run record."""
        return self._keeper.record

    def run(self, stop: Event) -> None:
        """Run until the end or until ``stop`` is set, then wait for every acknowledgement.

        Args:
            stop: Set it to end the run; events already made are still sent.

        Raises:
            BrokerRefused: Kafka refuses a record, and a retry cannot help.
            BrokenPipeError: The reader has closed standard output.
            DrainTimeout: Records were not acknowledged in time.
            OutputFailed: The record or the ledger cannot be written.
            ReceiverRefused: An HTTP receiver refuses a request, and a retry cannot help.
        """
        self._keeper.begin()
        chunk = _FIRST_CHUNK
        next_ledger = self._clock.now() + _LEDGER_SECONDS
        while not stop.is_set() and not self._simulator.is_over():
            now = self._clock.now()
            self._keeper.take_up_edit(now)
            horizon = horizon_seconds(self._simulator, now, is_paced=self._is_paced)
            if np.isinf(horizon):
                break
            sent = self._send_due(horizon, chunk)
            following = self._simulator.following_seconds()
            if np.isfinite(following):
                # Every event before the next one is taken.
                self._reached = min(horizon, following)
            sent += self._send_late(self._reached)
            chunk = _CHUNK
            # A full chunk is followed at once by the next one; after a small one the loop waits.
            is_light = self._is_paced and sent < _CHUNK // 2
            self._acknowledge(TICK_SECONDS if is_light or not sent else 0.0)
            if now >= next_ledger:
                self._keep_ledger()
                next_ledger = now + _LEDGER_SECONDS
            self._show()
        self._finish()

    def _send_due(self, horizon: float, chunk: int) -> int:
        """Send events due by the horizon, if the sink has room; return how many."""
        if not self._sink.has_room(chunk):
            return 0
        events = self._simulator.take_due(horizon, chunk)
        if not len(events):
            return 0
        order = np.argsort(events.rows["event_time_ms"], kind="stable")
        events = Events(events.rows[order], events.line_products, events.line_quantities)
        planted = self._maker.make(events, self._now_ms())
        self._last_event_seconds = events.rows["event_time_ms"].max() / 1_000
        last_seq = {number: shard.made for number, shard in self._simulator.shards.items()}
        batch = Batch(planted.tally, planted.sent_by_shard, last_seq, len(events), planted.broken)
        self._send(planted.records, batch)
        return len(events)

    def _send_late(self, reached: float) -> int:
        """Send the events whose delay is over; return how many."""
        sent = 0
        for carried in self._maker.carried.values():
            for late in self._maker.take_late([carried], reached, self._now_ms()):
                self._send_one(late)
                sent += 1
        return sent

    def _send_one(self, late: LateRecord) -> None:
        done = partial(self._maker.close, late)
        self._send([late.record], Batch(late.tally, {late.shard: 1}, done=done))

    def _send(self, records: list[Record], batch: Batch) -> None:
        while not self._sink.has_room(len(records)):
            self._acknowledge(TICK_SECONDS)
        self._maker.count_sent(batch.sent_by_shard)
        self._sink.send(records, batch)

    def _acknowledge(self, seconds: float) -> int:
        """Wait for a while, count the acknowledged batches, and return their number."""
        batches = self._sink.poll(seconds)
        for batch in batches:
            self._maker.acknowledge(batch.tally, batch.sent_by_shard, batch.last_seq)
            if batch.done is not None:
                batch.done()
        return len(batches)

    def _finish(self) -> None:
        """Send the late records, wait for every acknowledgement, and complete ledger and record."""
        self._keeper.decide_end()
        self._send_late(float("inf"))
        self._drain()
        self._keep_ledger(is_end=True)
        self._drain()
        self._keeper.complete(self._clock.now())
        self._show()

    def _drain(self) -> None:
        deadline = self._clock.now() + _DRAIN_SECONDS
        waiting = self._sink.in_flight()
        while not self._sink.is_idle():
            batches = self._acknowledge(TICK_SECONDS)
            before, waiting = waiting, self._sink.in_flight()
            # One batch of records may need many HTTP requests.
            if batches or waiting < before:
                deadline = self._clock.now() + _DRAIN_SECONDS
            elif self._clock.now() > deadline:
                raise DrainTimeout(self._sink.in_flight(), _DRAIN_SECONDS)

    def _store_record(self, record: RunRecord) -> None:
        for truth in self._truths:
            truth.keep_record(record)

    def _keep_ledger(self, *, is_end: bool = False) -> None:
        rows = self._maker.ledger_records(
            self._maker.carried.values(), self._reached, self._sink.tallies(), is_end=is_end
        )
        # At the end no event follows, and the moment reached is that before the last chunk.
        reached = max(self._reached, self._last_event_seconds)
        for truth in self._truths:
            truth.keep_ledger(rows)
        for kind, known in self._run_truths.items() if self._truths else ():
            found = known.rows_until(reached)
            for truth in self._truths:
                truth.keep_truths(kind, found)

    def _now_ms(self) -> int:
        return int(1000 * self._clock.now())
