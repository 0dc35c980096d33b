"""The simulation's file, watched for changes.

Owns reading it again when its content has changed. Kubernetes replaces a mounted file by
another behind a link, so content is compared, not times. It does not know what changes mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.document import parse_simulation
from clickstream_contract.errors import SimulationInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.simulation import Simulation

__all__ = ["SimulationFile"]

_CHECK_SECONDS = 1.0


class SimulationFile:
    """A file with a simulation.

    Args:
        path: Where it is.

    Attributes:
        simulation: What its owner wants, as far as it could be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = path.read_bytes()
        self._next_check_seconds = 0.0
        self.simulation = _parsed(self._content)

    def refresh(self, now_seconds: float) -> None:
        """Read the simulation again if it is time and the file has changed.

        Raises:
            SimulationInvalid: It has, to something that cannot be used. It is said once.
        """
        if now_seconds < self._next_check_seconds:
            return
        self._next_check_seconds = now_seconds + _CHECK_SECONDS
        try:
            content = self._path.read_bytes()
        except OSError:
            # Between two versions there may be none for a moment.
            return
        if content != self._content:
            self._content = content
            self.simulation = _parsed(content)


def _parsed(content: bytes) -> Simulation:
    try:
        return parse_simulation(content.decode())
    except UnicodeDecodeError:
        raise SimulationInvalid("document", "bytes", "text in UTF-8") from None
