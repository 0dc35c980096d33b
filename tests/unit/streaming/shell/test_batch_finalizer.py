"""Finalizing a batch: watermarks, empty partitions, summary tables and upkeep."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg2
import pytest
from batch_tasks import UNTIL, batch_task, outcome_of
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.errors import BatchRowsLost, DatabaseUnreachable
from clickstream_streaming.shell import batch_finalizer as module
from clickstream_streaming.shell import retry
from clickstream_streaming.shell.batch_finalizer import BatchFinalizer
from clickstream_streaming.shell.telemetry import Telemetry
from kafka_records import PARTITION
from scripted_database import Answer, ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WATERMARKS = "SET watermark ="
STORED = "SELECT topic, kafka_partition, until_offset FROM ops.batches"
CLOSING = "UPDATE ops.runs SET closed_at"
SUMMARIES = "mart.refresh_summaries"
UPKEEP = "ops.forget_batches"
WRITTEN: dict[str, Answer] = {
    STORED: [(EVENTS.name, PARTITION, UNTIL)],
    "INSERT INTO ops.batches": [(1,)],
}


class _Scene:
    """A finalizer, its metrics, a clock, and the databases that it connects to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.seconds = 100_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)
        monkeypatch.setattr(module, "connect", lambda _: self._connect())
        self.answers: list[Mapping[str, Answer]] = [WRITTEN]
        self.opened: list[ScriptedDatabase] = []
        self.telemetry = Telemetry()
        self.settings = stream_settings(folder)
        self.finalizer = BatchFinalizer(self.settings, self.telemetry)
        self.task = batch_task(self.settings)

    def _connect(self) -> ScriptedDatabase:
        place = min(len(self.opened), len(self.answers) - 1)
        self.opened.append(ScriptedDatabase(self.answers[place]))
        return self.opened[-1]

    def finalize(self, max_event_time: float | None = None) -> ScriptedDatabase:
        """Finalize a batch with an event of that time, or none; return the database it used."""
        latest = None if max_event_time is None else [("run", 0, max_event_time)]
        self.finalizer.finalize(self.task, [outcome_of(max_event_times=latest)], 1.0)
        return self.opened[-1]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Scene:
    """A finalizer that has finalized nothing yet."""
    return _Scene(monkeypatch, tmp_path)


def test_watermarks_move_at_once(scene: _Scene) -> None:
    """One statement moves each shard of a batch to the time that all its partitions reached."""
    outcomes = [
        outcome_of(max_event_times=[("live", 1, 7.0), ("backfill", 0, 2.0)]),
        outcome_of(),
        outcome_of(max_event_times=[("backfill", 0, 3.0), ("live", 1, 5.0), ("live", 0, 6.0)]),
    ]

    scene.finalizer.finalize(scene.task, outcomes, 1.0)

    assert scene.opened[0].executed(WATERMARKS) == [
        {
            "run_ids": ["backfill", "live", "live"],
            "shards": [0, 0, 1],
            "event_times": [datetime(1970, 1, 1, 0, 0, at, tzinfo=UTC) for at in (2, 6, 5)],
            "delay_seconds": 900,
        }
    ]


def test_batch_without_events_moves_none(scene: _Scene) -> None:
    """A batch without an event leaves the watermarks alone."""
    assert scene.finalize().executed(WATERMARKS) == []


def test_batch_is_shown(scene: _Scene) -> None:
    """A finalized batch is counted and makes the stream ready."""
    scene.finalize()

    assert scene.telemetry.is_ready
    name = "clickstream_streaming_stored_events_total"
    assert scene.telemetry.registry.get_sample_value(name) == 3


def test_runs_of_batch_are_closed(scene: _Scene) -> None:
    """One statement looks at the runs of all partitions; a batch without a run looks at none."""
    runs = [outcome_of(run_ids=["one", "two"]), outcome_of(), outcome_of(run_ids=["two", "six"])]

    scene.finalizer.finalize(scene.task, runs, 1.0)
    scene.finalize()

    assert scene.opened[0].executed(CLOSING) == [{"run_ids": ["one", "six", "two"]}]


def test_empty_partition_stores_offsets(scene: _Scene) -> None:
    """A partition without records has no task: the finalizer stores its offsets."""
    scene.task = replace(
        scene.task,
        offsets_until={EVENTS.name: {PARTITION: UNTIL, 0: 7}, LEDGER.name: {0: 9}},
    )

    rows = scene.finalize().executed("INSERT INTO ops.batches")

    assert [(row["topic"], row["partition"], row["until_offset"]) for row in rows
            if isinstance(row, dict)] == [(EVENTS.name, 0, 7), (LEDGER.name, 0, 9)]  # fmt: skip


