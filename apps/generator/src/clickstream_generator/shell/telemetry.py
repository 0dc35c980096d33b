"""The generator's metrics, and whether it is ready."""

from __future__ import annotations

from clickstream_health.registry import MetricRegistry

__all__ = ["Telemetry"]


class Telemetry:
    """The generator's metrics.

    Attributes:
        is_ready: Whether the generator sends events, or has sent them all.
    """

    def __init__(self) -> None:
        self.is_ready = False
        self.registry = MetricRegistry("generator")
        self.events = self.registry.counter("events_total")
        self.acknowledged = self.registry.counter("records_acknowledged_total")
        self.shed = self.registry.counter("shed_events_total")
        self.target = self.registry.gauge("target_events_per_second")
        self.achieved = self.registry.gauge("achieved_events_per_second")
        self.active_sessions = self.registry.gauge("active_sessions")
        self.queue = self.registry.gauge("queue_messages")
        self.queue_limit = self.registry.gauge("queue_limit_messages")
        self.simulation = self.registry.gauge("simulation_info")
        self.lag = self.registry.gauge("event_lag_seconds")
        self.spec_changes = self.registry.counter("spec_changes_total")
        self.snapshot_bytes = self.registry.gauge("snapshot_bytes")
        self.busy = self.registry.counter("busy_seconds_total")
        self.delivered = self.registry.gauge("delivered_records")
        self.shards_over = self.registry.gauge("shards_over")
        self.resumed_shards = self.registry.gauge("resumed_shards")

    def readiness(self) -> str:
        """Return why the generator is not ready; empty if it is."""
        return "" if self.is_ready else "not ready"
