"""The live stream: what a simulation does, once a second, to a bounded number of listeners.

Owns who is let in, the pulse that all listeners of a simulation share, and what they hear
while the database is away. It does not know HTTP.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from async_lru import alru_cache

from clickstream_console.core import questions
from clickstream_console.core.rate import RateWindow
from clickstream_console.core.records import Kpis, Pulse
from clickstream_console.errors import DatabaseAway, TooManyStreams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from clickstream_console.core.parameters import OfSimulation
    from clickstream_console.shell.database import Database

__all__ = ["TICK_SECONDS", "Live"]

TICK_SECONDS = 1.0
_SHARED_SECONDS = 0.8
_REMEMBERED = 64


class Live:
    """Pulses of simulations.

    Args:
        database: Who is asked.
        limit: How many may listen at once.
        limit_per_peer: How many of one address may.
        counted: Told how many listen.
    """

    def __init__(
        self, database: Database, limit: int, limit_per_peer: int, counted: Callable[[int], None]
    ) -> None:
        self._database = database
        self._limit, self._limit_per_peer = limit, limit_per_peer
        self._counted = counted
        self._listeners: Counter[str] = Counter()
        self._is_closing = False
        self._windows: OrderedDict[str, RateWindow] = OrderedDict()
        self._shared = alru_cache(maxsize=_REMEMBERED, ttl=_SHARED_SECONDS)(self._pulse)

    @contextmanager
    def listener(self, peer: str) -> Iterator[None]:
        """Be one of the listeners.

        Args:
            peer: The listener's address.

        Raises:
            TooManyStreams: There are enough, or enough of this address.
        """
        if self._listeners.total() >= self._limit:
            raise TooManyStreams(self._limit)
        if self._listeners[peer] >= self._limit_per_peer:
            raise TooManyStreams(self._limit_per_peer, is_of_peer=True)
        self._listeners[peer] += 1
        self._counted(self._listeners.total())
        try:
            yield
        finally:
            self._listeners -= Counter({peer: 1})
            self._counted(self._listeners.total())

    async def pulses(self, asked: OfSimulation) -> AsyncIterator[Pulse | DatabaseAway]:
        """Give a pulse every second, or why there is none, until the console closes."""
        while not self._is_closing:
            try:
                pulse = await self._shared(asked)
                if pulse is not None:
                    yield pulse
            except DatabaseAway as error:
                yield error
            await asyncio.sleep(TICK_SECONDS)

    def close(self) -> None:
        """Let every stream end within a second."""
        self._is_closing = True

    async def _pulse(self, asked: OfSimulation) -> Pulse | None:
        """Look once, whoever listens; ``None`` if there is no run."""
        rows = await self._database.answer(questions.pulse(asked))
        if not rows:
            return None
        values = dict(rows[0])
        p50, p95 = values.pop("latencies") or (None, None)
        window = self._window(asked.simulation)
        rate = window.add(values["at"].timestamp(), values["stored_events"])
        kpis = await self._database.answer(questions.kpis(asked))
        return Pulse(
            **values,
            p50_seconds=p50,
            p95_seconds=p95,
            stored_per_second=rate,
            kpis=Kpis(**kpis[0]) if kpis else None,
        )

    def _window(self, simulation: str) -> RateWindow:
        """Return the simulation's window; the one longest unasked for is forgotten."""
        window = self._windows.pop(simulation, None) or RateWindow()
        self._windows[simulation] = window
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)
        return window
