"""The sink's last word: why the producer gave up, in whatever order it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clickstream_generator.errors import BrokerRefused
from clickstream_generator.settings import Settings
from clickstream_generator.shell.kafka_sink import Batch, KafkaSink
from confluent_kafka import KafkaError, KafkaException

_CAUSE = "ProduceRequest failed: Broker: Message size too large"


class _GivenUp:
    """A producer that has given up, and has not said why yet."""

    def __init__(self, sink: KafkaSink) -> None:
        self._sink = sink

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]]) -> int:
        """Refuse all."""
        messages[0]["_error"] = KafkaError(KafkaError._FATAL)
        return 0

    def produce(self, *_: object, **__: object) -> None:
        """Refuse one."""
        raise KafkaException(KafkaError(KafkaError._FATAL))

    def poll(self, _seconds: float) -> int:
        """Say why."""
        self._sink._noticed(KafkaError(KafkaError._FATAL, _CAUSE, fatal=True))
        return 1


@pytest.fixture
def sink() -> KafkaSink:
    made = KafkaSink(Settings(Path(__file__), "127.0.0.1:9"), "events")
    made._producer = _GivenUp(made)
    made._partitions = 1
    return made


def test_a_record_refused_after_the_end_names_what_ended_it(sink: KafkaSink) -> None:
    """The cause may come after the first refusal; it is waited for."""
    with pytest.raises(BrokerRefused, match=r"max\.message\.bytes"):
        sink.send([(b"{}", 36 * b"k")], Batch())


def test_state_refused_after_the_end_names_it_too(sink: KafkaSink) -> None:
    """What is kept beside the events goes through the same producer."""
    with pytest.raises(BrokerRefused, match=r"max\.message\.bytes"):
        sink.publish("shards", [(b"key", b"state")], Batch())
