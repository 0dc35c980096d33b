"""Asking workers for their figures over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from clickstream_operator.core.pod import METRICS_PORT
from clickstream_operator.shell.scraper import Scraper
from workers import pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clickstream_operator.core.observed import Pod, Scrape

_ADDRESS = "127.0.0.7"
_NAMES = (
    "target_events_per_second", "achieved_events_per_second", "queue_messages",
    "event_lag_seconds", "busy_seconds_total", "delivered_records", "shards_over",
)  # fmt: skip
_METRICS = "".join(f"clickstream_generator_{name} 5\n" for name in _NAMES).encode()
_MOST_BYTES = 1_000_000


@asynccontextmanager
async def _worker(pieces: list[bytes]) -> AsyncIterator[None]:
    """Answer one request for metrics, piece by piece."""
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)  # so that they arrive one by one
            writer.close()
            await writer.wait_closed()
        answered.set()

    async with await asyncio.start_server(answer, _ADDRESS, METRICS_PORT):
        yield
        await answered.wait()


async def _asked(pieces: list[bytes], worker: Pod) -> dict[str, Scrape]:
    async with _worker(pieces), Scraper() as scraper:
        return await scraper.ask([worker])


async def _ask(*workers: Pod) -> dict[str, Scrape]:
    async with Scraper() as scraper:
        return await scraper.ask(workers)


def _answered(*pieces: bytes) -> dict[str, Scrape]:
    return asyncio.run(_asked(list(pieces), pod(address=_ADDRESS)))


def _response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_split_answer_is_read_whole() -> None:
    """A network cuts an answer anywhere; all pieces are read."""
    answer = _response(_METRICS)

    figures = _answered(*(answer[at : at + 40] for at in range(0, len(answer), 40)))

    assert figures["w-0"].target == 5
    assert figures["w-0"].shards_over == 5


def test_redirects_are_not_followed() -> None:
    """The author of any pod could answer for a worker, and must not redirect the operator."""
    location = f"Location: http://{_ADDRESS}:{METRICS_PORT}/elsewhere"

    assert _answered(_response(_METRICS, "302 Found", location)) == {}


@pytest.mark.parametrize(
    "answer",
    [
        _response(_METRICS, "500 Internal Server Error"),
        _response(b"up 1\n"),
        _response(b"\xff\xfe"),
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + _METRICS,
    ],
    ids=["error", "other metrics", "no text", "no HTTP", "cut off"],
)
def test_other_answers_are_no_figures(answer: bytes) -> None:
    """A worker that answers anything but its metrics is left out."""
    assert _answered(answer) == {}


@pytest.mark.parametrize(("size", "is_read"), [(_MOST_BYTES, True), (_MOST_BYTES + 1, False)])
def test_answers_are_bounded(size: int, *, is_read: bool) -> None:
    """An answer of a million bytes is read; a longer one is given up."""
    comment = b"#" + b"x" * (size - len(_METRICS) - 2) + b"\n"

    assert bool(_answered(_response(_METRICS + comment))) is is_read


def test_silent_workers_are_left_out() -> None:
    """A worker that refuses the connection gives no figures and keeps no other back."""
    assert asyncio.run(_ask(pod(address="127.0.0.8"), pod(1, address="::1"))) == {}


def test_unreachable_pods_are_not_asked() -> None:
    """A pod without an address, or one that has ended, is not asked."""
    ended = pod(1, address=_ADDRESS, is_over=True)

    assert asyncio.run(_ask(pod(address=""), ended)) == {}
