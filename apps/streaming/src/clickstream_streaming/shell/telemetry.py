"""The stream's metrics, and whether it is ready."""

from __future__ import annotations

import time
from itertools import accumulate
from typing import TYPE_CHECKING

from clickstream_contract.metrics import metric
from clickstream_health.registry import MetricRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from clickstream_streaming.shell.batch import LATENCY_BOUNDS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickstream_streaming.shell.batch import Outcome
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = ["Telemetry"]


class _Latencies(Collector):
    """Histogram of latencies; tasks count thousands of events at once."""

    def __init__(self) -> None:
        self._counts = [0] * (len(LATENCY_BOUNDS_SECONDS) + 1)
        self._sum = 0.0

    def add(self, buckets: Iterable[tuple[int, float]]) -> None:
        for at, (count, seconds) in enumerate(buckets):
            self._counts[at] += count
            self._sum += seconds

    def collect(self) -> Iterable[HistogramMetricFamily]:
        row = metric("clickstream_streaming_event_latency_seconds")
        bounds = [*map(str, LATENCY_BOUNDS_SECONDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(row.name, row.help, buckets=buckets, sum_value=self._sum)


class Telemetry:
    """The stream's metrics.

    Attributes:
        is_ready: Whether a batch was committed or the query waits for data.
    """

    def __init__(self) -> None:
        self.is_ready = False
        self._began = time.time()
        self._unreachable: set[str] = set()
        self._arrived_at: dict[tuple[str, int], float] = {}
        self.registry = MetricRegistry("streaming")
        self._input_rows = self.registry.counter("input_rows_total")
        self._stored = self.registry.counter("stored_events_total")
        self._rejected = self.registry.counter("rejected_events_total")
        self._duplicates = self.registry.counter("duplicate_events_total")
        self._late = self.registry.counter("late_events_total")
        self._batch_seconds = self.registry.histogram("batch_duration_seconds")
        self._event_time = self.registry.gauge("event_time_timestamp_seconds")
        self._lag_records = self.registry.gauge("lag_records")
        self._lag_seconds = self.registry.gauge("lag_seconds")
        self._last_batch = self.registry.gauge("last_batch_timestamp_seconds")
        self._integrity = self.registry.gauge("integrity_defects")
        self._verified = self.registry.gauge("verified_defects")
        self._last_verification = self.registry.gauge("last_verification_timestamp_seconds")
        self._shortfall = self.registry.gauge("order_shortfall")
        self._latencies = _Latencies()
        self.registry.register(self._latencies)

    def readiness(self) -> str:
        """Return why the stream is not ready: no batch yet, or a service is away; else empty."""
        away = " and ".join(sorted(self._unreachable))
        if away:
            return f"no answer from {away}"
        return "" if self.is_ready else "no batch was committed yet"

    def show_batch(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        """Count a batch, without partitions that an earlier attempt had already stored."""
        for row in outcomes:
            self._arrived_at[row.topic, row.partition] = row.arrived_at
            self._batch_seconds.labels("read").observe(row.read_seconds)
            self._batch_seconds.labels("write").observe(row.write_seconds)
            if row.is_repeated:
                continue
            self._input_rows.labels(row.topic).inc(row.rows)
            self._stored.inc(row.stored)
            self._duplicates.inc(row.duplicates)
            self._late.inc(row.late)
            for reason, count in row.rejects.items():
                self._rejected.labels(reason).inc(count)
            self._latencies.add(row.latencies)
            if row.max_event_times:
                self._event_time.set(max(seconds for *_, seconds in row.max_event_times))
        self._batch_seconds.labels("all").observe(seconds)
        self._last_batch.set_to_current_time()
        # Under load the query may never wait for data.
        self.is_ready = True

    def show_unreachable(self, service: str, *, is_unreachable: bool) -> None:
        """Set whether a service that batches need, Kafka or PostgreSQL, does not answer."""
        (self._unreachable.add if is_unreachable else self._unreachable.discard)(service)

    def show_lag(self, done: Offsets, ends: Offsets) -> None:
        """Show the lag of each partition.

        Args:
            done: The end of the last batch.
            ends: The ends of the partitions.
        """
        for topic, partitions in ends.items():
            for number, end in partitions.items():
                behind = max(0, end - done.get(topic, {}).get(number, 0))
                self._lag_records.labels(topic, number).set(behind)
                # Before the first batch, the lag is at least the age of this process.
                arrived_at = self._arrived_at.get((topic, number), self._began)
                seconds = time.time() - arrived_at if behind else 0.0
                self._lag_seconds.labels(topic, number).set(seconds)

    def show_integrity(self, events: dict[str, dict[str, int]]) -> None:
        """Show the differences between ledger and tables, by simulation and kind of defect."""
        self._integrity.clear()  # removes simulations that no longer exist
        for simulation, counts in events.items():
            for defect, count in counts.items():
                self._integrity.labels(simulation, defect).set(count)

    def show_shortfalls(self, rows: Iterable[tuple[str, str, int]]) -> None:
        """Show the orders that shops lack: rows of simulation, device and orders."""
        self._shortfall.clear()  # removes alarms that are over
        for simulation, device, orders in rows:
            self._shortfall.labels(simulation, device).set(orders)

    def show_verification(self, at: float, defects: dict[str, int]) -> None:
        """Show the defects of the last verification, and when it ended, Unix seconds."""
        for defect, count in defects.items():
            self._verified.labels(defect).set(count)
        self._last_verification.set(at)
