"""Keys to be looked at: each by one at a time, soon, and again later if it failed.

Owns when a key's turn is. It does not know what is done with it. After controller-runtime's
work queue: https://pkg.go.dev/k8s.io/client-go/util/workqueue.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from clickstream_operator.core.backoff import pause_seconds
from clickstream_operator.errors import ApiRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

__all__ = ["WorkQueue"]

_LEAST_PAUSE_SECONDS = 5.0
"""How long after a failure a change of the key waits at least, unless the pause is shorter."""
K = TypeVar("K", bound="Hashable")


class WorkQueue(Generic[K]):
    """Looks at keys, several side by side, never twice at one.

    Args:
        look: Looks at a key and returns after how many seconds to look again; ``None`` for
            not by itself. An exception means again, after a pause that grows.
        at_a_time: How many are looked at side by side.
        chance: Returns a random number from 0 to 1, which spreads the pauses.
    """

    def __init__(
        self,
        look: Callable[[K], Awaitable[float | None]],
        at_a_time: int,
        chance: Callable[[], float],
    ) -> None:
        self._look = look
        self._at_a_time = at_a_time
        self._chance = chance
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._not_before: dict[K, float] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._began: dict[K, float] = {}
        self._last_end = 0.0
        self._changed = asyncio.Event()

    def add(self, key: K, after_seconds: float = 0.0) -> None:
        """Ask for a look; of two that are asked for the earlier one counts.

        A key whose look failed a moment ago waits: its changes may come from the failing looks.
        """
        moment = max(_now() + after_seconds, self._not_before.get(key, 0.0))
        self._due[key] = min(moment, self._due.get(key, moment))
        self._changed.set()

    def stuck_seconds(self) -> float:
        """Return for how long nothing has moved: a look that does not end, or none that begins.

        Keys that wait while others are looked at are a queue and no defect.
        """
        if self._began:
            return _now() - min(self._began.values())
        due = min(self._due.values(), default=_now())
        return max(0.0, _now() - max(due, self._last_end))

    async def run(self, stop: asyncio.Event) -> None:
        """Look at keys until told to stop; what has begun is brought to its end."""
        while not stop.is_set():
            self._changed.clear()
            now = _now()
            ready = sorted(
                (moment, key)
                for key, moment in self._due.items()
                if moment <= now and key not in self._running
            )
            for _, key in ready[: self._at_a_time - len(self._running)]:
                del self._due[key]
                self._began[key] = now
                self._running[key] = asyncio.create_task(self._turn(key))
            coming = [row for key, row in self._due.items() if key not in self._running]
            pause = max(0.0, min(coming) - now) if coming else None
            if len(self._running) >= self._at_a_time:
                pause = None
            await _first_of(self._changed, stop, pause)
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _turn(self, key: K) -> None:
        try:
            again = await self._look(key)
        except Exception as error:  # noqa: BLE001  whatever it was: the key is not given up
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            asked = error.retry_after_seconds if isinstance(error, ApiRefused) else 0.0
            again = pause_seconds(failures, self._chance(), asked)
            least = again if asked else min(again, _LEAST_PAUSE_SECONDS)
            self._not_before[key] = _now() + least
            if key in self._due:
                self._due[key] = max(self._due[key], self._not_before[key])
        else:
            self._failures.pop(key, None)
            self._not_before.pop(key, None)
        finally:
            del self._running[key], self._began[key]
            self._last_end = _now()
            self._changed.set()
        if again is not None:
            self.add(key, again)


async def _first_of(one: asyncio.Event, other: asyncio.Event, seconds: float | None) -> None:
    """Wait until one of two events is set or time is up."""
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()
