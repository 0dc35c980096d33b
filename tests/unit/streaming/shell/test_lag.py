"""The lag is asked of Kafka now and then, and a broker that is away is shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.shell.lag import Lag
from clickstream_streaming.shell.telemetry import Telemetry
from java_objects import JavaKafka, java_error
from stream_settings import stream_settings

if TYPE_CHECKING:
    from pathlib import Path


class _Scene:
    """A broker whose topics have ends, a clock, and the lag that looks at both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.seconds = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)
        self.kafka = JavaKafka({EVENTS.name: {0: (0, 7), 1: (0, 9)}, LEDGER.name: {0: (0, 3)}})
        self.telemetry = Telemetry()
        self.away: list[tuple[str, bool]] = []
        monkeypatch.setattr(
            self.telemetry,
            "show_away",
            lambda what, *, is_away: self.away.append((what, is_away)),
        )
        self.lag = Lag(self.kafka.spark(), stream_settings(folder), self.telemetry)

    def behind(self, topic: str, partition: int) -> float | None:
        """Return the records by which a partition is behind, as its metric shows it."""
        return self.telemetry.registry.get_sample_value(
            "clickstream_streaming_lag_records", {"topic": topic, "partition": str(partition)}
        )


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Scene:
    """A lag that has not looked yet."""
    return _Scene(monkeypatch, tmp_path)


def test_lag_is_shown_by_partition(scene: _Scene) -> None:
    """Each partition of both topics is behind by its end less what is done."""
    scene.lag.look({EVENTS.name: {0: 7, 1: 5}})

    assert scene.behind(EVENTS.name, 0) == 0
    assert scene.behind(EVENTS.name, 1) == 4
    assert scene.behind(LEDGER.name, 0) == 3
    assert scene.away == [("Kafka", False)]


def test_client_gives_up_early(scene: _Scene) -> None:
    """A question to Kafka ends after three seconds, so that the watch goes on."""
    (settings,) = scene.kafka.settings

    assert settings["bootstrap.servers"] == "kafka:9092"
    assert settings["default.api.timeout.ms"] == "3000"
    assert settings["request.timeout.ms"] == "3000"


def test_lag_keeps_its_pace(scene: _Scene) -> None:
    """Kafka is asked every five seconds."""
    scene.lag.look({})
    scene.kafka.ends[LEDGER.name][0] = (0, 8)
    scene.seconds += 4.9
    scene.lag.look({})
    early = scene.behind(LEDGER.name, 0)
    scene.seconds += 0.1
    scene.lag.look({})

    assert early == 3
    assert scene.behind(LEDGER.name, 0) == 8


def test_partitions_are_asked_once(scene: _Scene) -> None:
    """Topics are described once; only their ends change."""
    scene.lag.look({})
    scene.seconds += 5
    scene.lag.look({})

    assert scene.kafka.described == [[EVENTS.name, LEDGER.name]]


def test_absent_kafka_keeps_figures(scene: _Scene) -> None:
    """While Kafka is away the last figures stay, and it is asked again five seconds later."""
    scene.lag.look({})
    scene.kafka.error = java_error("TimeoutException: no answer")
    scene.seconds += 5
    scene.lag.look({LEDGER.name: {0: 3}})

    assert scene.behind(LEDGER.name, 0) == 3
    assert scene.away == [("Kafka", False), ("Kafka", True)]

    scene.kafka.error = None
    scene.seconds += 5
    scene.lag.look({LEDGER.name: {0: 3}})

    assert scene.behind(LEDGER.name, 0) == 0
    assert scene.away[-1] == ("Kafka", False)


def test_close_gives_client_back(scene: _Scene) -> None:
    """The client's connections are closed."""
    scene.lag.close()

    assert scene.kafka.closed == 1
