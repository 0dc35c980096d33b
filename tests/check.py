"""Everything that must pass before a change lands, step by step: ``make check``.

Owns the order of the steps, how long each took, and the list of what was left out. A step is a
command line; a line of its output with ``NOT RUN`` is repeated at the end.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent
_SLOW = [str(_BIN / "coverage"), "run", "-m", "pytest", "-m", "slow"]
_BENCH = [str(_BIN / "clickstream"), "bench"]
_LEFT_OUT = "NOT RUN"


@dataclass(frozen=True)
class Step:
    """One command, with what it needs in its environment."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    name: str
    seconds: float
    code: int
    left_out: list[str]


def steps(*, is_tested: bool, e2e: str) -> list[Step]:
    """Return the steps in order, the quickest answers first.

    Args:
        is_tested: Whether ``make test`` has run just now, with coverage.
        e2e: The command of the end-to-end run.
    """
    test = [] if is_tested else [Step("test", ["make", "test"], {"COVERAGE": "1"})]
    return [
        Step("lint", ["make", "lint"]),
        *test,
        Step("programs built from Go", [sys.executable, "-m", "clickstream_bench.go_programs"]),
        Step("slow tests", [*_SLOW, "-n", "3"]),
        Step("coverage", [sys.executable, "tests/floors.py"]),
        Step("distribution", ["make", "dist"]),
        Step("documentation's site", ["make", "site"]),
        Step("bench generator", [*_BENCH, "generator"]),
        Step("bench streaming", [*_BENCH, "streaming", "--no-latencies", "--events", "1000000"]),
        Step("bench console", [*_BENCH, "console"]),
        Step("bench scale", [*_BENCH, "scale", "--simulations", "50"]),
        Step("end to end", shlex.split(e2e)),
    ]  # fmt: skip


def run(step: Step) -> Outcome:
    """Run a step with its output on the console."""
    print(f"\n=== {step.name}: {shlex.join(step.command)}", flush=True)  # noqa: T201
    began = time.monotonic()
    left_out = []
    with subprocess.Popen(
        step.command,
        cwd=ROOT,
        env={**os.environ, **step.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if _LEFT_OUT in line:
                left_out.append(line.strip())
    return Outcome(step.name, time.monotonic() - began, process.returncode, left_out)


def report(outcomes: list[Outcome]) -> str:
    """Return the table of all steps, and what was left out."""
    width = max(len(outcome.name) for outcome in outcomes)
    lines = [
        f"{outcome.name:{width}}  {outcome.seconds:6.0f} s  {'FAILED' if outcome.code else 'ok'}"
        for outcome in outcomes
    ]
    lines.append(f"{'whole':{width}}  {sum(outcome.seconds for outcome in outcomes):6.0f} s")
    left_out = sorted({line for outcome in outcomes for line in outcome.left_out})
    return "\n".join(["", *lines, *(f"LEFT OUT: {line}" for line in left_out)])


def main() -> int:
    """Run every step, also after one has failed; return 1 if one has."""
    parser = argparse.ArgumentParser(description="Run everything that must pass.")
    parser.add_argument("--is-tested", action="store_true", help="`make test` has just run")
    parser.add_argument("--e2e", default="make e2e", help="the command of the end-to-end run")
    asked = parser.parse_args()
    outcomes = [run(step) for step in steps(is_tested=asked.is_tested, e2e=asked.e2e)]
    print(report(outcomes), flush=True)  # noqa: T201
    return int(any(outcome.code for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
