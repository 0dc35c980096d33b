"""The reader of a topic.

Owns the consumer, which reads partitions to their current end and follows some of them.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from clickstream_contract.topics import SHARDS
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from clickstream_generator.errors import BrokerRefused
from clickstream_generator.shell.client_watch import ClientWatch
from clickstream_generator.shell.kafka_sink import client_settings, is_hopeless, refusal
from clickstream_generator.shell.shard_log import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from confluent_kafka import Message

    from clickstream_generator.settings import KafkaSettings

__all__ = ["TopicReader"]

_METADATA_SECONDS = 15.0
_SILENCE_SECONDS = 30.0
_AT_ONCE = 500
_KIBIBYTES_AHEAD = 16_384


class TopicReader:
    """A reader of a topic, from its beginning on.

    Args:
        settings: The connection settings.
        topic: The topic; that of the shards if absent.

    Raises:
        BrokerRefused: By each method: the topic does not exist or cannot be read.
        BrokersLost: By each method: the client has lost its brokers.
    """

    def __init__(self, settings: KafkaSettings, topic: str = SHARDS.name) -> None:
        self._topic = topic
        self._hopeless: list[KafkaError] = []
        self._watch = ClientWatch()
        self._consumer = Consumer(
            {
                **client_settings(settings),
                **self._watch.settings(),
                "error_cb": self._noticed,
                "group.id": "clickstream-generator",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": _KIBIBYTES_AHEAD,
            }
        )
        self._next: dict[int, int] = {}

    def __enter__(self) -> Self:
        """Find the topic's partitions."""
        try:
            self._open()
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the consumer."""
        self._consumer.close()

    @property
    def partitions(self) -> tuple[int, ...]:
        """The topic's partitions."""
        return tuple(sorted(self._next))

    def read_to_end(self, partitions: Iterable[int]) -> Iterator[Record]:
        """Return the records of some partitions up to their current end."""
        open_partitions = set(partitions)
        self.follow(open_partitions)
        while open_partitions:
            with self._naming_refusals():
                message = self._consumer.poll(_SILENCE_SECONDS)
                if message is None:
                    raise BrokerRefused(
                        "_TIMED_OUT", "the topic cannot be read", f"topic {self._topic}"
                    )
                if _is_end(message):
                    open_partitions.discard(message.partition() or 0)
                    continue
                record = self._taken(message)
            yield record

    def follow(self, partitions: Iterable[int]) -> None:
        """Read these partitions from now on, from their last offsets."""
        with self._naming_refusals():
            self._consumer.assign(
                [TopicPartition(self._topic, at, self._next[at]) for at in partitions]
            )

    def poll(self, seconds: float) -> list[Record]:
        """Return new records; wait up to ``seconds`` for the first one."""
        with self._naming_refusals():
            messages = []
            # Skip end-of-partition markers: the caller counts an empty answer as waiting time.
            first = self._consumer.poll(seconds) if seconds else None
            while first is not None and _is_end(first):
                first = self._consumer.poll(seconds)
            if first is not None:
                messages.append(first)
            messages += self._consumer.consume(_AT_ONCE, 0)
            return [self._taken(message) for message in messages if not _is_end(message)]

    def _open(self) -> None:
        with self._naming_refusals():
            found = self._consumer.list_topics(self._topic, timeout=_METADATA_SECONDS)
        topic = found.topics[self._topic]
        if topic.error is not None:
            raise BrokerRefused(topic.error.name(), topic.error.str(), f"topic {self._topic}")
        self._next = dict.fromkeys(topic.partitions, OFFSET_BEGINNING)

    def _taken(self, message: Message) -> Record:
        partition = message.partition() or 0
        self._next[partition] = (message.offset() or 0) + 1
        kind, milliseconds = message.timestamp()
        seconds = math.inf if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
        return Record(partition, message.key() or b"", message.value(), seconds)

    def _noticed(self, error: KafkaError) -> None:
        if is_hopeless(error):
            self._hopeless.append(error)

    @contextmanager
    def _naming_refusals(self) -> Iterator[None]:
        """Convert a client's error into ``BrokerRefused``."""
        self._watch.check()
        try:
            yield
        except KafkaException as failure:
            self._consumer.poll(0)  # lets the client report earlier errors
            if self._hopeless:
                raise refusal(self._hopeless[0]) from None
            raise refusal(failure.args[0], "CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS") from None


def _is_end(message: Message) -> bool:
    """Return whether the message marks the end of a partition.

    Raises:
        KafkaException: The message is an error.
    """
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's own constant
        return True
    raise KafkaException(error)
