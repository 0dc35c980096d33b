"""The application: routes, page, health, and the middleware of every request.

Owns how these are put together, and which error becomes which status.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from clickstream_console.errors import DatabaseAway, SimulationUnknown, TooManyStreams
from clickstream_console.shell.database import Database
from clickstream_console.shell.guard import Guard
from clickstream_console.shell.head import HeadAsGet
from clickstream_console.shell.live import Live
from clickstream_console.shell.routes import RETRY_SECONDS, api
from clickstream_console.shell.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clickstream_console.settings import Settings

__all__ = ["application", "health"]


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
    app.include_router(api)
    for error in (DatabaseAway, TooManyStreams):
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(SimulationUnknown, _unknown)
    app.mount("/", StaticFiles(directory=str(files("clickstream_console") / "static"), html=True))
    return app


def health(app: FastAPI, hosts: list[str]) -> Starlette:
    """Return the application of the second port: health and metrics.

    Args:
        app: The application.
        hosts: Host names of the port.
    """

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        if await app.state.database.is_there():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("the database is away\n", 503, _retry())

    async def metrics(_request: Request) -> Response:
        shown = generate_latest(app.state.telemetry.registry)
        return Response(shown, media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
    )


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503, _retry())


async def _unknown(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}
