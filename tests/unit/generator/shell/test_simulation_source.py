"""The simulation of a command: the file, and what the command line changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.shell.simulation_source import Overrides, read_simulation
from simulations import simulation

if TYPE_CHECKING:
    from pathlib import Path

FIRST = simulation()


def test_file_is_read(tmp_path: Path) -> None:
    """Without options the simulation is the file's."""
    path = tmp_path / "a.yaml"
    path.write_text(dump_simulation(FIRST), encoding="utf-8")

    assert read_simulation(path, Overrides()) == FIRST


def test_options_change_end_and_rate() -> None:
    """Options change rate and end, and nothing else."""
    timed = Overrides(for_="1h30m", rate=7).applied(FIRST)
    counted = Overrides(events=9).applied(FIRST)

    assert timed.spec.stop_after is not None
    assert timed.spec.stop_after.duration_seconds == 5_400
    assert timed.spec.rate.per_second == 7
    assert counted.spec.stop_after is not None
    assert counted.spec.stop_after.events == 9
    assert counted.spec.model_copy(update={"stop_after": None}) == FIRST.spec


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        (Overrides(for_="soon"), "--for"),
        (Overrides(rate=0), "--rate"),
        (Overrides(events=0), "--events"),
        (Overrides(events=10**13), "--events"),
        (Overrides(events=5, for_="1h"), "--events"),
    ],
)
def test_option_out_of_bounds_is_named(overrides: Overrides, path: str) -> None:
    """An option that cannot be used is named."""
    with pytest.raises(SimulationInvalid) as refused:
        overrides.applied(FIRST)
    assert refused.value.path == path


def test_file_that_cannot_run_is_named(tmp_path: Path) -> None:
    """A missing file and a suspended simulation are refused."""
    path = tmp_path / "a.yaml"
    with pytest.raises(SimulationInvalid, match="it cannot be read"):
        read_simulation(path, Overrides())
    suspended = dump_simulation(FIRST).replace("suspend: false", "suspend: true")
    path.write_text(suspended, encoding="utf-8")

    with pytest.raises(SimulationInvalid, match=r"spec\.suspend"):
        read_simulation(path, Overrides())
