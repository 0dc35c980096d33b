"""The exercises: the events alone have the answer, and a beginner's mistake is found."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pytest
from clickstream_generator.core.answer import check_intervals, check_table
from clickstream_generator.core.exercise import Detection, Exercise, parse_exercise
from clickstream_generator.core.exercise_truth import incident_intervals, truth_table
from clickstream_generator.core.played_run import play
from clickstream_generator.shell.simulation_source import Overrides, read_simulation
from pages import ROOT
from solved_exercises import RIGHT, WRONG, answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.answer import Verdict

_FOLDER = ROOT / "exercises"
_EXERCISES = {
    path.stem: parse_exercise(path.read_text("utf-8"), path.name)
    for path in sorted(_FOLDER.glob("*.yaml"))
}
_COLUMNS = (
    "event_id, session_id, user_id, event_name, event_time, device, channel, city, experiments, "
    "value_minor"
)


@pytest.mark.parametrize("name", sorted({one.simulation for one in _EXERCISES.values()}))
def test_only_right_solutions_pass(name: str, tmp_path: Path) -> None:
    """A solution from the events is right, and each naive one is wrong."""
    own = {key: one for key, one in _EXERCISES.items() if one.simulation == name}
    simulation = read_simulation(_FOLDER / name, Overrides())
    (start,) = {one.start_seconds for one in own.values()}
    connection = _events(name, tmp_path)
    checks = _checks(own, simulation, start)

    for key, check in checks.items():
        assert check(answer(connection, RIGHT[key]), key).problems == (), key
        for query in WRONG[key]:
            assert not check(answer(connection, query), key).is_right, (key, query)


def _events(name: str, folder: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection with the view ``events`` of a run, in the order of arrival."""
    lines = folder / "events.jsonl"
    with lines.open("wb") as output:
        subprocess.run(
            [sys.executable, "-m", "clickstream_generator.command", str(_FOLDER / name),
             "--start", "2026-01-13T00:00:00Z"],
            check=True, stdout=output, stderr=subprocess.PIPE,
        )  # fmt: skip
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(
        f"CREATE TABLE events AS SELECT row_number() OVER () AS place, {_COLUMNS} FROM read_json("
        "$file, format = 'newline_delimited', columns = {event_id: 'VARCHAR', session_id: "
        "'VARCHAR', user_id: 'VARCHAR', event_name: 'VARCHAR', event_time: 'TIMESTAMPTZ', device: "
        "'VARCHAR', channel: 'VARCHAR', city: 'VARCHAR', experiments: 'VARCHAR', value_minor: "
        "'BIGINT'})",
        {"file": str(lines)},
    )
    lines.unlink()
    return connection


def _checks(
    exercises: dict[str, Exercise], simulation: Simulation, start: float
) -> dict[str, Callable[[str, str], Verdict]]:
    """Return the check of each exercise of a simulation; the run is played once."""
    found: dict[str, Callable[[str, str], Verdict]] = {}
    run = None
    for key, one in exercises.items():
        if isinstance(one.truth, Detection):
            incidents = incident_intervals(simulation, start)
            found[key] = partial(check_intervals, incidents, one.truth)
        else:
            run = run or play(simulation, start)
            found[key] = partial(check_table, truth_table(run, one.truth))
    return found
