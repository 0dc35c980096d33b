"""Where reading goes on, and whether Kafka still has what comes next.

Owns the look at checkpoint, database and topics before anything is read, and again when the
query has ended by itself: Spark says that something is wrong, this says what. It does not know
what is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clickstream_contract.topics import EVENTS, LEDGER
from py4j.protocol import Py4JJavaError

from clickstream_streaming.errors import RecordsGone, TopicMissing, TopicUnfit
from clickstream_streaming.shell.checkpoint import Checkpoint
from clickstream_streaming.shell.database import committed_offsets, refuse_if_apart
from clickstream_streaming.shell.kafka_client import blamed_setting, client_settings
from clickstream_streaming.shell.query import QUERY, fingerprint

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from pyspark.sql import SparkSession

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets

__all__ = ["check_topics", "last_line", "next_offsets"]

_KAFKA_MILLISECONDS = 20_000


def next_offsets(connection: Connection, settings: Settings) -> Offsets:
    """Return the offsets from which reading goes on; none before the first batch.

    Raises:
        CheckpointMismatch: The checkpoint is another job's, or cannot be read.
        DatabaseBehindCheckpoint: The database was wiped or restored.
        CheckpointBehindDatabase: The checkpoint was put back to an older state.
    """
    checkpoint = Checkpoint(settings.checkpoint_dir / QUERY)
    checkpoint.check_fingerprint(fingerprint())
    refuse_if_apart(connection, QUERY, checkpoint)
    batch = checkpoint.committed_batch()
    if batch is None:
        return committed_offsets(connection, QUERY)
    return checkpoint.offsets_until(batch)


def check_topics(spark: SparkSession, settings: Settings, wanted: Offsets) -> None:
    """Compare the topics with what is expected of them.

    Args:
        spark: Has Kafka's own client.
        settings: Where Kafka is.
        wanted: Offsets from which reading goes on.

    Raises:
        TopicMissing: A topic is not there, or Kafka is not.
        TopicUnfit: The events' topic has another number of partitions than expected.
        RecordsGone: Kafka no longer has what comes next.
    """
    jvm: Any = spark._jvm  # noqa: SLF001  Kafka's own client, as Spark has it, is only there
    client = jvm.org.apache.kafka.clients.admin.Admin.create(
        {
            **client_settings(settings),
            "default.api.timeout.ms": str(_KAFKA_MILLISECONDS),
            "request.timeout.ms": str(_KAFKA_MILLISECONDS),
        }
    )
    topic = EVENTS.name
    try:
        for topic in (LEDGER.name, EVENTS.name):  # the last one's partitions are counted
            topics = client.describeTopics([topic]).allTopicNames().get()
        found = topics[topic].partitions().size()
        if settings.events_partitions and found != settings.events_partitions:
            raise TopicUnfit(topic, found, settings.events_partitions)
        for topic, offsets in wanted.items():
            _compare(jvm, client, settings, topic, offsets)
    except Py4JJavaError as error:
        cause = str(error.java_exception)
        raise TopicMissing(topic, last_line(cause), blamed_setting(cause)) from error
    finally:
        client.close()


def _compare(
    jvm: Any,  # noqa: ANN401  py4j's view of the JVM has no types
    client: Any,  # noqa: ANN401  and none of what is in it
    settings: Settings,
    topic: str,
    offsets: dict[int, int],
) -> None:
    """Raise :class:`RecordsGone` if a partition does not have the offset that comes next."""
    spec = jvm.org.apache.kafka.clients.admin.OffsetSpec
    partitions = {number: jvm.org.apache.kafka.common.TopicPartition(topic, number)
                  for number in offsets}  # fmt: skip
    ends = []
    for bound in (spec.earliest(), spec.latest()):
        asked = dict.fromkeys(partitions.values(), bound)
        answer = client.listOffsets(asked).all().get()
        ends.append({number: answer[at].offset() for number, at in partitions.items()})
    for number, offset in offsets.items():
        if not ends[0][number] <= offset <= ends[1][number]:
            has = ends[0][number], ends[1][number]
            raise RecordsGone(topic, number, offset, has, settings.checkpoint_dir / QUERY)


def last_line(text: str) -> str:
    """Return the line of a trace that says what went wrong in our part of it, or all."""
    found = re.findall(r"^[a-zA-Z_.]*(?:psycopg2|Error|Exception)[^\n]*$", text, re.MULTILINE)
    return found[-1] if found else text
