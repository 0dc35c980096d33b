"""Preflight: the checks before the first read.

Owns the comparison of checkpoint, database and topics. The job repeats it after a failure of its
query: Spark reports only that something is wrong, the preflight names the cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.topics import EVENTS

from clickstream_streaming.core.sql.batch_steps import STORED_ENDS
from clickstream_streaming.errors import (
    CheckpointBehindDatabase,
    DatabaseBehindCheckpoint,
    PartitionCountMismatch,
    RecordsMissing,
)
from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.database import committed_offsets
from clickstream_streaming.shell.query import fingerprint

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.topic_logs import TopicLogs

__all__ = ["check_checkpoint", "check_committed_batch", "check_topics", "next_offsets"]


def next_offsets(connection: Connection, settings: Settings) -> Offsets:
    """Return the offsets of the next records; none before the first batch.

    Raises:
        CheckpointMismatch: Another job made the checkpoint, or it cannot be read.
        DatabaseBehindCheckpoint: The database was wiped or restored.
        CheckpointBehindDatabase: The checkpoint was restored to an older state.
    """
    checkpoint = Checkpoint(settings.checkpoint_dir / QUERY)
    checkpoint.check_fingerprint(fingerprint())
    check_checkpoint(connection, QUERY, checkpoint)
    batch = checkpoint.committed_batch()
    if batch is None:
        return committed_offsets(connection, QUERY)
    return checkpoint.offsets_until(batch)


def check_topics(logs: TopicLogs, settings: Settings, wanted: Offsets) -> None:
    """Check that Kafka has the expected topics and the next records.

    Args:
        logs: The topics, and the positions read in them.
        settings: The expected number of partitions.
        wanted: The offsets of the next records.

    Raises:
        TopicMissing: A topic does not exist, or Kafka does not answer.
        TopicRecreated: A topic is not the one that was read.
        LogDiverged: A partition no longer has the records that were read.
        PartitionCountMismatch: The events' topic has another number of partitions than expected.
        RecordsMissing: Kafka no longer has the next records.
    """
    ends = logs.check()
    found = sum(topic == EVENTS.name for topic, _ in ends)
    if settings.events_partitions and found != settings.events_partitions:
        raise PartitionCountMismatch(EVENTS.name, found, settings.events_partitions)
    firsts = logs.ends("earliest")
    for topic, offsets in wanted.items():
        for number, offset in offsets.items():
            has = firsts[topic, number].offset, ends[topic, number].offset
            if not has[0] <= offset <= has[1]:
                raise RecordsMissing(topic, number, offset, has, settings.checkpoint_dir / QUERY)


def check_checkpoint(connection: Connection, query: str, checkpoint: Checkpoint) -> None:
    """Compare the last batches of the checkpoint with those of the database.

    Raises:
        DatabaseBehindCheckpoint: The database was wiped or restored.
        CheckpointBehindDatabase: The checkpoint was restored, or has lost its last batch.
    """
    planned = checkpoint.planned_batch()
    if planned is None:
        return
    check_committed_batch(connection, query, checkpoint)
    if _stored_ends(connection, query, checkpoint, planned + 1):
        raise CheckpointBehindDatabase(checkpoint.folder, planned + 1)
    # An interrupted batch may be stored in part. Each stored part must end at the planned offset.
    stored = _stored_ends(connection, query, checkpoint, planned)
    if not stored.items() <= _flat(checkpoint.offsets_until(planned)).items():
        raise CheckpointBehindDatabase(checkpoint.folder, planned)


def check_committed_batch(connection: Connection, query: str, checkpoint: Checkpoint) -> None:
    """Check that the database has the last batch that Spark has committed.

    Batches are written one after the other: a database with the last one has all of them.

    Raises:
        DatabaseBehindCheckpoint: The database lacks the batch or a part of it.
    """
    committed = checkpoint.committed_batch()
    if committed is not None:
        stored = _stored_ends(connection, query, checkpoint, committed)
        if not _flat(checkpoint.offsets_until(committed)).keys() <= stored.keys():
            raise DatabaseBehindCheckpoint(checkpoint.folder, committed)


def _flat(offsets: Offsets) -> dict[tuple[str, int], int]:
    return {(topic, number): end for topic, ends in offsets.items() for number, end in ends.items()}


def _stored_ends(
    connection: Connection, query: str, checkpoint: Checkpoint, batch_id: int
) -> dict[tuple[str, int], int]:
    """Return the end of a batch in the database, by topic and partition."""
    with connection, connection.cursor() as cursor:
        values = {"query": query, "checkpoint_id": checkpoint.identity(), "batch_id": batch_id}
        cursor.execute(STORED_ENDS, values)
        return {(topic, number): until for topic, number, until in cursor.fetchall()}
