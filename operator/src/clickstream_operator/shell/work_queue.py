"""A queue of keys to reconcile: one task per key at a time, and a retry after a failure.

Owns when a key is next. It follows controller-runtime's work queue:
https://pkg.go.dev/k8s.io/client-go/util/workqueue.
"""

from __future__ import annotations

import asyncio
import heapq
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from clickstream_operator.core.backoff import pause_seconds
from clickstream_operator.errors import ApiRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

__all__ = ["WorkQueue"]

_SPREAD = 0.1
"""The part of a pause by which it may be shorter, so that keys do not stay due together."""
_LEAST_PAUSE_SECONDS = 5.0
"""How long a change of a key waits after a failure, unless the pause is shorter."""
K = TypeVar("K", bound="Hashable")


class WorkQueue(Generic[K]):
    """Reconciles several keys at the same time, but never one key twice at the same time.

    Args:
        reconcile: Reconciles a key and returns after how many seconds to do it again; ``None``
            means only after a change. The queue takes up to a tenth less. An exception means
            again, after a pause that grows.
        at_a_time: How many keys are reconciled at the same time.
        chance: Returns a random number from 0 to 1, which spreads the pauses.
    """

    def __init__(
        self,
        reconcile: Callable[[K], Awaitable[float | None]],
        at_a_time: int,
        chance: Callable[[], float],
    ) -> None:
        self._reconcile = reconcile
        self._at_a_time = at_a_time
        self._chance = chance
        self._due: dict[K, float] = {}
        # Each key that is due and not running; an entry with another moment is outdated.
        self._waiting: list[tuple[float, K]] = []
        self._failures: dict[K, int] = {}
        self._not_before: dict[K, float] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._began: dict[K, float] = {}
        self._last_end = 0.0
        self._changed = asyncio.Event()

    def add(self, key: K, after_seconds: float = 0.0) -> None:
        """Request a reconcile; of two requests for one key the earlier one counts.

        A key whose reconcile has just failed waits: the failing reconciles may cause its changes.
        """
        moment = max(_now() + after_seconds, self._not_before.get(key, 0.0))
        if moment < self._due.get(key, float("inf")):
            self._due[key] = moment
            self._wait(key)

    def _wait(self, key: K) -> None:
        """Put a key that is due among the waiting ones; a running key waits for its end."""
        if key not in self._running:
            heapq.heappush(self._waiting, (self._due[key], key))
            self._changed.set()

    def stuck_seconds(self) -> float:
        """Return for how long no reconcile has ended or begun, although one was due.

        Keys that wait while others are reconciled are no defect.
        """
        if self._began:
            return _now() - min(self._began.values())
        due = min(self._due.values(), default=_now())
        return max(0.0, _now() - max(due, self._last_end))

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile keys until the stop event is set; finish what has begun."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._changed.set())
        while not stop.is_set():
            self._changed.clear()
            is_full = len(self._running) >= self._at_a_time
            moment = float("inf") if is_full else self._next_moment()
            if moment <= _now():
                self._begin(heapq.heappop(self._waiting)[1])
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(moment if moment < float("inf") else None):
                    await self._changed.wait()
        stopping.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _next_moment(self) -> float:
        """Return when the next key is due, which is then the first of the waiting ones."""
        while self._waiting:
            moment, key = self._waiting[0]
            if key not in self._running and self._due.get(key) == moment:
                return moment
            heapq.heappop(self._waiting)
        return float("inf")

    def _begin(self, key: K) -> None:
        del self._due[key]
        self._began[key] = _now()
        self._running[key] = asyncio.create_task(self._turn(key))

    async def _turn(self, key: K) -> None:
        try:
            again = await self._reconcile(key)
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
            again = again and again * (1 - _SPREAD * (1 - self._chance()))
        finally:
            del self._running[key], self._began[key]
            self._last_end = _now()
            self._changed.set()
            if key in self._due:
                self._wait(key)
        if again is not None:
            self.add(key, again)


def _now() -> float:
    return asyncio.get_running_loop().time()
