"""Errors of the stream.

``StreamingError`` is the root. After ``BatchRowsLost`` the stream runs the batch again. All other
errors end the process with advice: of the preflight and of running batches ``CheckpointMismatch``,
``CheckpointBehindDatabase``, ``DatabaseBehindCheckpoint``, ``DatabaseNotMigrated``,
``DatabaseUnreachable``, ``DaysDropped``, ``LogDiverged``, ``RecordsMissing``, ``TopicMissing``,
``TopicRecreated`` and ``PartitionCountMismatch``; of a running query without a better cause
``QueryFailed``; of a verification ``TooFewLocks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.libpq import is_refusal

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from clickstream_streaming.core.log_positions import LogPosition

__all__ = [
    "BatchRowsLost",
    "CheckpointBehindDatabase",
    "CheckpointMismatch",
    "DatabaseBehindCheckpoint",
    "DatabaseNotMigrated",
    "DatabaseUnreachable",
    "DaysDropped",
    "LogDiverged",
    "PartitionCountMismatch",
    "QueryFailed",
    "RecordsMissing",
    "StreamingError",
    "TooFewLocks",
    "TopicMissing",
    "TopicRecreated",
]


_SERVERS = "CLICKSTREAM_STREAMING_BOOTSTRAP_SERVERS"


class StreamingError(Exception):
    """Root of the stream's errors."""


def _read_again(folder: Path) -> str:
    """Return the advice for reading from the oldest record in Kafka."""
    return (
        f"To read the existing records, remove {folder} and, as the owner of the database, empty"
        " ops.batches: the stream then starts at the oldest record, and clickstream verify reports"
        " lost events. No event is stored twice; events of days that retention has dropped are"
        " rejected"
    )


class BatchRowsLost(StreamingError):
    """The database has lost rows that the tasks of a batch had committed.

    Attributes:
        batch_id: The batch.
        partitions: The partitions whose rows are lost, as ``topic/partition``.
    """

    def __init__(self, batch_id: int, partitions: list[str]) -> None:
        """Set the fields and the text."""
        self.batch_id, self.partitions = batch_id, partitions
        super().__init__(
            f"the database has lost committed rows of batch {batch_id} ({', '.join(partitions)}):"
            " a standby without the last commits has taken over, or an older state was restored;"
            " the batch is run again. Let a commit wait for the standby"
            " (synchronous_standby_names)"
        )


class CheckpointMismatch(StreamingError):
    """Another job or another version made the checkpoint.

    Attributes:
        folder: The checkpoint.
        differences: The differences, as ``name: value there, value here``.
    """

    def __init__(self, folder: Path, differences: list[str]) -> None:
        """Set the fields and the text."""
        self.folder, self.differences = folder, differences
        super().__init__(
            f"the checkpoint {folder} does not fit this job ({'; '.join(differences)}); run the"
            " version that made it, or remove the folder: the stream then continues at the offsets"
            " in the database"
        )


class CheckpointBehindDatabase(StreamingError):
    """The database has a batch that the checkpoint lacks or has with another end.

    Attributes:
        folder: The checkpoint.
        batch_id: The first such batch.
    """

    def __init__(self, folder: Path, batch_id: int) -> None:
        """Set the fields and the text."""
        self.folder, self.batch_id = folder, batch_id
        super().__init__(
            f"the database holds batch {batch_id} of the checkpoint {folder}, which lacks it or has"
            " another end for it: the checkpoint was restored to an older state, or has lost its"
            " last files; remove the folder: the stream then continues at the offsets in the"
            " database"
        )


class DatabaseBehindCheckpoint(StreamingError):
    """The database lacks a batch that the checkpoint has committed.

    Attributes:
        folder: The checkpoint.
        batch_id: The last batch that the checkpoint has committed.
    """

    def __init__(self, folder: Path, batch_id: int) -> None:
        """Set the fields and the text."""
        self.folder, self.batch_id = folder, batch_id
        super().__init__(
            f"the database lacks batch {batch_id} of the checkpoint {folder}: it was wiped or"
            " restored, or a standby without the last commits has taken over; remove the folder:"
            " the stream then continues at the offsets in the database"
        )


class DatabaseNotMigrated(StreamingError):
    """The database lacks a table.

    Attributes:
        missing: The first missing table.
    """

    def __init__(self, missing: str) -> None:
        """Set the field and the text."""
        self.missing = missing
        super().__init__(f"the database has no {missing}; run the migrations")


class DatabaseUnreachable(StreamingError):
    """PostgreSQL does not answer, or refuses the connection.

    Attributes:
        address: The address.
        reason: The message of PostgreSQL or of its client.
        is_refusal: Whether PostgreSQL has refused the connection, so that a retry is useless.
    """

    def __init__(self, address: str, reason: str) -> None:
        """Set the fields and the text."""
        self.address, self.reason = address, reason
        self.is_refusal = is_refusal(reason)
        super().__init__(
            f"cannot connect to PostgreSQL at {address}: {' '.join(reason.split())}; check"
            " CLICKSTREAM_STREAMING_POSTGRES_* and the password file"
        )


