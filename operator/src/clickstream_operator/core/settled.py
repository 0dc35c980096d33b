"""What a plan has found, so that the next plan derives it again only if its inputs have changed.

A plan is made every few seconds, and its inputs rarely change: equal inputs have equal results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import simulation_from_resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import Simulation

__all__ = ["Reading", "Settled", "read_simulation"]

_READ = ("name", "namespace", "labels", "annotations")
"""The metadata that the contract reads; a resource's version changes with each status."""


@dataclass(frozen=True)
class Reading:
    """A resource without its status, and the simulation that it is."""

    source: Mapping[str, Any]
    simulation: Simulation


@dataclass(frozen=True)
class Settled:
    """That the status records the run, and every child has its desired state.

    Attributes:
        inputs: What this follows from.
        digest: The digest of the file that workers read.
    """

    inputs: tuple[object, ...]
    digest: str


def read_simulation(resource: Mapping[str, Any], former: Reading | None) -> Reading:
    """Return the simulation of a resource; the former one if the resource has not changed.

    Raises:
        SimulationInvalid: The spec contradicts itself.
    """
    metadata = {key: row for key, row in resource["metadata"].items() if key in _READ}
    source = {key: row for key, row in resource.items() if key != "status"}
    source["metadata"] = metadata
    if former is not None and former.source == source:
        return Reading(source, former.simulation)
    return Reading(source, simulation_from_resource(source))
