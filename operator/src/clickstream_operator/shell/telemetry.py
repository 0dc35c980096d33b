"""The operator's metrics, as Prometheus reads them."""

from __future__ import annotations

from clickstream_health.registry import MetricRegistry

__all__ = ["Telemetry"]


class Telemetry:
    """The operator's metrics."""

    def __init__(self) -> None:
        self.registry = MetricRegistry("operator")
        self.reconciles = self.registry.counter("reconciles_total")
        self.duration = self.registry.histogram("reconcile_duration_seconds")
        self.writes = self.registry.counter("api_writes_total")
        self.simulations = self.registry.gauge("simulations")
        self.last_reconcile = self.registry.gauge("last_reconcile_timestamp_seconds")
