"""The behaviour of users under one specification, and revisions of it.

Owns the parts of a specification that may change during a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.document import dump_simulation, parse_simulation, resolve_personas
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.simulation import FIXED_FIELDS
from pydantic.alias_generators import to_camel

from clickstream_generator.core.journeys import Journeys, compile_journeys
from clickstream_generator.core.profiles import Profiles, compile_profiles
from clickstream_generator.core.rhythm import Rhythm, build_rhythm
from clickstream_generator.core.world import (
    World,
    build_world,
    remix_world,
    world_with_catalog,
)

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation, SimulationSpec

    from clickstream_generator.core.catalog import Catalog

__all__ = ["Behaviour", "Behaviours", "Revision", "check_change"]


@dataclass(frozen=True)
class Behaviour:
    """A specification with its world, profiles, journeys and rhythm."""

    spec: SimulationSpec
    world: World
    profiles: Profiles
    journeys: Journeys
    rhythm: Rhythm


@dataclass(frozen=True)
class Revision:
    """A version of a simulation's specification, with the time it takes effect.

    Attributes:
        until_seconds: The previous revision applies to events due until then, Unix seconds.
        from_seconds: This revision applies from then on. It is later than ``until_seconds`` if
            the events due in between are left out, else equal.
        simulation: The simulation with the new specification.
    """

    until_seconds: float
    from_seconds: float
    simulation: Simulation

    def to_json(self) -> dict[str, Any]:
        """Return the revision as JSON values."""
        return {
            "until_seconds": self.until_seconds,
            "from_seconds": self.from_seconds,
            "document": self._document,
        }

    @cached_property
    def _document(self) -> str:
        # Cached: every heartbeat repeats a new revision in each shard's position.
        return dump_simulation(self.simulation)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Revision:
        """Read the values of :meth:`to_json`."""
        return cls(row["until_seconds"], row["from_seconds"], parse_simulation(row["document"]))


class Behaviours:
    """The behaviours of one run's specifications; each is built once.

    Args:
        first: The specification at the start of the run.
        catalog: The shop's own catalog; ``None`` for one of the specification.

    Attributes:
        world: The world of the first specification, with everything that never changes in a run.
    """

    def __init__(self, first: SimulationSpec, catalog: Catalog | None = None) -> None:
        world = build_world(first)
        self.world = world if catalog is None else world_with_catalog(world, catalog, first)
        self._known: dict[str, Behaviour] = {}
        self._journeys: dict[str, tuple[Profiles, Journeys]] = {}

    def of(self, spec: SimulationSpec) -> Behaviour:
        """Return how users behave under the specification.

        Raises:
            SimulationInvalid: A session could never end, or the overlays make too many profiles.
        """
        text = spec.model_dump_json()
        if text not in self._known:
            world = remix_world(self.world, spec)
            profiles, journeys = self._journeys_of(spec, world)
            lengths = profiles.mean_by_group(journeys.expected_events, world)
            rhythm = build_rhythm(world, profiles.hour_class, lengths, spec.rate.curve)
            self._known[text] = Behaviour(spec, world, profiles, journeys, rhythm)
        return self._known[text]

    def _journeys_of(self, spec: SimulationSpec, world: World) -> tuple[Profiles, Journeys]:
        """Return the profiles and their journeys; most edits, such as of the rate, keep them."""
        text = spec.model_dump_json(
            include={"personas", "effects", "experiments", "incidents", "random_incidents"}
        )
        if text not in self._journeys:
            profiles = compile_profiles(
                spec.effects.every, world, spec.experiments, spec.every_incident
            )
            try:
                self._journeys[text] = profiles, compile_journeys(profiles.personas)
            except np.linalg.LinAlgError:
                raise _endless(spec, world) from None
        return self._journeys[text]


def _endless(spec: SimulationSpec, world: World) -> SimulationInvalid:
    """Return the error for sessions that could never end."""
    allowed = "every step needs a path to the exit with an empty, a filled and a full cart"
    effects, experiments = spec.effects.every, spec.experiments
    for path, personas, names in (
        ("spec.personas", world.personas, [row.name for row in spec.personas]),
        (
            "spec.effects.overlays",
            compile_profiles(effects, world).personas,
            [row.name for row in spec.effects.overlays],
        ),
        (
            "spec.experiments",
            compile_profiles(effects, world, experiments).personas,
            [row.name for row in experiments],
        ),
    ):
        try:
            compile_journeys(personas)
        except np.linalg.LinAlgError:
            return SimulationInvalid(path, names, allowed)
    return SimulationInvalid("spec.incidents", [row.name for row in spec.every_incident], allowed)


def check_change(running: Simulation, wanted: Simulation) -> None:
    """Raise an error if a running simulation cannot apply the change.

    Raises:
        SimulationInvalid: The change concerns a field that is fixed for the whole run.
    """
    if wanted.full_name != running.full_name:
        raise SimulationInvalid(
            "metadata.name",
            wanted.full_name,
            f"it cannot change in a run; it is {running.full_name}",
        )
    for name in FIXED_FIELDS:
        before, after = getattr(running.spec, name), getattr(wanted.spec, name)
        if before != after:
            raise SimulationInvalid(
                f"spec.{to_camel(name)}",
                after,
                "it cannot change in a run; start another simulation",
            )
    before_names, after_names = (
        list(resolve_personas(simulation.spec)) for simulation in (running, wanted)
    )
    if before_names != after_names:
        own = [persona.name for persona in running.spec.personas]
        raise SimulationInvalid(
            "spec.personas",
            [persona.name for persona in wanted.spec.personas],
            f"a run cannot add or remove personas; its own are: {', '.join(own) or 'none'}",
        )
