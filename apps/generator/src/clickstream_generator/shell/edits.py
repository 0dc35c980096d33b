"""Edits of the simulation's file during a run.

Owns which edit becomes a revision, and when it takes effect.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.behaviour import Revision, check_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.shell.simulation_file import SimulationFile

__all__ = ["Edits"]

_LOG = logging.getLogger(__name__)


class Edits:
    """The watcher of a simulation's file.

    Args:
        file: The file.
        overridden: Returns a simulation with the overrides of the command line.
        count: Called with the outcome of each edit, ``accepted`` or ``refused``.
    """

    def __init__(
        self,
        file: SimulationFile,
        overridden: Callable[[Simulation], Simulation] = lambda simulation: simulation,
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._file, self._overridden, self._count = file, overridden, count

    def next_revision(
        self,
        simulator: Simulator,
        running: Simulation,
        now: float,
        *,
        not_before: float = 0.0,
        is_repeated: bool = False,
    ) -> Revision | None:
        """Return the revision of a new edit, or ``None``; log an invalid edit.

        Args:
            simulator: The run's simulator.
            running: The current simulation, including an announced revision.
            now: The current time, Unix seconds.
            not_before: The earliest moment of the revision, Unix seconds.
            is_repeated: Whether to return a revision of an unchanged file, too.
        """
        try:
            self._file.refresh(now)
            wanted = self._overridden(self._file.simulation)
            if wanted.spec == running.spec and not is_repeated:
                return None
            check_change(simulator.first, wanted)
            simulator.check(wanted)
        except SimulationInvalid as error:
            _LOG.error(
                "rejected the changed simulation, the previous one stays in effect: %s", error
            )
            self._count("refused")
            self._file.simulation = running
            return None
        moment = max(
            now,
            wanted.effective_from_seconds or now,
            simulator.earliest_revision_seconds(),
            not_before,
        )
        self._count("accepted")
        _LOG.info("the new specification takes effect at %.3f", moment)
        return Revision(moment, moment, wanted)
