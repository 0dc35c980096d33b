"""Kafka's Java client as Spark's JVM shows it, without a JVM.

Owns the stand-ins for the admin client and for the packages that our code reaches it by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from py4j.protocol import Py4JJavaError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["JavaKafka", "java_error"]


class _JavaException(Py4JJavaError):  # type: ignore[misc]  py4j has no types
    """An exception of the JVM, whose trace is known."""

    def __init__(self, trace: str) -> None:
        Exception.__init__(self, trace)
        self.java_exception = trace

    def __str__(self) -> str:
        return str(self.java_exception)


def java_error(trace: str) -> Exception:
    """Return the error that py4j raises for an exception of the JVM."""
    return _JavaException(trace)


@dataclass(frozen=True)
class _Partition:
    name: str
    number: int

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number


class _Partitions(list[_Partition]):
    def size(self) -> int:
        return len(self)


@dataclass
class JavaKafka:
    """A broker, as its admin client sees it.

    Attributes:
        ends: The first offset and the one after the last, by topic and partition.
        error: What every question raises; nothing if the broker answers.
        settings: What each client was made with.
        closed: How many clients were closed.
        described: The topics of each ``describeTopics``.
    """

    ends: dict[str, dict[int, tuple[int, int]]]
    error: Exception | None = None
    settings: list[dict[str, str]] = field(default_factory=list)
    closed: int = 0
    described: list[list[str]] = field(default_factory=list)

    def spark(self) -> SparkSession:
        """Return a session whose JVM has this broker's client."""
        clients = SimpleNamespace(
            admin=SimpleNamespace(
                Admin=SimpleNamespace(create=self._create),
                OffsetSpec=SimpleNamespace(earliest=lambda: 0, latest=lambda: 1),
            )
        )
        kafka = SimpleNamespace(clients=clients, common=SimpleNamespace(TopicPartition=_Partition))
        jvm = SimpleNamespace(org=SimpleNamespace(apache=SimpleNamespace(kafka=kafka)))
        return cast("SparkSession", SimpleNamespace(_jvm=jvm))

    def _create(self, settings: dict[str, str]) -> JavaKafka:
        self.settings.append(settings)
        return self

    def describeTopics(self, topics: list[str]) -> SimpleNamespace:  # noqa: N802  Java's name
        """Return the partitions of topics."""
        self.described.append(topics)

        def get() -> dict[str, SimpleNamespace]:
            self._answer()
            return {
                topic: SimpleNamespace(
                    partitions=lambda topic=topic: _Partitions(
                        _Partition(topic, number) for number in self.ends[topic]
                    )
                )
                for topic in topics
            }

        return SimpleNamespace(allTopicNames=lambda: SimpleNamespace(get=get))

    def listOffsets(self, asked: dict[_Partition, int]) -> SimpleNamespace:  # noqa: N802  as above
        """Return the first or the end offset of partitions."""

        def get() -> dict[_Partition, SimpleNamespace]:
            self._answer()
            return {
                place: SimpleNamespace(
                    offset=lambda place=place, which=which: self.ends[place.name][place.number][
                        which
                    ]
                )
                for place, which in asked.items()
            }

        return SimpleNamespace(all=lambda: SimpleNamespace(get=get))

    def close(self) -> None:
        """Count."""
        self.closed += 1

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error
