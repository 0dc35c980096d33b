"""The job: Spark's configuration, the order of its start, and how it ends."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self

import pytest
from clickstream_streaming.errors import (
    DatabaseNotMigrated,
    DatabaseUnreachable,
    QueryFailed,
    TopicMissing,
)
from clickstream_streaming.shell import job as module
from clickstream_streaming.shell.job import Job, spark_session
from clickstream_streaming.shell.telemetry import Telemetry
from pyspark.errors import PySparkException
from scripted_database import ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_streaming.errors import StreamingError
    from clickstream_streaming.shell.checkpoint import Offsets

WANTED: Offsets = {"t": {0: 5}}


class _Builder:
    """Records the configuration of a session."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.where: str | None = None
        self.name = ""
        self.level = ""

    def appName(self, name: str) -> Self:  # noqa: N802  Spark's name
        self.name = name
        return self

    def master(self, where: str) -> Self:
        self.where = where
        return self

    def config(self, name: str, value: str) -> Self:
        self.values[name] = value
        return self

    def getOrCreate(self) -> SimpleNamespace:  # noqa: N802  Spark's name
        return SimpleNamespace(sparkContext=SimpleNamespace(setLogLevel=self._set_level))

    def _set_level(self, level: str) -> None:
        self.level = level


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> _Builder:
    """The builder of the session."""
    found = _Builder()
    monkeypatch.setattr(module, "SparkSession", SimpleNamespace(builder=found))
    monkeypatch.setenv("PYSPARK_PYTHON", "")
    monkeypatch.delenv("PYSPARK_PYTHON")
    return found


def test_session_is_configured(builder: _Builder, tmp_path: Path) -> None:
    """Times are UTC, a worker's memory is bounded, and the query keeps its interval."""
    spark_session(stream_settings(tmp_path, TRIGGER_MILLISECONDS="700"))

    assert (builder.name, builder.where, builder.level) == ("clickstream", None, "WARN")
    expected = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.streaming.pollingDelay": "700ms",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "8192",
        "spark.sql.execution.arrow.maxBytesPerBatch": "33554432",
        "spark.driver.extraClassPath": "",
        "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    }
    assert {name: builder.values[name] for name in expected} == expected
    assert "spark.driver.memory" not in builder.values
    assert "spark.driver.host" not in builder.values
    assert os.environ["PYSPARK_PYTHON"] == sys.executable


def test_settings_reach_session(builder: _Builder, tmp_path: Path) -> None:
    """Jars, memory, Java's options and the master are those of the settings."""
    settings = stream_settings(
        tmp_path,
        JARS="a.jar,b.jar",
        DRIVER_MEMORY="2g",
        DRIVER_JAVA_OPTIONS="-Xss4m",
        MASTER="spark://host",
    )

    spark_session(settings)

    assert builder.where == "spark://host"
    assert builder.values["spark.driver.extraClassPath"] == "a.jar:b.jar"
    assert builder.values["spark.driver.memory"] == "2g"
    assert builder.values["spark.driver.extraJavaOptions"] == "-XX:+UseParallelGC -Xss4m"
    assert "spark.driver.host" not in builder.values


def test_local_session_stays_local(builder: _Builder, tmp_path: Path) -> None:
    """Spark on a laptop listens on the loopback address only."""
    spark_session(stream_settings(tmp_path, MASTER="local[2]"))

    assert builder.values["spark.driver.bindAddress"] == "127.0.0.1"
    assert builder.values["spark.driver.host"] == "127.0.0.1"


