"""The live stream, on a clock that passes at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from clickstream_console.core.parameters import OfSimulation
from clickstream_console.core.records import Pulse
from clickstream_console.errors import DatabaseAway, TooManyStreams
from clickstream_console.shell.live import TICK_SECONDS, Live
from console_database import MemoryDatabase
from instant_loop import run_instantly

if TYPE_CHECKING:
    from clickstream_console.shell.database import Database

_SHOP = OfSimulation(simulation="shop")
_BEGAN = datetime(2026, 11, 27, 8, tzinfo=UTC)
_KPIS = {
    "simulation": "shop", "visitors": 1, "sessions": 4, "converted_sessions": 1,
    "conversion_percent": 25.0, "orders": 1, "revenue": "9.99", "average_order_value": "9.99",
    "bounce_percent": None, "abandonment_percent": None, "events_per_session": 2.0,
    "average_duration_seconds": 1.0,
}  # fmt: skip


def _row(second: int, stored: int, latencies: list[float] | None = None) -> dict[str, Any]:
    return {
        "at": _BEGAN.replace(second=second), "run_id": UUID(int=1), "closed_at": None,
        "target_per_second": 100.0, "stored_events": stored, "waiting_events": 2,
        "rejected_records": 3, "latencies": latencies,
    }  # fmt: skip


class _Console:
    """A live stream over a database in memory."""

    def __init__(self, limit: int = 2, limit_per_peer: int = 2) -> None:
        self.database = MemoryDatabase(ops_shards=[_row(0, 1_000)], mart_kpis=[_KPIS])
        self.counts: list[int] = []
        self.live = Live(cast("Database", self.database), limit, limit_per_peer, self.counts.append)

    def show(self, *rows: dict[str, Any]) -> None:
        """Let the database have these rows of the latest run."""
        self.database.rows["ops.shards"] = list(rows)

    async def first(self, number: int, asked: OfSimulation = _SHOP) -> list[Pulse | DatabaseAway]:
        """Return the first pulses of a new listener."""
        found: list[Pulse | DatabaseAway] = []
        async for pulse in self.live.pulses(asked):
            found.append(pulse)
            if len(found) == number:
                break
        return found


def _pulse(found: Pulse | DatabaseAway) -> Pulse:
    assert isinstance(found, Pulse)
    return found


def test_pulse_is_the_row() -> None:
    """A pulse has the latest run's figures, its latencies and the key figures."""
    console = _Console()
    console.show(_row(0, 1_000, [0.5, 2.0]))

    (pulse,) = run_instantly(console.first(1))

    shown = _pulse(pulse).model_dump(mode="json")
    assert shown.pop("kpis")["revenue"] == "9.99"
    assert shown == {
        "at": "2026-11-27T08:00:00Z", "run_id": str(UUID(int=1)), "closed_at": None,
        "target_per_second": 100.0, "stored_per_second": None, "stored_events": 1_000,
        "waiting_events": 2, "rejected_records": 3, "p50_seconds": 0.5, "p95_seconds": 2.0,
    }  # fmt: skip


def test_missing_parts_are_null() -> None:
    """Without events lately, and before the first session, latencies and figures are null."""
    console = _Console()
    console.database.rows["mart.kpis"] = []

    (found,) = run_instantly(console.first(1))

    pulse = _pulse(found)
    assert (pulse.p50_seconds, pulse.p95_seconds, pulse.kpis) == (None, None, None)


def test_pulses_come_each_second() -> None:
    """A listener gets a pulse at once and then one a second, with the rate between them."""

    async def scenario() -> tuple[list[float], list[float | None]]:
        console, moments, rates = _Console(), list[float](), list[float | None]()
        async for found in console.live.pulses(_SHOP):
            moments.append(round(asyncio.get_running_loop().time(), 3))
            rates.append(_pulse(found).stored_per_second)
            if len(moments) == 3:
                return moments, rates
            console.show(_row(len(moments), 1_000 + 100 * len(moments)))
        raise AssertionError("the stream ended")

    moments, rates = run_instantly(scenario())
    assert moments == [0.0, TICK_SECONDS, 2 * TICK_SECONDS]
    assert rates == [None, 100.0, 100.0]


def test_listeners_share_a_pulse() -> None:
    """Listeners of one simulation at one moment are one question to the database."""
    console = _Console(8)

    async def scenario() -> None:
        await asyncio.gather(*(console.first(1) for _ in range(8)))

    run_instantly(scenario())
    assert len(console.database.asked) == 2


def test_away_is_told_and_ends() -> None:
    """A database that is away is reported each second, and the stream stays open."""
    console = _Console()
    away = DatabaseAway("has gone away")

    async def scenario() -> list[Pulse | DatabaseAway]:
        found: list[Pulse | DatabaseAway] = []
        async for pulse in console.live.pulses(_SHOP):
            found.append(pulse)
            if len(found) == 3:
                return found
            console.database.failure = away if len(found) == 1 else None
        raise AssertionError("the stream ended")

    first, second, third = run_instantly(scenario())
    assert isinstance(first, Pulse)
    assert second is away
    assert isinstance(third, Pulse)


def test_unknown_run_has_no_pulse() -> None:
    """Nothing is sent until there is a run."""
    console = _Console()
    console.show()

    async def scenario() -> float:
        async def appear() -> None:
            await asyncio.sleep(2.5)
            console.show(_row(0, 1))

        appearing = asyncio.create_task(appear())
        await console.first(1)
        await appearing
        return asyncio.get_running_loop().time()

    assert run_instantly(scenario()) == pytest.approx(3.0)


def test_closing_ends_streams() -> None:
    """Every stream ends within a second once the console closes."""
    console = _Console()

    async def scenario() -> tuple[int, float]:
        number = 0
        async for _ in console.live.pulses(_SHOP):
            number += 1
            console.live.close()
        return number, asyncio.get_running_loop().time()

    assert run_instantly(scenario()) == (1, TICK_SECONDS)
    assert run_instantly(console.first(1)) == []


def test_listeners_are_bounded() -> None:
    """One listener too many is refused, and a place that is left is free again."""
    console = _Console(2)

    with console.live.listener("10.0.0.1"):
        with console.live.listener("10.0.0.1"), pytest.raises(TooManyStreams, match=r"^2 live"):
            console.live.listener("10.0.0.1").__enter__()
        with console.live.listener("10.0.0.1"):
            pass
    assert console.counts == [1, 2, 1, 2, 1, 0]


def test_one_peer_leaves_streams() -> None:
    """A peer that holds as many streams as it may leaves the others to other peers."""
    console = _Console(limit=3, limit_per_peer=2)

    with console.live.listener("10.0.0.1"), console.live.listener("10.0.0.1"):
        with pytest.raises(TooManyStreams, match=r"^2 live streams of your address"):
            console.live.listener("10.0.0.1").__enter__()
        with console.live.listener("10.0.0.2"):
            assert console.counts[-1] == 3
    with console.live.listener("10.0.0.1"):
        assert console.counts[-1] == 1


def test_oldest_rate_is_forgotten() -> None:
    """The rates of 64 simulations are remembered; the one longest unasked for goes first."""
    console = _Console()
    again = [OfSimulation(simulation=f"s{number}") for number in range(65)]

    async def scenario() -> list[float | None]:
        for asked in again:
            await console.first(1, asked)
        console.show(_row(10, 1_100))
        await asyncio.sleep(1)
        found = [await console.first(1, asked) for asked in (again[64], again[1], again[0])]
        return [_pulse(pulses[0]).stored_per_second for pulses in found]

    assert run_instantly(scenario()) == [10.0, 10.0, None]
