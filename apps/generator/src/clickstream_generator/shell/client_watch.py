"""The watch on a Kafka client: notices when it has work and will never do it.

A broker that has just started, or was paused, may answer without naming any broker. librdkafka then
drops all brokers that it knows, also those of ``bootstrap.servers``, and may never connect again:
https://github.com/confluentinc/librdkafka/issues/5301. It reports no error. While a broker is only
down, the client tries to connect. So the client's statistics tell the two apart.
"""

from __future__ import annotations

import json
from typing import Any

from clickstream_generator.errors import BrokersLost

__all__ = ["ClientWatch"]

_STATISTICS_MS = 5_000
_LOST_REPORTS = 3
"""Reports in a row without a sign of work: a client may rest for 10 s and find a broker again."""
_ADDRESSES = ("configured", "learned")
"""Sources of brokers with an address; librdkafka's STATISTICS.md has the others."""
_RESTING = ("INIT", "DOWN", "UP")
"""States in which the client does not connect to a broker, unless it has just changed to them."""
_WORK = ("Produce", "Fetch")


class ClientWatch:
    """The watch on one client, which serves it by polling the client."""

    def __init__(self) -> None:
        self._reports = 0
        self._requests = -1

    def settings(self) -> dict[str, Any]:
        """Return the client's settings for the watch."""
        return {"statistics.interval.ms": _STATISTICS_MS, "stats_cb": self.take}

    def take(self, statistics: str) -> None:
        """Take a report of the client's statistics, JSON.

        Its fields: https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md.
        """
        report = json.loads(statistics)
        # A consumer always has work: its partitions are assigned before it is first polled.
        has_work = report["type"] == "consumer" or report["msg_cnt"] > 0
        brokers = [row for row in report["brokers"].values() if row["source"] in _ADDRESSES]
        before, self._requests = self._requests, sum(map(_requests, brokers))
        # Any change counts: a broker that the client forgets takes its counts with it.
        is_busy = self._requests != before or any(map(_is_busy, brokers))
        is_lost = has_work and not is_busy
        self._reports = self._reports + 1 if is_lost else 0

    def check(self) -> None:
        """Check that the client works.

        Raises:
            BrokersLost: It has work, and neither connects nor sends.
        """
        if self._reports >= _LOST_REPORTS:
            raise BrokersLost


def _requests(broker: dict[str, Any]) -> int:
    """Return how many requests for its work the client has sent to a broker."""
    return sum(broker["req"].get(name, 0) for name in _WORK)


def _is_busy(broker: dict[str, Any]) -> bool:
    """Return whether the client connects to a broker, or waits for its response."""
    is_connecting = broker["state"] not in _RESTING or broker["stateage"] < 1000 * _STATISTICS_MS
    return is_connecting or broker["waitresp_cnt"] > 0
