"""How fast the console answers: the load, and its percentiles."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from clickstream_bench import console
from clickstream_bench.console import _load, _percentiles
from clickstream_contract.document import parse_simulation
from clickstream_local.ports import free_port


def test_percentiles_are_in_milliseconds() -> None:
    """Percentiles are of the answers alone, and failures are counted."""
    taken: list[float | None] = [*(at / 1_000 for at in range(1, 100)), None, None]

    assert _percentiles("api", taken) == pytest.approx(
        {
            "api_p50_milliseconds": 50.0,
            "api_p95_milliseconds": 95.0,
            "api_p99_milliseconds": 99.0,
            "api_failed_requests": 2.0,
        }
    )


def test_simulation_is_valid() -> None:
    """What fills the tables is a simulation."""
    assert parse_simulation(console._SIMULATION).name == "bench"


def test_load_asks_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address is tried once first, and then in turn; a failure has no time."""
    monkeypatch.setattr(console, "_REQUESTS_PER_SECOND", 100)
    monkeypatch.setattr(console, "_SECONDS", 1)
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        is_late = request.path == "/b" and len(asked) > 50
        return web.Response(status=503 if is_late else 200)

    async def scenario() -> list[float | None]:
        application = web.Application()
        application.add_routes([web.get("/a", answer), web.get("/b", answer)])
        runner = web.AppRunner(application)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            return await _load([f"http://127.0.0.1:{port}/{name}" for name in "ab"])
        finally:
            await runner.cleanup()

    taken = asyncio.run(scenario())

    assert len(taken) == 100
    assert sorted(asked[:2]) == ["/a", "/b"]
    assert asked.count("/a") == asked.count("/b") == 51
    assert all(seconds is not None and seconds > 0 for seconds in taken[::2])
    assert None in taken[1::2]