class _Query:
    """A streaming query as the job watches it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.isActive = True
        self.status = {"message": "Processing new data"}
        self.lastProgress: SimpleNamespace | None = None
        self.stops = 0

    def exception(self) -> Exception | None:
        return self.error

    def stop(self) -> None:
        self.stops += 1


class _Scene:
    """A job whose parts only record their calls.

    Attributes:
        happened: The calls, in order.
        on_update: Called at each update of the lag; ends the job unless a test says otherwise.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.happened: list[str] = []
        self.databases: list[ScriptedDatabase] = []
        self.done: list[Offsets] = []
        self.query = self.later_query = _Query()
        self.telemetry = Telemetry()
        self.job = Job(stream_settings(folder), self.telemetry)
        self.on_update: Callable[[], None] = self.job.stop
        self.topics_error: Exception | None = None
        monkeypatch.setattr(module, "_WATCH_SECONDS", 0.0)
        monkeypatch.setattr(module, "connect_when_migrated", lambda *_: self._connect())
        monkeypatch.setattr(module, "connect_with_retries", lambda *_: self._connect())
        monkeypatch.setattr(module, "connect", lambda *_: self._connect())
        monkeypatch.setattr(module, "TopicLogs", lambda *_: self._part("logs"))
        monkeypatch.setattr(module, "Lag", lambda *_: SimpleNamespace(update=self._update))
        monkeypatch.setattr(module, "IntegrityMonitor", lambda *_: self._part("integrity"))
        monkeypatch.setattr(module, "start_query", lambda *_: self._start())
        monkeypatch.setattr(module, "spark_session", lambda _: self._part("spark"))
        monkeypatch.setattr(module, "check_topics", lambda *_: self._check_topics())
        for name, answer in (
            ("store_rules", None),
            ("warm_up", None),
            ("next_offsets", WANTED),
            ("read_positions", {}),
        ):
            monkeypatch.setattr(module, name, self._noting(name, answer))

    def _noting(self, name: str, answer: object) -> Callable[..., object]:
        def call(*_: object) -> object:
            self.happened.append(name)
            return answer

        return call

    def _part(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(
            update=lambda: None,
            close=lambda: self.happened.append(f"close {name}"),
            stop=lambda: self.happened.append(f"stop {name}"),
        )

    def _connect(self) -> ScriptedDatabase:
        self.databases.append(ScriptedDatabase())
        return self.databases[-1]

    def _start(self) -> _Query:
        self.happened.append("start_query")
        is_first = self.happened.count("start_query") == 1
        return self.query if is_first else self.later_query

    def _check_topics(self) -> None:
        self.happened.append("check_topics")
        if self.topics_error is not None:
            raise self.topics_error

    def _update(self, done: Offsets) -> None:
        self.done.append(done)
        self.on_update()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Scene:
    """A job that stops at its first update."""
    return _Scene(monkeypatch, tmp_path)


def test_job_starts_in_order(scene: _Scene) -> None:
    """Database and topics are checked before the query starts; all is closed at the end."""
    scene.job.run()

    assert scene.happened == [
        "store_rules", "next_offsets", "read_positions", "check_topics", "close logs", "warm_up",
        "start_query", "close logs", "stop spark", "close integrity",
    ]  # fmt: skip
    assert scene.query.stops == 1
    assert [database.closed for database in scene.databases] == [1, 1]


def test_lag_begins_where_reading_does(scene: _Scene) -> None:
    """Before the first batch the lag is counted from where reading continues."""
    scene.job.run()

    assert scene.done == [WANTED]


def test_lag_follows_last_batch(scene: _Scene) -> None:
    """With a batch the lag is counted from its end."""
    sources = [{"endOffset": {"t": {"0": 8}}}, {"endOffset": None}]
    scene.query.lastProgress = SimpleNamespace(json=json.dumps({"sources": sources}))

    scene.job.run()

    assert scene.done == [{"t": {0: 8}}]


@pytest.mark.parametrize(
    ("message", "is_ready"), [("Waiting for data to arrive", True), ("Processing", False)]
)
def test_waiting_query_is_ready(scene: _Scene, message: str, is_ready: bool) -> None:  # noqa: FBT001  a case
    """A query that waits for data has read all records: the stream is ready."""
    scene.query.status = {"message": message}

    scene.job.run()

    assert scene.telemetry.is_ready is is_ready


@pytest.mark.parametrize(
    "error", [DatabaseUnreachable("db", "refused"), DatabaseNotMigrated("raw.events")]
)
def test_stopped_job_does_not_start(
    monkeypatch: pytest.MonkeyPatch, scene: _Scene, error: StreamingError
) -> None:
    """A job that stops while it waits for the database or its tables ends without an error."""

    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "connect_when_migrated", refuse)
    with pytest.raises(type(error)):
        scene.job.run()

    scene.job.stop()
    scene.job.run()

    assert scene.happened == []


def test_failed_query_ends_job(scene: _Scene) -> None:
    """A query that has failed ends the job with its reason, and everything is closed."""
    scene.query.error = ValueError("trace\na.SomeException: the reason\n  at line")

    with pytest.raises(QueryFailed) as caught:
        scene.job.run()

    assert (caught.value.query, caught.value.reason) == ("events", "a.SomeException: the reason")
    assert scene.happened[-3:] == ["close logs", "stop spark", "close integrity"]
    assert scene.query.stops == 1


def test_stopped_query_ends_job(scene: _Scene) -> None:
    """A query that was stopped from outside ends the job."""
    scene.query.isActive = False

    with pytest.raises(QueryFailed, match="it was stopped from outside"):
        scene.job.run()


def test_topics_name_the_cause(scene: _Scene) -> None:
    """If a topic is the cause of a failed query, the topic's error is raised."""

    def fail() -> None:
        scene.query.error = ValueError("something in Spark")
        scene.topics_error = TopicMissing("t", "gone")

    scene.on_update = fail

    with pytest.raises(TopicMissing, match="gone"):
        scene.job.run()


def test_spark_error_is_query_failed(scene: _Scene) -> None:
    """An error of Spark becomes an error of the stream."""

    def fail() -> None:
        raise PySparkException("a.b.SomeException: it fell")

    scene.on_update = fail

    with pytest.raises(QueryFailed, match="it fell"):
        scene.job.run()


def test_recovered_batch_restarts_query(scene: _Scene) -> None:
    """A query that failed in its report on a recovered batch is started again."""
    scene.query.error = ValueError(f"java: {module._NO_LATEST_OFFSETS} because")
    scene.later_query = _Query()

    scene.job.run()

    assert scene.happened.count("start_query") == 2
    assert (scene.query.stops, scene.later_query.stops) == (0, 1)
