"""The operator's own metrics and its health, served over HTTP.

Owns the metrics' registry and the endpoints ``/metrics`` and ``/healthz``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from clickstream_contract.metrics import metric
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

__all__ = ["Telemetry"]


class Telemetry:
    """The operator's metrics, served while the context is open.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        health_problem: Returns what is wrong with the operator; empty if nothing is.
    """

    def __init__(self, host: str, port: int, health_problem: Callable[[], str]) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(*_args("reconciles_total"), registry=self.registry)
        self.duration = Histogram(*_args("reconcile_duration_seconds"), registry=self.registry)
        self.writes = Counter(*_args("api_writes_total"), registry=self.registry)
        self.simulations = Gauge(*_args("simulations"), registry=self.registry)
        self.last_reconcile = Gauge(
            *_args("last_reconcile_timestamp_seconds"), registry=self.registry
        )
        self._host, self._port, self._health_problem = host, port, health_problem

    async def __aenter__(self) -> Self:
        """Start the server."""
        application = web.Application()
        application.add_routes(
            [web.get("/metrics", self._metrics), web.get("/healthz", self._healthz)]
        )
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and free the port."""
        await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _healthz(self, _request: web.Request) -> web.Response:
        problem = self._health_problem()
        return web.Response(text=f"{problem or 'alive'}\n", status=503 if problem else 200)


def _args(name: str) -> tuple[str, str, tuple[str, ...]]:
    row = metric(f"clickstream_operator_{name}")
    return row.name, row.help, row.labels
