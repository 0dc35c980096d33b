"""The query: its options, its tasks, and its interval."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
from batch_tasks import outcome_of
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.errors import BatchRowsLost
from clickstream_streaming.shell import query as module
from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.query import fingerprint, start_query
from clickstream_streaming.shell.telemetry import Telemetry
from scripted_database import ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.batch import BatchTask, Outcome
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.topic_logs import TopicLogs
    from pyspark.sql import SparkSession
    from scripted_database import Rows

ENDS: LogPositions = {(EVENTS.name, 0): LogPosition("id", 99, 1)}


class _Spark:
    """A session, reader, frame and writer in one, which records its calls."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[object, ...]]] = {}
        self.values: dict[str, object] = {}
        self.trigger_values: dict[str, str] = {}

    @property
    def readStream(self) -> Self:  # noqa: N802  Spark's name
        return self

    @property
    def writeStream(self) -> Self:  # noqa: N802  Spark's name
        return self

    def option(self, name: str, value: object) -> Self:
        self.values[name] = value
        return self

    def options(self, **values: object) -> Self:
        self.values |= values
        return self

    def trigger(self, **values: str) -> Self:
        self.trigger_values = values
        return self

    def __getattr__(self, name: str) -> Callable[..., _Spark]:
        def call(*arguments: object) -> _Spark:
            self.calls.setdefault(name, []).append(arguments)
            return self

        return call

    def write(self, batch: object, batch_id: int) -> None:
        """Let the query write a batch."""
        ((function,),) = self.calls["foreachBatch"]
        cast("Callable[[object, int], None]", function)(batch, batch_id)


@dataclass
class _Batch:
    """A batch whose tasks answer with one outcome."""

    runs: int = 0
    tasks: list[object] = field(default_factory=list)

    def mapInArrow(self, function: Any, schema: str) -> Self:  # noqa: ANN401, N802  a partial; Spark's name
        assert schema == "outcome string"
        self.tasks.append(function.args[0])
        return self

    def collect(self) -> list[dict[str, str]]:
        self.runs += 1
        return [{"outcome": json.dumps(vars(outcome_of(max_event_times=[("run", 0, 7.0)])))}]


class _Finalizer:
    """Finalizes batches, or reports that their rows are lost."""

    made: _Finalizer
    losses = 0

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings, self.telemetry = settings, telemetry
        self.finalized: list[tuple[BatchTask, list[Outcome]]] = []
        self.lost = 0
        _Finalizer.made = self

    def finalize(self, task: BatchTask, outcomes: list[Outcome], seconds: float) -> None:
        assert seconds >= 0
        if self.lost < self.losses:
            self.lost += 1
            raise BatchRowsLost(task.batch_id, [f"{EVENTS.name}/0"])
        self.finalized.append((task, outcomes))


class _Logs:
    """Logs that pass every check."""

    def __init__(self) -> None:
        self.noted: list[tuple[LogPositions, Offsets]] = []

    def check_with_retries(self, _: Event) -> LogPositions:
        return ENDS

    def record_read(self, ends: LogPositions, until: Offsets) -> None:
        self.noted.append((ends, until))


class _Scene:
    """A query that was started on a fake session."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        rows: Rows = (),
        stopping: Event | None = None,
    ) -> None:
        monkeypatch.setattr(module, "BatchFinalizer", _Finalizer)
        monkeypatch.setattr(_Finalizer, "losses", 0)
        self.spark, self.logs = _Spark(), _Logs()
        if stopping is None:
            stopping = Event()
            stopping.set()  # no batch waits for its interval
        self.settings = stream_settings(folder)
        start_query(
            cast("SparkSession", self.spark),
            self.settings,
            Telemetry(),
            ScriptedDatabase({"max(until_offset)": rows}).connection(),
            cast("TopicLogs", self.logs),
            stopping,
        )

    def plan(self, batch_id: int) -> None:
        """Write what Spark writes before a batch: it ends at ten times its number and ten."""
        folder = Checkpoint(self.settings.checkpoint_dir / QUERY).folder
        (folder / "offsets").mkdir(parents=True, exist_ok=True)
        text = f'v1\n{{}}\n{{"{EVENTS.name}": {{"0": {10 * batch_id + 10}}}}}'
        (folder / "offsets" / str(batch_id)).write_text(text, encoding="utf-8")
        (folder / "metadata").write_text('{"id": "abc"}', encoding="utf-8")


def test_query_reads_both_topics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spark reads events and ledger with the client's settings, and stops at lost data."""
    spark = _Scene(monkeypatch, tmp_path).spark

    assert spark.calls["format"] == [("kafka",)]
    assert spark.values["subscribe"] == f"{EVENTS.name},{LEDGER.name}"
    assert spark.values["kafka.bootstrap.servers"] == "kafka:9092"
    assert spark.values["maxOffsetsPerTrigger"] == 400_000
    assert spark.values["failOnDataLoss"] == "true"
    assert spark.values["kafka.isolation.level"] == "read_committed"
    assert spark.values["checkpointLocation"] == str(tmp_path / "checkpoints" / "events")
    assert spark.calls["queryName"] == [("events",)]
    assert spark.trigger_values == {"processingTime": "0 seconds"}
    assert spark.calls["start"] == [()]


