"""The worker: it sends what is due, publishes the ledger, and takes up changes."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_contract.topics import LEDGER
from clickstream_generator.core.accounts import Account
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.faults import FaultPlanter, held_arrays
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.snapshot import capture_shard
from clickstream_generator.settings import Settings
from clickstream_generator.shell.shard_log import Position, StoredShard
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.telemetry import Telemetry
from clickstream_generator.shell.worker import Worker
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.shell.kafka_sink import Batch, Record

_FLYING = 3


class _SlowBroker:
    """A sink whose broker acknowledges a batch only when some more have been sent."""

    def __init__(self, room: int) -> None:
        self.minutes: dict[str, dict[str, int]] = {}
        self._room = room
        self._flying: deque[Batch] = deque()

    def is_idle(self) -> bool:
        """Say whether all is acknowledged."""
        return not self._flying

    def in_flight(self) -> int:
        """Count batches for records."""
        return len(self._flying)

    def has_room(self, _records: int) -> bool:
        """Take some batches at a time."""
        return len(self._flying) < self._room

    def tallies(self) -> list[object]:
        """Return the figures of what is under way."""
        return [batch.tally for batch in self._flying]

    def send(self, _records: list[Record], batch: Batch) -> None:
        """Take events."""
        self._flying.append(batch)

    def publish(self, topic: str, rows: list[tuple[bytes, bytes | None]], batch: Batch) -> None:
        """Take the ledger, and keep the last record of each minute."""
        self._flying.append(batch)
        for row in (json.loads(value or b"{}") for _, value in rows if topic == LEDGER.name):
            if row["kind"] == "minute":
                self.minutes[f"{row['shard']} {row['minute']}"] = row

    def poll(self, seconds: float) -> list[Batch]:
        """Acknowledge what is old; all of it to somebody who waits."""
        kept = 0 if seconds else _FLYING
        return [self._flying.popleft() for _ in range(len(self._flying) - kept)]


class _Clock:
    """A clock on which much happens between two looks."""

    def __init__(self) -> None:
        self.seconds = START_SECONDS

    def now(self) -> float:
        """Return Unix seconds, later each time."""
        self.seconds += 0.7
        return self.seconds


@pytest.mark.parametrize("room", [10**9, 2])
def test_history_keeps_every_event(tmp_path: Path, room: int) -> None:
    """However far history is ahead of the broker, the ledger's last word has every event.

    Late ones too, where the broker has no room for all of them at the end.
    """
    wanted = simulation(
        "{eventsPerMinute: 30}",
        "  backfill: {days: 3}\n  stopAfter: {events: 3000}\n"
        "  faults: {latePermille: 20, maxLatenessSeconds: 60}\n",
    )
    (tmp_path / "simulation.yaml").write_text(dump_simulation(wanted), encoding="utf-8")
    settings = replace(
        Settings(tmp_path / "simulation.yaml", "127.0.0.1:9"),
        queue_records=1_000,
        drain_seconds=1e9,
    )
    source = Simulator(wanted, (0, 1, 2, 3), RUN_ID)
    source.begin(START_SECONDS)
    sink = _SlowBroker(room)
    file = SimulationFile(settings.simulation_file)

    with Telemetry("127.0.0.1", 0) as telemetry:
        Worker(RUN_ID, source, sink, telemetry, _Clock(), file, settings).run(Event())

    assert sum(row["events"] for row in sink.minutes.values()) == 3_000


def test_newest_specification_is_announced(tmp_path: Path) -> None:
    """One comes from a worker that had announced a change, the other from one that had not."""
    first, changed = simulation(), simulation("{eventsPerSecond: 50}")
    revision = Revision(START_SECONDS + 5, START_SECONDS + 5, changed)
    (tmp_path / "simulation.yaml").write_text(dump_simulation(changed), encoding="utf-8")
    settings = Settings(tmp_path / "simulation.yaml", "127.0.0.1:9")
    begun = Simulator(first, (0, 1), RUN_ID)
    begun.begin(START_SECONDS)
    snapshots = {}
    for number, shard in begun.shards.items():
        snapshots[number] = capture_shard(shard, first)
        snapshots[number].header["fault_rng"] = FaultPlanter(42, [number]).state(number)
        snapshots[number].arrays.update(Account(number, 4).to_arrays(), **held_arrays([]))
    source = Simulator(first, (0, 1), RUN_ID)
    source.begin(START_SECONDS, snapshots)
    file, clock = SimulationFile(settings.simulation_file), _Clock()
    with Telemetry("127.0.0.1", 0) as telemetry:
        worker = Worker(RUN_ID, source, _SlowBroker(9), telemetry, clock, file, settings)
        told = Position(0, revisions=(revision,))
        worker.resume(
            {0: StoredShard(Position(0), snapshots[0]), 1: StoredShard(told, snapshots[1])}
        )
        worker._look_for_change(clock.now())

    assert worker._keeper.announced is not None
    assert worker._keeper.announced.simulation.spec == changed.spec
