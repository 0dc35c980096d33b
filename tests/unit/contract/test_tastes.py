"""Tastes: their fields and bounds."""

from __future__ import annotations

import pytest
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.tastes import Tastes
from simulations import SMALL_SHOP


def test_tastes_are_off_by_default() -> None:
    """Only a simulation that names the field has tastes, with all strengths above 0."""
    assert parse_simulation(SMALL_SHOP).spec.tastes is None
    found = parse_simulation(f"{SMALL_SHOP}  tastes: {{}}\n").spec.tastes
    assert found == Tastes()
    assert all(value > 0 for value in Tastes().model_dump().values())


def test_document_keeps_tastes() -> None:
    """A simulation that is written and read again has the same tastes."""
    text = f"{SMALL_SHOP}  tastes: {{categories: 2, companions: 10, togetherPermille: 0}}\n"
    simulation = parse_simulation(text)

    found = parse_simulation(dump_simulation(simulation))

    assert found == simulation
    assert found.spec.tastes is not None
    assert (found.spec.tastes.categories, found.spec.tastes.together_permille) == (2, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("categories", 0),
        ("categories", 11),
        ("companions", 0),
        ("companions", 11),
        ("categoryPermille", 1_001),
        ("pricePermille", -1),
        ("togetherPermille", 1_001),
        ("colour", 1),
    ],
)
def test_bounds_are_checked(field: str, value: int) -> None:
    """A value out of its bounds is refused, with the field's name."""
    with pytest.raises(SimulationInvalid) as refused:
        parse_simulation(f"{SMALL_SHOP}  tastes: {{{field}: {value}}}\n")

    assert refused.value.path == f"spec.tastes.{field}"
