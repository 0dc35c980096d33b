"""Edits of the simulation's file while a run is under way.

Owns which edit becomes a revision, and from which moment.
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
    """Watches the file of a simulation.

    Args:
        file: The file.
        overridden: Returns a simulation of the file with what the command line changes of it.
    """

    def __init__(
        self, file: SimulationFile, overridden: Callable[[Simulation], Simulation]
    ) -> None:
        self._file, self._overridden = file, overridden

    def next_revision(
        self, simulator: Simulator, running: Simulation, now: float
    ) -> Revision | None:
        """Return the revision that an edit makes; an edit that cannot be used is logged.

        Args:
            simulator: Of the run; everything that was due until now may be handed out.
            running: The simulation that holds or is announced.
            now: The present, Unix seconds.
        """
        try:
            self._file.refresh(now)
            wanted = self._overridden(self._file.simulation)
            if wanted.spec == running.spec:
                return None
            check_change(simulator.first, wanted)
            simulator.check(wanted)
        except SimulationInvalid as error:
            _LOG.error("the changed simulation is refused, the old one stays in force: %s", error)
            self._file.simulation = running
            return None
        moment = max(
            now, wanted.effective_from_seconds or now, simulator.earliest_revision_seconds()
        )
        _LOG.info("another specification holds from %.3f", moment)
        return Revision(moment, moment, wanted)
