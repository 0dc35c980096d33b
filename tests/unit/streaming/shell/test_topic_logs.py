"""A log that is not the one that was read is an error."""

from __future__ import annotations

import time
from itertools import count
from threading import Event
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.errors import LogDiverged, TopicMissing, TopicRecreated
from clickstream_streaming.shell import retry
from clickstream_streaming.shell.topic_logs import TopicLogs, read_positions
from java_objects import JavaKafka, JavaLog, java_error
from scripted_database import ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_streaming.core.log_positions import LogPositions

EVENTS_ID = f"{EVENTS.name}-id"
READ: LogPositions = {(EVENTS.name, 0): LogPosition(EVENTS_ID, 12, 3)}


def _kafka() -> JavaKafka:
    return JavaKafka(
        {
            EVENTS.name: {0: JavaLog(10, 20, 3), 1: JavaLog(0, 0, None)},
            LEDGER.name: {0: JavaLog(0, 5)},
        }
    )


def _logs(kafka: JavaKafka, folder: Path, read: LogPositions | None = None) -> TopicLogs:
    return TopicLogs(kafka.spark(), stream_settings(folder), READ if read is None else read, 3)


def test_ends_are_positions(tmp_path: Path) -> None:
    """Each partition of both topics has its topic's id, its end and its leader epoch."""
    assert _logs(_kafka(), tmp_path).check() == {
        (EVENTS.name, 0): LogPosition(EVENTS_ID, 20, 3),
        (EVENTS.name, 1): LogPosition(EVENTS_ID, 0, None),
        (LEDGER.name, 0): LogPosition(f"{LEDGER.name}-id", 5, 0),
    }


def test_beginnings_are_positions(tmp_path: Path) -> None:
    """The first offsets can be asked for, too."""
    firsts = _logs(_kafka(), tmp_path).ends("earliest")

    assert firsts[EVENTS.name, 0].offset == 10


def test_client_has_time_limit(tmp_path: Path) -> None:
    """A request to Kafka ends after the given seconds."""
    kafka = _kafka()

    _logs(kafka, tmp_path)

    (settings,) = kafka.settings
    assert settings["bootstrap.servers"] == "kafka:9092"
    assert settings["default.api.timeout.ms"] == "3000"
    assert settings["request.timeout.ms"] == "3000"


def test_new_topic_is_refused(tmp_path: Path) -> None:
    """A topic of another id was deleted and created again."""
    kafka = _kafka()
    kafka.topic_ids[EVENTS.name] = "other"

    with pytest.raises(TopicRecreated) as caught:
        _logs(kafka, tmp_path).check()
    assert (caught.value.topic, caught.value.topic_ids) == (EVENTS.name, [EVENTS_ID, "other"])
    assert caught.value.folder == tmp_path / "checkpoints" / "events"


def test_new_leader_is_asked_once(tmp_path: Path) -> None:
    """A leader of a later epoch that has what was read is asked for that only once."""
    kafka = _kafka()
    kafka.grow(EVENTS.name, 0, 20, epoch=4)
    logs = _logs(kafka, tmp_path)

    ends = logs.check()
    logs.check()

    assert ends[EVENTS.name, 0].leader_epoch == 4
    assert kafka.sought == [(EVENTS.name, 0, 12, 3)]
    assert kafka.closed == 1


def test_truncated_log_is_refused(tmp_path: Path) -> None:
    """A leader whose log leaves the epoch before what was read has lost records."""
    kafka = _kafka()
    kafka.grow(EVENTS.name, 0, 20, epoch=4)
    kafka.seek_error = java_error("a.LogTruncationException: truncated")

    with pytest.raises(LogDiverged) as caught:
        _logs(kafka, tmp_path).check()
    assert (caught.value.topic, caught.value.partition) == (EVENTS.name, 0)
    assert (caught.value.offset, caught.value.leader_epoch) == (12, 3)
    assert caught.value.folder == tmp_path / "checkpoints" / "events"
    assert kafka.closed == 1


