"""The speed of the console.

Compares, in one run on one machine with the whole pipeline: 200 requests per second to all routes
in turn while events arrive, and the same load on a static file. A request's time counts from when
it was due, so that a slow response cannot hide the ones behind it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles

import aiohttp
from clickstream_contract.document import parse_simulation
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from rich.console import Console

__all__ = ["measure_console"]

_REQUESTS_PER_SECOND = 200
_SECONDS = 20
_FILL_SECONDS = 60.0
_TIMEOUT_SECONDS = 10.0
_CONNECTIONS = 32
_ROUTES = (
    "kpis", "kpis/hourly", "funnel", "traffic", "products", "countries", "devices", "channels",
    "sessions", "latency?window_seconds=15", "integrity",
)  # fmt: skip
_SIMULATION = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: bench}
spec:
  seed: 42
  rate: {eventsPerSecond: 1000}
  userMix: [{persona: Browser, weight: 700}, {persona: Shopper, weight: 300}]
  users: 100000
  catalog: {products: 1000, categories: 25}
  shards: 4
"""


def measure_console() -> dict[str, float]:
    """Return percentiles of a request's time, in milliseconds, and the number of failures."""
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        stack = Stack(StateFolder(Path(folder)), Console(stderr=True), lambda _text: None)
        try:
            stack.start(parse_simulation(_SIMULATION))
            time.sleep(_FILL_SECONDS)
            stack.check()
            api = f"{stack.console_url}api/v1/"
            routes = [
                f"{api}{route}{'&' if '?' in route else '?'}simulation=bench" for route in _ROUTES
            ]
            floor = asyncio.run(_load([f"{stack.console_url}icon.svg"]))
            taken = asyncio.run(_load(routes))
        finally:
            stack.stop()
    figures = _percentiles("floor", floor) | _percentiles("api", taken)
    figures["api_p95_to_floor"] = (
        figures["api_p95_milliseconds"] / figures["floor_p95_milliseconds"]
    )
    figures["requests_per_second"] = float(_REQUESTS_PER_SECOND)
    return figures


async def _load(urls: list[str]) -> list[float | None]:
    """Request URLs in turn at a fixed rate; return each time in seconds, ``None`` for a failure."""
    count = _REQUESTS_PER_SECOND * _SECONDS
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
        raise_for_status=True,
    ) as client:

        async def fetch(url: str) -> None:
            async with client.get(url) as answer:
                await answer.read()

        await asyncio.gather(*(fetch(url) for url in urls))
        began = time.perf_counter() + 0.1

        async def ask(url: str, due: float) -> float | None:
            await asyncio.sleep(due - time.perf_counter())
            try:
                await fetch(url)
            except (aiohttp.ClientError, TimeoutError):
                return None
            return time.perf_counter() - due

        asked = islice(cycle(urls), count)
        return await asyncio.gather(
            *(ask(url, began + at / _REQUESTS_PER_SECOND) for at, url in enumerate(asked))
        )


def _percentiles(name: str, taken: list[float | None]) -> dict[str, float]:
    answered = [seconds for seconds in taken if seconds is not None]
    at = quantiles(answered, n=100)
    return {
        f"{name}_p50_milliseconds": 1_000 * at[49],
        f"{name}_p95_milliseconds": 1_000 * at[94],
        f"{name}_p99_milliseconds": 1_000 * at[98],
        f"{name}_failed_requests": float(len(taken) - len(answered)),
    }
