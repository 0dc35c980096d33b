"""The lag: how many records of Kafka are not in the tables yet.

Owns the interval of the requests to Kafka. Spark reports the end of a topic only when it plans a
batch, so a stream that hangs would seem to have no lag. Each update also detects a log that does
not continue the records that were read, even while no records arrive.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from clickstream_streaming.errors import TopicMissing

if TYPE_CHECKING:
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.telemetry import Telemetry
    from clickstream_streaming.shell.topic_logs import TopicLogs

__all__ = ["Lag"]

_LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0


class Lag:
    """Monitor of the topics' ends.

    Args:
        logs: The topics.
        telemetry: The metrics.
    """

    def __init__(self, logs: TopicLogs, telemetry: Telemetry) -> None:
        self._logs = logs
        self._telemetry = telemetry
        self._next = 0.0

    def update(self, done: Offsets) -> None:
        """Update the metrics if the interval is over; keep them while Kafka does not answer.

        Args:
            done: The end of the last stored batch.

        Raises:
            TopicRecreated: A topic is not the one that was read.
            LogDiverged: A partition no longer has the records that were read.
        """
        if time.monotonic() < self._next:
            return
        try:
            found = self._logs.check()
        except TopicMissing as error:
            _LOG.warning("cannot read the ends of the topics, retrying later: %s", error)
            self._telemetry.show_unreachable("Kafka", is_unreachable=True)
        else:
            ends: Offsets = {}
            for (topic, number), position in found.items():
                ends.setdefault(topic, {})[number] = position.offset
            self._telemetry.show_unreachable("Kafka", is_unreachable=False)
            self._telemetry.show_lag(done, ends)
        self._next = time.monotonic() + _EVERY_SECONDS
