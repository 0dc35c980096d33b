"""A run into a stream: in the order of time, with ledger and record beside it."""

from __future__ import annotations

import io
import json
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_generator.core.making import begin_run
from clickstream_generator.errors import DrainTimeout
from clickstream_generator.shell import stream_run
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.simulation_source import Overrides
from clickstream_generator.shell.stream_run import StreamRun
from run_folders import content_hash
from run_records import run_record, shared_worlds
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.shell.sink import Batch, Sink

COUNTED = simulation(more="  stopAfter: {events: 6000}\n", users=400)
FAULTY = simulation(
    more="  stopAfter: {events: 6000}\n"
    "  faults: {latePermille: 20, maxLatenessSeconds: 2, lossPermille: 10}\n",
    users=400,
)


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


class _Truth:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[RunRecord] = []
        self.entries: dict[tuple[int, str, str], dict[str, Any]] = {}
        self.rows: dict[str, list[dict[str, Any]]] = {"incidents": [], "experiments": []}

    def keep_record(self, record: RunRecord) -> None:
        """Keep it."""
        self.records.append(record)

    def keep_ledger(self, rows: list[dict[str, Any]]) -> None:
        """Keep the last entry of each minute."""
        for row in rows:
            self.entries[row["shard"], row["kind"], row["minute"]] = row

    def keep_truths(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """Keep them in their order."""
        self.rows[kind] += rows


class _Slow(LineSink):
    """A sink that acknowledges one batch with each call, and has little room."""

    def has_room(self, _records: int) -> bool:
        """Return whether no batch waits."""
        return len(self._written) < 2

    def poll(self, _seconds: float) -> list[Batch]:
        """Return the first batch."""
        return [self._written.pop(0)] if self._written else []


def _run(
    first: Simulation,
    *,
    sink: Sink | None = None,
    clock: Clock | None = None,
    edits: Edits | None = None,
    is_paced: bool = False,
    show: Callable[[], None] = lambda: None,
    stop: Event | None = None,
) -> tuple[list[bytes], _Truth]:
    """Run to the end, and return the lines with record and ledger."""
    stream, truth = io.BytesIO(), _Truth()
    record, simulator = run_record(first)
    run = StreamRun(
        begin_run(simulator, record),
        sink or LineSink(stream),
        [truth],
        record,
        clock or Clock(),
        edits,
        show,
        is_paced=is_paced,
    )
    run.run(stop or Event())
    assert run.record == truth.records[-1]
    return stream.getvalue().splitlines(), truth


def test_lines_are_in_time_order() -> None:
    """Every event comes once, in the order of its time over all shards."""
    lines, _ = _run(COUNTED)
    times = [json.loads(line)["event_time"] for line in lines]

    assert len(set(lines)) == 6_000
    assert times == sorted(times)
    assert {json.loads(line)["shard"] for line in lines[:8]} == {0, 1, 2, 3}


def test_ledger_and_record_are_complete() -> None:
    """The ledger counts what was sent, also what was late; the record says that it is over."""
    lines, truth = _run(FAULTY)
    minutes = [row for (_, kind, _), row in truth.entries.items() if kind == "minute"]
    ends = [row for (_, kind, _), row in truth.entries.items() if kind == "shard_end"]

    assert sum(row["events"] for row in minutes) == len(lines) < 6_000
    assert len(lines) + sum(row["lost_faults"] for row in minutes) == 6_000
    assert sum(row["records_acknowledged"] for row in ends) == len(lines)
    assert [row["shard_seq"] for row in ends] == [1_500] * 4
    record = truth.records[-1]
    assert (record.ends_at, record.ended_at is None) == (dict.fromkeys(range(4), 1_500), False)
    assert truth.records[0].ended_at is None


def test_begun_incidents_are_kept() -> None:
    """An incident that begins before the end of the run is kept; a later one is not."""
    kind = "kind: CartFails, for: 1m"
    incidents = f"[{{name: early, {kind}, at: 2s}}, {{name: later, {kind}, at: 30m}}]"
    more = f"  stopAfter: {{events: 6000}}\n  incidents: {incidents}\n"

    lines, truth = _run(simulation(more=more, users=400))

    last = max(json.loads(line)["event_time"] for line in lines)
    seconds = datetime.fromisoformat(last).timestamp() - START_SECONDS
    assert 2 < seconds < 1_800
    assert [row["incident"] for row in truth.rows["incidents"]] == ["early"]
    assert truth.rows["experiments"] == []


def test_arms_are_kept_once() -> None:
    """The arms of an experiment are kept once, however long the run; a later one's are not."""
    arms = "arms: [{name: control}, {name: other, transitions: {view_item: {add_to_cart: 1500}}}]"
    more = (
        "  stopAfter: {events: 6000}\n"
        f"  experiments: [{{name: button, {arms}}}, {{name: later, at: 30m, {arms}}}]\n"
    )

    _, truth = _run(simulation(more=more, users=400))

    rows = truth.rows["experiments"]
    assert [(row["experiment"], row["arm"], row["from_seconds"]) for row in rows] == [
        ("button", "control", START_SECONDS),
        ("button", "other", START_SECONDS),
    ]
    assert rows[1]["lift"] > 0.1


def test_late_events_come_later() -> None:
    """A late event comes after later events of its shard."""
    lines, truth = _run(FAULTY)
    numbers = [row["shard_seq"] for row in map(json.loads, lines) if row["shard"] == 0]
    behind = sum(numbers[at] < max(numbers[:at]) for at in range(1, len(numbers)))

    assert behind > 15
    assert sum(row["late_faults"] for row in truth.entries.values()) > 80


def test_slow_sink_gets_everything() -> None:
    """A sink without room is waited for, and its ledger is the same."""
    stream = io.BytesIO()
    _, slow = _run(FAULTY, sink=_Slow(stream))
    lines, fast = _run(FAULTY)

    assert content_hash(stream.getvalue().splitlines()) == content_hash(lines)
    assert slow.entries.keys() == fast.entries.keys()
    for key, row in slow.entries.items():
        assert row["content_checksum"] == fast.entries[key]["content_checksum"]


def test_slow_progress_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that needs longer than the deadline is waited for while its records get fewer."""

    class _Steady(LineSink):
        left = 0

        def send(self, records: list[Record], batch: Batch) -> None:
            super().send(records, batch)
            self.left = 5

        def in_flight(self) -> int:
            return self.left

        def poll(self, seconds: float) -> list[Batch]:
            self.left -= 1
            return [] if self.left > 0 else super().poll(seconds)

    monkeypatch.setattr(stream_run, "_DRAIN_SECONDS", -1.0)
    stream = io.BytesIO()
    _run(COUNTED, sink=_Steady(stream))
    assert len(stream.getvalue().splitlines()) == 6_000


def test_silent_sink_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records without acknowledgement end the run with their number."""

    class _Silent(LineSink):
        def poll(self, _seconds: float) -> list[Batch]:
            return []

        def send(self, _records: list[Record], batch: Batch) -> None:
            self._written.append(batch)

    monkeypatch.setattr(stream_run, "_DRAIN_SECONDS", 0.01)
    with pytest.raises(DrainTimeout):
        _run(COUNTED, sink=_Silent(io.BytesIO()))


def test_paced_run_applies_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paced run makes due events, and an edit becomes a revision in the record."""
    monkeypatch.setattr(stream_run, "TICK_SECONDS", 0.0)
    file = tmp_path / "simulation.yaml"
    first = simulation("{eventsPerSecond: 100}", users=400)
    file.write_text(dump_simulation(first), encoding="utf-8")
    stop, steps = Event(), 0

    class _Clock(Clock):
        def now(self) -> float:
            return START_SECONDS + steps / 10

    def edit() -> None:
        nonlocal steps
        steps += 1
        if steps == 50:
            wanted = simulation("{eventsPerSecond: 300}", users=400)
            file.write_text(dump_simulation(wanted), encoding="utf-8")
        if steps == 100:
            stop.set()

    edits = Edits(SimulationFile(file), Overrides().applied)
    lines, truth = _run(
        first, clock=_Clock(), edits=edits, is_paced=True, show=edit, stop=stop,
        sink=None,
    )  # fmt: skip
    (revision,) = truth.records[-1].revisions
    assert 5 <= revision.from_seconds - START_SECONDS <= 6.1
    expected = 100 * (revision.from_seconds - START_SECONDS) + 300 * (
        START_SECONDS + 9.9 - revision.from_seconds
    )
    assert abs(len(lines) - expected) < 3
