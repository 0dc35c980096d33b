"""Fault scenarios: lists of actions on a running pipeline, and what they came to.

Owns how a scenario is played, what is measured of it, and the actions that break nothing. What
must hold afterwards is the verification's to say, that of a rebuild and of the invariants: they
are the same for every scenario.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol

from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import DEFECTS
from clocks import wrong_in_python
from invariants import CAPS_MEBIBYTES, Noise, Watch, offset_gaps, unaccounted_records
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline import Pipeline

__all__ = [
    "Action",
    "Drain",
    "Figures",
    "Load",
    "Produce",
    "Wait",
    "is_right",
    "play",
    "recover",
    "shuffled",
]


@dataclass
class Figures:
    """What a scenario came to.

    Attributes:
        scenario: Its name.
        faults: How many faults it had.
        stored: Events in the tables at its end.
        defects: The verification's figures.
        rebuilt_rows: Rows that a rebuild changed afterwards.
        unaccounted: Records that are neither stored, nor rejected, nor known.
        offset_gaps: Batches that did not begin where the one before had ended.
        alarms: Lines of alarm in the logs that no fault explains.
        secrets: Passwords in the logs.
        peak_mebibytes: The most memory that a component took.
        detect_seconds: From each fault to the first word about it, where one is asked for.
        recovery_seconds: From each fault's end to the next committed batch.
        shown: What else it has shown, in a few words.
        strangers: Runs that a scenario sent itself, which no ledger knows.
        taken: The most mebibytes that processes and folders took, where a scenario measures them.
    """

    scenario: str
    faults: int = 0
    stored: int = 0
    defects: dict[str, int] = field(default_factory=dict)
    rebuilt_rows: int = 0
    unaccounted: int = 0
    offset_gaps: int = 0
    alarms: list[str] = field(default_factory=list)
    secrets: int = 0
    peak_mebibytes: dict[str, float] = field(default_factory=dict)
    detect_seconds: list[float] = field(default_factory=list)
    recovery_seconds: list[float] = field(default_factory=list)
    shown: str = ""
    strangers: list[str] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)


@dataclass
class Stage:
    """What an action acts on."""

    pipeline: Pipeline
    figures: Figures
    watch: Watch


class Action(Protocol):
    """Something that is done to the pipeline; ``noise`` is what logs may say of it."""

    noise: ClassVar[Noise]

    def do(self, stage: Stage) -> None:
        """Do it."""


@dataclass(frozen=True)
class Load:
    """Start a simulation, now or as if it had been started some time ago.

    Attributes:
        text: The simulation.
        started_ago: How long ago.
        clock_off_seconds: By how much the generator's clock is off.
    """

    text: str
    started_ago: timedelta = timedelta()
    clock_off_seconds: int = 0
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Start it and leave it running."""
        began = datetime.now(tz=UTC) - self.started_ago
        environment = {}
        if self.clock_off_seconds:
            folder = stage.pipeline.state.root / "clock-of-generator"
            environment = wrong_in_python(folder, self.clock_off_seconds)
            stage.figures.faults += 1
        stage.pipeline.begin(self.text, began.isoformat() if self.started_ago else "", environment)


@dataclass(frozen=True)
class Wait:
    """Let some batches be committed."""

    batches: int
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Wait for them, while the simulation runs."""
        wanted = stage.pipeline.last_batch() + self.batches
        wait_until(lambda: stage.pipeline.last_batch() >= wanted, "batches are committed")


@dataclass(frozen=True)
class Produce:
    """Records as they are."""

    values: tuple[bytes | None, ...]
    key: bytes | None = b"k"
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Send them."""
        stage.pipeline.produce(*self.values, key=self.key)
        stage.figures.faults += len(self.values)


