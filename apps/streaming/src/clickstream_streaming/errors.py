"""Errors of the stream.

``StreamingError`` is the root. Refusals at the start say what to do: ``CheckpointMismatch``,
``DatabaseBehindCheckpoint``, ``DatabaseNotMigrated``, ``DatabaseUnreachable``,
``TopicMissing``, ``TopicUnfit``; ``QueryFailed`` ends a running stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CheckpointMismatch",
    "DatabaseBehindCheckpoint",
    "DatabaseNotMigrated",
    "DatabaseUnreachable",
    "QueryFailed",
    "StreamingError",
    "TopicMissing",
    "TopicUnfit",
]


_SERVERS = "CLICKSTREAM_STREAMING_BOOTSTRAP_SERVERS"


class StreamingError(Exception):
    """Root of the stream's errors."""


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
            " restored; remove the folder, and reading goes on where the database says"
        )


class DatabaseNotMigrated(StreamingError):
    """The tables are not there.

    Attributes:
        missing: The first table that is missing.
    """

    def __init__(self, missing: str) -> None:
        """Keep the field and build the text."""
        self.missing = missing
        super().__init__(f"the database has no {missing}; apply the migrations in db/migrations")


class DatabaseUnreachable(StreamingError):
    """PostgreSQL does not let us in.

    Attributes:
        address: Where.
        reason: Its own words.
    """

    def __init__(self, address: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.address, self.reason = address, reason
        super().__init__(
            f"cannot connect to PostgreSQL at {address}: {' '.join(reason.split())}; check"
            " CLICKSTREAM_STREAMING_POSTGRES_* and the password file"
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
