"""The lag is updated at intervals, and a broker that does not answer is shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import pytest
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.errors import TopicMissing
from clickstream_streaming.shell.lag import Lag
from clickstream_streaming.shell.telemetry import Telemetry

if TYPE_CHECKING:
    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.shell.topic_logs import TopicLogs


class _Logs:
    """Logs with ends, or a broker that does not answer."""

    def __init__(self) -> None:
        self.ends: LogPositions = {}
        self.is_unreachable = False

    def end(self, topic: str, partition: int, offset: int) -> None:
        self.ends[topic, partition] = LogPosition("id", offset, 0)

    def check(self) -> LogPositions:
        if self.is_unreachable:
            raise TopicMissing(LEDGER.name, "no answer")
        return self.ends


class _Scene:
    """Logs, a clock, and the lag that uses both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)
        self.logs = _Logs()
        self.logs.end(EVENTS.name, 0, 7)
        self.logs.end(EVENTS.name, 1, 9)
        self.logs.end(LEDGER.name, 0, 3)
        self.telemetry = Telemetry()
        self.away: list[tuple[str, bool]] = []
        monkeypatch.setattr(
            self.telemetry,
            "show_unreachable",
            lambda what, *, is_unreachable: self.away.append((what, is_unreachable)),
        )
        self.lag = Lag(cast("TopicLogs", self.logs), self.telemetry)

    def behind(self, topic: str, partition: int) -> float | None:
        """Return the records by which a partition is behind, as its metric shows it."""
        return self.telemetry.registry.get_sample_value(
            "clickstream_streaming_lag_records", {"topic": topic, "partition": str(partition)}
        )


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> _Scene:
    """A lag before its first update."""
    return _Scene(monkeypatch)


def test_lag_is_shown_by_partition(scene: _Scene) -> None:
    """Each partition of both topics is behind by its end less what is done."""
    scene.lag.update({EVENTS.name: {0: 7, 1: 5}})

    assert scene.behind(EVENTS.name, 0) == 0
    assert scene.behind(EVENTS.name, 1) == 4
    assert scene.behind(LEDGER.name, 0) == 3
    assert scene.away == [("Kafka", False)]


def test_lag_keeps_its_pace(scene: _Scene) -> None:
    """Kafka is asked every five seconds."""
    scene.lag.update({})
    scene.logs.end(LEDGER.name, 0, 8)
    scene.seconds += 4.9
    scene.lag.update({})
    early = scene.behind(LEDGER.name, 0)
    scene.seconds += 0.1
    scene.lag.update({})

    assert early == 3
    assert scene.behind(LEDGER.name, 0) == 8


def test_absent_kafka_keeps_figures(scene: _Scene) -> None:
    """While Kafka does not answer the figures stay, and it is asked again five seconds later."""
    scene.lag.update({})
    scene.logs.is_unreachable = True
    scene.seconds += 5
    scene.lag.update({LEDGER.name: {0: 3}})

    assert scene.behind(LEDGER.name, 0) == 3
    assert scene.away == [("Kafka", False), ("Kafka", True)]

    scene.logs.is_unreachable = False
    scene.seconds += 5
    scene.lag.update({LEDGER.name: {0: 3}})

    assert scene.behind(LEDGER.name, 0) == 0
    assert scene.away[-1] == ("Kafka", False)
