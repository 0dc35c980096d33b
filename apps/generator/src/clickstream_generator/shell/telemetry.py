"""The generator's metrics, liveness and readiness over HTTP.

Owns the metrics' registry, and the endpoints ``/metrics``, ``/healthz`` and ``/readyz``.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from clickstream_contract.metrics import metric
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Telemetry"]


class Telemetry:
    """The generator's metrics, served while the context is open.

    Args:
        host: Address to listen on.
        port: Port to listen on.

    Attributes:
        is_ready: Whether ``/readyz`` reports ready.
    """

    def __init__(self, host: str, port: int) -> None:
        self.is_ready = False
        self.registry = CollectorRegistry()
        self.events = self._counter("clickstream_generator_events_total")
        self.acknowledged = self._counter("clickstream_generator_records_acknowledged_total")
        self.shed = self._counter("clickstream_generator_shed_events_total")
        self.target = self._gauge("clickstream_generator_target_events_per_second")
        self.achieved = self._gauge("clickstream_generator_achieved_events_per_second")
        self.active_sessions = self._gauge("clickstream_generator_active_sessions")
        self.queue = self._gauge("clickstream_generator_queue_messages")
        self.queue_limit = self._gauge("clickstream_generator_queue_limit_messages")
        self.simulation = self._gauge("clickstream_generator_simulation_info")
        self.lag = self._gauge("clickstream_generator_event_lag_seconds")
        self.spec_changes = self._counter("clickstream_generator_spec_changes_total")
        self.snapshot_bytes = self._gauge("clickstream_generator_snapshot_bytes")
        self.busy = self._counter("clickstream_generator_busy_seconds_total")
        self.delivered = self._gauge("clickstream_generator_delivered_records")
        self.shards_over = self._gauge("clickstream_generator_shards_over")
        self.resumed_shards = self._gauge("clickstream_generator_resumed_shards")
        telemetry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                telemetry._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Do nothing: scrapes every few seconds are not worth a log line."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Start the server."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server, and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body, kind, status = b"not found\n", "text/plain", HTTPStatus.NOT_FOUND
        if request.path == "/metrics":
            body, kind, status = generate_latest(self.registry), CONTENT_TYPE_LATEST, HTTPStatus.OK
        elif request.path == "/healthz":
            body, status = b"alive\n", HTTPStatus.OK
        elif request.path == "/readyz":
            ready = self.is_ready
            body = b"ready\n" if ready else b"not ready\n"
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _counter(self, name: str) -> Counter:
        row = metric(name)
        return Counter(row.name, row.help, row.labels, registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        row = metric(name)
        return Gauge(row.name, row.help, row.labels, registry=self.registry)
