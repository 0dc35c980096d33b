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
    from collections.abc import Awaitable, Callable, Container, Hashable

__all__ = ["WorkQueue"]

_SPREAD = 0.1
"""The part of a pause by which it may be shorter, so that keys do not stay due together."""
_LEAST_PAUSE_SECONDS = 5.0
"""How long a change of a key waits after a failure, unless the pause is shorter."""
_NEVER = float("inf")
K = TypeVar("K", bound="Hashable")


class _Line(Generic[K]):
    """Keys, and when each is due; the earliest one is first."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        # An entry whose moment is not the key's any more is outdated.
        self._heap: list[tuple[float, K]] = []

    def add(self, key: K, moment: float) -> None:
        """Add a key; of two moments the earlier one counts."""
        if moment < self._due.get(key, _NEVER):
            self._due[key] = moment
            heapq.heappush(self._heap, (moment, key))

    def delay(self, key: K, moment: float) -> None:
        """Let a key be due no earlier than a moment, if it is in the line."""
        if key in self._due:
            self.add(key, max(self._due.pop(key), moment))

    def discard(self, key: K) -> None:
        """Remove a key, if it is in the line."""
        self._due.pop(key, None)

    def first(self, running: Container[K]) -> tuple[float, K] | None:
        """Return when a key is due, and the key: the first one that is not running."""
        held = []
        while self._heap and (
            self._due.get(self._heap[0][1]) != self._heap[0][0] or self._heap[0][1] in running
        ):
            entry = heapq.heappop(self._heap)
            if self._due.get(entry[1]) == entry[0]:
                held.append(entry)
        found = self._heap[0] if self._heap else None
        for entry in held:
            heapq.heappush(self._heap, entry)
        return found

    def earliest(self) -> float:
        """Return when the first key is due, also if it is running."""
        return min(self._due.values(), default=_NEVER)


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
        # A change does not wait for keys that are only due again.
        self._changes: _Line[K] = _Line()
        self._again: _Line[K] = _Line()
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
        self._changes.add(key, moment)
        self._changed.set()

    def stuck_seconds(self) -> float:
        """Return for how long no reconcile has ended or begun, although one was due.

        Keys that wait while others are reconciled are no defect.
        """
        if self._began:
            return _now() - min(self._began.values())
        due = min(self._changes.earliest(), self._again.earliest(), _now())
        return max(0.0, _now() - max(due, self._last_end))

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile keys until the stop event is set; finish what has begun."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._changed.set())
        while not stop.is_set():
            self._changed.clear()
            is_full = len(self._running) >= self._at_a_time
            found = None if is_full else self._next()
            if found is not None and found[0] <= _now():
                self._begin(found[1])
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(found[0] if found else None):
                    await self._changed.wait()
        stopping.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _next(self) -> tuple[float, K] | None:
        """Return when the next key is due, and the key: a change that is due comes first."""
        change, again = self._changes.first(self._running), self._again.first(self._running)
        if change is not None and (change[0] <= _now() or again is None or change[0] <= again[0]):
            return change
        return again

    def _begin(self, key: K) -> None:
        self._changes.discard(key)
        self._again.discard(key)
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
            self._changes.delay(key, self._not_before[key])
        else:
            self._failures.pop(key, None)
            self._not_before.pop(key, None)
            again = again and again * (1 - _SPREAD * (1 - self._chance()))
        finally:
            del self._running[key], self._began[key]
            self._last_end = _now()
            self._changed.set()
        if again is not None:
            self._again.add(key, _now() + again)


def _now() -> float:
    return asyncio.get_running_loop().time()
