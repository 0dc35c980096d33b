"""Effects: what an overlay may name, when it applies, and the presets."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.effects import OVERLAYS, EffectPreset, Effects, When
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.resource import resource_definition
from pydantic import ValidationError
from simulations import SMALL_SHOP

INFINITY = float("inf")


def _effects(*overlays: dict[str, Any]) -> Effects:
    rows = [{"name": f"own-{place}", **row} for place, row in enumerate(overlays)]
    return Effects.model_validate({"preset": "None", "overlays": rows})


def test_retail_is_the_default() -> None:
    """Without a word, sessions differ as in retail; own overlays come after the preset's."""
    found = Effects.model_validate({"overlays": [{"name": "own"}]})

    assert found.preset is EffectPreset.RETAIL
    assert found.every == (*OVERLAYS[EffectPreset.RETAIL], *found.overlays)
    assert _effects().every == ()


def test_preset_names_are_unique() -> None:
    """Each overlay of a preset has a name, and changes something."""
    overlays = OVERLAYS[EffectPreset.RETAIL]

    assert len({overlay.name for overlay in overlays}) == len(overlays)
    assert all(overlay.transitions for overlay in overlays)


@pytest.mark.parametrize(
    ("when", "span"),
    [
        ({}, (-INFINITY, INFINITY)),
        ({"hours": [3]}, (-INFINITY, INFINITY)),
        ({"at": "2m"}, (120.0, INFINITY)),
        ({"for": "1h"}, (0.0, 3_600.0)),
        ({"at": "2m", "for": "3s"}, (120.0, 123.0)),
    ],
)
def test_span_counts_from_start(when: dict[str, Any], span: tuple[float, float]) -> None:
    """A span is in seconds after the start; without one, an overlay also applies to history."""
    assert When.model_validate(when).span_seconds == span


@pytest.mark.parametrize(
    "overlay",
    [
        {"who": {"devices": ["fridge"]}},
        {"who": {"os": ["BeOS"]}},
        {"who": {"browsers": ["Lynx"]}},
        {"who": {"countries": ["XX"]}},
        {"who": {"channels": ["display"]}},
        {"who": {"usersPermille": 0}},
        {"who": {"usersPermille": 1_001}},
        {"when": {"hours": [24]}},
        {"when": {"weekdays": ["Monday"]}},
        {"when": {"at": "0s"}},
        {"transitions": {"search": {"purchase": 1_000}}},
        {"transitions": {"purchase": {"exit": 10_001}}},
        {"thinkPermille": 9},
        {"faults": {"lossPermille": 1_001}},
        {"faults": {"lossPermille": 600, "latePermille": 401}},
        {"faults": {"corruptPermille": 1}},
        {"name": "Own"},
        {"price": 2},
    ],
)
def test_wrong_overlay_is_refused(overlay: dict[str, Any]) -> None:
    """Unknown names, illegal steps and numbers out of bounds are refused."""
    with pytest.raises(ValidationError):
        _effects(overlay)


def test_name_occurs_once() -> None:
    """A name belongs to one overlay, because it chooses the overlay's users."""
    with pytest.raises(ValidationError, match="each name once"):
        _effects({"name": "own"}, {"name": "own"})


SHOP = (
    SMALL_SHOP
    + """\
  personas: [{name: Own, basedOn: Buyer}]
  effects:
    overlays:
      - name: loved
        who: {personas: [NAMED], countries: [DE]}
        when: {at: 90s, hours: [1, 2]}
        transitions: {view_item: {add_to_cart: 1500}}
"""
)


def test_document_keeps_overlays() -> None:
    """What is written is what was read, with every default."""
    simulation = parse_simulation(SHOP.replace("NAMED", "Own"))

    assert parse_simulation(dump_simulation(simulation)) == simulation


def test_unknown_persona_is_refused() -> None:
    """An overlay names presets or the simulation's personas, and the error says where."""
    with pytest.raises(SimulationInvalid) as caught:
        parse_simulation(SHOP.replace("NAMED", "Nobody"))

    assert caught.value.path == "spec.effects.overlays[0].who.personas"


def test_server_refuses_the_same() -> None:
    """The API server's schema has the names, the steps and the rule about personas."""
    (version,) = resource_definition()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    overlay = spec["properties"]["effects"]["properties"]["overlays"]["items"]["properties"]

    who, when = (overlay[name]["properties"] for name in ("who", "when"))
    assert who["devices"]["items"]["enum"] == ["mobile", "desktop", "tablet"]
    assert "enum" in who["channels"]["items"]
    assert when["weekdays"]["items"]["enum"][0] == "Mon"
    assert when["at"]["x-kubernetes-validations"]
    steps = overlay["transitions"]["properties"]
    assert "purchase" not in steps["search"]["properties"]
    assert steps["view_item"]["properties"]["add_to_cart"]["maximum"] == 10_000
    assert any("who.personas" in row["rule"] for row in spec["x-kubernetes-validations"])
