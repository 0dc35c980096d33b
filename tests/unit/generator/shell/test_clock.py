"""The clock: Unix time that does not jump with the wall's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clickstream_generator.shell.clock import Clock

if TYPE_CHECKING:
    import pytest


def test_clock_does_not_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the wall clock does not change the time."""
    clock = Clock()
    before = clock.now()
    assert abs(before - time.time()) < 5
    monkeypatch.setattr(time, "time", lambda: 0.0)

    assert 0 <= clock.now() - before < 5
