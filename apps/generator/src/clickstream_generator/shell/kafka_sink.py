"""Records to Kafka, and which of them the broker has acknowledged.

Owns the producer and what is on its way: batches leave in order, and a batch's figures are
handed back when the broker has acknowledged all of its records and all before them. The
producer is idempotent and gapless: within a partition records are acknowledged in order or
the producer gives up for good, so that a report for the last record of each partition speaks
for the whole batch. A report per record would cost a third of the speed. It does not know what
the records say.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Producer

from clickstream_generator.core.partitions import partitions_of
from clickstream_generator.errors import BrokerRefused
from clickstream_generator.shell.sink import AFTERMATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.settings import Settings
    from clickstream_generator.shell.sink import Batch

__all__ = ["KafkaSink", "client_settings", "is_hopeless", "producer_settings", "refusal"]

_BY_KEY = -1
"""librdkafka's ``RD_KAFKA_PARTITION_UA``: the partition follows from the key."""
_QUEUE_KIBIBYTES = 393_216
_QUEUE_BYTES = _QUEUE_KIBIBYTES * 1024 // 2
"""Beyond it nothing new is taken: what is left must hold a chunk with its oversized records."""
_METADATA_SECONDS = 15.0
_CAUSE_SECONDS = 1.0
_SETTING_TO_LOOK_AT = {
    "MSG_SIZE_TOO_LARGE": "the topic's max.message.bytes",
    "UNKNOWN_TOPIC_OR_PART": "the topic's name and whether it has been created",
    "_UNKNOWN_TOPIC": "the topic's name and whether it has been created",
    "TOPIC_AUTHORIZATION_FAILED": "the user's ACLs",
    "GROUP_AUTHORIZATION_FAILED": "the user's ACLs",
    "_AUTHENTICATION": "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE",
    "SASL_AUTHENTICATION_FAILED": "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE",
    "_SSL": "CLICKSTREAM_GENERATOR_CA_FILE",
}
_HOPELESS = ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "_SSL", "_UNKNOWN_TOPIC")


class KafkaSink:
    """Sends records to one topic.

    Args:
        settings: Where the broker is and how to reach it.
        topic: The topic.
        client: Further settings of the client, by librdkafka's names.

    Attributes:
        refusal: The first error that no retry can help.
    """

    def __init__(
        self, settings: Settings, topic: str, client: Mapping[str, str] | None = None
    ) -> None:
        self.refusal: KafkaError | None = None
        self._topic = topic
        self._limit = settings.queue_records
        self._flying: deque[Batch] = deque()
        self._producer = Producer(
            {**producer_settings(settings), **(client or {}), "error_cb": self._noticed}
        )
        self._partitions = 0
        self._flying_bytes = 0

    def is_idle(self) -> bool:
        """Say whether everything is acknowledged and handed back."""
        return not self._flying

    def in_flight(self) -> int:
        """Return how many records have no acknowledgement yet."""
        return len(self._producer)

    def tallies(self) -> list[Tally]:
        """Return the figures of what has no acknowledgement yet."""
        return [batch.tally for batch in self._flying]

    def has_room(self, records: int) -> bool:
        """Say whether so many more may be sent without passing the limit."""
        if not self._flying:
            return True
        return self.in_flight() + records <= self._limit and self._flying_bytes <= _QUEUE_BYTES

    def send(self, records: list[Record], batch: Batch) -> None:
        """Queue records; they leave in this order.

        Raises:
            BrokerRefused: The topic is not there, or the client will not take a record.
        """
        batch.sink = self
        self._flying.append(batch)
        if not records:
            return
        keys = [key for _, key in records]
        where = partitions_of(keys, self._partitions or self._look_up()).tolist()
        messages: list[dict[str, Any]] = [
            {"value": value, "key": key, "partition": partition}
            for (value, key), partition in zip(records, where, strict=True)
        ]
        last = {partition: place for place, partition in enumerate(where)}
        for place in last.values():
            messages[place]["callback"] = batch.reported
        batch.waiting = len(last)
        batch.size_bytes = sum(len(value) for value, _ in records if value)
        self._flying_bytes += batch.size_bytes
        queued = self._producer.produce_batch(self._topic, messages)
        if queued != len(messages):
            refused = next(message["_error"] for message in messages if "_error" in message)
            raise self._cause_of(refused)

    def _look_up(self) -> int:
        """Find out how many partitions the topic has."""
        try:
            found = self._producer.list_topics(self._topic, timeout=_METADATA_SECONDS)
        except KafkaException as failure:
            raise refusal(failure.args[0]) from None
        topic = found.topics[self._topic]
        if topic.error is not None:
            raise refusal(topic.error)
        self._partitions = len(topic.partitions)
        return self._partitions

    def _cause_of(self, error: KafkaError) -> BrokerRefused:
        """Name why a record was not taken: a producer that has given up says only that."""
        if error.name() == AFTERMATH and self.refusal is None:
            # The cause is on its way to the callbacks.
            self._serve(_CAUSE_SECONDS)
        return refusal(self.refusal or error)

    def publish(
        self,
        topic: str,
        rows: list[tuple[bytes, bytes | None]],
        batch: Batch,
        partition: int = _BY_KEY,
    ) -> None:
        """Queue keys and values for another topic; its partition follows from the key if absent.

        Raises:
            BrokerRefused: The client will not take a record.
        """
        batch.sink = self
        batch.waiting = len(rows)
        self._flying.append(batch)
        for key, value in rows:
            try:
                self._producer.produce(
                    topic, value=value, key=key, partition=partition, on_delivery=batch.reported
                )
            except KafkaException as failure:
                raise self._cause_of(failure.args[0]) from None

    def publish_unconfirmed(
        self, topic: str, rows: list[tuple[bytes, bytes | None]], partition: int
    ) -> None:
        """Queue keys and values without waiting for their arrival; any thread may call this."""
        for key, value in rows:
            self._producer.produce(topic, value=value, key=key, partition=partition)

    def drop(self) -> None:
        """Drop every record that is not on its way to the broker."""
        # What is on its way has the content that the successor gives it. To drop that too would
        # break the order of an idempotent producer, which librdkafka reports as fatal.
        self._producer.purge(in_flight=False)

    def poll(self, seconds: float) -> list[Batch]:
        """Serve the client for a while and return the batches that are now complete, in order.

        Raises:
            BrokerRefused: A record was refused for good.
        """
        self._serve(seconds)
        if self.refusal is not None:
            raise refusal(self.refusal)
        complete = []
        while self._flying and not self._flying[0].waiting:
            complete.append(self._flying.popleft())
            self._flying_bytes -= complete[-1].size_bytes
        return complete

    def _serve(self, seconds: float) -> None:
        """Let the client report for a while; it reports that it has given up as an exception."""
        try:
            self._producer.poll(seconds)
        except KafkaException as failure:
            self.refusal = self.refusal or failure.args[0]

    def _noticed(self, error: KafkaError) -> None:
        """Keep an error that concerns the connection and will not go away by itself."""
        if is_hopeless(error):
            self.refusal = error


