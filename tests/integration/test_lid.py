"""A laptop's lid: all processes of ``clickstream up`` stop and continue, and the run continues."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from clickstream_local.environment import service_environment
from pipeline import SIMULATION, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline import Pipeline

pytestmark = pytest.mark.services

_STEADY = SIMULATION.replace("eventsPerSecond: 1000", "eventsPerSecond: 500")
_SHORT_SECONDS = 12
"""Longer than a broker's session with its controller (9 s), and than connections may be silent."""
_LONG_SECONDS = 130
"""Longer than the longest time limit of Spark and Kafka, two minutes."""


def _wait_seconds(seconds: float) -> None:
    """Wait for the clock, because the test is about the length of the stop."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, "time passes", 2 * seconds)


@contextmanager
def _stopped(roots: list[int]) -> Iterator[None]:
    """Stop processes and their children, and let them continue afterwards."""
    found = [psutil.Process(pid) for pid in roots]
    every = [*found, *(child for root in found for child in root.children(recursive=True))]
    for process in every:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(every):
            process.send_signal(signal.SIGCONT)


def test_pipeline_continues_after_stop(pipeline: Pipeline) -> None:
    """Broker, database, stream and generator stop together under load; nothing is lost."""
    pipeline.begin(_STEADY)
    pipeline.wait_until_sent(500)
    services = [process.process.pid for process in pipeline._running]

    with _stopped(services):
        _wait_seconds(_SHORT_SECONDS)

    pipeline.wait_for_generator()
    pipeline.drain()
    report = pipeline.verify()
    assert report.is_clean(), report.examples


@pytest.mark.slow
def test_up_continues_after_stop(tmp_path: Path) -> None:
    """``clickstream up`` and all of its services stop for two minutes; it ends with a report."""
    file = tmp_path / "shop.yaml"
    file.write_text(_STEADY.replace("events: 3000", "events: 15000"), encoding="utf-8")
    log = (tmp_path / "up.log").open("wb")
    up = subprocess.Popen(
        [sys.executable, "-m", "clickstream_local", "up", str(file), "--state-dir",
         str(tmp_path / "state")],
        stdout=log, stderr=log, env=service_environment(os.environ),
    )  # fmt: skip
    try:
        wait_until(
            lambda: b" stored " in (tmp_path / "up.log").read_bytes() or up.poll() is not None,
            "events are stored",
        )
        with _stopped([up.pid]):
            _wait_seconds(_LONG_SECONDS)
        code = up.wait(240)
    finally:
        up.terminate()
        up.wait(60)
        log.close()

    text = (tmp_path / "up.log").read_text(encoding="utf-8")
    assert code == 0, text
    report = json.loads((tmp_path / "state" / "report.json").read_text(encoding="utf-8"))
    assert report["events_stored"] == 15_000
    assert report["lost"] == report["duplicated"] == 0
