"""Personas: presets whose steps are legal and whose numbers are what simulations rely on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import EXIT, TRANSITIONS, is_legal
from clickstream_contract.personas import PERSONAS


@pytest.mark.parametrize("name", PERSONAS)
def test_steps_are_legal(name: str) -> None:
    """No preset has a weight for a step that the journey does not have."""
    for source, targets in PERSONAS[name].transitions.items():
        for target in targets:
            assert is_legal(source, target), (source, target)


@pytest.mark.parametrize("name", PERSONAS)
def test_every_legal_step_has_weight(name: str) -> None:
    """Each preset has a weight for every legal step, at least 0."""
    found = {
        (source, target)
        for source, targets in PERSONAS[name].transitions.items()
        for target in targets
    }

    assert found == {(row.source, row.target) for row in TRANSITIONS if row.source in EVENT_NAMES}


@pytest.mark.parametrize("name", PERSONAS)
def test_numbers_are_in_bounds(name: str) -> None:
    """A preset keeps the bounds that a persona of a simulation's own has."""
    persona = PERSONAS[name]

    assert persona.name == name
    assert persona.doc.endswith(".")
    assert len(persona.hourly) == 24
    assert 0 < max(persona.hourly) <= 100
    assert 0.2 <= persona.think_median_seconds <= 600
    assert 0 <= persona.think_sigma <= 3
    assert 0 <= persona.return_permille <= 1_000
    assert 0 <= persona.price_sense_permille <= 1_000
    assert 1 <= persona.weekend_permille <= 10_000


def test_only_bot_is_crawler() -> None:
    """The one program among the presets says so, never shops and comes at all hours."""
    bot = PERSONAS["Bot"]

    assert [name for name, row in PERSONAS.items() if row.is_crawler] == ["Bot"]
    assert bot.transitions["view_item"]["add_to_cart"] == 0
    assert set(bot.hourly) == {100}


def test_presets_differ_in_purpose() -> None:
    """From an item the Buyer puts most into the cart, and the Browser leaves most often."""
    people = [row for row in PERSONAS.values() if not row.is_crawler]

    assert max(people, key=lambda row: row.transitions["view_item"]["add_to_cart"]).name == "Buyer"
    assert max(people, key=lambda row: row.transitions["view_item"][EXIT]).name == "Browser"


def test_presets_stay_as_released() -> None:
    """A changed preset changes every simulation that names it: never by accident.

    A change on purpose puts the new digest here and a line into the changelog.
    """
    text = json.dumps({name: asdict(row) for name, row in PERSONAS.items()}, sort_keys=True)

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "b64ccf41ff699cf5"
