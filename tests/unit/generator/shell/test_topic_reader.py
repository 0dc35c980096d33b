"""Reading the shards' topic: to its end, on from there, and what the broker refuses."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.topics import SHARDS
from clickstream_generator.errors import BrokerRefused, BrokersLost
from clickstream_generator.settings import Settings
from clickstream_generator.shell import topic_reader
from clickstream_generator.shell.shard_log import Record
from clickstream_generator.shell.topic_reader import TopicReader
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    KafkaError,
    KafkaException,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import TopicPartition

SETTINGS = Settings(simulation_file=Path(__file__), bootstrap_servers="127.0.0.1:9")


class _Message:
    """A record, the end of its partition, or an error."""

    def __init__(self, partition: int, offset: int = 0, code: int | None = None) -> None:
        self._partition, self._offset, self._code = partition, offset, code

    def error(self) -> KafkaError | None:
        """Return the error, if it is one."""
        return None if self._code is None else KafkaError(self._code)

    def timestamp(self) -> tuple[int, int]:
        """Return the record's time; partition 0 has no timestamps."""
        return (TIMESTAMP_CREATE_TIME, 7_500) if self._partition else (TIMESTAMP_NOT_AVAILABLE, 0)

    def partition(self) -> int:
        """Return its partition."""
        return self._partition

    def offset(self) -> int:
        """Return its offset."""
        return self._offset

    def key(self) -> bytes:
        """Return its key."""
        return f"{self._partition}/{self._offset}".encode()

    def value(self) -> bytes | None:
        """Return no value."""
        return None


def _end(partition: int) -> _Message:
    return _Message(partition, code=KafkaError._PARTITION_EOF)


class _Consumer:
    """A consumer of two partitions that the test has filled."""

    def __init__(self, *messages: _Message, error: KafkaError | None = None) -> None:
        self.messages = deque(messages)
        self.assigned: list[dict[int, int]] = []
        self.waits: list[float] = []
        self.is_closed = False
        self._error = error

    def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
        """Return that the topic has two partitions."""
        assert timeout > 0
        known = SimpleNamespace(error=self._error, partitions={0: None, 1: None})
        return SimpleNamespace(topics={topic: known})

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Record where each partition is read from."""
        self.assigned.append({row.partition: row.offset for row in partitions})

    def poll(self, seconds: float) -> _Message | None:
        """Return the next message."""
        self.waits.append(seconds)
        return self.messages.popleft() if self.messages else None

    def consume(self, _count: int, _seconds: float) -> list[_Message]:
        """Return the other messages."""
        found = list(self.messages)
        self.messages.clear()
        return found

    def close(self) -> None:
        """Record that it was closed."""
        self.is_closed = True


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Callable[..., _Consumer]:
    """Give readers a consumer with the test's records."""

    def fill(*messages: _Message, error: KafkaError | None = None) -> _Consumer:
        consumer = _Consumer(*messages, error=error)
        monkeypatch.setattr(topic_reader, "Consumer", lambda _: consumer)
        return consumer

    return fill


def test_partitions_are_read_to_their_end(reading: Callable[..., _Consumer]) -> None:
    """All records of the requested partitions come in order, up to the end."""
    consumer = reading(_Message(0, 4), _end(1), _Message(0, 6), _end(0), _Message(0, 7))

    with TopicReader(SETTINGS) as reader:
        found = list(reader.read_to_end(reader.partitions))

    assert found == [Record(0, b"0/4", None), Record(0, b"0/6", None)]
    assert consumer.assigned == [{0: OFFSET_BEGINNING, 1: OFFSET_BEGINNING}]
    assert consumer.is_closed


def test_reading_continues_where_it_was(reading: Callable[..., _Consumer]) -> None:
    """A partition is read on after the last record that was read of it."""
    consumer = reading(_Message(0, 4), _end(0), _end(1))

    with TopicReader(SETTINGS) as reader:
        list(reader.read_to_end({0, 1}))
        reader.follow({0})
        consumer.messages += [_Message(0, 5), _end(0), _Message(0, 6)]
        assert [row.key for row in reader.poll(0)] == [b"0/5", b"0/6"]
        consumer.messages += [_Message(0, 7), _Message(0, 8)]
        assert [row.key for row in reader.poll(0.1)] == [b"0/7", b"0/8"]
        assert reader.poll(0.1) == []
        reader.follow({0, 1})

    assert consumer.assigned[1:] == [{0: 5}, {0: 9, 1: OFFSET_BEGINNING}]


def test_end_shortens_no_wait(reading: Callable[..., _Consumer]) -> None:
    """A partition's end is passed over: the wait is for a record."""
    consumer = reading(_end(0), _end(1))

    with TopicReader(SETTINGS) as reader:
        found = reader.poll(0.1)

    assert found == []
    assert consumer.waits == [0.1, 0.1, 0.1]


def test_missing_topic_is_refused(reading: Callable[..., _Consumer]) -> None:
    """Without its topic no run can continue."""
    consumer = reading(error=KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))

    with pytest.raises(BrokerRefused, match=f"check topic {SHARDS.name}") as caught:
        TopicReader(SETTINGS).__enter__()

    assert caught.value.code == "UNKNOWN_TOPIC_OR_PART"
    assert consumer.is_closed


def test_silent_topic_is_refused(reading: Callable[..., _Consumer]) -> None:
    """A topic that is not read to its end in time is refused."""
    reading()

    with (
        TopicReader(SETTINGS) as reader,
        pytest.raises(BrokerRefused, match="the topic cannot be read"),
    ):
        list(reader.read_to_end({0}))


def test_broken_connection_is_refused(reading: Callable[..., _Consumer]) -> None:
    """An error of the broker is named, with the setting of its addresses."""
    reading(_Message(0, code=KafkaError._TRANSPORT))

    with (
        TopicReader(SETTINGS) as reader,
        pytest.raises(BrokerRefused, match="check CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS"),
    ):
        reader.poll(0)


def test_hopeless_error_names_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client has noticed of the connection says more than that it broke."""

    class Refused(_Consumer):
        def __init__(self, options: dict[str, object]) -> None:
            super().__init__()
            self._noticed = options["error_cb"]

        def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, f"{topic} {timeout}"))

        def poll(self, _seconds: float) -> _Message | None:
            for code in (KafkaError._TRANSPORT, KafkaError._SSL):
                self._noticed(KafkaError(code))  # type: ignore[operator]
            return None

    monkeypatch.setattr(topic_reader, "Consumer", Refused)

    with pytest.raises(BrokerRefused, match="CLICKSTREAM_GENERATOR_CA_FILE") as caught:
        TopicReader(SETTINGS).__enter__()

    assert caught.value.code == "_SSL"


def test_lost_brokers_are_an_error(reading: Callable[..., _Consumer]) -> None:
    """A client that has lost its brokers reads nothing: the reader says so, and closes."""
    consumer = reading(_end(0), _end(1))

    def read() -> None:
        with TopicReader(SETTINGS) as reader:
            for _ in range(4):
                reader._watch.take('{"type": "consumer", "brokers": {}}')
            reader.poll(0)

    with pytest.raises(BrokersLost):
        read()

    assert consumer.is_closed
