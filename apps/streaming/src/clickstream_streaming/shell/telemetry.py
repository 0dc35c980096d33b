"""What the stream shows of itself: metrics, liveness and readiness over HTTP.

Owns the metrics' registry and the endpoints. It does not know how the figures come about.
"""

from __future__ import annotations

import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from clickstream_contract.metrics import metric
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["LATENCY_BOUNDS_SECONDS", "Telemetry"]

LATENCY_BOUNDS_SECONDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a scrape every few seconds is no news."""


class Telemetry:
    """The stream's figures; :meth:`serve` shows them until :meth:`close`.

    Args:
        queries: Names of the queries; when each waits for data, ``/readyz`` says yes.
    """

    def __init__(self, *queries: str) -> None:
        self._waiting = set(queries)
        self.registry = CollectorRegistry()
        self.input_rows = self._make(Counter, "input_rows_total")
        self.stored = self._make(Counter, "stored_events_total")
        self.rejected = self._make(Counter, "rejected_events_total")
        self.duplicates = self._make(Counter, "duplicate_events_total")
        self.late = self._make(Counter, "late_events_total")
        self.batch_seconds = self._make(Histogram, "batch_duration_seconds")
        row = metric("clickstream_streaming_event_latency_seconds")
        self.latency = Histogram(
            row.name, row.help, buckets=LATENCY_BOUNDS_SECONDS, registry=self.registry
        )
        self.watermark = self._make(Gauge, "watermark_timestamp_seconds")
        self.state_rows = self._make(Gauge, "state_rows")
        self.state_bytes = self._make(Gauge, "state_bytes")
        self.last_batch = self._make(Gauge, "last_batch_timestamp_seconds")
        self._metrics_app = make_wsgi_app(self.registry)

    def serve(self, host: str, port: int) -> None:
        """Begin to answer."""
        self._server = make_server(host, port, self._answer, _Server, _Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def note_ready(self, query: str) -> None:
        """Note that a query has caught up once, and waits for data."""
        self._waiting.discard(query)

    def close(self) -> None:
        """Stop answering and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = request.get("PATH_INFO")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics_app(request, start)
            return answer
        status = "404 Not Found"
        if path == "/healthz" or (path == "/readyz" and not self._waiting):
            status = "200 OK"
        elif path == "/readyz":
            status = "503 Service Unavailable"
        start(status, [("Content-Type", "text/plain")])
        return [status.encode() + b"\n"]

    def _make(self, kind: type[Any], name: str) -> Any:  # noqa: ANN401  one of three kinds
        row = metric(f"clickstream_streaming_{name}")
        return kind(row.name, row.help, row.labels, registry=self.registry)
