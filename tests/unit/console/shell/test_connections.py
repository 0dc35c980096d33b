"""Connections that send nothing, send slowly, or do not read what they asked for."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn
from clickstream_console.shell.connections import ConnectionLimits, limited_protocol
from clickstream_local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from starlette.types import Receive, Scope, Send

_QUICK = ConnectionLimits(per_peer=3, request_seconds=0.2, send_seconds=0.2, idle_seconds=60)
_REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
_FLOOD = b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"
_PATIENCE_SECONDS = 30
_ended = asyncio.Event()


async def _app(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer shortly, or with more than a peer's buffers hold."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/flood":
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
        _ended.set()
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def _served(limits: ConnectionLimits) -> AsyncIterator[tuple[str, int]]:
    """Serve the application; give its address."""
    config = uvicorn.Config(
        _app,
        http=limited_protocol(limits),
        timeout_keep_alive=limits.idle_seconds,
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    with socket.create_server((LOOPBACK, 0)) as listener:
        await server.startup([listener])
        try:
            yield listener.getsockname()
        finally:
            server.force_exit = True
            await server.shutdown()


def _run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(test, _PATIENCE_SECONDS))


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of the connection, whatever comes before it."""
    try:
        while await reader.read(65_536):
            pass
    except ConnectionError:
        pass
    return True


async def _late_answer(address: tuple[str, int]) -> bytes:
    """Return the first line of an answer, once a connection is let in."""
    line = b""
    while not line:
        try:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(_REQUEST)
            line = await reader.readline()
            writer.close()
        except ConnectionError:
            await asyncio.sleep(0.02)
    return line


def test_silent_connection_is_closed() -> None:
    """A connection that asks nothing is closed after the time for a request."""

    async def attack() -> None:
        async with _served(_QUICK) as address:
            reader, writer = await asyncio.open_connection(*address)

            assert await _is_closed(reader)
            writer.close()

    _run(attack())


def test_slow_headers_are_closed() -> None:
    """Headers that come a byte at a time do not gain time, on a used connection either."""

    async def attack() -> None:
        async with _served(_QUICK) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(_REQUEST)
            await reader.readline()

            closed = asyncio.create_task(_is_closed(reader))
            writer.write(_REQUEST.removesuffix(b"\r\n\r\n"))
            while not closed.done():
                writer.write(b"x")
                await asyncio.sleep(0.02)
            assert closed.result()
            writer.close()

    _run(attack())


def test_unread_answer_is_closed() -> None:
    """A peer that does not read what it asked for loses the connection, and so does its task."""

    async def attack() -> None:
        _ended.clear()
        async with _served(_QUICK) as address:
            with socket.create_connection(address) as unread:
                unread.sendall(_FLOOD)
                await _ended.wait()

    _run(attack())


def test_peer_has_limited_connections() -> None:
    """One connection too many of an address is closed at once; the others still answer."""
    patient = ConnectionLimits(per_peer=3)

    async def attack() -> None:
        async with _served(patient) as address:
            held = [await asyncio.open_connection(*address) for _ in range(3)]
            late, late_writer = await asyncio.open_connection(*address)

            assert await _is_closed(late)
            reader, writer = held[0]
            writer.write(_REQUEST)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            for _, each in held:
                each.close()
            late_writer.close()
            assert await _late_answer(address) == b"HTTP/1.1 200 OK\r\n"

    _run(attack())
