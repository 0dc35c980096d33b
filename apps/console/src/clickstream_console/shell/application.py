"""The application: routes, page, health, and what every request must pass.

Owns how these are put together and which error becomes which status. It does not know what a
route answers.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from clickstream_console.errors import DatabaseAway, SimulationUnknown, TooManyStreams
from clickstream_console.shell.database import Database
from clickstream_console.shell.guard import Guard
from clickstream_console.shell.live import Live
from clickstream_console.shell.routes import RETRY_SECONDS, api
from clickstream_console.shell.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clickstream_console.settings import Settings

__all__ = ["application"]


def application(settings: Settings) -> FastAPI:
    """Return the application; it connects when it is served."""
    telemetry = Telemetry()
    database = Database(settings, telemetry.database_failures.inc)
    live = Live(database, settings.max_live_streams, telemetry.live_streams.set)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with database:
            yield

    app = FastAPI(
        title="Clickstream console",
        summary="What a simulated shop does, from the views of mart and ops.",
        version=version("clickstream-console"),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # it would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        # The first listed meets a request first: also a refused host gets the headers.
        middleware=[
            Middleware(Guard, telemetry=telemetry),
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts, www_redirect=False),
        ],
    )
    app.state.database, app.state.live = database, live
    app.include_router(api)
    for error in (DatabaseAway, TooManyStreams):
        app.add_exception_handler(error, _unavailable)
    app.add_exception_handler(SimulationUnknown, _unknown)
    _add_health(app, telemetry)
    app.mount("/", StaticFiles(directory=str(files("clickstream_console") / "static"), html=True))
    return app


def _add_health(app: FastAPI, telemetry: Telemetry) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> PlainTextResponse:
        return PlainTextResponse("alive\n")

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> PlainTextResponse:
        if await app.state.database.is_there():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("the database is away\n", 503, _retry())

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(telemetry.registry), media_type=CONTENT_TYPE_LATEST)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 503, _retry())


async def _unknown(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}
