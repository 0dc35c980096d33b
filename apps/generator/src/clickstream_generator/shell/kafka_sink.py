"""The Kafka sink: sends records, and returns the batches that the broker has acknowledged.

Owns the producer and the records in flight. Batches leave in order. The sink returns a batch when
the broker has acknowledged all of its records and all earlier ones. The producer is idempotent and
gapless: within a partition the broker acknowledges records in order, or the producer fails for
good. So one delivery report for the last record of each partition covers the whole batch. A report
per record would cost a third of the speed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Producer

from clickstream_generator.core.partitions import partitions_of
from clickstream_generator.errors import BrokerRefused
from clickstream_generator.shell.client_watch import ClientWatch
from clickstream_generator.shell.sink import AFTERMATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.settings import KafkaSettings
    from clickstream_generator.shell.sink import Batch

__all__ = ["KafkaSink", "client_settings", "is_hopeless", "producer_settings", "refusal"]

_BY_KEY = -1
"""librdkafka's ``RD_KAFKA_PARTITION_UA``: choose the partition by the key."""
_QUEUE_KIBIBYTES = 393_216
_QUEUE_BYTES = _QUEUE_KIBIBYTES * 1024 // 2
"""Above it the sink has no room: the rest must hold one chunk with its oversized records."""
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
    """The sink for one topic.

    Args:
        settings: The connection settings.
        topic: The topic.
        client: Further client settings, by librdkafka's names.
        headers: Returns the headers of a record; ``None`` for records without headers.

    Attributes:
        refusal: The first error that a retry cannot fix.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        client: Mapping[str, str] | None = None,
        headers: Callable[[bytes | None], list[tuple[str, str]]] | None = None,
    ) -> None:
        self.refusal: KafkaError | None = None
        self._topic = topic
        self._limit = settings.queue_records
        self._headers = headers
        self._flying: deque[Batch] = deque()
        self._watch = ClientWatch()
        self._producer = Producer(
            {
                **producer_settings(settings),
                **(client or {}),
                **self._watch.settings(),
                "error_cb": self._noticed,
            }
        )
        self._partitions = 0
        self._flying_bytes = 0

    def is_idle(self) -> bool:
        """Return whether all batches are acknowledged and returned."""
        return not self._flying

    def in_flight(self) -> int:
        """Return the number of records in flight."""
        return len(self._producer)

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches in flight."""
        return [batch.tally for batch in self._flying]

    def has_room(self, records: int) -> bool:
        """Return whether this many records may be sent within the limit."""
        if not self._flying:
            return True
        return self.in_flight() + records <= self._limit and self._flying_bytes <= _QUEUE_BYTES

    def send(self, records: list[Record], batch: Batch) -> None:
        """Queue records; they leave in this order.

        Raises:
            BrokerRefused: The topic does not exist, or the client refuses a record.
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
        if self._headers is not None:
            self._produce_with_headers(messages)
            return
        queued = self._producer.produce_batch(self._topic, messages)
        if queued != len(messages):
            refused = next(message["_error"] for message in messages if "_error" in message)
            raise self._cause_of(refused)

    def check_topics(self, *names: str) -> None:
        """Check that the client knows these topics.

        Raises:
            BrokerRefused: A topic does not exist, or the client may not see it.
        """
        for name in names:
            self._partitions_of(name)

    def _produce_with_headers(self, messages: list[dict[str, Any]]) -> None:
        """Queue records one by one: the client's batches have no headers."""
        assert self._headers is not None  # noqa: S101  the caller has checked it
        for message in messages:
            try:
                self._producer.produce(
                    self._topic,
                    value=message["value"],
                    key=message["key"],
                    partition=message["partition"],
                    headers=[*self._headers(message["value"])],
                    on_delivery=message.get("callback"),
                )
            except KafkaException as failure:
                raise self._cause_of(failure.args[0]) from None

    def _look_up(self) -> int:
        """Return the number of the topic's partitions, and remember it."""
        self._partitions = self._partitions_of(self._topic)
        return self._partitions

    def _partitions_of(self, name: str) -> int:
        try:
            found = self._producer.list_topics(name, timeout=_METADATA_SECONDS)
        except KafkaException as failure:
            raise refusal(failure.args[0]) from None
        topic = found.topics[name]
        if topic.error is not None:
            refused = refusal(topic.error)
            raise BrokerRefused(refused.code, f"topic {name}: {refused.reason}", refused.setting)
        return len(topic.partitions)

    def _cause_of(self, error: KafkaError) -> BrokerRefused:
        """Return the cause of a refusal; a failed producer reports only that it has failed."""
        if error.name() == AFTERMATH and self.refusal is None:
            # The callbacks will soon receive the cause.
            self._serve(_CAUSE_SECONDS)
        return refusal(self.refusal or error)

    def publish(
        self,
        topic: str,
        rows: list[tuple[bytes, bytes | None]],
        batch: Batch,
        partition: int = _BY_KEY,
    ) -> None:
        """Queue records for another topic; without ``partition``, the key decides.

        Raises:
            BrokerRefused: The client refuses a record.
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
        """Queue records without tracking their acknowledgement; any thread may call this."""
        for key, value in rows:
            self._producer.produce(topic, value=value, key=key, partition=partition)

    def drop(self) -> None:
        """Drop every queued record that is not yet sent to the broker."""
        # Records in flight are harmless: the successor sends the same content. Dropping them would
        # break the order of an idempotent producer, which librdkafka reports as a fatal error.
        self._producer.purge(in_flight=False)

    def poll(self, seconds: float) -> list[Batch]:
        """Serve the client for a while, and return the completed batches in order.

        Raises:
            BrokerRefused: The broker refuses a record, and a retry cannot help.
            BrokersLost: The client has lost its brokers.
        """
        self._serve(seconds)
        if self.refusal is not None:
            raise refusal(self.refusal)
        self._watch.check()
        complete = []
        while self._flying and not self._flying[0].waiting:
            complete.append(self._flying.popleft())
            self._flying_bytes -= complete[-1].size_bytes
        return complete

    def _serve(self, seconds: float) -> None:
        """Serve the client's callbacks for a while; a fatal error comes as an exception."""
        try:
            self._producer.poll(seconds)
        except KafkaException as failure:
            self.refusal = self.refusal or failure.args[0]

    def _noticed(self, error: KafkaError) -> None:
        """Keep a connection error that a retry cannot fix."""
        if is_hopeless(error):
            self.refusal = error


