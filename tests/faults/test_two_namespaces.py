"""Two namespaces send events of simulations with one name to one stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from namespaces import RunBeside, in_namespace
from pipeline import SIMULATION
from scenario import Load, is_right, play

if TYPE_CHECKING:
    from pipeline import Pipeline
    from scenario import Action

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(5_400)]


def test_two_namespaces_keep_apart(
    pipeline: Pipeline, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """F21: one name and one seed at one time; the figures of each are those of its events."""
    results = Path(request.config.getoption("--results") or tmp_path / "results.jsonl")
    steps: list[Action] = [
        Load(in_namespace(SIMULATION, "blue")), RunBeside(in_namespace(SIMULATION, "red")),
    ]  # fmt: skip

    figures = play(pipeline, "F21 two namespaces, one name", steps, results)

    assert is_right(figures)
