"""Simulations for tests of the generator, and thousands of their events.

Owns building them without a clock or a broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
from clickstream_contract.document import parse_simulation
from clickstream_generator.core.simulator import Simulator

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.carried_shard import CarriedShard

__all__ = ["RUN_ID", "SMALL_SHOP", "START_SECONDS", "carried", "events", "simulation", "simulator"]

SMALL_SHOP = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: shop}
spec:
  seed: 42
  rate: {eventsPerSecond: 10}
  userMix: [{persona: Shopper, weight: 1}]
"""
"""A document with only what a simulation must have; more fields may follow."""

RUN_ID = UUID("00000000-0000-4000-8000-000000000007")
START_SECONDS = 1_764_000_000.0

_TEXT = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {{name: tested}}
spec:
  seed: 42
  rate: {rate}
  userMix: [{mix}]
  users: {users}
  catalog: {{products: 300, categories: 12}}
  shards: 4
{more}
"""
_NO_EFFECTS = "  effects: {preset: None}\n"


def simulator(
    rate: str = "{eventsPerSecond: 2000}",
    more: str = "",
    users: int = 50_000,
    numbers: tuple[int, ...] = (0, 1, 2, 3),
) -> Simulator:
    """Build a simulator that has begun."""
    return carried(rate, more, users, numbers)[0]


def carried(
    rate: str = "{eventsPerSecond: 2000}",
    more: str = "",
    users: int = 50_000,
    numbers: tuple[int, ...] = (0, 1, 2, 3),
) -> tuple[Simulator, dict[int, CarriedShard]]:
    """Build a simulator that has begun, and return it with its carried shards."""
    built = Simulator(simulation(rate, more, users), numbers, RUN_ID)
    return built, built.begin(START_SECONDS)


def simulation(
    rate: str = "{eventsPerSecond: 2000}",
    more: str = "",
    users: int = 50_000,
    mix: str = "Browser: 300, Shopper: 300, Buyer: 300, Bot: 100",
) -> Simulation:
    """Build a simulation, without effects unless ``more`` has some."""
    more = more if "effects:" in more else _NO_EFFECTS + more
    shares = ", ".join(
        f"{{persona: {name}, weight: {weight}}}"
        for name, _, weight in (part.partition(": ") for part in mix.split(", "))
    )
    return parse_simulation(_TEXT.format(rate=rate, users=users, more=more, mix=shares))


def events(source: Simulator, seconds: float, step_seconds: float = 5.0) -> np.ndarray:
    """Return the rows of all events due within ``seconds``, sorted by shard and number."""
    parts = [
        source.take_due(START_SECONDS + at, 10**9).rows
        for at in np.arange(step_seconds, seconds + step_seconds / 2, step_seconds)
    ]
    rows = np.concatenate(parts)
    return rows[np.lexsort((rows["shard_seq"], rows["shard"]))]
