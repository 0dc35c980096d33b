"""What the operator shows of itself over HTTP."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from clickstream_local.ports import free_port
from clickstream_operator.shell.telemetry import Telemetry


def _served(health_problem: str, path: str) -> tuple[int, str, str]:
    """Return status, type and text of an answer after one reconcile."""

    async def ask() -> tuple[int, str, str]:
        port = free_port()
        async with (
            Telemetry("127.0.0.1", port, lambda: health_problem) as telemetry,
            aiohttp.ClientSession() as session,
        ):
            telemetry.reconciles.labels("done").inc()
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, answer.content_type, await answer.text()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("health_problem", "status", "text"), [("", 200, "alive\n"), ("too late", 503, "too late\n")]
)
def test_health_has_the_problem(health_problem: str, status: int, text: str) -> None:
    """The operator is alive unless something is wrong, and then says what."""
    assert _served(health_problem, "/healthz") == (status, "text/plain", text)


def test_metrics_are_served() -> None:
    """The metrics have the contract's names and labels, in Prometheus' text format."""
    status, content_type, text = _served("", "/metrics")

    assert (status, content_type) == (200, "text/plain")
    assert 'clickstream_operator_reconciles_total{outcome="done"} 1.0\n' in text
    for name in (
        "reconcile_duration_seconds", "api_writes_total", "simulations",
        "last_reconcile_timestamp_seconds",
    ):  # fmt: skip
        assert f"# TYPE clickstream_operator_{name} " in text


def test_other_paths_are_not_found() -> None:
    """Nothing but metrics and health is served."""
    assert _served("", "/")[0] == 404
