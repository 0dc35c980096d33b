"""How far the stream is behind: what Kafka has against what is in the tables.

Owns asking Kafka, now and then: Spark tells of a topic's end only when it plans a batch, so that
a stream that hangs would seem to have nothing to do. It does not know what a batch holds.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from clickstream_contract.topics import EVENTS, LEDGER
from py4j.protocol import Py4JJavaError

from clickstream_streaming.shell.kafka_client import client_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["Lag"]

_LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0
_ANSWER_SECONDS = 3


class Lag:
    """Looks at the topics' ends now and then.

    Args:
        spark: Has Kafka's own client.
        settings: Where Kafka is.
        telemetry: Where figures are shown.
    """

    def __init__(self, spark: SparkSession, settings: Settings, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        jvm: Any = spark._jvm  # noqa: SLF001  Kafka's own client, as Spark has it, is only there
        self._jvm = jvm
        milliseconds = str(1_000 * _ANSWER_SECONDS)
        self._client = jvm.org.apache.kafka.clients.admin.Admin.create(
            {
                **client_settings(settings),
                "default.api.timeout.ms": milliseconds,
                "request.timeout.ms": milliseconds,
            }
        )
        self._partitions: list[Any] = []
        self._next = 0.0

    def look(self, done: Offsets) -> None:
        """Show the lag if it is time; while Kafka is away, the figures before stay.

        Args:
            done: Where the last batch that is in the tables has ended.
        """
        if time.monotonic() < self._next:
            return
        try:
            ends = self._ends()
        except Py4JJavaError as error:
            _LOG.warning("Kafka does not say where its topics end: %s", error.java_exception)
            self._telemetry.show_away("Kafka", is_away=True)
        else:
            self._telemetry.show_away("Kafka", is_away=False)
            self._telemetry.show_lag(done, ends)
        self._next = time.monotonic() + _EVERY_SECONDS

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _ends(self) -> Offsets:
        if not self._partitions:
            topics = self._client.describeTopics([EVENTS.name, LEDGER.name]).allTopicNames().get()
            self._partitions = [
                self._jvm.org.apache.kafka.common.TopicPartition(topic, row.partition())
                for topic in topics
                for row in topics[topic].partitions()
            ]
        latest = self._jvm.org.apache.kafka.clients.admin.OffsetSpec.latest()
        answer = self._client.listOffsets(dict.fromkeys(self._partitions, latest)).all().get()
        ends: Offsets = {}
        for place in self._partitions:
            ends.setdefault(place.topic(), {})[place.partition()] = answer[place].offset()
        return ends
