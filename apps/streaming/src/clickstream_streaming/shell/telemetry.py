"""The stream's metrics, liveness and readiness over HTTP.

Owns the registry of metrics and the endpoints.
"""

from __future__ import annotations

import threading
import time
from itertools import accumulate
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from clickstream_contract.metrics import metric
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from clickstream_streaming.shell.batch import LATENCY_BOUNDS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from wsgiref.types import StartResponse, WSGIEnvironment

    from clickstream_streaming.shell.batch import Outcome
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = ["Telemetry"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: Prometheus scrapes every few seconds."""


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
    """The stream's metrics; :meth:`serve` publishes them until :meth:`close`.

    Attributes:
        is_ready: Whether a batch was committed or the query waits for data. ``/readyz`` then
        returns     200, unless Kafka or PostgreSQL does not answer.
    """

    def __init__(self) -> None:
        self.is_ready = False
        self._began = time.time()
        self._unreachable: set[str] = set()
        self._arrived_at: dict[tuple[str, int], float] = {}
        self.registry = CollectorRegistry()
        self._input_rows = self._make(Counter, "input_rows_total")
        self._stored = self._make(Counter, "stored_events_total")
        self._rejected = self._make(Counter, "rejected_events_total")
        self._duplicates = self._make(Counter, "duplicate_events_total")
        self._late = self._make(Counter, "late_events_total")
        self._batch_seconds = self._make(Histogram, "batch_duration_seconds")
        self._event_time = self._make(Gauge, "event_time_timestamp_seconds")
        self._lag_records = self._make(Gauge, "lag_records")
        self._lag_seconds = self._make(Gauge, "lag_seconds")
        self._last_batch = self._make(Gauge, "last_batch_timestamp_seconds")
        self._integrity = self._make(Gauge, "integrity_defects")
        self._verified = self._make(Gauge, "verified_defects")
        self._last_verification = self._make(Gauge, "last_verification_timestamp_seconds")
        self._latencies = _Latencies()
        self.registry.register(self._latencies)
        self._metrics_app = make_wsgi_app(self.registry)

    def serve(self, host: str, port: int) -> None:
        """Start the HTTP server."""
        self._server = make_server(host, port, self._answer, _Server, _Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

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

    def show_verification(self, at: float, defects: dict[str, int]) -> None:
        """Show the defects of the last verification, and when it ended, Unix seconds."""
        for defect, count in defects.items():
            self._verified.labels(defect).set(count)
        self._last_verification.set(at)

    def close(self) -> None:
        """Stop the HTTP server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = request.get("PATH_INFO")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics_app(request, start)
            return answer
        status = "404 Not Found"
        if path == "/healthz" or (path == "/readyz" and self.is_ready and not self._unreachable):
            status = "200 OK"
        elif path == "/readyz":
            status = "503 Service Unavailable"
        start(status, [("Content-Type", "text/plain")])
        return [status.encode() + b"\n"]

    def _make(self, kind: type[Any], name: str) -> Any:  # noqa: ANN401  one of three kinds
        row = metric(f"clickstream_streaming_{name}")
        return kind(row.name, row.help, row.labels, registry=self.registry)
