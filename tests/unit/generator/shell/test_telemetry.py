"""Telemetry: metrics, liveness and readiness over HTTP."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError

import pytest
from clickstream_contract.metrics import METRICS
from clickstream_generator.shell.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Serve at a free port."""
    with Telemetry("127.0.0.1", 0) as serving:
        yield serving


def _get(telemetry: Telemetry, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{telemetry._server.server_address[1]}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_readiness_follows_the_flag(telemetry: Telemetry) -> None:
    """A process is ready when it says so, and not before."""
    assert _get(telemetry, "/readyz") == (503, "not ready\n")

    telemetry.is_ready = True

    assert _get(telemetry, "/readyz") == (200, "ready\n")


def test_process_is_alive(telemetry: Telemetry) -> None:
    """A process that answers is alive, ready or not; other paths are not found."""
    assert _get(telemetry, "/healthz") == (200, "alive\n")
    assert _get(telemetry, "/other") == (404, "not found\n")


def test_metrics_are_the_contracts(telemetry: Telemetry) -> None:
    """Every metric of the contract for the generator is shown, with its value and labels."""
    telemetry.events.labels("search").inc(3)
    telemetry.lag.set(1.5)

    status, text = _get(telemetry, "/metrics")

    assert status == 200
    assert 'clickstream_generator_events_total{event_name="search"} 3.0' in text
    assert "clickstream_generator_event_lag_seconds 1.5" in text
    for row in METRICS:
        if row.name.startswith("clickstream_generator_"):
            assert f"# HELP {row.name} {row.help}" in text
            assert f"# TYPE {row.name} {row.kind.value}" in text


def test_port_is_given_back() -> None:
    """After the end nothing listens at the port."""
    with Telemetry("127.0.0.1", 0) as telemetry:
        assert _get(telemetry, "/healthz")[0] == 200

    with pytest.raises(URLError):
        _get(telemetry, "/healthz")
