"""Exercises: what a file says, and what is refused."""

from __future__ import annotations

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.exercise import Ledger, parse_exercise

TEXT = """
title: Late events
simulation: simulations/messy.yaml
start: 2026-01-13T01:00:00+01:00
question: How many events?
truth: {kind: Ledger, figures: [events], window: 1h}
"""


def test_file_has_the_exercise() -> None:
    """Times and durations are seconds; the kind of truth has its fields."""
    found = parse_exercise(TEXT, "a.yaml")

    assert (found.title, found.start_seconds) == ("Late events", 1_768_262_400.0)
    assert isinstance(found.truth, Ledger)
    assert (found.truth.figures, found.truth.window_seconds) == (("events",), 3_600)
    assert found.truth.answer_columns == ("window", "events")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("kind: Ledger", "kind: Guess", "a.yaml, truth"),
        ("figures: [events]", "figures: [clicks]", "a.yaml, truth, Ledger, figures, 0"),
        ("window: 1h", "window: soon", "a.yaml, truth, Ledger, window"),
        ("window: 1h", "gap: 1h", "a.yaml, truth, Ledger, gap"),
        ("+01:00", "", "a.yaml, start"),
        ("title: Late events", "", "a.yaml, title"),
        ("title: Late events", "title: &a Late\nother: *a", "a.yaml"),
        ("title: Late events", "title: [", "a.yaml"),
        (TEXT, "- 1", "a.yaml"),
    ],
)
def test_wrong_file_is_refused(old: str, new: str, place: str) -> None:
    """The error names the file and the field."""
    with pytest.raises(SimulationInvalid) as caught:
        parse_exercise(TEXT.replace(old, new), "a.yaml")

    assert caught.value.path == place
