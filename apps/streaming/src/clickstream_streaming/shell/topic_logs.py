"""The logs of the topics: their ids, ends and leader epochs in Kafka, compared with those read.

Owns the requests to Kafka. The database stores topic ids and leader epochs with the offsets, see
``docs/adr/0010-offsets-of-one-log.md``.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clickstream_contract.topics import EVENTS, LEDGER
from py4j.protocol import Py4JJavaError

from clickstream_streaming.core.log_positions import LogPosition, changed_epochs, recreated_topics
from clickstream_streaming.errors import LogDiverged, TopicMissing, TopicRecreated
from clickstream_streaming.shell.checkpoint import QUERY
from clickstream_streaming.shell.kafka_client import blamed_setting, client_settings, last_line
from clickstream_streaming.shell.retry import GIVE_UP_SECONDS, retry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from psycopg2.extensions import connection as Connection
    from pyspark.sql import SparkSession

    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = ["TopicLogs", "read_positions"]

_DESERIALIZER = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
_TRUNCATED = "LogTruncationException"
_READ_POSITIONS = """
SELECT DISTINCT ON (topic, kafka_partition)
    topic, kafka_partition, topic_id, until_offset, leader_epoch
FROM ops.batches WHERE query = %s
ORDER BY topic, kafka_partition, until_offset DESC, leader_epoch DESC NULLS LAST
"""


def read_positions(connection: Connection, query: str) -> LogPositions:
    """Return the position up to which the query has read each partition."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_READ_POSITIONS, (query,))
        return {
            (topic, partition): LogPosition(*position)
            for topic, partition, *position in cursor.fetchall()
        }


class TopicLogs:
    """Kafka's logs of both topics, and the positions read in them.

    Args:
        spark: The session, for Kafka's Java client.
        settings: The address of Kafka.
        read: The positions up to which partitions were read.
        answer_seconds: The time limit for an answer of Kafka.
    """

    def __init__(
        self, spark: SparkSession, settings: Settings, read: LogPositions, answer_seconds: int
    ) -> None:
        jvm: Any = spark._jvm  # noqa: SLF001  Spark's JVM is the only way to Kafka's own client
        # Py4J searches all jars at each access to a class, so access each class once.
        self._offset_spec = jvm.org.apache.kafka.clients.admin.OffsetSpec
        self._topic_partition = jvm.org.apache.kafka.common.TopicPartition
        self._consumer = jvm.org.apache.kafka.clients.consumer.KafkaConsumer
        self._offset_and_metadata = jvm.org.apache.kafka.clients.consumer.OffsetAndMetadata
        self._optional = jvm.java.util.Optional
        self._folder = settings.checkpoint_dir / QUERY
        milliseconds = str(1_000 * answer_seconds)
        self._client_settings = {
            **client_settings(settings),
            "default.api.timeout.ms": milliseconds,
            "request.timeout.ms": milliseconds,
        }
        self._client = jvm.org.apache.kafka.clients.admin.Admin.create(self._client_settings)
        self._read = read
        self._lock = threading.Lock()  # a batch and the lag may check at the same time

    def check(self) -> LogPositions:
        """Check that the logs continue the records that were read; return their ends.

        Raises:
            TopicRecreated: A topic is not the one that was read.
            LogDiverged: A partition no longer has the records that were read.
            TopicMissing: A topic does not exist, or Kafka does not answer.
        """
        with self._lock:
            ends = self.ends("latest")
            for topic, topic_ids in recreated_topics(self._read, ends).items():
                raise TopicRecreated(topic, topic_ids, self._folder)
            for place, read in changed_epochs(self._read, ends).items():
                if self._is_truncated(*place, read):
                    raise LogDiverged(*place, read, self._folder)
                # The new leader has all records that were read: do not ask it again.
                self._read = {**self._read, place: replace(ends[place], offset=read.offset)}
            return ends

    def check_with_retries(self, stopping: Event) -> LogPositions:
        """Return the result of :meth:`check`; retry while Kafka does not answer.

        Args:
            stopping: Ends the retries when it is set.

        Raises:
            TopicMissing: Kafka does not answer for five minutes, or a topic does not exist.
        """
        return retry(
            self.check,
            TopicMissing,
            GIVE_UP_SECONDS,
            "Kafka does not answer",
            wait=stopping.wait,
        )

    def ends(self, bound: str) -> LogPositions:
        """Return the beginnings or ends of the logs.

        Args:
            bound: ``earliest`` or ``latest``.

        Raises:
            TopicMissing: A topic does not exist, or Kafka does not answer.
        """
        spec = getattr(self._offset_spec, bound)()
        topics = [LEDGER.name, EVENTS.name]
        descriptions = self._client.describeTopics(topics).topicNameValues()
        found = {}
        for topic in topics:
            with _kafka_errors(topic):
                description = descriptions[topic].get()
                topic_id = description.topicId().toString()
                partitions = {
                    number: self._topic_partition(topic, number)
                    for number in range(len(description.partitions()))
                }
                asked = dict.fromkeys(partitions.values(), spec)
                answers = self._client.listOffsets(asked).all().get()
                for number, partition in partitions.items():
                    answer = answers[partition]
                    epoch = answer.leaderEpoch().orElse(None)
                    found[topic, number] = LogPosition(topic_id, answer.offset(), epoch)
        return found

    def record_read(self, ends: LogPositions, until: Offsets) -> None:
        """Record the offsets up to which partitions were read.

        Args:
            ends: The ends of the logs before reading.
            until: The offsets.
        """
        with self._lock:
            self._read = {
                (topic, number): replace(ends[topic, number], offset=offset)
                for topic, partitions in until.items()
                for number, offset in partitions.items()
            }

    def close(self) -> None:
        """Close the client."""
        self._client.close()

    def _is_truncated(self, topic: str, partition: int, read: LogPosition) -> bool:
        """Return whether the log leaves the epoch that was read before the offset that was read.

        A consumer can ask the leader (``OffsetsForLeaderEpoch``); the admin client cannot.
        """
        consumer = self._consumer(
            {
                **self._client_settings,
                "key.deserializer": _DESERIALIZER,
                "value.deserializer": _DESERIALIZER,
                "auto.offset.reset": "none",
                "enable.auto.commit": "false",
            }
        )
        at = self._topic_partition(topic, partition)
        epoch = self._optional.of(read.leader_epoch)
        position = self._offset_and_metadata(read.offset, epoch, "")
        with _kafka_errors(topic):
            try:
                consumer.assign([at])
                consumer.endOffsets([at])  # finds the leader, which position() asks
                consumer.seek(at, position)
                consumer.position(at)
            except Py4JJavaError as error:
                if _TRUNCATED in str(error.java_exception):
                    return True
                raise
            finally:
                consumer.close()
        return False


@contextmanager
def _kafka_errors(topic: str) -> Iterator[None]:
    """Raise :class:`TopicMissing` for an error of Kafka's client."""
    try:
        yield
    except Py4JJavaError as error:
        cause = str(error.java_exception)
        raise TopicMissing(topic, last_line(cause), blamed_setting(cause)) from error
