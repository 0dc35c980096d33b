"""Edits of the file: which becomes a revision, when, and which is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.simulation_source import Overrides
from simulations import START_SECONDS, simulation, simulator

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.simulation import Simulation

FIRST = simulation(users=400)
OTHER = simulation("{eventsPerSecond: 7}", users=400)
NOW = START_SECONDS + 5


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with the first simulation."""
    path = tmp_path / "simulation.yaml"
    _write(path, FIRST)
    return path


def _write(path: Path, wanted: Simulation) -> None:
    path.write_text(dump_simulation(wanted), encoding="utf-8")


def _edits(file: Path, overrides: Overrides | None = None) -> Edits:
    return Edits(SimulationFile(file), (overrides or Overrides()).applied)


def test_edit_holds_from_now(file: Path) -> None:
    """An unchanged file makes no revision; an edit makes one that takes effect now."""
    edits, source = _edits(file), simulator(users=400)
    assert edits.next_revision(source, FIRST, NOW) is None
    _write(file, OTHER)

    assert edits.next_revision(source, FIRST, NOW + 2) == Revision(NOW + 2, NOW + 2, OTHER)


def test_edit_waits_for_the_one_before(file: Path) -> None:
    """No revision overtakes one that is announced."""
    edits, source = _edits(file), simulator(users=400)
    source.revise(Revision(NOW + 60, NOW + 60, FIRST))
    _write(file, OTHER)

    revision = edits.next_revision(source, FIRST, NOW)
    assert revision is not None
    assert revision.from_seconds == NOW + 60


def test_edit_may_name_its_moment(file: Path) -> None:
    """The annotation says from when an edit holds."""
    edits, source = _edits(file), simulator(users=400)
    text = dump_simulation(OTHER).replace(
        "metadata:", 'metadata:\n  annotations: {clickstream.dev/effective-from: "2030-01-01T00Z"}'
    )
    file.write_text(text, encoding="utf-8")

    revision = edits.next_revision(source, FIRST, NOW)
    assert revision is not None
    assert revision.from_seconds == 1_893_456_000.0


def test_command_line_holds_on(file: Path) -> None:
    """What the command line changes stays changed in an edit."""
    overrides = Overrides(rate=33)
    edits, source = _edits(file, overrides), simulator(users=400)
    running = overrides.applied(FIRST)
    assert edits.next_revision(source, running, NOW) is None
    _write(file, OTHER)

    assert edits.next_revision(source, running, NOW + 2) is None


@pytest.mark.parametrize(
    "text",
    [
        "]",
        dump_simulation(FIRST).replace("seed: 42", "seed: 43"),
        dump_simulation(FIRST).replace("name: tested", "name: other"),
    ],
)
def test_unusable_edit_is_logged_once(
    file: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken edit, and one of what holds for the run, changes nothing."""
    edits, source = _edits(file), simulator(users=400)
    if "name: other" in text:
        text = text.replace("seed: 42", "seed: 44")
    file.write_text(text, encoding="utf-8")

    assert [edits.next_revision(source, FIRST, NOW + 2 * step) for step in range(3)] == [None] * 3
    assert [row.getMessage()[:31] for row in caplog.records] == ["rejected the changed simulation"]


def test_outcomes_are_counted(file: Path) -> None:
    """Each edit counts once, as accepted or as refused."""
    outcomes: list[str] = []
    edits, source = Edits(SimulationFile(file), count=outcomes.append), simulator(users=400)
    assert edits.next_revision(source, FIRST, NOW) is None
    _write(file, OTHER)
    assert edits.next_revision(source, FIRST, NOW + 2) is not None
    file.write_text("]", encoding="utf-8")

    assert [edits.next_revision(source, OTHER, NOW + 2 * step) for step in (2, 3)] == [None] * 2
    assert outcomes == ["accepted", "refused"]


def test_unchanged_file_may_be_repeated(file: Path) -> None:
    """A worker announces the running specification again, and not before a moment."""
    edits, source = _edits(file), simulator(users=400)

    revision = edits.next_revision(source, FIRST, NOW, not_before=NOW + 9, is_repeated=True)

    assert revision == Revision(NOW + 9, NOW + 9, FIRST)