def test_silent_leader_is_named(tmp_path: Path) -> None:
    """A leader that does not answer proves nothing: the topic is named, the consumer closed."""
    kafka = _kafka()
    kafka.grow(EVENTS.name, 0, 20, epoch=4)
    kafka.seek_error = java_error("a.TimeoutException: no answer")

    with pytest.raises(TopicMissing, match="TimeoutException: no answer"):
        _logs(kafka, tmp_path).check()
    assert kafka.closed == 1


def test_consumer_reads_nothing_by_itself(tmp_path: Path) -> None:
    """The consumer that asks the leader neither commits offsets nor resets them."""
    kafka = _kafka()
    kafka.grow(EVENTS.name, 0, 20, epoch=4)

    _logs(kafka, tmp_path).check()

    settings = kafka.settings[-1]
    assert settings["auto.offset.reset"] == "none"
    assert settings["enable.auto.commit"] == "false"


@pytest.mark.parametrize(
    ("cause", "reason", "setting"),
    [
        ("a.TimeoutException: no answer", "a.TimeoutException: no answer", None),
        (
            "java.util.ExecutionException: x\n\tat y\na.SSLHandshakeException: who?",
            "a.SSLHandshakeException: who?",
            "CLICKSTREAM_STREAMING_CA_FILE",
        ),
    ],
)
def test_silent_kafka_is_named(
    tmp_path: Path, cause: str, reason: str, setting: str | None
) -> None:
    """What Kafka's client says comes with the topic and the setting that it points at."""
    kafka = _kafka()
    kafka.error = java_error(cause)

    with pytest.raises(TopicMissing) as caught:
        _logs(kafka, tmp_path).check()
    assert (caught.value.topic, caught.value.reason) == (LEDGER.name, reason)
    assert caught.value.setting == setting


def test_noted_offsets_are_compared(tmp_path: Path) -> None:
    """After a batch its offsets, in the logs before it, are the positions read."""
    kafka = _kafka()
    logs = _logs(kafka, tmp_path, {})
    logs.record_read(logs.check(), {EVENTS.name: {0: 15}})
    kafka.grow(EVENTS.name, 0, 30, epoch=7)

    logs.check()

    assert kafka.sought == [(EVENTS.name, 0, 15, 3)]


def test_absent_kafka_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broker that does not answer is asked again until it does."""
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)
    kafka = _kafka()
    kafka.error = java_error("a.TimeoutException: no answer")
    stopping = _Returning(kafka, after=3)

    ends = _logs(kafka, tmp_path).check_with_retries(stopping)

    assert ends[EVENTS.name, 0].offset == 20
    assert stopping.waits == 3


class _Returning(Event):
    """Lets a broker answer again after some waits."""

    def __init__(self, kafka: JavaKafka, after: int) -> None:
        super().__init__()
        self.kafka, self.after, self.waits = kafka, after, 0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == 0.0
        self.waits += 1
        if self.waits == self.after:
            self.kafka.error = None
        return False


def test_stopping_ends_waiting(tmp_path: Path) -> None:
    """A process that stops does not ask again."""
    kafka, stopping = _kafka(), Event()
    kafka.error = java_error("a.TimeoutException: no answer")
    stopping.set()

    with pytest.raises(TopicMissing):
        _logs(kafka, tmp_path).check_with_retries(stopping)


def test_retries_have_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After five minutes the last reason is raised."""
    kafka = _kafka()
    kafka.error = java_error("a.TimeoutException: no answer")
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)
    clock = count(step=25.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    stopping = _Returning(kafka, after=99)

    with pytest.raises(TopicMissing):
        _logs(kafka, tmp_path).check_with_retries(stopping)
    assert stopping.waits == 300 / 25


def test_close_gives_client_back(tmp_path: Path) -> None:
    """The client's connections are closed."""
    kafka = _kafka()

    _logs(kafka, tmp_path).close()

    assert kafka.closed == 1


def test_read_positions_are_the_databases() -> None:
    """The database has the position up to which each partition was read."""
    rows = [("t", 0, "id", 7, 2), ("t", 1, None, 8, None)]
    database = ScriptedDatabase({"FROM ops.batches": rows})

    assert read_positions(database.connection(), "events") == {
        ("t", 0): LogPosition("id", 7, 2),
        ("t", 1): LogPosition(None, 8, None),
    }
    assert database.executed("FROM ops.batches") == [("events",)]
