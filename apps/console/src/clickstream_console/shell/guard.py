"""The middleware of every answer: it sets security headers and measures the time.

Owns the headers and their policy.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from clickstream_console.shell.telemetry import Telemetry

__all__ = ["SECURITY_HEADERS", "Guard"]

SECURITY_HEADERS = {
    # Only this origin: nothing inline, nothing from other servers, no frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Sets the headers, and measures each request until its answer begins.

    Args:
        app: The application that answers.
        telemetry: The metrics that get the time.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                # Browsers revalidate the page, and never cache figures.
                is_api = scope["path"].startswith("/api/")
                headers["Cache-Control"] = "no-store" if is_api else "no-cache"
                route = getattr(scope.get("route"), "path", "static" if not is_api else "none")
                self._telemetry.requests.labels(route, str(message["status"])).observe(
                    time.perf_counter() - began
                )
            await send(message)

        await self._app(scope, receive, send_guarded)