def test_partition_without_records_is_skipped(scene: _Scene) -> None:
    """Offsets without a record are of transactions; a first batch has no known beginning."""
    scene.task = replace(
        scene.task,
        offsets_from={EVENTS.name: {PARTITION: 0, 0: 3}},
        offsets_until={EVENTS.name: {PARTITION: UNTIL, 0: 7}, LEDGER.name: {0: 9}},
    )

    rows = scene.finalize().executed("INSERT INTO ops.batches")

    assert [row["skipped"] for row in rows if isinstance(row, dict)] == [4, 0]


def test_lost_share_is_named(scene: _Scene) -> None:
    """A partition that its task committed and the database lacks is lost."""
    scene.answers = [{STORED: []}]

    with pytest.raises(BatchRowsLost) as caught:
        scene.finalize()
    assert (caught.value.batch_id, caught.value.partitions) == (5, [f"{EVENTS.name}/{PARTITION}"])
    assert not scene.telemetry.is_ready


@pytest.mark.parametrize(
    "error",
    [
        psycopg2.OperationalError("gone"),
        psycopg2.InterfaceError("closed"),
        DatabaseUnreachable("db", "no"),
    ],
)
def test_failed_attempt_is_repeated(scene: _Scene, error: Exception) -> None:
    """After a failure the finalizer repeats everything on a new connection."""
    scene.answers = [WRITTEN | {WATERMARKS: error}, WRITTEN]

    scene.finalize(5.0)

    assert [database.closed for database in scene.opened] == [1, 0]
    assert len(scene.opened[1].executed(WATERMARKS)) == 1


def test_retries_have_an_end(scene: _Scene) -> None:
    """After five minutes the error is raised."""

    def fail(_: object) -> list[tuple[object, ...]]:
        scene.seconds += 25.0
        raise psycopg2.OperationalError("gone")

    scene.answers = [WRITTEN | {WATERMARKS: fail}]

    with pytest.raises(psycopg2.OperationalError, match="gone"):
        scene.finalize(5.0)
    assert len(scene.opened) == 300 / 25 + 1


def test_summaries_keep_their_pace(scene: _Scene) -> None:
    """Summary tables are computed every minute, not in every batch."""
    counts = []
    for seconds in (0.0, 59.9, 0.1, 59.9, 0.1):
        scene.seconds += seconds
        counts.append(len(scene.finalize().executed(SUMMARIES)))

    assert counts == [1, 1, 2, 2, 3]


def test_closed_run_is_summarised(scene: _Scene) -> None:
    """When a run is closed, its summaries do not wait."""
    scene.finalize()
    scene.opened[0].answers = WRITTEN | {CLOSING: [("run",)]}
    scene.finalizer.finalize(scene.task, [outcome_of(run_ids=["run"])], 1.0)

    assert len(scene.opened[0].executed(SUMMARIES)) == 2


def test_slow_summaries_are_rare(scene: _Scene) -> None:
    """Summaries that take two seconds are computed every 100 seconds: a fiftieth at most."""

    def slow(_: object) -> list[tuple[object, ...]]:
        scene.seconds += 2.0
        return []

    scene.answers = [WRITTEN | {SUMMARIES: slow}]
    began = scene.seconds
    scene.finalize()
    counts = []
    for seconds in (99.9, 100.0):
        scene.seconds = began + seconds
        counts.append(len(scene.finalize().executed(SUMMARIES)))

    assert counts == [1, 2]


def test_upkeep_is_hourly(scene: _Scene) -> None:
    """The upkeep is done once an hour."""
    counts = []
    for seconds in (0.0, 3_599.0, 1.0):
        scene.seconds += seconds
        counts.append(len(scene.finalize().executed(UPKEEP)))

    assert counts == [1, 1, 2]


def test_busy_upkeep_comes_soon(scene: _Scene) -> None:
    """An upkeep that leaves rejects is done again after ten seconds."""
    scene.answers = [WRITTEN | {"ops.forget_rejects": [(50_000,)]}]
    counts = []
    for seconds in (0.0, 9.0, 1.0):
        scene.seconds += seconds
        counts.append(len(scene.finalize().executed(UPKEEP)))

    assert counts == [1, 1, 2]
