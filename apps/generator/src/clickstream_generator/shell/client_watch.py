"""The watch on a Kafka client: notices when it has lost every broker for good.

A broker that has just started, or was paused, may answer without naming any broker. librdkafka then
drops all brokers that it knows, also those of ``bootstrap.servers``, and may never connect again:
https://github.com/confluentinc/librdkafka/issues/5301. It reports no error. While a broker is only
down, the client still knows it. So the client's statistics tell the two apart.
"""

from __future__ import annotations

import json
from typing import Any

from clickstream_generator.errors import BrokersLost

__all__ = ["ClientWatch"]

_STATISTICS_MS = 5_000
_LOST_REPORTS = 2
"""Reports in a row without a broker; a client may have none for a moment and find one again."""
_ADDRESSES = ("configured", "learned")
"""Sources of brokers with an address; librdkafka's STATISTICS.md has the others."""


class ClientWatch:
    """The watch on one client, which serves it by polling the client."""

    def __init__(self) -> None:
        self._reports = 0

    def settings(self) -> dict[str, Any]:
        """Return the client's settings for the watch."""
        return {"statistics.interval.ms": _STATISTICS_MS, "stats_cb": self.take}

    def take(self, statistics: str) -> None:
        """Take a report of the client's statistics, JSON."""
        brokers = json.loads(statistics)["brokers"].values()
        is_lost = not any(broker["source"] in _ADDRESSES for broker in brokers)
        self._reports = self._reports + 1 if is_lost else 0

    def check(self) -> None:
        """Check that the client knows a broker.

        Raises:
            BrokersLost: It knows none any more.
        """
        if self._reports >= _LOST_REPORTS:
            raise BrokersLost
