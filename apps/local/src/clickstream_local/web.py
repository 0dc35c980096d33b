"""HTTP requests to the services and to a Maven repository.

Requests to this machine never use a proxy of the environment.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from http.client import HTTPResponse

__all__ = ["is_loopback", "open_url"]

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def is_loopback(url: str) -> bool:
    """Return whether a URL is on this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def open_url(url: str, timeout_seconds: float, method: str = "GET") -> HTTPResponse:
    """Return the response to a request; the caller closes it.

    Raises:
        OSError: There is no response, or it is an error: ``urllib.error.HTTPError``, which the
            caller closes.
        ValueError: The URL is neither https nor on this machine.
    """
    is_here = is_loopback(url)
    if not url.startswith(("https://", "http://") if is_here else "https://"):
        raise ValueError("only https is allowed")
    handlers: list[urllib.request.BaseHandler]
    handlers = [urllib.request.ProxyHandler({} if is_here else None)]
    if url.startswith("https"):
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, method=method)  # noqa: S310  the scheme was checked
    return cast("HTTPResponse", opener.open(request, timeout=timeout_seconds))
