"""One run of ``clickstream up``: start, watch, drain, verify, report, stop.

Owns the order of these steps.
"""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.api import Deadline, record_verification, verify
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from rich.live import Live

from clickstream_local.display import live_line, live_view, show_run, show_verification
from clickstream_local.errors import DrainFailed, StartInterrupted
from clickstream_local.figures import is_drained, read_live, read_run
from clickstream_local.postgres import READER, VERIFIER
from clickstream_local.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from clickstream_contract.simulation import Simulation
    from clickstream_streaming.api import VerificationReport
    from psycopg2.extensions import connection as Connection
    from rich.console import Console

    from clickstream_local.figures import RunFigures
    from clickstream_local.state import StateFolder

__all__ = ["Session", "end_offsets"]

_TICK_SECONDS = 0.5
_LINE_SECONDS = 5.0
_DRAIN_SECONDS = 180.0
_LEADER_SECONDS, _LEADER_RETRY_SECONDS = 10.0, 0.1


@dataclass
class Session:
    """A pipeline in the foreground.

    Args:
        state: The state folder.
        console: The console.
        simulation: The simulation to run.
    """

    state: StateFolder
    console: Console
    simulation: Simulation
    _is_asked_to_stop: bool = field(default=False, init=False)
    _is_starting: bool = field(default=False, init=False)

    def run(self) -> bool:
        """Run until the simulation is over or stopped; return whether the tables are correct.

        A run that ends by itself is drained, verified and reported. A stopped run is only drained.

        Raises:
            StartInterrupted: A signal came before the pipeline was complete.
            LocalError: A service did not start, or ended.
        """
        began = time.monotonic()

        def report(text: str) -> None:
            self.console.print(f"{time.monotonic() - began:5.1f} s  {text}", highlight=False)

        stack = Stack(self.state, self.console, report)
        with self.state.lock(), self._signals(stack):
            try:
                self._is_starting = True
                stack.start(self.simulation)
                self._is_starting = False
                connection = stack.postgres.connect(READER)
                self._watch(stack, connection)
                if self._is_asked_to_stop:
                    report("stopping: the generator sends its last events")
                    stack.generator.stop()
                self._drain(stack, connection)
                report("all events are stored")
                is_right = self._is_asked_to_stop or self._report(stack, connection)
                connection.close()
            except KeyboardInterrupt:
                report("stopping: the start was interrupted")
                raise StartInterrupted from None
            finally:
                self._is_starting = False
                stack.stop()
        self.console.print("stopped", highlight=False)
        return is_right

    @contextmanager
    def _signals(self, stack: Stack) -> Iterator[None]:
        """Stop gracefully at the first signal, at once at the second."""

        def asked(_number: int, _frame: FrameType | None) -> None:
            if self._is_asked_to_stop:
                stack.kill()
                return
            self._is_asked_to_stop = True
            if self._is_starting:
                raise KeyboardInterrupt  # no event to send or store yet

        before = {n: signal.signal(n, asked) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self, stack: Stack, connection: Connection) -> None:
        """Show figures until the generator has ended or a signal stops the run."""
        began = time.monotonic()
        next_line = began + _LINE_SECONDS
        url = stack.metrics_url("generator")
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            while not (self._is_asked_to_stop or stack.generator_has_ended()):
                time.sleep(_TICK_SECONDS)
                stack.check()
                now = time.monotonic()
                if not self.console.is_terminal and now < next_line:
                    continue
                figures = read_live(connection, self.simulation.full_name, url)
                if self.console.is_terminal:
                    live.update(live_view(now - began, figures), refresh=True)
                elif not stack.generator_has_ended():
                    next_line = now + _LINE_SECONDS
                    self.console.print(live_line(now - began, figures), highlight=False)
        stack.check()

    def _drain(self, stack: Stack, connection: Connection) -> None:
        """Wait until the stream has stored all records in Kafka.

        Raises:
            DrainFailed: The stream did not store them in time.
        """
        deadline = Deadline(_DRAIN_SECONDS)
        ends = end_offsets(stack.kafka.bootstrap_servers)
        while not is_drained(connection, stack.run_id, ends):
            stack.check()
            if deadline.has_passed():
                raise DrainFailed(_DRAIN_SECONDS)
            time.sleep(_TICK_SECONDS)

    def _report(self, stack: Stack, connection: Connection) -> bool:
        """Verify the tables, print and write the report; return whether the tables are correct."""
        verifier = stack.postgres.connect(VERIFIER)
        report = verify(verifier, lambda: stack.postgres.connect(VERIFIER))
        record_verification(verifier, report)
        verifier.close()
        run = read_run(connection, self.simulation.full_name, stack.run_id)
        target = self.simulation.spec.rate.per_second
        show_run(self.console, run, target)
        show_verification(self.console, report)
        path = self.state.root / "report.json"
        content = _report_content(stack, run, report, target)
        path.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
        self.console.print(f"report: {path}", highlight=False)
        return report.is_clean()


def _report_content(
    stack: Stack, run: RunFigures, report: VerificationReport, target: float
) -> dict[str, Any]:
    return {
        **report.to_json(),
        "duplicates_planted": run.duplicates,
        "latency_p50_seconds": round(run.p50_seconds, 3),
        "latency_p95_seconds": round(run.p95_seconds, 3),
        "events_per_second_target": target,
        "events_per_second_achieved": round(run.achieved_per_second, 2),
        "first_row_seconds": round(run.first_row_at - stack.started_at, 2),
        "orders": int(run.kpis.get("orders") or 0),
        "revenue": str(run.kpis.get("revenue") or 0),
        "kpis": run.kpis,
        "funnel": [vars(step) for step in run.funnel],
        "run_id": str(stack.run_id),
    }


def _end_offset(consumer: Consumer, partition: TopicPartition) -> int:
    """Return the offset after the last record; retry while a new partition has no leader."""
    deadline = time.monotonic() + _LEADER_SECONDS
    while True:
        try:
            end: int = consumer.get_watermark_offsets(partition, timeout=10)[1]
        except KafkaException as failure:
            is_early = failure.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION
            if not is_early or time.monotonic() > deadline:
                raise
            time.sleep(_LEADER_RETRY_SECONDS)
        else:
            return end


def end_offsets(bootstrap_servers: str) -> dict[tuple[str, int], int]:
    """Return the offset after the last record of each partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "clickstream-ends"})
    try:
        topics = consumer.list_topics(timeout=10).topics
        return {
            (topic, number): _end_offset(consumer, TopicPartition(topic, number))
            for topic in (EVENTS.name, LEDGER.name)
            for number in topics[topic].partitions
        }
    finally:
        consumer.close()
