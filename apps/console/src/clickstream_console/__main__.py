"""The console's process: settings in, an HTTP server until it is asked to end.

Owns exit codes: 0 asked to end, 1 could not listen, 2 a setting is wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

import uvicorn
from clickstream_contract.environment import SettingsInvalid

from clickstream_console.settings import settings_from
from clickstream_console.shell.application import application

if TYPE_CHECKING:
    from types import FrameType

    from fastapi import FastAPI

_MAX_CONNECTIONS = 512
_CLOSE_SECONDS = 3


class _Server(uvicorn.Server):
    """A server whose live streams end when it does."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let streams end, then stop."""
        self._app.state.live.close()
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve and return the process's exit code."""
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
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
        log_config=None,
    )
    server = _Server(app, config)
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
