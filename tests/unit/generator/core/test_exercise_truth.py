"""The truth of an exercise: each kind has its computation."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.exercise import Exercise
from clickstream_generator.core.exercise_truth import incident_intervals, truth_table
from clickstream_generator.core.played_run import PlayedRun, play
from simulations import START_SECONDS, simulation

KINDS: dict[str, dict[str, Any]] = {
    "Conversion": {"by": "session"},
    "ConversionRatio": {"by": "session", "against": "first"},
    "Lift": {"experiment": "button"},
    "Effect": {},
    "Ledger": {"figures": ["events"], "window": "1m"},
    "Funnel": {"steps": ["purchase"]},
    "GapSessions": {"gap": "30m"},
    "UserSessions": {},
}


@pytest.fixture(scope="module")
def run() -> PlayedRun:
    """A run with an experiment."""
    arms = "[{name: control}, {name: green}]"
    more = f"  stopAfter: {{events: 20000}}\n  experiments: [{{name: button, arms: {arms}}}]\n"
    return play(simulation(more=more, mix="Buyer: 1"), START_SECONDS)


@pytest.mark.parametrize("kind", KINDS)
def test_kind_has_its_columns(run: PlayedRun, kind: str) -> None:
    """The truth of each kind has rows, and the columns that its exercise names."""
    exercise = Exercise.model_validate(
        {"title": "a", "simulation": "a.yaml", "start": "2026-01-13T00:00:00Z", "question": "a?",
         "truth": {"kind": kind, **KINDS[kind]}}
    )  # fmt: skip
    assert exercise.truth.kind != "Detection"

    table = truth_table(run, exercise.truth)

    assert table.answer_columns == exercise.truth.answer_columns
    assert table.rows


def test_incidents_have_absolute_times() -> None:
    """An incident's interval begins after the start; one beyond the run's end is no part of it."""
    rows = (
        "{name: a, kind: CartFails, at: 1h, for: 2h}, {name: b, kind: CartFails, at: 9h, for: 1h}"
    )
    wanted = simulation(more=f"  stopAfter: {{duration: 2h}}\n  incidents: [{rows}]\n", users=4_000)

    (found,) = incident_intervals(wanted, START_SECONDS)

    assert (found.begin - START_SECONDS, found.end - START_SECONDS) == (3_600, 7_200)
    assert found.is_absolute


def test_detection_needs_an_incident() -> None:
    """Without an incident there is nothing to find."""
    with pytest.raises(SimulationInvalid) as caught:
        incident_intervals(simulation(users=4_000), START_SECONDS)

    assert caught.value.path == "spec.incidents"
