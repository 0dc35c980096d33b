"""Errors of the contract.

``ContractError`` is the root; ``SimulationInvalid`` names the invalid field of a simulation, its
value, and the allowed values.
"""

from __future__ import annotations

__all__ = ["ContractError", "SimulationInvalid", "shortened"]

_SHOWN_CHARACTERS = 200
"""Enough for a path; a whole document stays one line."""


class ContractError(Exception):
    """Root of the contract's errors."""


class SimulationInvalid(ContractError):
    """A simulation cannot be run as written.

    Attributes:
        path: The field, such as ``spec.rate.eventsPerSecond``.
        value: Its value, as in :func:`shortened`.
        allowed: The allowed values.
    """

    def __init__(self, path: str, value: object, allowed: str) -> None:
        """Keep the fields and build the text."""
        self.path = path
        self.value = shortened(value)
        self.allowed = allowed
        found = "" if value is None else f"{self.value} is not allowed; "
        super().__init__(f"{path}: {found}{allowed}")


def shortened(value: object) -> str:
    """Return a value as errors show it, in at most 200 characters."""
    shown = repr(value)
    if len(shown) <= _SHOWN_CHARACTERS:
        return shown
    return f"{shown[: _SHOWN_CHARACTERS - 3]}..."
