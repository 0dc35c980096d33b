"""The contract's tables agree with each other and with the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_contract.derive import spark_schema
from clickstream_contract.duration import duration_seconds, format_duration
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES
from clickstream_contract.journey import EXIT, START, TRANSITIONS, is_legal
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.personas import PERSONAS
from hypothesis import given
from hypothesis import strategies as st

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", PERSONAS)
def test_personas_take_only_legal_steps(name: str) -> None:
    """No preset has a weight for a step that the journey does not know."""
    for source, targets in PERSONAS[name].transitions.items():
        for target in targets:
            assert is_legal(source, target), (source, target)
    assert len(PERSONAS[name].hourly) == 24


def test_every_event_can_be_reached_and_left() -> None:
    """From the start there is a way to each event, and from each a way out."""
    sources = {step.source for step in TRANSITIONS}
    targets = {step.target for step in TRANSITIONS}

    assert sources == {START, *EVENT_NAMES}
    assert targets == {EXIT, *EVENT_NAMES}


def test_fields_name_events_that_exist() -> None:
    """A field belongs to all events or to known ones, and no name comes twice."""
    for fields in (EVENT_FIELDS, LEDGER_FIELDS):
        assert len({field.name for field in fields}) == len(fields)
    for field in EVENT_FIELDS:
        assert set(field.events) <= set(EVENT_NAMES), field.name
        assert f"`{field.name}`" in spark_schema(EVENT_FIELDS)


@given(st.integers(min_value=1, max_value=800_000_000))
def test_durations_survive_being_written(seconds: int) -> None:
    """What is written is read back."""
    assert duration_seconds(format_duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "0s", "10", "-1s", "1s1m", "1.5h", "٣s", "500ms", "1h 2m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the text is the only news
        duration_seconds(text)

    assert str(caught.value) == text
