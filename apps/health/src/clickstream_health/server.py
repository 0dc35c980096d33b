"""The HTTP server of every long-running process: ``/metrics``, ``/healthz`` and ``/readyz``.

Owns these paths, their answers, and the limits of a request and of its peer; h11 owns the protocol.
A body is not read, and each connection carries one request, so that a peer can hold nothing for
long.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from clickstream_health.hosts import host_of, is_allowed

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType
    from typing import Self

    from prometheus_client import CollectorRegistry

    Check = Callable[[], str | Awaitable[str]]

__all__ = ["HealthServer"]

_HEAD_BYTES = 8_192
_REQUEST_SECONDS = 10.0
"""From the connection to the last byte of the answer."""
_CONNECTIONS = 64
_CONNECTIONS_PER_PEER = 16
_TEXT = "text/plain; charset=utf-8"


class HealthServer:
    """Serves metrics and health while a context is open.

    ``async with server`` serves from the running event loop, so that a loop that is blocked does
    not answer. ``with server.in_thread()`` serves from a thread, for a process without a loop.

    Args:
        host: The address to listen on.
        port: The port; 0 for a free one.
        registry: The metrics.
        readiness: Returns why the process cannot do its work now; empty if it can.
        liveness: Returns why the process must be restarted; empty if it is well.
        hosts: The names that a request may have in ``Host``; empty for any.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        readiness: Check,
        liveness: Check = str,
        hosts: tuple[str, ...] = (),
    ) -> None:
        self._host, self._port, self._hosts = host, port, hosts
        self._registry = registry
        self._checks = {"/healthz": (liveness, "alive"), "/readyz": (readiness, "ready")}
        self._open: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port of a server that serves."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: The address cannot be listened on.
        """
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, limit=_HEAD_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Close the port and every connection."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve from a thread.

        Raises:
            OSError: The address cannot be listened on.
        """
        opened: Future[Callable[[], object]] = Future()

        async def serve() -> None:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()
            try:
                async with self:
                    opened.set_result(lambda: loop.call_soon_threadsafe(stop.set))
                    await stop.wait()
            except OSError as error:
                opened.set_exception(error)

        thread = threading.Thread(target=asyncio.run, args=[serve()], name="health", daemon=True)
        thread.start()
        close = opened.result()
        try:
            yield self
        finally:
            close()
            thread.join()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer the request of a connection, if its peer keeps to the limits."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  asyncio runs this in a task
        peer = (writer.get_extra_info("peername") or ("",))[0]
        self._tasks.add(task)
        self._open[peer] += 1
        try:
            if self._open.total() > _CONNECTIONS or self._open[peer] > _CONNECTIONS_PER_PEER:
                return
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(_REQUEST_SECONDS):
                    # Wait until the kernel has every byte: the connection then ends at once.
                    writer.transport.set_write_buffer_limits(high=0)
                    writer.write(await self._answer(reader))
                    await writer.drain()
        finally:
            writer.transport.abort()
            self._tasks.discard(task)
            self._open -= Counter([peer])

    async def _answer(self, reader: StreamReader) -> bytes:
        """Return the answer to a request; nothing if the peer sends none."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        try:
            while (request := connection.next_event()) is h11.NEED_DATA:
                connection.receive_data(await reader.read(_HEAD_BYTES))
        except h11.RemoteProtocolError as error:
            return _response(connection, HTTPStatus(error.error_status_hint))
        if not isinstance(request, h11.Request):
            return b""
        host = dict(request.headers).get(b"host", b"").decode("latin-1")
        if not is_allowed(host_of(host), self._hosts):
            return _response(connection, HTTPStatus.BAD_REQUEST)
        if request.method not in {b"GET", b"HEAD"}:
            return _response(connection, HTTPStatus.METHOD_NOT_ALLOWED)
        status, body, kind = HTTPStatus.NOT_FOUND, b"", _TEXT
        path = request.target.decode("ascii").partition("?")[0]
        if path == "/metrics":
            status, body, kind = HTTPStatus.OK, generate_latest(self._registry), CONTENT_TYPE_LATEST
        elif path in self._checks:
            check, well = self._checks[path]
            found = check()
            problem = found if isinstance(found, str) else await found
            status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
            body = f"{problem or well}\n".encode()
        return _response(connection, status, body, kind, has_body=request.method == b"GET")


def _response(
    connection: h11.Connection,
    status: HTTPStatus,
    body: bytes = b"",
    kind: str = _TEXT,
    *,
    has_body: bool = True,
) -> bytes:
    """Return an answer; without a body, the status' phrase is the text."""
    body = body or f"{status.phrase.lower()}\n".encode()
    headers = [
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("Allow", "GET, HEAD"))
    response = h11.Response(status_code=status, reason=status.phrase, headers=headers)
    events = [response, *([h11.Data(data=body)] if has_body else []), h11.EndOfMessage()]
    return b"".join(connection.send(event) or b"" for event in events)
