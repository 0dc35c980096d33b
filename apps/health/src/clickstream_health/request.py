"""The head of an HTTP request, as far as the health server needs it. Pure: bytes in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Request", "is_allowed", "request_from"]

_LINE = re.compile(rb"([A-Z]{1,16}) (/[!->@-~]*)(\?[!-~]*)? HTTP/1\.[01]\r\n")
_HOST = re.compile(
    rb"\r\nhost:[ \t]*(\[[0-9a-f:.]*\]|[^\r\n:]*?)(?::[0-9]*)?[ \t]*(?=\r\n)", re.IGNORECASE
)


@dataclass(frozen=True)
class Request:
    """The parts of a request that decide its answer."""

    method: str
    path: str
    """Without the query."""
    host: str
    """The name in ``Host`` in lower case, without the port; empty without one."""


def request_from(head: bytes) -> Request | None:
    """Return the request of a head; ``None`` if it is not HTTP/1, or has two hosts.

    Args:
        head: The request line and the headers, to the empty line.
    """
    line, hosts = _LINE.match(head), _HOST.findall(head)
    if line is None or len(hosts) > 1:
        return None
    host = hosts[0].decode("latin-1").lower() if hosts else ""
    return Request(line[1].decode(), line[2].decode(), host)


def is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a request may name the host.

    Args:
        host: The name in lower case.
        allowed: Names, or ``*.`` and a domain for all names below it; empty for any host.
    """
    return not allowed or any(
        host == name or (name.startswith("*.") and host.endswith(name[1:]))
        for name in map(str.lower, allowed)
    )