class DaysDropped(StreamingError):
    """Retention dropped a day while a batch was writing events of that day.

    Attributes:
        before: The first day that is kept.
    """

    def __init__(self, before: date) -> None:
        """Set the field and the text."""
        self.before = before
        super().__init__(
            f"days before {before} were dropped while a batch was writing events of these days;"
            " nothing is lost, start the stream again. The stream drops days itself between two"
            " batches: do not call ops.drop_event_partitions"
        )


class LogDiverged(StreamingError):
    """A partition's log no longer has the records that were read.

    Attributes:
        topic, partition: The partition.
        offset: The next offset to read.
        leader_epoch: The leader epoch that was read.
        folder: The checkpoint.
    """

    def __init__(self, topic: str, partition: int, read: LogPosition, folder: Path) -> None:
        """Set the fields and the text."""
        self.topic, self.partition, self.folder = topic, partition, folder
        self.offset, self.leader_epoch = read.offset, read.leader_epoch
        super().__init__(
            f"partition {partition} of the topic {topic} was read up to offset {read.offset} in"
            f" leader epoch {read.leader_epoch}, but its log leaves that epoch before this offset:"
            " a broker without the last records became the leader (after an unclean election or the"
            f" loss of a disk), so other records may have these offsets now. {_read_again(folder)}"
        )


class RecordsMissing(StreamingError):
    """Kafka no longer has the next records.

    Attributes:
        topic, partition: The partition.
        wanted: The next offset to read.
        has: The first offset in Kafka, and the one after the last.
        folder: The checkpoint.
    """

    def __init__(
        self, topic: str, partition: int, wanted: int, has: tuple[int, int], folder: Path
    ) -> None:
        """Set the fields and the text."""
        self.topic, self.partition, self.wanted = topic, partition, wanted
        self.has, self.folder = has, folder
        first, end = has
        gone = (
            f"retention or a user has deleted the {first - wanted} records before {first}"
            if wanted < first
            else f"the partition ends before {end}: its broker was restored, or has lost its disk"
        )
        super().__init__(
            f"partition {partition} of the topic {topic} does not have offset {wanted}, the next"
            f" one to read; {gone}. Restore the records and start again. {_read_again(folder)}"
        )


class TooFewLocks(StreamingError):
    """PostgreSQL cannot lock all tables and indexes that a verification reads.

    Attributes:
        days: Number of tables of days.
        needed: Number of locks that a verification takes.
        room: Number of locks that all connections together can take.
        setting: The ``max_locks_per_transaction`` with room for twice as many.
    """

    def __init__(self, days: int, needed: int, room: int, setting: int) -> None:
        """Set the fields and the text."""
        self.days, self.needed, self.room, self.setting = days, needed, room, setting
        super().__init__(
            f"a verification of {days} days takes {needed} locks, and PostgreSQL has room for"
            f" {room}: set max_locks_per_transaction to {setting} or more and restart PostgreSQL,"
            " or let CLICKSTREAM_STREAMING_RAW_RETENTION_DAYS drop old days"
        )


class TopicMissing(StreamingError):
    """Kafka lacks a topic, or does not answer.

    Attributes:
        topic: The topic.
        reason: The message of Kafka's client.
        setting: The setting that may be wrong; ``None`` if the topic may be missing.
    """

    def __init__(self, topic: str, reason: str, setting: str | None = None) -> None:
        """Set the fields and the text."""
        self.topic, self.reason, self.setting = topic, reason, setting
        advice = f"check {setting}" if setting else "create it, or check " + _SERVERS
        super().__init__(f"cannot read the topic {topic}: {reason}; {advice}")


class TopicRecreated(StreamingError):
    """A topic was deleted and created again.

    Attributes:
        topic: The topic.
        topic_ids: The id of the topic that was read, and the present id.
        folder: The checkpoint.
    """

    def __init__(self, topic: str, topic_ids: tuple[str, str], folder: Path) -> None:
        """Set the fields and the text."""
        self.topic, self.topic_ids, self.folder = topic, list(topic_ids), folder
        super().__init__(
            f"the topic {topic} has the id {topic_ids[1]}, but the topic that was read had the id"
            f" {topic_ids[0]}: it was deleted and created again, so the next offsets are those of"
            f" other records. {_read_again(folder)}"
        )


class PartitionCountMismatch(StreamingError):
    """A topic has another number of partitions than expected.

    Attributes:
        topic: The topic.
        found: The number of partitions.
        wanted: The expected number.
    """

    def __init__(self, topic: str, found: int, wanted: int) -> None:
        """Set the fields and the text."""
        self.topic, self.found, self.wanted = topic, found, wanted
        super().__init__(
            f"the topic {topic} has {found} partitions, not {wanted}: it was created again or"
            f" changed; set CLICKSTREAM_STREAMING_EVENTS_PARTITIONS to {found} if that is intended,"
            " or to 0 for any number"
        )


class QueryFailed(StreamingError):
    """A streaming query has failed.

    Attributes:
        query: The name of the query.
        reason: Spark's message.
    """

    def __init__(self, query: str, reason: str) -> None:
        """Set the fields and the text."""
        self.query, self.reason = query, reason
        super().__init__(
            f"the query {query} has ended: {' '.join(reason.split())[:400]}; nothing is lost,"
            " start the stream again"
        )
