"""Samples of the load: their sums, and the processor time that was idle."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
from clickstream_bench.load import LoadSamples
from scripted_database import ScriptedDatabase

if TYPE_CHECKING:
    import pytest


def _times(user: float, idle: float, guest: float) -> SimpleNamespace:
    return SimpleNamespace(_fields=("user", "idle", "guest"), user=user, idle=idle, guest=guest)


def test_samples_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample adds its active and waiting connections; guest time counts once, as user time."""
    times = [_times(100.0, 50.0, 80.0), _times(109.0, 51.0, 89.0)]
    monkeypatch.setattr(psutil, "cpu_times", lambda: times.pop(0))
    answers = iter([[("",), ("",)], [("",), ("extend",), ("",)]])
    database = ScriptedDatabase({"FROM pg_stat_activity": lambda _: next(answers)})
    load = LoadSamples(database.connection())

    load.take()
    load.take()

    assert load.lock_waits == {"extend": 1}
    assert load.figures() == {
        "load_samples": 2,
        "active_samples": 5,
        "lock_wait_samples": 1,
        "idle_processor_share": 0.1,
    }
