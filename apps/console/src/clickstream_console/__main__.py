"""The console's process: it reads the settings and runs an HTTP server until a signal.

Owns the exit codes: 0 after a signal, 1 if it cannot listen, 2 if a setting is wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import uvicorn
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.libpq import forget_libpq

from clickstream_console.settings import settings_from
from clickstream_console.shell.application import application, health_server
from clickstream_console.shell.connections import ConnectionLimits, limited_protocol

if TYPE_CHECKING:
    from socket import socket
    from types import FrameType

    from clickstream_health.server import HealthServer
    from fastapi import FastAPI

_MAX_CONNECTIONS = 512
_CLOSE_SECONDS = 3


class _Server(uvicorn.Server):
    """A server that ends its live streams when it ends, and shows its health on another port.

    Args:
        app: The application.
        config: How the application is served.
        health: The server of the health; it answers while the application does.
    """

    def __init__(self, app: FastAPI, config: uvicorn.Config, health: HealthServer) -> None:
        super().__init__(config)
        self._app, self._health = app, health
        self._failure: OSError | None = None

    async def serve(self, sockets: list[socket] | None = None) -> None:
        """Serve on both ports.

        Raises:
            OSError: The health's port cannot be listened on.
        """
        await super().serve(sockets)
        if self._failure is not None:
            raise self._failure

    async def main_loop(self) -> None:
        """Serve the health once the application listens: a healthy console answers."""
        try:
            async with self._health:
                await super().main_loop()
        except OSError as error:  # the application shuts down first
            self._failure = error

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams, then stop."""
        self._app.state.live.close()
        super().handle_exit(sig, frame)


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
    limits = ConnectionLimits(settings.max_connections_per_peer)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=limited_protocol(limits),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
        log_config=None,
    )
    server = _Server(app, config, health_server(app, settings))
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except SystemExit:  # uvicorn has logged which address it cannot listen on
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
