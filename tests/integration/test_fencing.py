"""Workers that pause while others take their shards: only one makes events that count."""

from __future__ import annotations

import json
import signal
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.worker_exit import WorkerExit
from generators import four_shards, timeless
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_contract.simulation import Simulation
    from generators import GeneratorRun, Worker

pytestmark = pytest.mark.services

_EVENTS = 20_000


def _simulation(rate: int, more: str = "") -> Simulation:
    return four_shards(
        f"{rate}{more}", _EVENTS, "  faults: {latePermille: 20, maxLatenessSeconds: 3}\n"
    )


def _send(worker: Worker, *signals: signal.Signals) -> None:
    for number in signals:
        worker.process.process.send_signal(number)


def _wait_seconds(seconds: float) -> None:
    """Wait for the clock: how long processes are stopped is the point here."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, "time passes")


def _events_by_id(run: GeneratorRun) -> dict[str, set[bytes]]:
    """Return the different events that there are under each id, without when they were sent."""
    found: dict[str, set[bytes]] = defaultdict(set)
    for value in run.events():
        found[json.loads(value)["event_id"]].add(timeless(value))
    return found


def _assert_one_run(run: GeneratorRun) -> None:
    """Assert that topic and ledger hold the events of one run, each with one content."""
    by_id = _events_by_id(run)
    assert max(map(len, by_id.values())) == 1
    assert len(by_id) == _EVENTS
    ledger = run.ledger()
    ends = [row for (_, kind, _), row in ledger.items() if kind == "shard_end"]
    assert [row["shard_seq"] for row in ends] == [_EVENTS // 4] * 4
    minutes = [row for (_, kind, _), row in ledger.items() if kind == "minute"]
    assert sum(row["events"] for row in minutes) == _EVENTS


_SHED = ", onOverload: Shed"
_ASKED_TO_END = (signal.SIGTERM, signal.SIGCONT)


@pytest.mark.parametrize(
    ("overload", "wake"),
    [
        pytest.param("", (signal.SIGCONT,), id="catch up, continued"),
        pytest.param("", _ASKED_TO_END, id="catch up, asked to end", marks=pytest.mark.slow),
        pytest.param(_SHED, (signal.SIGCONT,), id="shed, continued", marks=pytest.mark.slow),
        pytest.param(_SHED, _ASKED_TO_END, id="shed, asked to end", marks=pytest.mark.slow),
    ],
)
def test_paused_worker_is_fenced(
    begin: Callable[..., GeneratorRun], overload: str, wake: tuple[signal.Signals, ...]
) -> None:
    """After a hand-over and a change of rate, the paused worker adds nothing and says why."""
    run = begin(_simulation(300, overload))
    paused = run.start()
    paused.wait_until_sent(300)
    _send(paused, signal.SIGSTOP)
    successor = run.start()
    successor.wait_until_sent(0)
    run.write(_simulation(100, overload))
    wait_until(
        lambda: successor.metrics()['spec_changes_total{outcome="accepted"}'] > 0,
        "the rate is changed",
    )
    before = successor.acknowledged()
    successor.wait_until_sent(before + 100)

    _send(paused, *wake)
    paused.must_end(60, code=WorkerExit.SHARDS_TAKEN)

    run.write(_simulation(20_000, overload))
    successor.must_end(120)
    _assert_one_run(run)
    assert "another worker" in (run.folder / "generator.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_worker_paused_alone_continues(begin: Callable[..., GeneratorRun]) -> None:
    """As with a laptop's lid: all processes stop and continue, and the holder stays the holder."""
    run = begin(_simulation(1_500))
    holder = run.start()
    holder.wait_until_sent(3_000)
    waiting = run.start()
    wait_until(lambda: bool(waiting.metrics()), "another worker waits")
    _wait_seconds(1)
    for worker in (holder, waiting):
        _send(worker, signal.SIGSTOP)
    _wait_seconds(6)
    for worker in (waiting, holder):
        _send(worker, signal.SIGCONT)

    holder.must_end(120)

    waiting.must_end(60)
    _assert_one_run(run)
    assert waiting.acknowledged() == 0
    assert "another worker" not in (run.folder / "generator.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_simultaneous_claims_have_one_winner(begin: Callable[..., GeneratorRun]) -> None:
    """Of workers that start together, one carries the shards, and the others wait for the end."""
    run = begin(_simulation(3_000))
    workers = [run.start() for _ in range(3)]

    for worker in workers:
        worker.must_end(120)

    _assert_one_run(run)
    assert len(run.events()) == _EVENTS
