"""The application: routes, page, and the middleware of every request; and its health.

Owns how these are put together, and which error becomes which status.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from clickstream_health.server import HealthServer
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from clickstream_console.errors import DatabaseAway, SimulationUnknown, TooManyStreams
from clickstream_console.shell.database import Database
from clickstream_console.shell.guard import Guard
from clickstream_console.shell.head import HeadAsGet
from clickstream_console.shell.live import Live
from clickstream_console.shell.operator import Operator
from clickstream_console.shell.routes import RETRY_SECONDS, api
from clickstream_console.shell.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clickstream_console.settings import Settings

__all__ = ["application", "health_server"]


def application(settings: Settings) -> FastAPI:
    """Return the application; it connects when it is served."""
    telemetry = Telemetry()
    database = Database(settings, telemetry.database_failures.inc)
    live = Live(
        database,
        settings.max_live_streams,
        settings.max_live_streams_per_peer,
        telemetry.live_streams.set,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with database:
            yield

    app = FastAPI(
        title="Clickstream console",
        summary="What a simulated shop does, from the views of mart and ops.",
        version=version("clickstream-console"),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # it would load scripts from another server
        redoc_url=None,
        lifespan=lifespan,
        # The first in the list gets a request first: a rejected host gets the headers too.
        middleware=[
            Middleware(HeadAsGet),
            Middleware(Guard, telemetry=telemetry),
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts, www_redirect=False),
        ],
    )
    app.state.database, app.state.live, app.state.telemetry = database, live, telemetry
    app.state.operator = Operator(settings.operator_url)
    app.include_router(api)
    for error in (DatabaseAway, TooManyStreams):
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(SimulationUnknown, _unknown)
    app.mount("/", StaticFiles(directory=str(files("clickstream_console") / "static"), html=True))
    return app


def health_server(app: FastAPI, settings: Settings) -> HealthServer:
    """Return the server of the second port: health and metrics.

    Args:
        app: The application.
        settings: Host, port and names of the console.
    """

    async def readiness() -> str:
        return "" if await app.state.database.is_there() else "the database is away"

    return HealthServer(
        settings.host,
        settings.metrics_port,
        app.state.telemetry.registry,
        readiness,
        hosts=tuple(settings.hosts),
    )


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503, _retry())


async def _unknown(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}
