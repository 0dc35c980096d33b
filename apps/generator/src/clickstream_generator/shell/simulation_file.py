"""The simulation's file, read again after a change.

Kubernetes replaces a mounted file through a symbolic link, so the content is compared, not the
file's time.
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
        path: The file.

    Attributes:
        simulation: The last valid simulation of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = path.read_bytes()
        self._next_check_seconds = 0.0
        self.simulation = _parsed(self._content)

    def refresh(self, now_seconds: float) -> None:
        """Read the file again if a check is due and its content has changed.

        Raises:
            SimulationInvalid: The new content is invalid; raised once per change.
        """
        if now_seconds < self._next_check_seconds:
            return
        self._next_check_seconds = now_seconds + _CHECK_SECONDS
        try:
            content = self._path.read_bytes()
        except OSError:
            # The file may be missing for a moment while it is replaced.
            return
        if content != self._content:
            self._content = content
            self.simulation = _parsed(content)


def _parsed(content: bytes) -> Simulation:
    try:
        return parse_simulation(content.decode())
    except UnicodeDecodeError:
        raise SimulationInvalid("document", "bytes", "text in UTF-8") from None
