"""Faults that replace the topic or the database of a stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pipeline import SIMULATION
from replacements import FallBack, RemakeTopic
from scenario import Drain, Load, Wait, is_right, play

if TYPE_CHECKING:
    from pipeline import Pipeline
    from scenario import Action

pytestmark = [pytest.mark.services, pytest.mark.timeout(5_400)]

_FEW = SIMULATION.replace("events: 3000", "events: 600")
_STEADY = SIMULATION.replace("  stopAfter: {events: 3000}\n", "")


@pytest.fixture
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where figures are written."""
    return Path(request.config.getoption("--results") or tmp_path / "results.jsonl")


@pytest.mark.slow
def test_topic_is_remade(pipeline: Pipeline, results: Path) -> None:
    """F17: a new topic with more records than were read is an error, then read as a whole."""
    steps: list[Action] = [Load(_FEW), Drain(), RemakeTopic(Load(SIMULATION)), Drain()]

    assert is_right(play(pipeline, "F17 topic created again", steps, results), 120)


@pytest.mark.slow
def test_database_falls_back(pipeline: Pipeline, results: Path) -> None:
    """F18: records that a standby lacks are read again; none is lost."""
    steps: list[Action] = [Load(_STEADY), Wait(1), FallBack(batches=3), Wait(1), Drain()]

    assert is_right(play(pipeline, "F18 standby without the last batches", steps, results), 150)
