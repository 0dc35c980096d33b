"""Errors of the contract: their fields and their text."""

from __future__ import annotations

import pytest
from clickstream_contract.errors import ContractError, SimulationInvalid


def test_text_names_path_and_value() -> None:
    """The text has the path, the value and the allowed values."""
    error = SimulationInvalid("spec.seed", "x", "a whole number")

    assert (error.path, error.value, error.allowed) == ("spec.seed", "'x'", "a whole number")
    assert str(error) == "spec.seed: 'x' is not allowed; a whole number"
    assert isinstance(error, ContractError)


def test_absent_value_is_left_out() -> None:
    """Without a value the text has only the path and the allowed values."""
    error = SimulationInvalid("spec", None, "it is required")

    assert error.value == "None"
    assert str(error) == "spec: it is required"


@pytest.mark.parametrize(
    ("length", "shown"),
    [(198, "'" + 198 * "x" + "'"), (199, "'" + 196 * "x" + "...")],
)
def test_long_value_is_shortened(length: int, shown: str) -> None:
    """A value is shown with at most 200 characters."""
    error = SimulationInvalid("spec.seed", "x" * length, "a whole number")

    assert error.value == shown
    assert len(error.value) == 200
