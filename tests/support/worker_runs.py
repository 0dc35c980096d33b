"""Workers in memory: a broker that acknowledges late, a clock that jumps, and a run of both.

Owns how a worker is put together without a broker.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import dump_simulation
from clickstream_contract.topics import LEDGER, SHARDS
from clickstream_generator.core.encodings import encoding_of
from clickstream_generator.core.making import Maker
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.settings import Settings
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.kafka_sink import KafkaSink
from clickstream_generator.shell.shard_log import Position
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.worker import Worker
from holds import MemoryLog, hold
from simulations import RUN_ID, START_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.shell.shard_log import StoredShard
    from clickstream_generator.shell.sink import Batch
    from clickstream_generator.shell.telemetry import Telemetry

__all__ = ["LOOK_SECONDS", "NUMBERS", "MemoryBroker", "WorkerRun"]

NUMBERS = (0, 1, 2, 3)
LOOK_SECONDS = 0.1
"""How far the clock moves between two looks; a run may end one look late."""
_FLYING = 3


class MemoryBroker(KafkaSink):
    """A sink whose broker acknowledges a batch only when some more have been sent.

    Args:
        room: How many batches it takes at a time.
        is_silent: Whether it acknowledges nothing.
    """

    def __init__(self, room: int = 10**9, *, is_silent: bool = False) -> None:
        self.minutes: dict[str, dict[str, Any]] = {}
        self.kinds: list[str] = []
        self.revisions: list[dict[str, Any]] = []
        self.positions: dict[int, Position] = {}
        self.events: list[dict[str, Any]] = []
        self.topics: set[str] = set()
        self._room = room
        self._is_silent = is_silent
        self._flying: deque[Batch] = deque()
        self.log = MemoryLog()

    def is_idle(self) -> bool:
        """Return whether all batches are acknowledged."""
        return not self._flying

    def in_flight(self) -> int:
        """Count batches for records."""
        return len(self._flying)

    def has_room(self, records: int) -> bool:
        """Return some batches at a time."""
        del records
        return len(self._flying) < self._room

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches in flight."""
        return [batch.tally for batch in self._flying]

    def send(self, records: list[Record], batch: Batch) -> None:
        """Store events."""
        self.events += [json.loads(value or b"{}") for value, _ in records]
        self._flying.append(batch)

    def publish(
        self,
        topic: str,
        rows: list[tuple[bytes, bytes | None]],
        batch: Batch,
        partition: int = -1,
    ) -> None:
        """Keep the last record of each ledger minute and position."""
        self._flying.append(batch)
        self.topics.add(topic)
        for key, value in rows:
            if topic == SHARDS.name:
                self.log.add((key, value), partition)
            if topic == LEDGER.name:
                row = json.loads(value or b"{}")
                self.kinds.append(row["kind"])
                if row["kind"] == "minute":
                    self.minutes[f"{row['shard']} {row['minute']}"] = row
                if row["kind"] == "revision":
                    self.revisions.append(row)
            elif topic == SHARDS.name and key.endswith(b"/position"):
                self.positions[int(key.split(b"/")[1])] = Position.from_value(value or b"")

    def publish_unconfirmed(
        self, topic: str, rows: list[tuple[bytes, bytes | None]], partition: int
    ) -> None:
        """Pass a sign of life over."""

    def poll(self, seconds: float) -> list[Batch]:
        """Acknowledge old batches, and all batches if the caller waits."""
        kept = 0 if seconds else _FLYING
        if self._is_silent:
            kept = len(self._flying)
        return [self._flying.popleft() for _ in range(len(self._flying) - kept)]


class _Clock(Clock):
    """A clock on which much happens between two looks, and which ends the run.

    Args:
        stop: Is set when the time has come.
        after_seconds: When, after the start.
    """

    def __init__(self, stop: Event | None = None, after_seconds: float = 1e9) -> None:
        self.seconds = START_SECONDS
        self._stop = stop or Event()
        self._end_seconds = START_SECONDS + after_seconds

    def now(self) -> float:
        """Return Unix seconds, later each time."""
        self.seconds += LOOK_SECONDS
        if self.seconds >= self._end_seconds:
            self._stop.set()
        return self.seconds


class WorkerRun:
    """A run of a simulation, its broker and its file.

    Args:
        folder: Where the file lies.
        telemetry: Where figures are shown.
        wanted: The simulation.
        broker: Where records go.
        after_seconds: When it is asked to stop.
        stored: The stored state of its shards.
        settings: How else it runs.
    """

    def __init__(
        self,
        folder: Path,
        telemetry: Telemetry,
        wanted: Simulation,
        broker: MemoryBroker | None = None,
        after_seconds: float = 1e9,
        stored: Mapping[int, StoredShard] | None = None,
        **settings: str | float,
    ) -> None:
        self.path = folder / "simulation.yaml"
        self.write(wanted)
        self.broker = broker or MemoryBroker()
        found = stored or {}
        over = {number for number, row in found.items() if row.position.is_over}
        numbers = tuple(number for number in NUMBERS if number not in over)
        snapshots = {number: row.snapshot for number, row in found.items() if row.snapshot}
        self.source = Simulator(wanted, numbers, RUN_ID)
        self.carried = self.source.begin(START_SECONDS, snapshots)
        encoding = encoding_of(wanted.spec.event_output.encoding, self.source.encoder)
        self.stop = Event()
        self.file = SimulationFile(self.path)
        self.hold = hold(numbers, self.broker.log, found)
        self.worker = Worker(
            self.hold,
            Maker(self.source, self.carried, encoding),
            self.broker,
            telemetry,
            _Clock(self.stop, after_seconds),
            self.file,
            replace(
                Settings(simulation_file=self.path, bootstrap_servers="127.0.0.1:9"),
                queue_records=1_000,
                drain_seconds=1e9,
                **settings,  # type: ignore[arg-type]
            ),
        )

    def write(self, wanted: Simulation) -> None:
        """Change the file."""
        self.path.write_text(dump_simulation(wanted), encoding="utf-8")

    def run(self) -> None:
        """Run until the end."""
        self.worker.run(self.stop)