def is_hopeless(error: KafkaError) -> bool:
    """Return whether a retry cannot fix a connection error."""
    return bool(error.fatal() or error.name() in _HOPELESS)


def refusal(error: KafkaError, otherwise: str = "the broker's log") -> BrokerRefused:
    """Return the error with the setting to check; a fatal error has its cause only in its text."""
    cause = error.name()
    if error.fatal():
        known = {name: KafkaError(getattr(KafkaError, name)).str() for name in _SETTING_TO_LOOK_AT}
        cause = next((name for name, text in known.items() if text in error.str()), cause)
    look_at = _SETTING_TO_LOOK_AT.get(cause, otherwise)
    return BrokerRefused(cause, error.str(), look_at)


def client_settings(settings: KafkaSettings) -> dict[str, Any]:
    """Return the librdkafka settings of every client.

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


def producer_settings(settings: KafkaSettings) -> dict[str, Any]:
    """Return the librdkafka settings of the producer."""
    return {
        **client_settings(settings),
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,
        "acks": "all",
        # Java's partitioner: librdkafka's default chooses other partitions than Spark.
        "partitioner": "murmur2_random",
        # Retry until the process ends; the limit of records in flight bounds the queue.
        "message.timeout.ms": 0,
        "linger.ms": 20,
        "batch.size": 1_048_576,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 2 * settings.queue_records,
        "queue.buffering.max.kbytes": _QUEUE_KIBIBYTES,
        "message.max.bytes": 2_097_152,
    }