def test_first_query_reads_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without batches in the database reading begins with the oldest record."""
    assert _Scene(monkeypatch, tmp_path).spark.values["startingOffsets"] == "earliest"


def test_query_follows_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a checkpoint reading continues where the database's batches ended."""
    rows = [(EVENTS.name, 0, 5), (EVENTS.name, 1, 6), (LEDGER.name, 0, 7)]

    found = _Scene(monkeypatch, tmp_path, rows).spark.values["startingOffsets"]

    assert json.loads(str(found)) == {EVENTS.name: {"0": 5, "1": 6}, LEDGER.name: {"0": 7}}


def test_batch_becomes_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch's task has its ends, those of the batch before, and the logs."""
    scene, batch = _Scene(monkeypatch, tmp_path), _Batch()
    scene.plan(0)
    scene.plan(1)

    scene.spark.write(batch, 1)

    ((task, outcomes),) = _Finalizer.made.finalized
    assert batch.tasks == [task]
    assert (task.query, task.checkpoint_id, task.batch_id) == ("events", "abc", 1)
    assert task.offsets_from == {EVENTS.name: {0: 10}}
    assert task.offsets_until == {EVENTS.name: {0: 20}}
    assert (task.logs, task.driver_pid) == (ENDS, os.getpid())
    ((run_id, shard, latest),) = outcomes[0].max_event_times
    assert (run_id, shard, latest) == ("run", 0, 7.0)
    assert scene.logs.noted == [(ENDS, {EVENTS.name: {0: 20}})]


def test_first_batch_follows_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first batch of a checkpoint begins where the database's batches ended."""
    scene = _Scene(monkeypatch, tmp_path, [(EVENTS.name, 0, 4)])
    scene.plan(0)

    scene.spark.write(_Batch(), 0)

    ((task, _),) = _Finalizer.made.finalized
    assert task.offsets_from == {EVENTS.name: {0: 4}}


def test_lost_batch_is_run_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch whose rows the database has lost is run again."""
    scene, batch = _Scene(monkeypatch, tmp_path), _Batch()
    scene.plan(0)
    monkeypatch.setattr(_Finalizer, "losses", 1)

    scene.spark.write(batch, 0)

    assert batch.runs == 2
    assert len(_Finalizer.made.finalized) == 1


def test_running_again_has_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch that is lost each time ends the query, and does not count as read."""
    scene, batch = _Scene(monkeypatch, tmp_path), _Batch()
    scene.plan(0)
    monkeypatch.setattr(_Finalizer, "losses", 100)

    with pytest.raises(BatchRowsLost):
        scene.spark.write(batch, 0)

    assert batch.runs == 3
    assert scene.logs.noted == []


class _Waits(Event):
    """Records the waits, and lets their time pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        self.now += timeout
        return False


def test_batches_keep_their_pace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the end of one batch to the end of the next there is the trigger's time, at least."""
    waits = _Waits(monkeypatch)
    scene = _Scene(monkeypatch, tmp_path, stopping=waits)
    scene.plan(0)

    for seconds in (0.0, 0.1, 0.7):
        waits.now += seconds
        scene.spark.write(_Batch(), 0)

    assert waits.seconds == pytest.approx([0.0, 0.4, 0.0])


def test_fingerprint_names_what_is_read() -> None:
    """A checkpoint belongs to a query, its topics and the contract's fields."""
    found = fingerprint()

    assert found.keys() == {"query", "topics", "schema"}
    assert found["query"] == "events"
    assert found["topics"] == f"{EVENTS.name},{LEDGER.name}"
    assert len(found["schema"]) == 16
    assert fingerprint() == found
