"""Fault scenarios: lists of actions on a running pipeline, and what they came to.

Owns the actions and the figures of a scenario. What must hold afterwards is the verification's
to say, and that of a rebuild: they are the same for every scenario.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline import Pipeline

__all__ = [
    "Drain",
    "Figures",
    "KillKafka",
    "KillPostgres",
    "KillStreaming",
    "Load",
    "Produce",
    "Wait",
    "play",
    "shuffled",
]


@dataclass
class Figures:
    """What a scenario came to.

    Attributes:
        scenario: Its name.
        faults: How many faults it had.
        defects: The verification's figures.
        rebuilt_rows: Rows that a rebuild changed afterwards.
        recovery_seconds: From each fault to the next committed batch.
    """

    scenario: str
    faults: int = 0
    defects: dict[str, int] = field(default_factory=dict)
    rebuilt_rows: int = 0
    recovery_seconds: list[float] = field(default_factory=list)
    stored: int = 0


class Action(Protocol):
    """Something that is done to the pipeline."""

    def do(self, pipeline: Pipeline, figures: Figures) -> None:
        """Do it."""


@dataclass(frozen=True)
class Load:
    """Start a simulation."""

    text: str

    def do(self, pipeline: Pipeline, _figures: Figures) -> None:
        """Start it; it runs on its own."""
        pipeline.begin(self.text)


@dataclass(frozen=True)
class Wait:
    """Let some batches be committed."""

    batches: int

    def do(self, pipeline: Pipeline, _figures: Figures) -> None:
        """Wait for them, while the simulation runs."""
        wanted = pipeline.last_batch() + self.batches
        wait_until(
            lambda: (
                pipeline.last_batch() >= wanted or pipeline.generator.process.poll() is not None
            ),
            "batches are committed",
        )


@dataclass(frozen=True)
class KillStreaming:
    """``kill -9`` of the job, at a fail point or at once, and a new start."""

    failpoint: str = ""

    def do(self, pipeline: Pipeline, figures: Figures) -> None:
        """Kill it and start it again."""
        before = pipeline.last_batch()
        if self.failpoint:
            pipeline.halt()
            dying = pipeline.resume(FAILPOINT=self.failpoint)
            wait_until(lambda: dying.process.poll() is not None, "the job kills itself")
            pipeline._running.remove(dying)
        else:
            pipeline.kill()
        _recover(pipeline, figures, before, pipeline.resume)


@dataclass(frozen=True)
class KillKafka:
    """``kill -9`` of the broker, and a new start."""

    def do(self, pipeline: Pipeline, figures: Figures) -> None:
        """Kill it and start it again."""
        before = pipeline.last_batch()
        pipeline.kill_kafka()
        _recover(pipeline, figures, before, pipeline.restart_kafka)


@dataclass(frozen=True)
class KillPostgres:
    """``kill -9`` of the database, and a new start."""

    def do(self, pipeline: Pipeline, figures: Figures) -> None:
        """Kill it and start it again."""
        before = pipeline.last_batch()
        pipeline.kill_postgres()
        _recover(pipeline, figures, before, pipeline.restart_postgres)


@dataclass(frozen=True)
class Produce:
    """Records as they are."""

    values: tuple[bytes | None, ...]

    def do(self, pipeline: Pipeline, figures: Figures) -> None:
        """Send them."""
        pipeline.produce(*self.values)
        figures.faults += len(self.values)


@dataclass(frozen=True)
class Drain:
    """Wait until the simulation is over and everything is stored.

    Attributes:
        within_seconds: How long the load may go on after the last fault; it was made to
            outlast all of them, and many together can be over sooner than was reckoned with.
    """

    within_seconds: float = 1_800

    def do(self, pipeline: Pipeline, _figures: Figures) -> None:
        """Wait for it."""
        assert pipeline.generator.process.wait(self.within_seconds) == 0
        pipeline._running.remove(pipeline.generator)
        pipeline.drain()


def play(pipeline: Pipeline, name: str, actions: Sequence[Action], results: Path) -> Figures:
    """Do what a scenario says, check the tables, and write down what it came to."""
    figures = Figures(name)
    for action in actions:
        action.do(pipeline, figures)
    report = pipeline.verify()
    figures.defects = {defect: getattr(report, defect) for defect in DEFECTS}
    figures.stored = report.events_stored
    connection = pipeline.connect()
    figures.rebuilt_rows = sum(rebuild(connection).values())
    connection.close()
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(vars(figures)) + "\n")
    return figures


def shuffled(actions: Sequence[Action], seed: int) -> list[Action]:
    """Return the actions in an order that the seed decides, with pauses between them."""
    order = list(actions)
    random.Random(seed).shuffle(order)  # noqa: S311  an order, not a secret
    return [step for action in order for step in (Wait(2), action)]


def _recover(
    pipeline: Pipeline, figures: Figures, before: int, start: Callable[[], object]
) -> None:
    """Start what was killed, and measure until the next batch is committed."""
    began = time.monotonic()
    figures.faults += 1
    start()
    if pipeline.generator.process.poll() is None:
        wait_until(lambda: pipeline.last_batch() > before, "a batch after the fault")
        figures.recovery_seconds.append(round(time.monotonic() - began, 1))
