"""The keeper of the run record: what is stored, and before which event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.record_keeper import RecordKeeper
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.simulation_source import Overrides
from run_records import begun, shared_worlds
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_generator.core.making import Maker
    from clickstream_generator.core.run_record import RunRecord

FIRST = simulation("{eventsPerSecond: 400}", users=400)
OTHER = simulation("{eventsPerSecond: 7}", users=400)


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


class _Kept:
    """A keeper, and for each stored record the revisions that were pending then."""

    def __init__(self, edits: Edits | None = None) -> None:
        record, self.maker = begun(FIRST)
        self.stored: list[tuple[RunRecord, int]] = []
        self.keeper = RecordKeeper(record, self._store, self.maker.simulator, edits)

    def _store(self, record: RunRecord) -> None:
        self.stored.append((record, _pending(self.maker)))


def _pending(maker: Maker) -> int:
    return len(maker.simulator.shards[0].pending)


def test_edit_is_stored_before_it_applies(tmp_path: Path) -> None:
    """The record has a revision before the simulator has it, and each edit only once."""
    path = tmp_path / "simulation.yaml"
    path.write_text(dump_simulation(OTHER), encoding="utf-8")
    kept = _Kept(Edits(SimulationFile(path), Overrides().applied))

    kept.keeper.take_up_edit(START_SECONDS + 1)
    kept.keeper.take_up_edit(START_SECONDS + 2)

    ((record, pending_then),) = kept.stored
    assert [row.simulation.spec for row in record.revisions] == [OTHER.spec]
    assert pending_then == 0
    assert _pending(kept.maker) == 1
    assert kept.keeper.record == record


def test_edits_may_be_ignored() -> None:
    """Without edits the record stays as it began."""
    kept = _Kept()

    kept.keeper.begin()
    kept.keeper.take_up_edit(START_SECONDS + 1)

    assert kept.stored == [(kept.keeper.record, 0)]
    assert kept.keeper.record.revisions == ()


def test_end_is_stored() -> None:
    """The decided end is the last event taken of each shard; the run is over later."""
    kept = _Kept()
    kept.maker.simulator.take_due(START_SECONDS + 1, 10**9)

    kept.keeper.decide_end()
    kept.keeper.complete(START_SECONDS + 2.5)

    first, last = (record for record, _ in kept.stored)
    assert first.ends_at == last.ends_at == dict.fromkeys(range(4), 100)
    assert (first.ended_at, last.ended_at) == (None, "2025-11-24T16:00:02.500Z")
    assert kept.maker.simulator.is_over()
