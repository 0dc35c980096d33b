"""How far the stream is behind: what Kafka has against what is in the tables.

Owns asking Kafka, now and then: Spark tells of a topic's end only when it plans a batch, so that
a stream that hangs would seem to have nothing to do. The same look notices a log that does not
continue what was read, also while nothing comes. It does not know what a batch holds.
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
    """Looks at the topics' ends now and then.

    Args:
        logs: The topics.
        telemetry: Where figures are shown.
    """

    def __init__(self, logs: TopicLogs, telemetry: Telemetry) -> None:
        self._logs = logs
        self._telemetry = telemetry
        self._next = 0.0

    def update(self, done: Offsets) -> None:
        """Show the lag if it is time; while Kafka is away, the figures before stay.

        Args:
            done: Where the last batch that is in the tables has ended.

        Raises:
            TopicRemade: A topic is another one than the one that was read.
            LogDiverged: A partition no longer has the records that were read.
        """
        if time.monotonic() < self._next:
            return
        try:
            found = self._logs.check()
        except TopicMissing as error:
            _LOG.warning("Kafka does not say where its topics end: %s", error)
            self._telemetry.show_away("Kafka", is_away=True)
        else:
            ends: Offsets = {}
            for (topic, number), position in found.items():
                ends.setdefault(topic, {})[number] = position.offset
            self._telemetry.show_away("Kafka", is_away=False)
            self._telemetry.show_lag(done, ends)
        self._next = time.monotonic() + _EVERY_SECONDS
