"""Errors of the stream.

``StreamingError`` is the root. ``BatchRowsLost`` lets a batch be run again. Refusals at the start
and while batches run say what to do: ``CheckpointMismatch``,
``CheckpointBehindDatabase``, ``DatabaseBehindCheckpoint``, ``DatabaseNotMigrated``,
``DatabaseUnreachable``, ``LogDiverged``, ``RecordsGone``, ``TopicMissing``, ``TopicRemade``,
``TopicUnfit``; ``QueryFailed`` ends a running stream, as does what turns out to be its cause.
``TooFewLocks`` refuses a verification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    "QueryFailed",
    "RecordsGone",
    "StreamingError",
    "TooFewLocks",
    "TopicMissing",
    "TopicRemade",
    "TopicUnfit",
]


_SERVERS = "CLICKSTREAM_STREAMING_BOOTSTRAP_SERVERS"


class StreamingError(Exception):
    """Root of the stream's errors."""


def _read_again(folder: Path) -> str:
    """Return how to begin with the oldest record that Kafka has."""
    return (
        f"To read what is there, remove {folder} and, as the owner of the database, empty"
        " ops.batches: reading then begins with the oldest record there is, and clickstream verify"
        " says what is lost. What is stored is not stored twice, and events of days that retention"
        " has dropped are rejected"
    )


class BatchRowsLost(StreamingError):
    """The database has lost what the tasks of a batch had committed.

    Attributes:
        batch_id: The batch.
        partitions: Topics and partitions whose rows are lost, as ``topic/partition``.
    """

    def __init__(self, batch_id: int, partitions: list[str]) -> None:
        """Keep the fields and build the text."""
        self.batch_id, self.partitions = batch_id, partitions
        super().__init__(
            f"the database has lost what was committed of batch {batch_id}"
            f" ({', '.join(partitions)}): a standby"
            " without the last commits has taken over, or an older state was put back; the batch"
            " is run again. Let a commit wait for the standby (synchronous_standby_names)"
        )


class CheckpointMismatch(StreamingError):
    """The checkpoint is another job's, or another version's.

    Attributes:
        folder: The checkpoint.
        differences: What differs, as ``name: theirs, ours``.
    """

    def __init__(self, folder: Path, differences: list[str]) -> None:
        """Keep the fields and build the text."""
        self.folder, self.differences = folder, differences
        super().__init__(
            f"the checkpoint {folder} does not fit this job ({'; '.join(differences)}); run the"
            " version that made it, or remove the folder: reading then goes on where the"
            " database says"
        )


class CheckpointBehindDatabase(StreamingError):
    """The database holds a batch that the checkpoint does not know, or knows with other ends.

    Attributes:
        folder: The checkpoint.
        batch_id: The first such batch.
    """

    def __init__(self, folder: Path, batch_id: int) -> None:
        """Keep the fields and build the text."""
        self.folder, self.batch_id = folder, batch_id
        super().__init__(
            f"the database holds batch {batch_id} of the checkpoint {folder} otherwise than it"
            " was planned there: the checkpoint was put back to an older state, or has lost what"
            " it wrote last; remove the folder, and reading goes on where the database says"
        )


class DatabaseBehindCheckpoint(StreamingError):
    """The database does not hold what the checkpoint says was written.

    Attributes:
        folder: The checkpoint.
        batch_id: The last batch that the checkpoint has committed.
    """

    def __init__(self, folder: Path, batch_id: int) -> None:
        """Keep the fields and build the text."""
        self.folder, self.batch_id = folder, batch_id
        super().__init__(
            f"the database lacks batch {batch_id} of the checkpoint {folder}: it was wiped or"
            " restored, or a standby without the last commits has taken over; remove the folder,"
            " and reading continues where the database says"
        )


class DatabaseNotMigrated(StreamingError):
    """The tables are not there.

    Attributes:
        missing: The first table that is missing.
    """

    def __init__(self, missing: str) -> None:
        """Keep the field and build the text."""
        self.missing = missing
        super().__init__(f"the database has no {missing}; run the migrations")


