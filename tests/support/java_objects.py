"""Kafka's Java clients as Spark's JVM shows them, without a JVM.

Owns the stand-ins for the admin client, the consumer, and the packages by which our code reaches
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self, cast

from py4j.protocol import Py4JJavaError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["JavaKafka", "JavaLog", "java_error"]


class _JavaException(Py4JJavaError):  # type: ignore[misc]
    """An exception of the JVM whose trace is known."""

    def __init__(self, trace: str) -> None:
        Exception.__init__(self, trace)
        self.java_exception = trace

    def __str__(self) -> str:
        return str(self.java_exception)


def java_error(trace: str) -> Exception:
    """Return the error that py4j raises for an exception of the JVM."""
    return _JavaException(trace)


@dataclass(frozen=True)
class JavaLog:
    """A partition's log.

    Attributes:
        first: The first offset.
        end: The offset after the last.
        epoch: The leader epoch; nothing if there is no record.
    """

    first: int
    end: int
    epoch: int | None = 0


@dataclass(frozen=True)
class _Partition:
    name: str
    number: int

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number


@dataclass(frozen=True)
class _Future:
    """A future, or an object of one method, whose value may be an error."""

    value: object

    def get(self) -> object:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def all(self) -> Self:
        return self


@dataclass(frozen=True)
class _Optional:
    value: int | None

    def orElse(self, other: int | None) -> int | None:  # noqa: N802  Java's name
        return other if self.value is None else self.value


@dataclass(frozen=True)
class _Offset:
    value: int
    epoch: int | None

    def offset(self) -> int:
        return self.value

    def leaderEpoch(self) -> _Optional:  # noqa: N802  Java's name
        return _Optional(self.epoch)


@dataclass(frozen=True)
class _Description:
    topic_id: str
    places: list[_Partition]

    def topicId(self) -> SimpleNamespace:  # noqa: N802  Java's name
        return SimpleNamespace(toString=lambda: self.topic_id)

    def partitions(self) -> list[_Partition]:
        return self.places


@dataclass
class JavaKafka:
    """A broker, as its clients see it.

    Attributes:
        logs: The logs by topic and partition.
        topic_ids: The ids of topics; a topic without one has its name with ``-id``.
        error: What every question raises; nothing if the broker answers.
        seek_error: What a consumer raises that asks for its position; nothing if the log has it.
        settings: What each client was made with.
        closed: How many clients were closed.
        sought: Topic, partition, offset and epoch of each position that a consumer asked for.
        known: Partitions whose leader the consumer knows.
    """

    logs: dict[str, dict[int, JavaLog]]
    topic_ids: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    seek_error: Exception | None = None
    settings: list[dict[str, str]] = field(default_factory=list)
    closed: int = 0
    sought: list[tuple[str, int, int, int]] = field(default_factory=list)
    known: list[_Partition] = field(default_factory=list)

    def spark(self) -> SparkSession:
        """Return a session whose JVM has this broker's clients."""
        clients = SimpleNamespace(
            admin=SimpleNamespace(
                Admin=SimpleNamespace(create=self._create),
                OffsetSpec=SimpleNamespace(earliest=lambda: "first", latest=lambda: "end"),
            ),
            consumer=SimpleNamespace(
                KafkaConsumer=self._create,
                OffsetAndMetadata=lambda offset, epoch, _: (offset, epoch),
            ),
        )
        kafka = SimpleNamespace(clients=clients, common=SimpleNamespace(TopicPartition=_Partition))
        java = SimpleNamespace(util=SimpleNamespace(Optional=SimpleNamespace(of=lambda part: part)))
        org = SimpleNamespace(apache=SimpleNamespace(kafka=kafka))
        return cast("SparkSession", SimpleNamespace(_jvm=SimpleNamespace(org=org, java=java)))

    def grow(self, topic: str, partition: int, end: int, epoch: int | None = 0) -> None:
        """Let a log end later, in an epoch."""
        log = self.logs[topic][partition]
        self.logs[topic][partition] = replace(log, end=end, epoch=epoch)

    def _create(self, settings: dict[str, str]) -> Self:
        self.settings.append(settings)
        return self

    def describeTopics(self, topics: list[str]) -> SimpleNamespace:  # noqa: N802  Java's name
        """Return the descriptions of topics."""
        described = {
            topic: _Future(
                self.error
                or _Description(
                    self.topic_ids.get(topic, f"{topic}-id"),
                    [_Partition(topic, number) for number in self.logs[topic]],
                )
            )
            for topic in topics
        }
        return SimpleNamespace(topicNameValues=lambda: described)

    def listOffsets(self, asked: dict[_Partition, str]) -> _Future:  # noqa: N802  Java's name
        """Return the first or the end offsets of partitions."""
        return _Future(
            {
                place: _Offset(getattr(log, bound), log.epoch)
                for place, bound in asked.items()
                for log in [self.logs[place.name][place.number]]
            }
        )

    def assign(self, places: list[_Partition]) -> None:
        """Do nothing: a consumer here reads no record."""

    def endOffsets(self, places: list[_Partition]) -> None:  # noqa: N802  Java's name
        """Let the consumer know who leads the partitions."""
        self.known = places

    def seek(self, place: _Partition, position: tuple[int, int]) -> None:
        """Note the position; a consumer that knows no leader would not ask for its epoch."""
        assert place in self.known
        self.sought.append((place.name, place.number, *position))

    def position(self, place: _Partition) -> int:
        """Return the offset that was sought, or raise what the leader says."""
        if self.seek_error is not None:
            raise self.seek_error
        assert place == _Partition(*self.sought[-1][:2])
        return self.sought[-1][2]

    def close(self) -> None:
        """Count."""
        self.closed += 1
