"""A generator that pauses while another one takes its shards and the rate changes.

``--kills N`` decides how often: half of it, so three times by default; ``--results FILE`` where
figures go.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from clickstream_contract.worker_exit import WorkerExit
from pipeline import SIMULATION, wait_until
from scenario import Drain, Load, Wait, is_right, play, recover

if TYPE_CHECKING:
    from invariants import Noise
    from pipeline import Pipeline
    from scenario import Action, Stage

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(5_400)]

_RATES = (250, 400, 150)


def _steady(rate: int) -> str:
    """Return a simulation without an end and with events that come late."""
    endless = SIMULATION.replace("  stopAfter: {events: 3000}\n", "")
    faults = "  faults: {latePermille: 10, maxLatenessSeconds: 3, lossPermille: 5}\n"
    return endless.replace("eventsPerSecond: 1000", f"eventsPerSecond: {rate}") + faults


@dataclass(frozen=True)
class PauseGenerator:
    """SIGSTOP, a successor that takes the shards, another rate, and SIGCONT."""

    rate: int
    noise: ClassVar[Noise] = {
        "generator": (r"^error: another worker \(\w+\) has taken over",),
        # Events come again after higher numbers; where the key refuses them, the batch asks again.
        "postgres": (r"duplicate key value violates unique constraint .events_\d+_pkey",),
    }

    def do(self, stage: Stage) -> None:
        """Do all of it; the successor is the pipeline's generator from then on."""
        pipeline = stage.pipeline
        paused = pipeline.generator
        pipeline.wait_until_sent(0)
        paused.process.send_signal(signal.SIGSTOP)
        try:
            recover(stage, pipeline.last_batch(), lambda: self._hand_over(pipeline))
            pipeline.change_simulation(_steady(self.rate))
            target = "clickstream_generator_target_events_per_second"
            wait_until(
                lambda: pipeline.metric("generator", target) == self.rate, "the rate changes"
            )
            paused.process.send_signal(signal.SIGCONT)
            began = time.monotonic()
            assert paused.process.wait(60) == WorkerExit.SHARDS_TAKEN
            stage.figures.detect_seconds.append(round(time.monotonic() - began, 1))
        finally:
            paused.process.kill()
            paused.process.wait()
            pipeline.discard(paused)

    def _hand_over(self, pipeline: Pipeline) -> None:
        pipeline.start_successor()
        pipeline.wait_until_sent(0)


def test_generator_is_paused(
    pipeline: Pipeline, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """F22: what the paused one had queued or makes after it wakes is nothing new."""
    pauses = int(request.config.getoption("--kills")) // 2
    results = Path(request.config.getoption("--results") or tmp_path / "results.jsonl")
    steps: list[Action] = [Load(_steady(300))]
    for at in range(pauses):
        steps += [Wait(1), PauseGenerator(_RATES[at % len(_RATES)])]

    figures = play(pipeline, "F22 a generator is paused", [*steps, Wait(1), Drain()], results)

    assert is_right(figures, 60)
    assert len(figures.detect_seconds) == pauses
