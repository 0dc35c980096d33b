"""When a key's turn is, on a clock that passes at once."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from clickstream_operator.errors import ApiRefused
from clickstream_operator.shell.work_queue import WorkQueue
from instant_loop import run_instantly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Turn = tuple[str, float]


def _now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


def _turns(
    add: Callable[[WorkQueue[str]], None],
    reconcile: Callable[[str, int], Awaitable[float | None]],
    seconds: float,
    at_a_time: int = 2,
) -> list[Turn]:
    """Return the key and second of each reconcile, within so many seconds.

    Args:
        add: Requests reconciles at second 0.
        reconcile: Reconciles a key for the first, second, ... time.
        seconds: When the queue is stopped.
        at_a_time: How many are looked at side by side.
    """

    async def scenario() -> list[Turn]:
        turns: list[Turn] = []

        async def recorded(key: str) -> float | None:
            turns.append((key, _now()))
            return await reconcile(key, [name for name, _ in turns].count(key))

        queue, stop = WorkQueue(recorded, at_a_time, lambda: 1.0), asyncio.Event()
        add(queue)
        work = asyncio.create_task(queue.run(stop))
        await asyncio.sleep(seconds)
        stop.set()
        await work
        return turns

    return run_instantly(scenario())


async def _never_again(_key: str, _count: int) -> float | None:
    return None


def test_requests_become_one_look() -> None:
    """Many requests for a key that waits are one reconcile, at the earliest of their times."""

    def add(queue: WorkQueue[str]) -> None:
        queue.add("a", 3.0)
        queue.add("a", 1.0)
        queue.add("a", 2.0)

    assert _turns(add, _never_again, 60) == [("a", 1.0)]


def test_earlier_keys_come_first() -> None:
    """Keys are looked at in the order in which they are due."""

    def add(queue: WorkQueue[str]) -> None:
        queue.add("late", 2.0)
        queue.add("soon", 1.0)
        queue.add("now")

    assert _turns(add, _never_again, 60) == [("now", 0.0), ("soon", 1.0), ("late", 2.0)]


def test_look_names_the_next() -> None:
    """A reconcile that returns seconds is followed by another one after them."""

    async def reconcile(_key: str, count: int) -> float | None:
        return 5.0 if count < 3 else None

    turns = _turns(lambda queue: queue.add("a"), reconcile, 60)

    assert turns == [("a", 0.0), ("a", 5.0), ("a", 10.0)]


def test_failures_back_off() -> None:
    """After each failure the pause doubles from half a second up to a minute."""

    async def reconcile(_key: str, _count: int) -> float | None:
        raise RuntimeError("no")

    moments = [at for _, at in _turns(lambda queue: queue.add("a"), reconcile, 240)]

    pauses = [after - before for before, after in pairwise(moments)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_success_resets_the_backoff() -> None:
    """After a successful reconcile, the next failure waits as short as the first one."""

    async def reconcile(_key: str, count: int) -> float | None:
        if count in {1, 2, 4}:
            raise RuntimeError("no")
        return 10.0 if count < 5 else None

    moments = [at for _, at in _turns(lambda queue: queue.add("a"), reconcile, 60)]

    assert moments == [0.0, 0.5, 1.5, 11.5, 12.0]


def test_looks_are_bounded_in_number() -> None:
    """No more keys are looked at side by side than are allowed; others wait their turn."""

    async def reconcile(_key: str, _count: int) -> float | None:
        await asyncio.sleep(1.0)
        return None

    def add(queue: WorkQueue[str]) -> None:
        for key in "abcde":
            queue.add(key)

    assert _turns(add, reconcile, 60) == [
        ("a", 0.0), ("b", 0.0), ("c", 1.0), ("d", 1.0), ("e", 2.0),
    ]  # fmt: skip


def test_key_is_never_looked_at_twice() -> None:
    """A request for a key that is being reconciled waits until that reconcile has ended."""

    async def scenario() -> list[tuple[str, float]]:
        events: list[tuple[str, float]] = []

        async def reconcile(_key: str) -> float | None:
            events.append(("begin", _now()))
            await asyncio.sleep(3.0)
            events.append(("end", _now()))
            return None

        queue, stop = WorkQueue(reconcile, 2, lambda: 1.0), asyncio.Event()
        work = asyncio.create_task(queue.run(stop))
        queue.add("a")
        await asyncio.sleep(1.0)
        queue.add("a")
        await asyncio.sleep(9.0)
        stop.set()
        await work
        return events

    assert run_instantly(scenario()) == [("begin", 0.0), ("end", 3.0), ("begin", 3.0), ("end", 6.0)]


def test_stopping_ends_what_has_begun() -> None:
    """A reconcile that has begun is finished, and no other one begins."""

    async def scenario() -> list[str]:
        ended: list[str] = []

        async def reconcile(key: str) -> float | None:
            await asyncio.sleep(5.0)
            ended.append(key)
            return None

        queue, stop = WorkQueue(reconcile, 1, lambda: 1.0), asyncio.Event()
        work = asyncio.create_task(queue.run(stop))
        queue.add("begun")
        await asyncio.sleep(1.0)
        queue.add("late")
        stop.set()
        await work
        return ended

    assert run_instantly(scenario()) == ["begun"]


def test_pauses_are_spread() -> None:
    """A pause is a random part of the whole one, at least half of it."""

    async def scenario(chance: float) -> list[float]:
        moments: list[float] = []

        async def reconcile(_key: str) -> float | None:
            moments.append(_now())
            raise RuntimeError("no")

        queue, stop = WorkQueue(reconcile, 1, lambda: chance), asyncio.Event()
        queue.add("a")
        work = asyncio.create_task(queue.run(stop))
        await asyncio.sleep(3.0)
        stop.set()
        await work
        return moments

    assert run_instantly(scenario(0.0)) == [0.0, 0.25, 0.75, 1.75]
    assert run_instantly(scenario(1.0)) == [0.0, 0.5, 1.5]


def _looks_of_busy_key(error: Exception, seconds: int) -> list[float]:
    """Return when a key is looked at that fails always and changes eight times a second."""

    async def scenario() -> list[float]:
        moments: list[float] = []

        async def reconcile(_key: str) -> float | None:
            moments.append(_now())
            raise error

        queue, stop = WorkQueue(reconcile, 1, lambda: 1.0), asyncio.Event()
        work = asyncio.create_task(queue.run(stop))
        # Eighths of a second have no rounding, so the instant loop's clock always moves.
        for _ in range(8 * seconds):
            queue.add("a", 0.125)
            await asyncio.sleep(0.125)
        stop.set()
        await work
        return moments

    return run_instantly(scenario())


def test_changes_do_not_undercut_backoff() -> None:
    """A key that fails and changes all the time is looked at every five seconds, not at once."""
    moments = _looks_of_busy_key(RuntimeError("no"), 60)

    assert min(after - before for before, after in pairwise(moments[5:])) >= 5.0
    assert len(moments) <= 17


def test_server_is_given_its_pause() -> None:
    """The pause that a refusal asks for is kept, whatever changes meanwhile."""
    error = ApiRefused("PATCH", "/", 429, "slow down", 20.0)

    moments = _looks_of_busy_key(error, 60)

    assert len(moments) > 1
    assert min(after - before for before, after in pairwise(moments)) >= 20.0


@pytest.mark.parametrize(
    ("waits", "stuck"), [((), 0.0), ((0.0,), 4.0), ((1.0, 3.0), 3.0), ((9.0,), 0.0)]
)
def test_idle_queue_is_stuck(waits: tuple[float, ...], stuck: float) -> None:
    """A queue that reconciles nothing returns for how long a key has been due."""

    async def reconcile(_key: int) -> float | None:
        return None

    async def scenario() -> float:
        queue = WorkQueue(reconcile, 1, lambda: 1.0)
        for key, seconds in enumerate(waits):
            queue.add(key, seconds)
        await asyncio.sleep(4.0)
        return queue.stuck_seconds()

    assert run_instantly(scenario()) == stuck


def test_busy_queue_is_not_stuck() -> None:
    """Keys in the queue are no defect; a reconcile that does not end is one."""

    async def scenario(first_seconds: float) -> float:
        async def reconcile(key: int) -> float | None:
            await asyncio.sleep(10.0 if key else first_seconds)
            return None

        queue, stop = WorkQueue(reconcile, 2, lambda: 1.0), asyncio.Event()
        for key in range(1_000):
            queue.add(key)
        work = asyncio.create_task(queue.run(stop))
        longest = 0.0
        for _ in range(400):
            await asyncio.sleep(1.0)
            longest = max(longest, queue.stuck_seconds())
        stop.set()
        await work
        return longest

    assert run_instantly(scenario(10.0)) <= 10.0
    assert run_instantly(scenario(300.0)) >= 299.0


def test_pauses_drift_apart() -> None:
    """Keys that were due together are not due together for ever: a pause is up to a tenth less."""

    async def scenario() -> list[float]:
        moments: list[float] = []

        async def reconcile(_key: str) -> float | None:
            moments.append(_now())
            return 10.0

        chances = iter([0.0, 0.5, 1.0, 1.0])
        queue, stop = WorkQueue(reconcile, 1, lambda: next(chances)), asyncio.Event()
        queue.add("a")
        work = asyncio.create_task(queue.run(stop))
        await asyncio.sleep(30.0)
        stop.set()
        await work
        return moments

    assert run_instantly(scenario()) == [0.0, 9.0, 18.5, 28.5]


def test_earlier_request_replaces_later() -> None:
    """A key with many outdated requests is reconciled once at its earliest moment."""

    async def reconcile(_key: str, count: int) -> float | None:
        return 50.0 if count == 1 else None

    def add(queue: WorkQueue[str]) -> None:
        for seconds in (9.0, 8.0, 7.0, 6.0):
            queue.add("a", seconds)

    assert _turns(add, reconcile, 100) == [("a", 6.0), ("a", 56.0)]


def test_change_overtakes_what_is_due_again() -> None:
    """A change is reconciled next, also if many keys that did not change are overdue."""

    async def reconcile(key: str, count: int) -> float | None:
        await asyncio.sleep(1.0)
        return 0.5 if key != "z" and count < 3 else None

    async def scenario() -> list[Turn]:
        turns: list[Turn] = []

        async def recorded(key: str) -> float | None:
            turns.append((key, _now()))
            return await reconcile(key, [name for name, _ in turns].count(key))

        queue, stop = WorkQueue(recorded, 1, lambda: 1.0), asyncio.Event()
        for number in range(20):
            queue.add(f"k{number:02}")
        work = asyncio.create_task(queue.run(stop))
        await asyncio.sleep(25.5)
        queue.add("z", 0.1)
        await asyncio.sleep(60.0)
        stop.set()
        await work
        return turns

    turns = dict(reversed(run_instantly(scenario())))
    assert turns["z"] == 26.0
