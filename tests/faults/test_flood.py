"""A flood of the worst records, which are accepted or rejected within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floods import MOST_MEBIBYTES, Flood
from pipeline import SIMULATION, Pipeline
from scenario import Drain, Load, is_right, play

if TYPE_CHECKING:
    from scenario import Action

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(5_400)]


def test_flood_is_bounded(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """F23: an hour's worst records in a minute stay within the bounds, and the stream survives.

    The days and products of the flood outlast the scenario, so the pipeline is not shared.
    """
    results = Path(request.config.getoption("--results") or tmp_path / "results.jsonl")
    steps: list[Action] = [Flood(), Load(SIMULATION), Drain()]

    with Pipeline(tmp_path / "pipeline") as pipeline:
        figures = play(pipeline, "F23 a flood of the worst records", steps, results)

    assert is_right(figures)
    too_much = {
        name: taken for name, taken in figures.taken.items() if taken > MOST_MEBIBYTES[name]
    }
    assert too_much == {}
