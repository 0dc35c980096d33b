"""The simulation's file: read again when its content has changed, and refused once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.shell.simulation_file import SimulationFile
from simulations import simulation

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.simulation import Simulation

FIRST, SECOND = simulation(), simulation("{eventsPerSecond: 7}")


def _write(path: Path, wanted: Simulation) -> None:
    path.write_text(dump_simulation(wanted), encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with the first simulation."""
    found = tmp_path / "simulation.yaml"
    _write(found, FIRST)
    return found


def test_changed_file_is_read(path: Path) -> None:
    """The file is read again at most once a second."""
    file = SimulationFile(path)
    assert file.simulation == FIRST
    file.refresh(100.0)
    _write(path, SECOND)

    file.refresh(100.999)
    assert file.simulation == FIRST
    file.refresh(101.0)
    assert file.simulation == SECOND


def test_unchanged_file_keeps_simulation(path: Path) -> None:
    """The same content is not read again: what was set back stays."""
    file = SimulationFile(path)
    file.simulation = SECOND
    _write(path, FIRST)

    file.refresh(1.0)

    assert file.simulation == SECOND


def test_missing_file_is_waited_for(path: Path) -> None:
    """Between two versions there may be no file; the simulation stays until there is one."""
    file = SimulationFile(path)
    path.unlink()
    file.refresh(1.0)
    assert file.simulation == FIRST

    _write(path, SECOND)
    file.refresh(2.0)
    assert file.simulation == SECOND


def test_wrong_content_is_refused_once(path: Path) -> None:
    """Content that cannot be used raises once, and the simulation stays."""
    file = SimulationFile(path)
    path.write_text("a: 1", encoding="utf-8")

    with pytest.raises(SimulationInvalid, match="apiVersion"):
        file.refresh(1.0)
    file.refresh(2.0)

    assert file.simulation == FIRST


def test_other_encoding_is_refused(path: Path) -> None:
    """Bytes that are not UTF-8 are no document."""
    path.write_bytes(b"\xff")

    with pytest.raises(SimulationInvalid, match="document: 'bytes' is not allowed; text in UTF-8"):
        SimulationFile(path)