def is_hopeless(error: KafkaError) -> bool:
    """Say whether an error of the connection will not go away by itself."""
    return bool(error.fatal() or error.name() in _HOPELESS)


def refusal(error: KafkaError, otherwise: str = "the broker's log") -> BrokerRefused:
    """Name the setting to look at; a fatal error tells its cause in its text only."""
    cause = error.name()
    if error.fatal():
        known = {name: KafkaError(getattr(KafkaError, name)).str() for name in _SETTING_TO_LOOK_AT}
        cause = next((name for name, text in known.items() if text in error.str()), cause)
    look_at = _SETTING_TO_LOOK_AT.get(cause, otherwise)
    return BrokerRefused(cause, error.str(), look_at)


def client_settings(settings: Settings) -> dict[str, Any]:
    """Return librdkafka's settings that every client needs.

    Names: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md.
    """
    values: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "clickstream-generator",
        "security.protocol": settings.security_protocol,
        "log_level": 3,
    }
    if settings.ca_file is not None:
        values["ssl.ca.location"] = str(settings.ca_file)
    username = settings.username
    if settings.username_file is not None and settings.username_file.is_file():
        username = settings.username_file.read_text(encoding="utf-8").strip()
    if username is not None:
        values["sasl.mechanism"] = settings.sasl_mechanism
        values["sasl.username"] = username
    if settings.password_file is not None:
        values["sasl.password"] = settings.password_file.read_text(encoding="utf-8").strip()
    return values


def producer_settings(settings: Settings) -> dict[str, Any]:
    """Return librdkafka's settings for a producer."""
    return {
        **client_settings(settings),
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,
        "acks": "all",
        # Java's partitioner: librdkafka's own would put a key elsewhere than Spark does.
        "partitioner": "murmur2_random",
        # An event is never given up while the process lives; back-pressure bounds the queue.
        "message.timeout.ms": 0,
        "linger.ms": 20,
        "batch.size": 1_048_576,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 2 * settings.queue_records,
        "queue.buffering.max.kbytes": _QUEUE_KIBIBYTES,
        "message.max.bytes": 2_097_152,
    }
