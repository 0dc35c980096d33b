"""Effects: what an overlay may name, when it applies, and the presets."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.effects import OVERLAYS, EffectPreset, Effects, When
from pydantic import ValidationError

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
        {"name": "Own"},
        {"price": 2},
    ],
)
def test_wrong_overlay_is_refused(overlay: dict[str, Any]) -> None:
    """Unknown names, illegal steps and numbers out of bounds are refused."""
    with pytest.raises(ValidationError):
        _effects(overlay)


def test_name_occurs_once() -> None:
    """A name stands for one overlay, because it chooses the overlay's users."""
    with pytest.raises(ValidationError, match="each name once"):
        _effects({"name": "own"}, {"name": "own"})
