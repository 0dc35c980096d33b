"""Trials of the example pipelines: the points of the kills, and the printed table."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from trials import JudgeFailed, kill_points, outcome, outcome_table

_REPORT: dict[str, Any] = {
    "events": 12_000,
    "differing_minutes": 2,
    "verdicts": [
        {"kind": "lost", "count": 7, "cause": "bursts"},
        {"kind": "altered", "count": 5, "cause": "no value"},
        {"kind": "altered", "count": 6, "cause": "no value"},
        {"kind": "aggregate", "count": 1, "cause": ""},
    ],
}


def test_seed_decides_kills() -> None:
    """The same seed draws the same points, within their limits; every second kill is at once."""
    points = kill_points(7, 10, 500)

    assert points == kill_points(7, 10, 500) != kill_points(8, 10, 500)
    assert len(points) == 10
    assert all(1 <= events <= 500 and 0 <= seconds <= 5 for events, seconds in points)
    assert [not seconds for _, seconds in points] == [True, False] * 5


def test_outcome_sums_columns() -> None:
    """Altered values of all columns are one figure, and each cause is named once."""
    row = outcome("mine", _REPORT)

    assert (row.pipeline, row.events, row.minutes) == ("mine", 12_000, 2)
    assert row.counts["lost"] == 7
    assert row.counts["altered"] == 11
    assert row.counts["aggregate"] == 1
    assert row.counts["duplicated"] == 0
    assert row.causes == ("bursts", "no value")


def test_table_has_every_figure() -> None:
    """The printed table has a row for each pipeline, with its figures and causes."""
    clean = outcome("clean", {"events": 5, "differing_minutes": 0, "verdicts": []})
    output = io.StringIO()
    Console(file=output, width=200).print(outcome_table([outcome("mine", _REPORT), clean]))

    rows = [line.split("│") for line in output.getvalue().splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row[1:-1]] for row in rows]
    assert cells == [
        ["mine", "12,000", "7", "0", "11", "1", "2", "bursts"],
        ["", "", "", "", "", "", "", "no value"],
        ["clean", "5", "0", "0", "0", "0", "0", "-"],
    ]


def test_judge_failure_is_named() -> None:
    """The error has the pipeline and the judge's own words."""
    error = JudgeFailed("mine", "error: no such table\n")

    assert "mine" in str(error)
    assert str(error).endswith("error: no such table")
    assert (error.pipeline, error.reason) == ("mine", "error: no such table\n")
