"""A run into a folder: wherever it is killed, it continues to the same files."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_generator.core.making import begin_run
from clickstream_generator.core.run_record import Layout
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.shell import folder_run, run_folder
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.folder_run import FolderRun
from clickstream_generator.shell.run_folder import RunFolder
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.simulation_source import Overrides
from clickstream_generator.shell.whole_files import write_whole
from run_folders import event_ids, json_lines, ledger
from run_records import run_record, shared_worlds
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.run_record import RunRecord

FIRST = simulation(
    more="  stopAfter: {events: 1200}\n"
    "  faults: {latePermille: 100, duplicatePermille: 50, corruptPermille: 20,"
    " lossPermille: 10, maxLatenessSeconds: 1}\n",
    users=400,
)
DAY_END = START_SECONDS // 86_400 * 86_400 + 86_400


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


class _Killed(BaseException):
    """Ends a run like a kill: nothing after it is done."""


class _Clock(Clock):
    """A clock that a test sets."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.seconds = now

    def now(self) -> float:
        """Return the set time, and let a little time pass."""
        self.seconds += 0.1
        return self.seconds


def _record(first: Simulation = FIRST, start: float = START_SECONDS) -> RunRecord:
    return replace(run_record(first)[0], layout=Layout("jsonl", 100), start_seconds=start)


def _run(
    path: Path,
    record: RunRecord,
    *,
    stop: Event | None = None,
    edits: Edits | None = None,
    is_paced: bool = False,
    show: Callable[[], None] = lambda: None,
    now: float = START_SECONDS,
) -> RunRecord:
    """Run to the end, or on from where the folder is."""
    with RunFolder(path, "jsonl") as folder:
        kept = folder.record or record
        simulator = Simulator(kept.first, (0, 1, 2, 3), kept.run_id)
        maker = begin_run(simulator, kept, folder.snapshots())
        run = FolderRun(
            maker,
            folder,
            kept,
            _Clock(now),
            edits,
            show,
            is_paced=is_paced,
            snapshot_seconds=0.05,
        )
        run.run(stop or Event())
        return run.record


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing disturbed."""
    path = tmp_path_factory.mktemp("whole")
    _run(path, _record())
    return path


def test_folder_has_the_run(whole: Path) -> None:
    """Files and ledger have every event; the record says that the run is over."""
    entries = ledger(whole)
    minutes = [row for (_, kind, _), row in entries.items() if kind == "minute"]
    ends = [row for (_, kind, _), row in entries.items() if kind == "shard_end"]
    lost = sum(row["lost_faults"] for row in minutes)
    planted = sum(
        value for row in minutes for name, value in row.items()
        if name.endswith("_faults") and name not in {"lost_faults", "late_faults"}
    )  # fmt: skip

    assert lost
    assert sum(row["late_faults"] for row in minutes)
    assert sum(row["events"] for row in minutes) == 1200 - lost
    assert len(json_lines(whole)) == 1200 - lost + planted
    assert [row["shard_seq"] for row in ends] == [300] * 4
    assert sum(row["records_acknowledged"] for row in ends) == len(json_lines(whole))
    with RunFolder(whole, "jsonl") as folder:
        assert folder.record is not None
        assert folder.record.ended_at is not None
        assert folder.record.ends_at == dict.fromkeys(range(4), 300)
    assert not (whole / "state").exists()


def test_part_is_a_range_of_numbers(whole: Path) -> None:
    """Each part but the last has a hundred of a shard's events, in one file."""
    names = sorted(path.name for path in whole.glob("ledger/*"))

    assert names == [
        f"shard-{shard:04d}-part-{part:05d}.jsonl" for shard in range(4) for part in (1, 2, 3, 4)
    ]


def test_killed_run_continues(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before every fifth file, the run ends with the same files and ledger."""
    wanted = json_lines(whole), ledger(whole)
    count = 0

    def dying(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count % 5 == 0:
            raise _Killed
        write_whole(path, content)

    monkeypatch.setattr(run_folder, "write_whole", dying)
    kills = 0
    while True:
        try:
            _run(tmp_path, _record())
            break
        except _Killed:
            kills += 1
            assert kills < 30
    assert kills > 6
    assert (json_lines(tmp_path), ledger(tmp_path)) == wanted


def test_day_has_a_folder(tmp_path: Path) -> None:
    """Events lie in the folder of their day, also where a part has two days."""
    first = simulation("{eventsPerSecond: 40}", "  stopAfter: {events: 400}\n", users=400)
    _run(tmp_path, _record(first, DAY_END - 5))

    days = {path.parent.name for path in tmp_path.glob("events/*/*")}
    assert days == {"day=2025-11-24", "day=2025-11-25"}
    for path in tmp_path.glob("events/*"):
        day = path.name.removeprefix("day=").encode()
        for file in path.iterdir():
            (tmp_path / "one" / "events" / path.name).mkdir(parents=True, exist_ok=True)
            file.rename(tmp_path / "one" / "events" / path.name / file.name)
        lines = json_lines(tmp_path / "one")
        assert any(b'"event_time":"' + day in line for line in lines)
    assert len(json_lines(tmp_path / "one")) == 400


def test_stopped_run_is_over(tmp_path: Path) -> None:
    """A stopped run closes its parts, and its record has the end."""
    stop = Event()
    endless = simulation(users=400)
    record = _run(tmp_path, _record(endless), stop=stop, show=stop.set)

    assert record.ended_at is not None
    assert sum(record.ends_at.values()) == sum(event_ids(tmp_path).values()) > 0
    again = tmp_path / "again"
    _run(again, replace(record, layout=Layout("jsonl", 77)))
    assert json_lines(again) == json_lines(tmp_path)


def test_edits_are_in_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with edits is made again from its record, event by event."""
    monkeypatch.setattr(folder_run, "TICK_SECONDS", 0.0)
    file = tmp_path / "simulation.yaml"
    first = simulation("{eventsPerSecond: 20}", users=400)
    file.write_text(dump_simulation(first), encoding="utf-8")
    edits = Edits(SimulationFile(file), Overrides().applied)
    stop, steps = Event(), 0

    def edit() -> None:
        nonlocal steps
        steps += 1
        if steps % 20 == 0:
            rate = f"{{eventsPerSecond: {20 + steps // 4}}}"
            mix = f"Browser: 100, Buyer: {steps}"
            file.write_text(dump_simulation(simulation(rate, users=400, mix=mix)), "utf-8")
        if steps == 80:
            stop.set()

    record = _run(tmp_path / "a", _record(first), stop=stop, edits=edits, is_paced=True, show=edit)
    assert len(record.revisions) == 3

    _run(tmp_path / "b", replace(record, ended_at=None))
    assert json_lines(tmp_path / "a") == json_lines(tmp_path / "b") != []


def test_silent_run_ends(tmp_path: Path) -> None:
    """A run in which nothing will ever be due again ends instead of waiting."""
    silent = simulation(
        "{eventsPerSecond: 10, curve: Steps,"
        " steps: [{multiplierPermille: 1000, for: 6s}, {multiplierPermille: 0, for: 60s}]}",
        users=400,
    )
    _run(tmp_path, _record(silent))

    assert sum(event_ids(tmp_path).values()) == 60
