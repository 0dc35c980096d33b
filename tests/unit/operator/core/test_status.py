"""What a status records of a run, and when it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickstream_operator.core.desired import Run, traffic_spec
from clickstream_operator.core.observed import Observed
from clickstream_operator.core.status import is_worth_writing, run_state, status_figures
from clusters import NOW, SETTINGS, resource, simulation

_TIME = "2026-11-27T08:00:00Z"
"""The moment ``NOW``, as a status has it."""
_SIZE = len(json.dumps(traffic_spec(simulation()), sort_keys=True, separators=(",", ":")))
_FIGURES = {
    "achievedEventsPerSecond": 980, "deliveredEvents": 100, "targetEventsPerSecond": 1_000,
}  # fmt: skip


def _revised(*sizes: int) -> list[dict[str, Any]]:
    """Return the revisions after a change of a run that has some of these sizes."""
    before = [
        {"generation": at, "effectiveFrom": _TIME, "spec": "x" * size}
        for at, size in enumerate(sizes)
    ]
    status = {"startTime": _TIME, "workers": 1, "revisions": before}
    _, kept = run_state({**resource(), "status": status}, simulation(), 1, NOW, SETTINGS)
    rows: list[dict[str, Any]] = kept["revisions"]
    return rows


def test_revisions_are_bounded_in_number() -> None:
    """The twentieth revision is kept beside the first one; the next one removes it."""
    assert [row["generation"] for row in _revised(*[1] * 19)] == [*range(19), 1]
    assert [row["generation"] for row in _revised(*[1] * 20)] == [*range(1, 20), 1]


def test_revisions_are_bounded_in_size() -> None:
    """Together they hold 200,000 characters; the newest one stays whatever its size."""
    room = 200_000 - _SIZE

    assert len(_revised(room)) == 2
    assert len(_revised(room + 1)) == 1
    assert len(_revised(room - 1, 1)) == 3
    assert _revised(room, 1)[0]["spec"] == "x"


def test_first_revision_holds_at_once() -> None:
    """A run that begins has one revision, from its start on, and no time of a resumption."""
    run, kept = run_state(resource(), simulation(), 2, NOW, SETTINGS)

    assert run == Run(2, NOW)
    assert kept["startTime"] == _TIME
    assert [row["effectiveFrom"] for row in kept["revisions"]] == [_TIME]
    assert "resumeTime" not in kept


def test_resumption_is_recorded() -> None:
    """A run that has begun and has no workers resumes now."""
    status = {"startTime": "2026-11-27T07:00:00Z", "workers": 0}

    run, kept = run_state({**resource(), "status": status}, simulation(), 2, NOW, SETTINGS)

    assert run == Run(2, NOW - 3600, resumed_seconds=NOW)
    assert kept["resumeTime"] == _TIME


def test_count_never_decreases() -> None:
    """Without answers of workers, the status keeps its count of delivered events."""
    assert status_figures({"deliveredEvents": 7}, Observed(), 5) == {
        "targetEventsPerSecond": 5, "achievedEventsPerSecond": 0, "deliveredEvents": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "age_seconds", "is_written"),
    [
        ({}, 600.0, False),
        ({"achievedEventsPerSecond": 1_000}, 0.0, False),
        ({"achievedEventsPerSecond": 1_001}, 0.0, True),
        ({"deliveredEvents": 900}, 59.9, False),
        ({"deliveredEvents": 900}, 60.0, True),
        ({"readyWorkers": 1}, 0.0, True),
    ],
)
def test_small_changes_wait(
    changed: dict[str, int], age_seconds: float, *, is_written: bool
) -> None:
    """Rates wait for a step of 2 %, the count for a minute; any other field is written at once."""
    assert is_worth_writing(_FIGURES, {**_FIGURES, **changed}, age_seconds) is is_written
