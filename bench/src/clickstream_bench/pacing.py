"""The accuracy of the generator's rate.

Runs the real process with a real broker, and counts the broker's offsets in windows of its append
times. The first seconds, in which process and broker warm up, do not count.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clickstream_contract.topics import EVENTS
from confluent_kafka import Consumer, KafkaException, TopicPartition

from clickstream_bench.broker import fresh_broker

__all__ = ["RATES", "measure_pacing"]

RATES = (50, 5_000, 100_000)
_WINDOW_SECONDS = 10
_WINDOWS = 6
_SETTLE_SECONDS = 15.0
_AFTERWARDS_SECONDS = 2.0
_SIMULATION = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {{name: pacing}}
spec:
  seed: 42
  rate: {{eventsPerSecond: {rate}}}
  userMix: [{{persona: Browser, weight: 600}}, {{persona: Buyer, weight: 400}}]
  shards: 4
"""


def measure_pacing() -> dict[str, float]:
    """Return the error of a minute and of its worst window by rate, in percent."""
    figures: dict[str, float] = {}
    for rate in RATES:
        with fresh_broker() as servers:
            counts = _counts(servers, rate)
        wanted = rate * _WINDOW_SECONDS
        errors = [100 * abs(count - wanted) / wanted for count in counts]
        minute = 100 * abs(sum(counts) - wanted * _WINDOWS) / (wanted * _WINDOWS)
        figures[f"rate_{rate}_minute_error_percent"] = minute
        figures[f"rate_{rate}_worst_window_error_percent"] = max(errors)
    return figures


def _counts(servers: str, rate: int) -> list[int]:
    """Run the generator, and return the number of events in each window."""
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        file = Path(folder) / "simulation.yaml"
        file.write_text(_SIMULATION.format(rate=rate), encoding="utf-8")
        environment = {
            **os.environ,
            "CLICKSTREAM_GENERATOR_SIMULATION_FILE": str(file),
            "CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS": servers,
        }
        command = [sys.executable, "-m", "clickstream_generator"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench"})
        try:
            while not _has_begun(consumer):
                time.sleep(0.05)
            first = time.time() + _SETTLE_SECONDS
            edges = [first + number * _WINDOW_SECONDS for number in range(_WINDOWS + 1)]
            # The offset at the last edge is known only once a later record exists.
            time.sleep(edges[-1] + _AFTERWARDS_SECONDS - time.time())
            arrived = [_arrived_by(consumer, edge) for edge in edges]
        finally:
            process.terminate()
            process.wait()
            consumer.close()
    return [after - before for before, after in itertools.pairwise(arrived)]


def _has_begun(consumer: Consumer) -> bool:
    """Return whether events arrive; a new topic may have no leader yet."""
    try:
        return any(
            consumer.get_watermark_offsets(TopicPartition(EVENTS.name, partition), timeout=5)[1]
            for partition in range(EVENTS.partitions)
        )
    except KafkaException:
        return False


def _arrived_by(consumer: Consumer, unix_seconds: float) -> int:
    """Return the number of events appended by the moment, by the broker's clock."""
    moment = round(unix_seconds * 1_000)
    wanted = [
        TopicPartition(EVENTS.name, partition, moment) for partition in range(EVENTS.partitions)
    ]
    found = consumer.offsets_for_times(wanted, timeout=10)
    if any(row.error or row.offset < 0 for row in found):
        message = "a partition has no later record: the generator sent nothing for a while"
        raise RuntimeError(message)
    return sum(row.offset for row in found)