class DatabaseUnreachable(StreamingError):
    """PostgreSQL does not let us in.

    Attributes:
        address: Where.
        reason: Its own words.
        is_refusal: Whether it has answered, and will not say otherwise next time.
    """

    def __init__(self, address: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.reason = address, reason
        # What it says before it lets anybody in carries no code that its library would pass on.
        self.is_refusal = "FATAL" in reason and "the database system is " not in reason
        super().__init__(
            f"cannot connect to PostgreSQL at {address}: {' '.join(reason.split())}; check"
            " CLICKSTREAM_STREAMING_POSTGRES_* and the password file"
        )


class DaysDropped(StreamingError):
    """A day was dropped while a batch with events of that day was under way.

    Attributes:
        before: All days before it are dropped.
    """

    def __init__(self, before: date) -> None:
        """Keep the field and build the text."""
        self.before = before
        super().__init__(
            f"days before {before} were dropped while a batch with events of these days"
            " was under way; nothing is lost, start the stream again. The stream drops days"
            " itself between two batches: leave ops.drop_event_partitions to it"
        )


class LogDiverged(StreamingError):
    """A partition's log no longer has the records that were read.

    Attributes:
        topic, partition: Where.
        offset: The offset up to which, without it, it was read.
        leader_epoch: In which leader epoch.
        folder: The checkpoint.
    """

    def __init__(self, topic: str, partition: int, read: LogPosition, folder: Path) -> None:
        """Keep the fields and build the text."""
        self.topic, self.partition, self.folder = topic, partition, folder
        self.offset, self.leader_epoch = read.offset, read.leader_epoch
        super().__init__(
            f"partition {partition} of the topic {topic} was read up to offset {read.offset} in"
            f" leader epoch {read.leader_epoch}, but its log leaves that epoch before this offset:"
            " a broker without the last records became the leader (an unclean election, or a disk"
            f" that was lost), and other records have their offsets now. {_read_again(folder)}"
        )


class RecordsGone(StreamingError):
    """Kafka no longer has the records that come next.

    Attributes:
        topic, partition: Where.
        wanted: The offset that comes next.
        has: The first offset that Kafka has, and the one after its last.
        folder: The checkpoint.
    """

    def __init__(
        self, topic: str, partition: int, wanted: int, has: tuple[int, int], folder: Path
    ) -> None:
        """Keep the fields and build the text."""
        self.topic, self.partition, self.wanted = topic, partition, wanted
        self.has, self.folder = has, folder
        first, end = has
        gone = (
            f"its retention or somebody has deleted the {first - wanted} records before {first}"
            if wanted < first
            else f"it ends before {end}: its broker was restored, or has lost its disk"
        )
        super().__init__(
            f"partition {partition} of the topic {topic} does not have offset {wanted}, which"
            f" comes next; {gone}. Bring the records back and start again. {_read_again(folder)}"
        )


class TooFewLocks(StreamingError):
    """PostgreSQL cannot lock as many tables and indexes as a verification reads at one moment.

    Attributes:
        days: Tables of days that there are.
        needed: Locks that a verification takes.
        room: Locks that all sessions may take together.
        setting: The least ``max_locks_per_transaction`` with room for twice as many.
    """

    def __init__(self, days: int, needed: int, room: int, setting: int) -> None:
        """Keep the fields and build the text."""
        self.days, self.needed, self.room, self.setting = days, needed, room, setting
        super().__init__(
            f"a verification of {days} days takes {needed} locks, and PostgreSQL has room for"
            f" {room}: set max_locks_per_transaction to {setting} or more and restart PostgreSQL,"
            " or let CLICKSTREAM_STREAMING_RAW_RETENTION_DAYS drop old days"
        )


class TopicMissing(StreamingError):
    """Kafka lacks a topic, or is not there.

    Attributes:
        topic: The topic.
        reason: What Kafka says.
        setting: The setting that this points at; ``None`` if it may be the topic itself.
    """

    def __init__(self, topic: str, reason: str, setting: str | None = None) -> None:
        """Keep the fields and build the text."""
        self.topic, self.reason, self.setting = topic, reason, setting
        advice = f"check {setting}" if setting else "create it, or check " + _SERVERS
        super().__init__(f"cannot read the topic {topic}: {reason}; {advice}")


class TopicRemade(StreamingError):
    """A topic was deleted and created again.

    Attributes:
        topic: The topic.
        topic_ids: The id of the topic that was read, and of the one that is there.
        folder: The checkpoint.
    """

    def __init__(self, topic: str, topic_ids: tuple[str, str], folder: Path) -> None:
        """Keep the fields and build the text."""
        self.topic, self.topic_ids, self.folder = topic, list(topic_ids), folder
        super().__init__(
            f"the topic {topic} has the id {topic_ids[1]}, but the one that was read had the id"
            f" {topic_ids[0]}: it was deleted and created again, and the offsets that come next"
            f" mean other records. {_read_again(folder)}"
        )


class TopicUnfit(StreamingError):
    """A topic has another number of partitions than expected.

    Attributes:
        topic: The topic.
        found: Its partitions.
        wanted: Those expected.
    """

    def __init__(self, topic: str, found: int, wanted: int) -> None:
        """Keep the fields and build the text."""
        self.topic, self.found, self.wanted = topic, found, wanted
        super().__init__(
            f"the topic {topic} has {found} partitions, not {wanted}: it was made anew or"
            " changed; set CLICKSTREAM_STREAMING_EVENTS_PARTITIONS if that is wanted, and 0 for"
            " any number"
        )


class QueryFailed(StreamingError):
    """A streaming query has ended by itself.

    Attributes:
        query: Its name.
        reason: Spark's words.
    """

    def __init__(self, query: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.query, self.reason = query, reason
        super().__init__(
            f"the query {query} has ended: {' '.join(reason.split())[:400]}; nothing is lost,"
            " start the stream again"
        )
