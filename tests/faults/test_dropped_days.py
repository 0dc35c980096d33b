"""Faults around days that retention drops."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pipeline import SIMULATION, Pipeline
from retention import ReplayDroppedDays
from scenario import Drain, Load, is_right, play

if TYPE_CHECKING:
    from scenario import Action

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(5_400)]


def test_dropped_days_come_again(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """F19: a replay into dropped days is rejected as a whole, and changes no figure.

    The mark of retention outlasts the scenario: so it has a separate pipeline.
    """
    results = Path(request.config.getoption("--results") or tmp_path / "results.jsonl")
    steps: list[Action] = [
        Load(SIMULATION, timedelta(days=3)), Drain(), ReplayDroppedDays(), Load(SIMULATION),
        Drain(),
    ]  # fmt: skip

    with Pipeline(tmp_path / "pipeline") as pipeline:
        figures = play(pipeline, "F19 dropped days come again", steps, results)

    assert is_right(figures)
