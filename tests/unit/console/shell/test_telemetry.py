"""The console's own metrics."""

from __future__ import annotations

from clickstream_console.shell.telemetry import Telemetry


def test_metrics_have_their_names() -> None:
    """The figures have the contract's names."""
    telemetry = Telemetry()
    telemetry.requests.labels("/", "200").observe(0.1)
    telemetry.live_streams.set(3)
    telemetry.database_failures.inc()

    value = telemetry.registry.get_sample_value
    assert value("clickstream_console_live_streams") == 3
    assert value("clickstream_console_database_failures_total") == 1
    labels = {"route": "/", "status": "200"}
    assert value("clickstream_console_request_duration_seconds_count", labels) == 1


def test_registries_are_apart() -> None:
    """Two applications in one process do not count together."""
    one, other = Telemetry(), Telemetry()
    one.live_streams.set(3)

    assert other.registry.get_sample_value("clickstream_console_live_streams") == 0