@dataclass(frozen=True)
class Drain:
    """Wait until everything is stored; a simulation that has no end is asked to end."""

    within_seconds: float = 300
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Wait for it."""
        pipeline = stage.pipeline
        if "stopAfter" not in pipeline.begun_text:
            pipeline.generator.process.send_signal(signal.SIGTERM)
        pipeline.wait_for_generator(self.within_seconds)
        pipeline.drain()


def play(pipeline: Pipeline, name: str, actions: Sequence[Action], results: Path) -> Figures:
    """Do what a scenario says, check the tables, and write down what it came to."""
    figures = Figures(name)
    watch = Watch(pipeline)
    noise: dict[str, tuple[str, ...]] = {}
    try:
        for action in actions:
            for component, patterns in action.noise.items():
                noise[component] = (*noise.get(component, ()), *patterns)
            action.do(Stage(pipeline, figures, watch))
    except BaseException:
        _leave(pipeline)
        raise
    finally:
        watch.memory.stop()
    _look_at(pipeline, figures, watch)
    figures.alarms = watch.alarms(noise)
    figures.secrets = watch.secrets()
    figures.peak_mebibytes = {name: round(peak) for name, peak in watch.memory.peaks.items()}
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(vars(figures)) + "\n")
    return figures


def _leave(pipeline: Pipeline) -> None:
    """After a scenario that broke off: nothing of it must break the tests that come after."""
    for proxy in (pipeline.kafka_proxy, pipeline.postgres_proxy):
        proxy.heal()
    for disk in pipeline.disks.values():
        if disk.is_mounted:
            disk.free()
    if hasattr(pipeline, "generator"):
        pipeline.stop_generator()
    if pipeline.streaming.process.poll() is not None:
        pipeline.discard(pipeline.streaming)
        pipeline.resume()


def _look_at(pipeline: Pipeline, figures: Figures, watch: Watch) -> None:
    """Check the tables, offsets and records."""
    connection = pipeline.connect()
    servers = pipeline.kafka.bootstrap_servers
    figures.unaccounted = unaccounted_records(servers, connection, watch.begins)
    figures.offset_gaps = offset_gaps(connection)
    if figures.strangers:  # while they are there the marts must be right with them
        figures.rebuilt_rows = sum(rebuild(connection).values())
        for run_id in figures.strangers:
            pipeline.forget(run_id)
    report = pipeline.verify()
    figures.defects = {defect: getattr(report, defect) for defect in DEFECTS}
    figures.stored = report.events_stored
    figures.rebuilt_rows += sum(rebuild(connection).values())
    connection.close()


def is_right(figures: Figures, within_seconds: float | None = None) -> bool:
    """Return whether every invariant held; what did not is named.

    Args:
        figures: What a scenario came to.
        within_seconds: How long a recovery may take on a machine that plays nothing beside it, as
            `make faults` does. Workers of pytest-xdist share the machine, so no bound holds there.
    """
    assert figures.faults > 0
    assert figures.defects == dict.fromkeys(DEFECTS, 0), figures.defects
    assert figures.rebuilt_rows == 0
    assert figures.unaccounted == 0
    assert figures.offset_gaps == 0
    assert figures.alarms == [], figures.alarms
    assert figures.secrets == 0
    for name, cap in CAPS_MEBIBYTES.items():
        assert figures.peak_mebibytes[name] <= cap, name
    if within_seconds is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        assert max(figures.recovery_seconds) <= within_seconds
    return True


def shuffled(actions: Sequence[Action], seed: int) -> list[Action]:
    """Return the actions in an order that the seed decides, with pauses between them."""
    order = list(actions)
    random.Random(seed).shuffle(order)  # noqa: S311  an order, not a secret
    return [step for action in order for step in (Wait(2), action)]


def recover(stage: Stage, before: int, start: Callable[[], object]) -> None:
    """End a fault, and measure until the next batch is committed."""
    began = time.monotonic()
    stage.figures.faults += 1
    start()

    def is_committed() -> bool:
        stage.pipeline.streaming.check()
        return stage.pipeline.last_batch() > before

    wait_until(is_committed, "a batch after the fault")
    stage.figures.recovery_seconds.append(round(time.monotonic() - began, 1))
