"""One run of ``clickstream up``: signals, draining, and the report's content."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from clickstream_local import session as sessions
from clickstream_local.errors import DrainFailed, ServiceFailed, StartInterrupted
from clickstream_local.figures import FunnelStep, RunFigures
from clickstream_local.session import Session, _report_content
from clickstream_local.state import StateFolder
from clickstream_streaming.shell.verification import VerificationReport
from clusters import simulation
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.simulation import Simulation
    from clickstream_local.stack import Stack
    from psycopg2.extensions import connection as Connection

_REPORT = VerificationReport(10, 10, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, (), ())
_CONNECTION = cast("Connection", None)


def _session(tmp_path: Path) -> Session:
    return Session(StateFolder(tmp_path), Console(quiet=True), simulation())


class _Stack:
    """A stack of which only the generator may run.

    Attributes:
        failure: Raised when the stack is checked.
        checks: How often it was checked.
        calls: Which of its ends were asked for.
    """

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.checks = 0
        self.run_id = UUID(int=1)
        self.started_at = 1_000.0
        self.kafka = SimpleNamespace(bootstrap_servers="127.0.0.1:1")
        self.calls: list[str] = []

    def start(self, _simulation: Simulation) -> None:
        """Start nothing."""

    def stop(self) -> None:
        """Note that it was stopped."""
        self.calls.append("stop")

    def kill(self) -> None:
        """Note that it was killed."""
        self.calls.append("kill")

    def check(self) -> None:
        """Raise the failure, if there is one."""
        self.checks += 1
        if self.failure is not None:
            raise self.failure


def _drain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stack: _Stack, waits: int) -> None:
    """Drain a stream that has read everything after a number of waits."""
    left = [*[False] * waits, True]
    monkeypatch.setattr(sessions, "end_offsets", lambda _servers: {("t", 0): 5})
    monkeypatch.setattr(sessions, "is_drained", lambda *_: left.pop(0))
    monkeypatch.setattr(sessions, "_TICK_SECONDS", 0)
    _session(tmp_path)._drain(cast("Stack", stack), _CONNECTION)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_ask_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    """A signal stops the run, and the previous handler is restored."""
    session = _session(tmp_path)
    before = signal.getsignal(number)

    with session._signals(cast("Stack", _Stack())):
        os.kill(os.getpid(), number)

    assert session._is_asked_to_stop
    assert signal.getsignal(number) is before


def test_signal_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal during the start ends it at once; what has started is stopped in order."""
    stack = _Stack()
    monkeypatch.setattr(stack, "start", lambda _simulation: os.kill(os.getpid(), signal.SIGINT))
    monkeypatch.setattr(sessions, "Stack", lambda *_: stack)

    with pytest.raises(StartInterrupted):
        _session(tmp_path).run()

    assert stack.calls == ["stop"]


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    """A second signal does not wait for anything in order."""
    stack = _Stack()

    with _session(tmp_path)._signals(cast("Stack", stack)):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    assert stack.calls == ["kill"]


def test_drain_waits_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draining continues until all is read, and watches the services meanwhile."""
    stack = _Stack()

    _drain(tmp_path, monkeypatch, stack, 2)

    assert stack.checks == 2


def test_drain_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that does not read all in time is an error."""
    monkeypatch.setattr(sessions, "_DRAIN_SECONDS", -1.0)

    with pytest.raises(DrainFailed):
        _drain(tmp_path, monkeypatch, _Stack(), 1)


def test_dead_stream_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that dies while the stream is drained ends the run."""
    failure = ServiceFailed("streaming", "ended with code 1", tmp_path / "log")

    with pytest.raises(ServiceFailed, match="streaming ended"):
        _drain(tmp_path, monkeypatch, _Stack(failure), 1)


@pytest.mark.parametrize(
    ("kpis", "orders", "revenue"),
    [({"orders": 3, "revenue": "9.99"}, 3, "9.99"), ({}, 0, "0"), ({"orders": None}, 0, "0")],
)
def test_report_has_every_figure(kpis: dict[str, Any], orders: int, revenue: str) -> None:
    """The report has the verification, latencies, rates and key figures of the run."""
    run = RunFigures(
        kpis, (FunnelStep("view", 4, 50.0),), (), 0.12345, 1.23456, 1_001.239, 0.0, 99.999, 7
    )

    content = _report_content(cast("Stack", _Stack()), run, _REPORT, 100.0)

    assert content == {
        **_REPORT.to_json(),
        "duplicates_planted": 7,
        "latency_p50_seconds": 0.123,
        "latency_p95_seconds": 1.235,
        "events_per_second_target": 100.0,
        "events_per_second_achieved": 100.0,
        "first_row_seconds": 1.24,
        "orders": orders,
        "revenue": revenue,
        "kpis": kpis,
        "funnel": [{"name": "view", "sessions": 4, "percent": 50.0}],
        "run_id": "00000000-0000-0000-0000-000000000001",
    }
