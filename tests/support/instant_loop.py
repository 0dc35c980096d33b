"""An event loop whose time passes at once: a wait moves the clock instead of lasting.

Owns that clock. What waits for seconds is tested with exact moments and without sleeping;
sockets and threads work as usual.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run_instantly"]

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits for nothing that has a time-out.

    Attributes:
        seconds: How long it would have waited so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.seconds += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._waited = _Selector()
        super().__init__(self._waited)

    def time(self) -> float:
        return self._waited.seconds


def run_instantly(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine from second 0 on a separate loop; return its result."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
