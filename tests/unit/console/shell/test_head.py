"""HEAD: as GET, without a body."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_console.shell.head import HeadAsGet
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

app = FastAPI()
_ENDED: list[str] = []


@app.get("/figures")
async def figures() -> dict[str, int]:
    """Answer with a body."""
    return {"events": 1}


async def endless() -> AsyncIterator[ServerSentEvent]:
    """Answer without end."""
    try:
        while True:
            yield ServerSentEvent(data="pulse")
            await asyncio.sleep(0)
    finally:
        _ENDED.append("live")


app.get("/live", response_class=EventSourceResponse)(endless)


def _answer(method: str, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(HeadAsGet(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            return await client.request(method, path)

    return asyncio.run(asyncio.wait_for(ask(), 30))


@pytest.mark.parametrize("path", ["/figures", "/nothing"])
def test_head_is_as_get(path: str) -> None:
    """HEAD has the status and the headers of GET, and no body."""
    got, head = _answer("GET", path), _answer("HEAD", path)

    assert (head.status_code, head.headers) == (got.status_code, got.headers)
    assert head.content == b""


def test_head_of_stream_ends() -> None:
    """HEAD of an answer without end ends after the headers, and so does what made it."""
    _ENDED.clear()

    answer = _answer("HEAD", "/live")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert _ENDED == ["live"]


def test_other_methods_pass() -> None:
    """Only HEAD is changed."""
    assert _answer("POST", "/figures").status_code == 405
