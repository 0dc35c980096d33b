"""``clickstream check-answer``: whether an answer to an exercise is right.

Owns the command's arguments, its words and its exit codes: 0 right, 1 wrong. Heavy modules are
imported inside the command, so that other commands start fast.
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clickstream_generator.core.answer import Verdict
    from clickstream_generator.core.exercise import Exercise
    from clickstream_generator.core.truth_table import TruthTable

__all__ = ["check_answer"]

_MOST_EXERCISE_BYTES = 65_536
_MOST_ANSWER_BYTES = 16_777_216
_MOST_PROBLEMS = 20


def check_answer(
    exercise: Annotated[Path, typer.Argument(help="The exercise, such as exercises/01-....yaml.")],
    answer: Annotated[Path, typer.Argument(help="The answer, CSV with the exercise's columns.")],
    *,
    show_truth: Annotated[
        bool, typer.Option("--show-truth", help="Print the truth too, as CSV.")
    ] = False,
) -> None:
    """Check an answer to an exercise against the computed truth; exit 0 only if it is right."""
    from clickstream_generator.core.exercise import parse_exercise  # noqa: PLC0415
    from clickstream_generator.shell.text_file import read_text  # noqa: PLC0415

    wanted = parse_exercise(read_text("EXERCISE", exercise, _MOST_EXERCISE_BYTES), str(exercise))
    text = read_text("ANSWER", answer, _MOST_ANSWER_BYTES)
    verdict, truth = _checked(wanted, exercise.parent, text, str(answer))
    if verdict.is_right:
        typer.echo(f"right ({verdict.checked})")
    else:
        typer.echo(f"wrong ({verdict.checked}, problems: {len(verdict.problems)})")
        for problem in verdict.problems[:_MOST_PROBLEMS]:
            typer.echo(f"  {problem}")
        if (more := len(verdict.problems) - _MOST_PROBLEMS) > 0:
            typer.echo(f"  and {more} more")
    if show_truth:
        csv.writer(sys.stdout, lineterminator="\n").writerows(truth)
    if not verdict.is_right:
        raise typer.Exit(1)


def _checked(
    exercise: Exercise, folder: Path, text: str, place: str
) -> tuple[Verdict, Iterable[tuple[str, ...]]]:
    """Return the verdict about an answer, and the lines of the truth."""
    from clickstream_generator.core.answer import check_intervals, check_table  # noqa: PLC0415
    from clickstream_generator.core.exercise import Detection  # noqa: PLC0415
    from clickstream_generator.core.exercise_truth import (  # noqa: PLC0415
        incident_intervals,
        truth_table,
    )
    from clickstream_generator.core.played_run import play  # noqa: PLC0415
    from clickstream_generator.shell.simulation_source import (  # noqa: PLC0415
        Overrides,
        read_simulation,
    )

    simulation = read_simulation(folder / exercise.simulation, Overrides())
    if isinstance(exercise.truth, Detection):
        incidents = incident_intervals(simulation, exercise.start_seconds)
        spans = [(_time(row.begin), _time(row.end)) for row in incidents]
        verdict = check_intervals(incidents, exercise.truth, text, place)
        return verdict, [("from", "until"), *spans]
    table = truth_table(play(simulation, exercise.start_seconds), exercise.truth)
    return check_table(table, text, place), _lines(table)


def _lines(table: TruthTable) -> Iterator[tuple[str, ...]]:
    """Yield the lines of a truth: for each cell its value, and what an answer may be."""
    yield (*table.keys, "column", "truth", "least", "most")
    for key, row in table.rows.items():
        for column, cell in row.cells.items():
            if isinstance(cell, str):
                yield (*key, column, cell, "", "")
            else:
                yield (*key, column, *(f"{one:.10g}" for one in (cell.value, cell.low, cell.high)))


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat().replace("+00:00", "Z")
