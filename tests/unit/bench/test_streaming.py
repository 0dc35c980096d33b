"""The speed of the stream: waiting, and the measurements without a service."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_bench import streaming
from clickstream_bench.streaming import _Bench, measure_streaming

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[_Bench]:
    """Return a bench that has started nothing."""
    made = _Bench(tmp_path)
    yield made
    made.stop()


def test_waiting_ends_with_the_condition(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition is checked until it holds."""
    answers = [False, False, True]
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)

    bench._wait(lambda: answers.pop(0), "it holds")

    assert answers == []


def test_waiting_has_an_end(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition that does not hold in time is named."""
    monkeypatch.setattr(streaming, "_WAIT_SECONDS", -1.0)

    with pytest.raises(TimeoutError, match="the topic is drained"):
        bench._wait(lambda: False, "the topic is drained")


@pytest.mark.parametrize(("code", "checks"), [(0, 0), (3, 1)])
def test_finished_generator_is_forgotten(bench: _Bench, code: int, checks: int) -> None:
    """A generator that has ended is watched no more; one that failed is checked."""
    checked: list[int] = []
    process: Any = SimpleNamespace(
        process=SimpleNamespace(wait=lambda _seconds: code), check=lambda: checked.append(1)
    )
    bench._running.append(process)

    bench._finish(process)

    assert bench._running == []
    assert len(checked) == checks


class _Measured:
    """A bench whose figures are given; it notes what it does."""

    did: list[object]

    def __init__(self, _folder: Path) -> None:
        _Measured.did = []

    def start_services(self, partitions: int) -> None:
        """Note how many partitions."""
        self.did.append(f"start {partitions}")

    def fill(self, events: int) -> None:
        """Note how many."""
        self.did.append(events)

    def ceilings(self, script: Path, events: int) -> dict[str, float]:
        """Return Spark's speeds."""
        self.did.append((script.name, events))
        return {"ceiling_events_per_second": 200.0, "jdbc_rows_events_per_second": 150.0}

    def usual_windows(self, script: Path, events: int) -> dict[str, float]:
        """Return the peer's speed."""
        self.did.append((script.name, events))
        return {"usual_windows_events_per_second": 50.0}

    def drain(self, events: int) -> dict[str, float]:
        """Return the job's speed."""
        self.did.append(-events)
        return {"whole_job_events_per_second": 100.0}

    def copied_rows(self) -> dict[str, float]:
        """Return PostgreSQL's speed."""
        return {"copied_rows_events_per_second": 400.0}

    def steady(self, rate: int) -> dict[str, float]:
        """Return a latency."""
        return {f"latency_p50_seconds_at_{rate}": 0.5}

    def stop(self) -> None:
        """Note it."""
        self.did.append("stop")


@pytest.mark.parametrize("latencies", [True, False])
def test_speeds_are_set_in_relation(monkeypatch: pytest.MonkeyPatch, *, latencies: bool) -> None:
    """The job's speed is relative to Spark's ceiling; rates are held only on request."""
    monkeypatch.setattr(streaming, "_Bench", _Measured)

    figures = measure_streaming(Path("windows.py"), 7, partitions=64, latencies=latencies)

    assert figures["whole_job_to_ceiling"] == 0.5
    assert figures["usual_windows_to_ceiling"] == 0.25
    assert figures["jdbc_rows_to_ceiling"] == 0.75
    assert figures["copied_rows_to_ceiling"] == 2.0
    held = [name for name in figures if name.startswith("latency")]
    rates = streaming.LATENCY_RATES if latencies else ()
    assert held == [f"latency_p50_seconds_at_{rate}" for rate in rates]
    assert _Measured.did == [
        "start 64", 7, ("windows.py", 7), ("windows.py", 7), -7, "stop",
    ]  # fmt: skip
