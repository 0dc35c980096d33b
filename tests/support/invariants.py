"""What every scenario must hold beyond the verification: the invariants that need a look outside.

Owns the account of every record in the topic (I4), the tiling of offsets (I7), how much memory the
processes took (I11), and the silence of the logs (I12).
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

import psutil
from clickstream_contract.topics import EVENTS
from clickstream_local.session import end_offsets
from confluent_kafka import Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from clickstream_local.processes import ServiceProcess
    from confluent_kafka import Message
    from pipeline import Pipeline
    from psycopg2.extensions import connection as Connection

__all__ = [
    "CAPS_MEBIBYTES",
    "Noise",
    "Watch",
    "offset_gaps",
    "records_since",
    "resident_mebibytes",
    "unaccounted_records",
]

Noise = dict[str, tuple[str, ...]]
"""By component, patterns of lines that a fault makes it write, and that are no news."""

CAPS_MEBIBYTES = {"streaming": 4_096, "generator": 600}
"""The most that each may take: Spark's heap of 1 GiB and its Python workers; the generator."""

_ALARM = re.compile(r"\b(ERROR|FATAL|PANIC|CRITICAL)\b|^Traceback|^error: ")
_USUAL: Noise = {
    # A batch that is run again finds its offsets noted: that is how it knows.
    # An event that a generator sends again is found by its key, if another worker stored it.
    "postgres": (
        "duplicate key value violates unique constraint .batches_pkey",
        r"duplicate key value violates unique constraint .events_\d+_pkey",
    ),
}
_ONE = """
SELECT kafka_partition, kafka_offset FROM raw.events
UNION ALL
SELECT kafka_partition, kafka_offset FROM ops.rejected_events WHERE topic = %s
"""
_GAPS = """
SELECT count(*) FROM (
    SELECT until_offset AS reached, lead(coalesce(from_offset, 0)) OVER (
        PARTITION BY query, topic, kafka_partition ORDER BY until_offset, committed_at
    ) AS taken_up FROM ops.batches
) AS ranges WHERE taken_up <> reached
"""


def offset_gaps(connection: Connection) -> int:
    """Return how often a batch did not begin where the one before it had ended (I7)."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_GAPS)
        (count,) = cursor.fetchone() or (0,)
    return int(count)


def unaccounted_records(
    servers: str, connection: Connection, begins: Mapping[tuple[str, int], int]
) -> int:
    """Return how many records are neither stored, nor rejected, nor a stored event again (I4).

    Args:
        servers: The broker, which is asked for every record there is since ``begins``.
        connection: The database.
        begins: Offsets by topic and partition.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_ONE, (EVENTS.name,))
        known = set(cursor.fetchall())
        again = [
            message.value()
            for message in records_since(servers, begins)
            if (message.partition(), message.offset()) not in known
        ]
        ids = {_event_id(value) for value in again}
        cursor.execute(
            "SELECT event_id::text FROM raw.events WHERE event_id = ANY(%s::uuid[])",
            (list(filter(None, ids)),),
        )
        stored = {row[0] for row in cursor.fetchall()}
    return sum(_event_id(value) not in stored for value in again)


def _event_id(value: bytes | None) -> str | None:
    try:
        return str(json.loads(value or b"")["event_id"])
    except (ValueError, KeyError, TypeError):
        return None


def records_since(servers: str, begins: Mapping[tuple[str, int], int]) -> Iterable[Message]:
    """Return the events' records that there are since some offsets."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "clickstream-account"})
    starts: dict[tuple[str, int], int] = {}
    missing = 0
    for topic, number in begins:
        if topic == EVENTS.name:
            there = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            starts[topic, number] = max(begins[topic, number], there[0])
            missing += there[1] - starts[topic, number]
    consumer.assign([TopicPartition(*at, offset) for at, offset in starts.items()])
    try:
        while missing > 0:
            for message in consumer.consume(10_000, timeout=5):
                if message.error() is None:
                    missing -= 1
                    yield message
    finally:
        consumer.close()


@dataclass
class MemoryWatch:
    """The most that the stream's and the generator's processes take while it runs (I11)."""

    pipeline: Pipeline
    peaks: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAPS_MEBIBYTES, 0.0))
    _over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to look, twice a second."""
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for name in self.peaks:
                process: ServiceProcess | None = getattr(self.pipeline, name, None)
                if process is not None:
                    taken = resident_mebibytes(process.process.pid)
                    self.peaks[name] = max(self.peaks[name], taken)


def resident_mebibytes(pid: int) -> float:
    """Return what a process and those that it has started hold in memory; 0 if it is gone."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total / 2**20


def _raised(following: Sequence[str]) -> str:
    """Return the exception of a traceback that goes before some lines; empty without one."""
    stack = list(takewhile(lambda line: line.startswith((" ", "Traceback")), following))
    return f" {following[len(stack)]}" if 0 < len(stack) < len(following) else ""


class Watch:
    """Watches a pipeline from now on."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Note where logs and topics end."""
        self._pipeline = pipeline
        self.begins = end_offsets(pipeline.kafka.bootstrap_servers)
        self._sizes = {file: file.stat().st_size for file in self._logs()}
        self.memory = MemoryWatch(pipeline)
        self.memory.start()

    def text(self, component: str) -> str:
        """Return what a component has written since then."""
        file = self._pipeline.state.log_file(component)
        return self._since(file) if file.exists() else ""

    def alarms(self, noise: Noise) -> list[str]:
        """Return lines of alarm that no fault explains (I12)."""
        found = []
        for file in self._logs():
            usual = (*_USUAL.get(file.stem, ()), *noise.get(file.stem, ()))
            allowed = re.compile("|".join(usual)) if usual else None
            lines = self._since(file).splitlines()
            alarms = [
                line + _raised(lines[number + 1 :])
                for number, line in enumerate(lines)
                if _ALARM.search(line)
            ]
            found += [
                f"{file.stem}: {line}" for line in alarms if not (allowed and allowed.search(line))
            ]
        return found

    def secrets(self) -> int:
        """Return how often a secret is in a log (I12)."""
        words = [
            file.read_text(encoding="utf-8").strip()
            for file in self._pipeline.state.folder("secrets").iterdir()
        ]
        texts = [self._since(file) for file in self._logs()]
        return sum(text.count(word) for text in texts for word in words)

    def _logs(self) -> list[Path]:
        return sorted(self._pipeline.state.folder("logs").glob("*.log"))

    def _since(self, file: Path) -> str:
        with file.open("rb") as log:
            log.seek(self._sizes.get(file, 0))
            return log.read().decode(errors="replace")
