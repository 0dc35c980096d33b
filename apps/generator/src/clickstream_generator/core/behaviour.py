"""How users behave under one specification, and when another one takes over.

Owns what a change of the specification on the fly may touch. It does not know any shard:
:mod:`clickstream_generator.core.shard` takes a revision up when its time has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.document import dump_simulation, parse_simulation, resolve_personas
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.simulation import FIXED_FIELDS

from clickstream_generator.core.journeys import Journeys, compile_journeys
from clickstream_generator.core.rhythm import Rhythm, build_rhythm
from clickstream_generator.core.world import World, build_world, remix_world

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation, SimulationSpec

__all__ = ["Behaviour", "Behaviours", "Revision", "check_change"]


@dataclass(frozen=True)
class Behaviour:
    """A specification, worked out."""

    spec: SimulationSpec
    world: World
    journeys: Journeys
    rhythm: Rhythm


@dataclass(frozen=True)
class Revision:
    """A simulation's specification and since when it holds.

    Attributes:
        until_seconds: The one before holds for events due until then, Unix seconds.
        from_seconds: This one begins. Later than the former where what was due in between is
            left out, else the same.
        simulation: The specification.
    """

    until_seconds: float
    from_seconds: float
    simulation: Simulation

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "until_seconds": self.until_seconds,
            "from_seconds": self.from_seconds,
            "document": self._document,
        }

    @cached_property
    def _document(self) -> str:
        # Each shard's position tells it, again and again while it is new.
        return dump_simulation(self.simulation)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Revision:
        """Read what :meth:`to_json` made."""
        return cls(row["until_seconds"], row["from_seconds"], parse_simulation(row["document"]))


class Behaviours:
    """Works specifications of one run out, each once.

    Args:
        first: The one that the run began with.

    Attributes:
        world: The first one's world; what does not change on the fly is in there.
    """

    def __init__(self, first: SimulationSpec) -> None:
        self.world = build_world(first)
        self._known: dict[str, Behaviour] = {}

    def of(self, spec: SimulationSpec) -> Behaviour:
        """Return how users behave under the specification.

        Raises:
            SimulationInvalid: A session could go on for ever.
        """
        text = spec.model_dump_json()
        if text not in self._known:
            world = remix_world(self.world, spec)
            try:
                journeys = compile_journeys(world.personas)
            except np.linalg.LinAlgError:
                raise SimulationInvalid(
                    "spec.personas",
                    [persona.name for persona in spec.personas],
                    "with an empty, a filled and a full cart there must be a way to the exit",
                ) from None
            rhythm = build_rhythm(world, journeys, spec.rate.curve)
            self._known[text] = Behaviour(spec, world, journeys, rhythm)
        return self._known[text]


def check_change(running: Simulation, wanted: Simulation) -> None:
    """Refuse a change that a running simulation cannot take up.

    Raises:
        SimulationInvalid: It touches something that holds for the whole run.
    """
    if wanted.full_name != running.full_name:
        raise SimulationInvalid(
            "metadata.name", wanted.full_name, f"it stays {running.full_name} in a run"
        )
    for name in FIXED_FIELDS:
        before, after = getattr(running.spec, name), getattr(wanted.spec, name)
        if before != after:
            raise SimulationInvalid(f"spec.{name}", after, "it stays as it is in a run")
    before_names, after_names = (
        list(resolve_personas(simulation.spec)) for simulation in (running, wanted)
    )
    if before_names != after_names:
        own = [persona.name for persona in running.spec.personas]
        raise SimulationInvalid(
            "spec.personas",
            [persona.name for persona in wanted.spec.personas],
            f"in a run personas can change, but stay these: {', '.join(own) or 'none'}",
        )
