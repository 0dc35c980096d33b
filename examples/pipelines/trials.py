"""Kills pipelines under load, judges their results, and prints one table.

Run ``make pipelines``, or ``python examples/pipelines/trials.py NAME`` for one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from clickstream_local.processes import ServiceProcess
from pipelines import PIPELINES
from rich.console import Console
from rich.table import Table
from services import started_services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines import Pipeline
    from services import Services

__all__ = ["JudgeFailed", "Outcome", "kill_points", "outcome", "outcome_table", "try_pipeline"]

_PAUSE_SECONDS = 5.0
_PROGRESS_SECONDS = 400.0
_WIDTH = 160
_KINDS = ("lost", "duplicated", "altered", "misplaced", "phantom", "aggregate")


class JudgeFailed(Exception):
    """The judge could not judge a result.

    Attributes:
        pipeline: The pipeline's name.
        reason: The judge's own words.
    """

    def __init__(self, pipeline: str, reason: str) -> None:
        self.pipeline, self.reason = pipeline, reason
        super().__init__(f"the judge could not judge the result of {pipeline}: {reason.strip()}")


@dataclass(frozen=True)
class Outcome:
    """What the judge found in the result of a pipeline.

    Attributes:
        pipeline: The pipeline's name.
        events: Events of the run.
        counts: Differences by kind, as in the judge's report; altered values of all columns.
        minutes: Minutes that differ.
        causes: The likely causes that the judge names.
    """

    pipeline: str
    events: int
    counts: Mapping[str, int]
    minutes: int
    causes: tuple[str, ...]


def kill_points(seed: int, kills: int, most: int) -> list[tuple[int, float]]:
    """Return how many more events the pipeline stores before each kill, and the seconds after.

    Every second kill comes at once, between the pipeline's store and its commit if it can be; the
    others come up to five seconds later.

    Args:
        seed: The same seed draws the same points.
        kills: The number of kills.
        most: Most events.
    """
    draws = Random(seed)  # noqa: S311  no secret
    return [
        (draws.randint(1, most), 0.0 if number % 2 else draws.uniform(0, _PAUSE_SECONDS))
        for number in range(1, kills + 1)
    ]


def outcome(pipeline: str, report: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a judge's report, the JSON of ``clickstream judge --json``."""
    counts = dict.fromkeys(_KINDS, 0)
    for row in report["verdicts"]:
        counts[row["kind"]] = counts.get(row["kind"], 0) + row["count"]
    causes = dict.fromkeys(row["cause"] for row in report["verdicts"] if row["cause"])
    return Outcome(
        pipeline, report["events"], counts, report["differing_minutes"], tuple(causes)
    )  # fmt: skip


def outcome_table(outcomes: list[Outcome]) -> Table:
    """Return the printed table: one row for each pipeline."""
    table = Table(
        "pipeline",
        "events",
        "lost",
        "doubled",
        "altered",
        "wrong sums",
        "wrong minutes",
        "cause named",
    )
    for row in outcomes:
        kinds = ("lost", "duplicated", "altered", "aggregate")
        figures = (row.events, *(row.counts[kind] for kind in kinds))
        table.add_row(
            row.pipeline, *(f"{figure:,}" for figure in (*figures, row.minutes)),
            "\n".join(row.causes) or "-",
        )  # fmt: skip
    return table


def try_pipeline(
    pipeline: Pipeline, folder: Path, kills: int, most: int, rate: int, seed: int, console: Console
) -> Outcome:
    """Run a pipeline under load, kill it, let it catch up, and judge its result.

    Args:
        pipeline: The pipeline.
        folder: An empty folder for services, truth and result.
        kills: How often to kill it.
        most: Most events that it stores between a start and a kill.
        rate: Events per second.
        seed: Decides the counts of stored events at which it is killed.
        console: Gets a line for each kill.

    Raises:
        ServiceFailed: A process ended, or made no progress.
        JudgeFailed: The result cannot be judged.
    """
    with started_services(folder) as services:
        command = pipeline.command(services)
        run = services.start_run(rate)
        running = None
        try:
            for number, point in enumerate(kill_points(seed, kills, most), 1):
                running = _start(pipeline, services, command)
                _wait_stored(pipeline, services, running, point[0])
                time.sleep(point[1])
                _kill(running)
                console.print(f"{pipeline.name}: kill {number} of {kills}")
            running = _start(pipeline, services, command)
            _wait_stored(pipeline, services, running, rate)
            run.stop()
            ends = services.ends()
            running.wait_until(lambda: pipeline.committed(services) == ends, _PROGRESS_SECONDS)
            running.stop()
            _kill(running)  # a child that did not end
        finally:
            run.kill()
            if running is not None:
                _kill(running)
        return outcome(pipeline.name, _judge(pipeline, services))


def _start(pipeline: Pipeline, services: Services, command: list[str]) -> ServiceProcess:
    return ServiceProcess.start(
        pipeline.name, command, services.state.log_file(pipeline.name), services.environment(),
        folder=services.folder,
    )  # fmt: skip


def _wait_stored(
    pipeline: Pipeline, services: Services, running: ServiceProcess, events: int
) -> None:
    """Wait until the pipeline has stored more events; the result shows them at once."""
    before = pipeline.stored(services)
    running.wait_until(lambda: pipeline.stored(services) >= before + events, _PROGRESS_SECONDS)


def _kill(running: ServiceProcess) -> None:
    """End the process and its children at once."""
    with suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()


def _judge(pipeline: Pipeline, services: Services) -> dict[str, Any]:
    """Return the judge's report."""
    shutil.copy(pipeline.mapping, services.folder)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "clickstream"), "judge", "mapping.yaml", "--json", "-"],
        cwd=services.folder, env=services.environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise JudgeFailed(pipeline.name, done.stderr)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def main() -> None:
    """Try the named pipelines, or all, and print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PIPELINES))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--most", type=int, default=10_000, help="most events between kills")
    parser.add_argument("--rate", type=int, default=1_000, help="events per second")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    outcomes = []
    for name in given.names or PIPELINES:
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="clickstream-trial-"))  # kept after an error
        pipeline = PIPELINES[name]
        outcomes.append(
            try_pipeline(
                pipeline, folder / name, given.kills, given.most, given.rate, given.seed, console
            )
        )
        shutil.rmtree(folder)
        console.print(f"{name}: {time.monotonic() - began:.0f} s")
    console.print(outcome_table(outcomes))


if __name__ == "__main__":
    main()
