"""The console's metrics, as Prometheus reads them."""

from __future__ import annotations

from clickstream_health.registry import MetricRegistry

__all__ = ["Telemetry"]


class Telemetry:
    """The console's metrics."""

    def __init__(self) -> None:
        self.registry = MetricRegistry("console")
        self.requests = self.registry.histogram("request_duration_seconds")
        self.live_streams = self.registry.gauge("live_streams")
        self.database_failures = self.registry.counter("database_failures_total")
