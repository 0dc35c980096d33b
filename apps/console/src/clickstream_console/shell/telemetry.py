"""The console's own metrics, and their registry."""

from __future__ import annotations

from clickstream_contract.metrics import metric
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Telemetry"]


class Telemetry:
    """The console's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = metric("clickstream_console_request_duration_seconds")
        self.requests = Histogram(
            requests.name, requests.help, requests.labels, registry=self.registry
        )
        streams = metric("clickstream_console_live_streams")
        self.live_streams = Gauge(streams.name, streams.help, registry=self.registry)
        failures = metric("clickstream_console_database_failures_total")
        self.database_failures = Counter(failures.name, failures.help, registry=self.registry)
