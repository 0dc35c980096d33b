"""Faults on the running pipeline: whatever is killed, the verification finds nothing.

``--kills N`` decides how many kills a scenario has, ``--results FILE`` where figures go; the
table in ``docs/faults.md`` is made from them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import SIMULATION
from scenario import (
    Drain,
    Figures,
    KillKafka,
    KillPostgres,
    KillStreaming,
    Load,
    Produce,
    Wait,
    play,
    shuffled,
)

if TYPE_CHECKING:
    from pipeline import Pipeline
    from scenario import Action

pytestmark = [pytest.mark.services, pytest.mark.timeout(5_400)]

_RATE = 400
_SECONDS = {"job": 50, "broker": 14, "database": 8}
"""How long one kill of each takes, with what the pipeline needs to get over it."""
_FAULTS = (
    "  faults: {duplicatePermille: 20, latePermille: 10, maxLatenessSeconds: 3,"
    " corruptPermille: 10, lossPermille: 5}\n"
)


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many kills a scenario has; a third of what a generator's test has, but never none."""
    return max(2, int(request.config.getoption("--kills")) // 3)


@pytest.fixture
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where figures are written."""
    return Path(request.config.getoption("--results") or tmp_path / "results.jsonl")


def _load(kind: str, count: int) -> Load:
    """Return a simulation that lasts as long as so many kills."""
    events = _RATE * _SECONDS[kind] * (count + 1)
    text = SIMULATION.replace("eventsPerSecond: 500", f"eventsPerSecond: {_RATE}")
    return Load(text.replace("events: 3000", f"events: {events}") + _FAULTS)


def _is_right(figures: Figures) -> bool:
    assert figures.defects == dict.fromkeys(DEFECTS, 0)
    assert figures.rebuilt_rows == 0
    return figures.faults > 0


def test_the_job_is_killed(pipeline: Pipeline, kills: int, results: Path) -> None:
    """F3: at any moment, before the sink's commit and after it."""
    points = ("", "before_sink_commit", "after_sink_commit")
    actions: list[Action] = [KillStreaming(points[at % len(points)]) for at in range(kills)]
    steps = [_load("job", kills), *shuffled(actions, seed=3), Drain()]

    assert _is_right(play(pipeline, "F3 kill -9 of the job", steps, results))


def test_the_broker_is_killed(pipeline: Pipeline, kills: int, results: Path) -> None:
    """F4: under load."""
    steps = [_load("broker", kills), *shuffled([KillKafka()] * kills, seed=4), Drain()]

    assert _is_right(play(pipeline, "F4 kill -9 of the broker", steps, results))


def test_the_database_is_killed(pipeline: Pipeline, kills: int, results: Path) -> None:
    """F5: under load."""
    steps = [_load("database", kills), *shuffled([KillPostgres()] * kills, seed=5), Drain()]

    assert _is_right(play(pipeline, "F5 kill -9 of PostgreSQL", steps, results))


def test_one_event_of_the_far_future_drops_no_other(pipeline: Pipeline, results: Path) -> None:
    """F9, F10: it is rejected before it can move the watermark."""
    far = json.dumps(sample_event("page_view") | {"event_time": "2199-01-01T00:00:00.000Z"})
    steps = [Load(SIMULATION), Wait(1), Produce((far.encode(),)), Drain()]

    assert _is_right(play(pipeline, "F10 an event of the far future", steps, results))
