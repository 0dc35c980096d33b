"""The events of a whole run, without records: what exercises count.

Owns the arrays of a run's events and of its sessions. The events are those that
``clickstream generate`` makes for the same simulation and start; faults only repeat or delay them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.events import CODE
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.behaviour import Behaviour

__all__ = ["PlayedRun", "play"]

_MOST_EVENTS = 3_000_000
"""They take half a gigabyte."""
_NO_RUN = UUID(int=0)
"""The run's id changes no event that is counted here."""


@dataclass(frozen=True)
class PlayedRun:
    """The events of a run.

    Attributes:
        simulation: The simulation.
        behaviour: Its behaviour.
        rows: Shape (events,), of EVENT_DTYPE; sorted by shard, session and number in the session.
        traits: Shape (shards, users, 3), as many users as the largest shard has; of each user the
            numbers of technology, channel and country.
    """

    simulation: Simulation
    behaviour: Behaviour
    rows: np.ndarray
    traits: np.ndarray

    @cached_property
    def users(self) -> np.ndarray:
        """Shape (events,); a number for each user of the run."""
        return self.rows["shard"].astype(np.int64) << 32 | self.rows["user"]

    @cached_property
    def session_starts(self) -> np.ndarray:
        """Shape (sessions,); the place of each session's first event."""
        key = self.rows["shard"].astype(np.int64) << 48 | self.rows["session_no"]
        return np.flatnonzero(np.diff(key, prepend=-1))

    def sessions_with(self, name: str) -> np.ndarray:
        """Return which sessions have an event of this name; shape (sessions,)."""
        has = self.rows["code"] == CODE[name]
        found: np.ndarray = np.logical_or.reduceat(has, self.session_starts)
        return found

    def session_values(self, attribute: str) -> np.ndarray:
        """Return the value of an attribute, one of ATTRIBUTES, of each session, as text."""
        first, world = self.rows[self.session_starts], self.behaviour.world
        if attribute == "persona":
            return np.array([row.name for row in world.personas])[first["persona"]]
        if attribute == "session":
            return np.where(first["session_number"] == 1, "first", "later")
        technology, channel, country = self.traits[first["shard"], first["user"]].T
        if attribute == "channel":
            return np.array(list(CHANNELS))[channel]
        if attribute == "country":
            return np.array(world.country_codes)[country]
        if attribute == "hour":
            local = first["event_time_ms"] // 60_000 + world.utc_offset_minutes[country]
            return (local // 60 % 24).astype(np.int64).astype(str)
        return np.array([getattr(row, attribute) for row in world.technologies])[technology]

    def session_arms(self, experiment: str) -> np.ndarray:
        """Return the arm of each session in an experiment, or an empty text outside of it."""
        arms = [
            dict(part.split("=") for part in text.split(",") if part).get(experiment, "")
            for text in self.behaviour.world.exposures
        ]
        return np.array(arms)[self.rows["subject"][self.session_starts]]


def play(simulation: Simulation, start_seconds: float) -> PlayedRun:
    """Return the events of a run.

    Args:
        simulation: The simulation.
        start_seconds: When the live part starts, Unix seconds.

    Raises:
        SimulationInvalid: The run has no end, is too long, or loses events.
    """
    spec = simulation.spec
    if spec.faults.loss_permille:
        allowed = "it must be 0: an event that was never sent is in no file"
        raise SimulationInvalid("spec.faults.lossPermille", spec.faults.loss_permille, allowed)
    if losing := [row.name for row in spec.effects.every if row.faults.loss_permille]:
        allowed = "no overlay with lossPermille: an event that was never sent is in no file"
        raise SimulationInvalid("spec.effects.overlays", losing, allowed)
    if losing := [row.name for row in spec.every_incident if row.loses_events]:
        allowed = "no incident of the kind TrackingLost: an event that was never sent is in no file"
        raise SimulationInvalid("spec.incidents", losing, allowed)
    source = Simulator(simulation, tuple(range(spec.shards)), _NO_RUN)
    carried = source.begin(start_seconds)
    ends = {number: row.shard.last_seq for number, row in carried.items()}
    if None in ends.values():
        raise SimulationInvalid("spec.stopAfter", None, "an exercise needs a run with an end")
    if (count := sum(end or 0 for end in ends.values())) > _MOST_EVENTS:
        allowed = f"a run of at most {_MOST_EVENTS:,} events"
        raise SimulationInvalid("spec.stopAfter", f"{count:,} events", allowed)
    parts = []
    for number, end in ends.items():
        while len(events := source.replay(number, end or 0)):
            parts.append(events.rows)
    if not parts:
        raise SimulationInvalid("spec.stopAfter", "0 events", "a run with events")
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows["session_seq"], rows["session_no"], rows["shard"]))]
    behaviour = carried[0].shard.behaviour
    people = [row.shard.population for row in carried.values()]
    traits = np.zeros((len(people), max(len(row.persona) for row in people), 3), dtype=np.int32)
    for place, row in enumerate(people):
        country = behaviour.world.countries_of(row.city)
        traits[place, : len(row.persona)] = np.stack([row.technology, row.channel, country], axis=1)
    return PlayedRun(simulation, behaviour, rows, traits)
