"""Where reading goes on, and whether Kafka still has what comes next.

Owns the look at checkpoint, database and topics before anything is read, and again when the
query has ended by itself: Spark says that something is wrong, this says what. It does not know
what is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.topics import EVENTS

from clickstream_streaming.errors import RecordsGone, TopicUnfit
from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.database import committed_offsets, refuse_if_apart
from clickstream_streaming.shell.query import fingerprint

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.topic_logs import TopicLogs

__all__ = ["check_topics", "next_offsets"]


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


def check_topics(logs: TopicLogs, settings: Settings, wanted: Offsets) -> None:
    """Compare the topics with what is expected of them.

    Args:
        logs: The topics, and what was read of them.
        settings: What is expected.
        wanted: Offsets from which reading goes on.

    Raises:
        TopicMissing: A topic is not there, or Kafka is not.
        TopicRemade: A topic is another one than the one that was read.
        LogDiverged: A partition no longer has the records that were read.
        TopicUnfit: The events' topic has another number of partitions than expected.
        RecordsGone: Kafka no longer has what comes next.
    """
    ends = logs.check()
    found = sum(topic == EVENTS.name for topic, _ in ends)
    if settings.events_partitions and found != settings.events_partitions:
        raise TopicUnfit(EVENTS.name, found, settings.events_partitions)
    firsts = logs.ends("earliest")
    for topic, offsets in wanted.items():
        for number, offset in offsets.items():
            has = firsts[topic, number].offset, ends[topic, number].offset
            if not has[0] <= offset <= has[1]:
                raise RecordsGone(topic, number, offset, has, settings.checkpoint_dir / QUERY)
