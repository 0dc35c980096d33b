"""The limits of connections: how long each may take, and how many one peer may have.

They extend uvicorn's protocol: a peer that sends its request slowly, does not read its answer, or
opens too many connections loses them.
"""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["ConnectionLimits", "limited_protocol"]

_SEND_BUFFER_BYTES = 32_768
"""The kernel's buffer for an unread answer; a larger one would hide a peer that never reads."""


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits of one connection and of one peer."""

    per_peer: int
    """Connections of one address at a time."""
    request_seconds: float = 10.0
    """Time from the connection, or a request's first byte, to the end of the request's headers."""
    send_seconds: float = 20.0
    """How long a peer may leave an answer unread."""
    idle_seconds: int = 5
    """Time from an answer to the next request."""


def limited_protocol(limits: ConnectionLimits) -> type[HttpToolsProtocol]:
    """Return a protocol for uvicorn with the limits; it counts all its connections together."""

    class LimitedProtocol(_LimitedProtocol):
        """One connection."""

    LimitedProtocol.limits, LimitedProtocol.open_connections = limits, Counter()
    return LimitedProtocol


class _Deadline:
    """Ends a connection after so many seconds, unless it is cleared before."""

    def __init__(self, protocol: HttpToolsProtocol, seconds: float) -> None:
        self._protocol, self._seconds = protocol, seconds
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Start the timer, unless it runs."""
        if self._timer is None:
            end = self._protocol.transport.abort
            self._timer = self._protocol.loop.call_later(self._seconds, end)

    def clear(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _LimitedProtocol(HttpToolsProtocol):
    limits: ClassVar[ConnectionLimits]
    open_connections: ClassVar[Counter[str]]
    _peer: str
    _request: _Deadline
    _reading: _Deadline

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and close it at once if its peer has too many."""
        super().connection_made(transport)
        self._request = _Deadline(self, self.limits.request_seconds)
        self._reading = _Deadline(self, self.limits.send_seconds)
        self._peer = self.client[0] if self.client else ""
        self.open_connections[self._peer] += 1
        if self.open_connections[self._peer] > self.limits.per_peer:
            transport.abort()
            return
        kernel = transport.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        # Each byte that the kernel does not accept at once pauses the writing.
        transport.set_write_buffer_limits(high=0)
        self._request.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.open_connections[self._peer] -= 1
        if not self.open_connections[self._peer]:
            del self.open_connections[self._peer]
        self._request.clear()
        super().connection_lost(exc)  # it resumes the writing
        self._reading.clear()

    def data_received(self, data: bytes) -> None:
        """Read data; outside a request, the first byte begins one."""
        if self.cycle is None or self.cycle.response_complete:
            self._request.set()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Answer the request, which arrived in time."""
        self._request.clear()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Start the timer: the peer does not read."""
        super().pause_writing()
        self._reading.set()

    def resume_writing(self) -> None:
        """Stop the timer: the peer has read everything."""
        super().resume_writing()
        self._reading.clear()
