"""The live stream: a simulation's figures, once per second, for a limited number of listeners.

Owns the limits, the pulse that all listeners of a simulation share, and the messages while the
database is away.
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
    """The pulses of simulations.

    Args:
        database: The database with the figures.
        limit: The highest number of listeners.
        limit_per_peer: The highest number of listeners of one address.
        counted: Called with the number of listeners.
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
        """Count one listener while the context is open.

        Args:
            peer: The listener's address.

        Raises:
            TooManyStreams: The limit is reached, or the limit of this address.
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
        """Yield a pulse every second, or the reason for none, until the console closes."""
        while not self._is_closing:
            try:
                pulse = await self._shared(asked)
                if pulse is not None:
                    yield pulse
            except DatabaseAway as error:
                yield error
            await asyncio.sleep(TICK_SECONDS)

    def close(self) -> None:
        """End every stream within a second."""
        self._is_closing = True

    async def _pulse(self, asked: OfSimulation) -> Pulse | None:
        """Return one pulse, which all listeners share; ``None`` without a run."""
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
        """Return the simulation's window; drop the least recently used one."""
        window = self._windows.pop(simulation, None) or RateWindow()
        self._windows[simulation] = window
        if len(self._windows) > _REMEMBERED:
            self._windows.popitem(last=False)
        return window
