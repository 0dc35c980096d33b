"""The simulation of a command: a file, with the overrides of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clickstream_contract.document import parse_simulation
from clickstream_contract.duration import duration_seconds
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import HIGHEST_COUNT
from clickstream_contract.rate import MAX_EVENTS_PER_SECOND

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.simulation import Simulation

__all__ = ["Overrides", "read_simulation", "read_start"]


@dataclass(frozen=True)
class Overrides:
    """The overrides of a simulation by the command line.

    Attributes:
        for_: Duration of the run, such as ``10m``.
        rate: Events per second.
        events: Number of events of the run.
    """

    for_: str | None = None
    rate: int | None = None
    events: int | None = None

    def applied(self, simulation: Simulation) -> Simulation:
        """Return the simulation with these overrides.

        Raises:
            SimulationInvalid: An option is out of bounds.
        """
        seconds = None
        if self.for_ is not None:
            try:
                seconds = duration_seconds(self.for_)
            except ValueError:
                allowed = "a duration such as 90s, 10m or 1h30m"
                raise SimulationInvalid("--for", self.for_, allowed) from None
        for name, value, most in (
            ("--rate", self.rate, MAX_EVENTS_PER_SECOND),
            ("--events", self.events, HIGHEST_COUNT),
        ):
            if value is not None and not 1 <= value <= most:
                raise SimulationInvalid(name, value, f"it must be from 1 to {most}")
        if seconds is not None and self.events is not None:
            raise SimulationInvalid("--events", self.events, "give either --events or --for")
        return simulation.with_overrides(
            duration_seconds=seconds, events_per_second=self.rate, events=self.events
        )


def read_start(text: str | None) -> float | None:
    """Return the start of the live part from the option ``--start``, in Unix seconds.

    Raises:
        SimulationInvalid: It is not a time with a time zone.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        allowed = "a time with a time zone, such as 2026-11-27T08:00:00Z"
        raise SimulationInvalid("--start", text, allowed)
    return moment.timestamp()


def read_simulation(file: Path, overrides: Overrides) -> Simulation:
    """Return the simulation of a file, with overrides.

    Raises:
        SimulationInvalid: The file or an option cannot be used.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulationInvalid(str(file), None, f"it cannot be read: {error}") from None
    simulation = parse_simulation(text)
    if simulation.spec.suspend:
        raise SimulationInvalid("spec.suspend", True, "it must be false to run")  # noqa: FBT003  the value found
    return overrides.applied(simulation)
