"""Run records for tests of the generator alone.

Builds them for the simulations of :mod:`simulations`, and shares objects that take long to build.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from clickstream_generator.core import behaviour
from clickstream_generator.core.making import begin_run
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.world import build_world
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_contract.simulation import Simulation, SimulationSpec
    from clickstream_generator.core.making import Maker
    from clickstream_generator.core.world import World

__all__ = ["begun", "run_record", "shared_worlds"]

_MAKES_A_WORLD = {
    "seed", "catalog", "countries", "devices", "user_mix", "personas", "experiments", "tastes",
}  # fmt: skip

_STOP = "  stopAfter: {events: 4000}\n"


def run_record(first: Simulation | None = None) -> tuple[RunRecord, Simulator]:
    """Return a record and the simulator of its run, which has not begun.

    Args:
        first: The simulation; one of 4,000 events if absent.
    """
    wanted = first or simulation(more=_STOP, users=400)
    simulator = Simulator(wanted, tuple(range(wanted.spec.shards)), RUN_ID)
    record = RunRecord(
        RUN_ID, wanted, START_SECONDS, simulator.fingerprint, "1.2.3", "2026-11-29T00:00:00.000Z"
    )
    return record, simulator


def begun(first: Simulation | None = None) -> tuple[RunRecord, Maker]:
    """Return a record and the maker of its run, which has begun."""
    record, simulator = run_record(first)
    return record, begin_run(simulator, record)


@contextmanager
def shared_worlds() -> Iterator[None]:
    """Build each world once: worlds do not change, and Faker takes a second for one."""
    known: dict[str, World] = {}

    def shared(spec: SimulationSpec) -> World:
        key = spec.model_dump_json(include=_MAKES_A_WORLD)
        if key not in known:
            known[key] = build_world(spec)
        return known[key]

    with mock.patch.object(behaviour, "build_world", shared):
        yield
