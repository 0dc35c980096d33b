"""The console's process: it reads the settings and runs an HTTP server until a signal.

Owns the exit codes: 0 after a signal, 1 if it cannot listen, 2 if a setting is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.libpq import forget_libpq

from clickstream_console.settings import settings_from
from clickstream_console.shell.application import application, health
from clickstream_console.shell.connections import ConnectionLimits, limited_protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from socket import socket
    from types import FrameType

    from fastapi import FastAPI
    from starlette.types import ASGIApp

_MAX_CONNECTIONS = 512
_MAX_HEALTH_CONNECTIONS = 64
_HEALTH_CONNECTIONS_PER_PEER = 16
_CLOSE_SECONDS = 3


class _HealthServer(uvicorn.Server):
    """A second server of the process; the first one handles the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers of signals."""
        yield


class _Server(uvicorn.Server):
    """A server that ends its live streams when it ends, and shows its health on another port.

    Args:
        app: The application.
        config: How the application is served.
        health: Serves the health; it starts first and stops last.
    """

    def __init__(self, app: FastAPI, config: uvicorn.Config, health: uvicorn.Server) -> None:
        super().__init__(config)
        self._app, self._health = app, health

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen on both ports."""
        self._serving_health = asyncio.create_task(self._health.serve())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop on both ports."""
        await super().shutdown(sockets)
        self._health.should_exit = True
        await self._serving_health

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams, then stop."""
        self._app.state.live.close()
        super().handle_exit(sig, frame)


def _config(
    app: ASGIApp, host: str, port: int, connections: int, limits: ConnectionLimits
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=limited_protocol(limits),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=connections,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
        log_config=None,
    )


def main() -> int:
    """Serve and return the process's exit code."""
    forget_libpq(os.environ)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # we say it ourselves
    try:
        settings = settings_from(os.environ)
    except SettingsInvalid as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    app = application(settings)
    health_config = _config(
        health(app, settings.hosts),
        settings.host,
        settings.metrics_port,
        _MAX_HEALTH_CONNECTIONS,
        ConnectionLimits(_HEALTH_CONNECTIONS_PER_PEER),
    )
    config = _config(
        app,
        settings.host,
        settings.port,
        _MAX_CONNECTIONS,
        ConnectionLimits(settings.max_connections_per_peer),
    )
    server = _Server(app, config, _HealthServer(health_config))
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    except SystemExit:  # uvicorn has logged which address it cannot listen on
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
