"""Errors of the contract.

``ContractError`` is the root; ``SimulationInvalid`` names the invalid field of a simulation, its
value, and the allowed values.
"""

from __future__ import annotations

__all__ = ["ContractError", "SimulationInvalid"]


class ContractError(Exception):
    """Root of the contract's errors."""


class SimulationInvalid(ContractError):
    """A simulation cannot be run as written.

    Attributes:
        path: The field, such as ``spec.rate.eventsPerSecond``.
        value: Its value, shortened to 80 characters.
        allowed: The allowed values.
    """

    def __init__(self, path: str, value: object, allowed: str) -> None:
        """Keep the fields and build the text."""
        shown = repr(value)
        self.path = path
        self.value = shown if len(shown) <= 80 else shown[:77] + "..."
        self.allowed = allowed
        found = "" if value is None else f"{self.value} is not allowed; "
        super().__init__(f"{path}: {found}{allowed}")
