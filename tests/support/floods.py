"""A flood: the worst records of an hour, sent in a minute, and what the pipeline takes for them.

Owns the records of a flood, how fast they are sent, and the measurement of each process's memory
and of each folder's disk. The bounds are those that ``docs/faults.md`` states.
"""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

import psutil
from clickstream_contract.events import EVENT_FIELDS, MAX_ORDER_LINES
from clickstream_contract.events import field as event_field
from clickstream_contract.fields import FieldType
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_local.session import end_offsets
from clickstream_streaming.core.sample import sample_event
from confluent_kafka import Producer
from kafka_records import ledger_record
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from invariants import Noise
    from pipeline import Pipeline
    from scenario import Stage

__all__ = ["MOST_MEBIBYTES", "PER_HOUR", "Flood"]

MOST_MEBIBYTES = {
    "driver's memory": 2_560,
    "worker's memory": 1_024,
    "Kafka's memory": 1_024,
    "PostgreSQL's memory": 1_024,
    "Kafka's disk": 2_048,
    "PostgreSQL's tables": 1_536,
    "PostgreSQL's log on disk": 2_048,
    "PostgreSQL's log written": 2_048,
    "the stream's disk": 256,
    "logs": 16,
}
"""The most that an hour's flood may take."""

PER_HOUR: dict[str, int] = {
    "orders of 50 lines": 600,
    "events with the longest texts": 3_600,
    "oversized records of 66 kB": 3_600,
    "oversized records of 2 MB": 120,
    "JSON 30,000 levels deep": 3_600,
    "objects of 4,000 unknown fields": 600,
    "numbers of 60,000 digits": 3_600,
    "texts that are not UTF-8": 3_600,
    "records that are no JSON": 3_600,
    "ledger rows of unknown kinds": 3_600,
    "ledger rows beyond all bounds": 3_600,
    "announcements of invented runs": 3_600,
}
"""How many records of each kind an hour's flood has."""
_SEND_SECONDS = 60
_PRODUCTS = 20_000
_WAIT_SECONDS = 900.0
_RUN_ID = "f100d000-0000-4000-8000-000000000000"
_LONGEST_NAME = f"{'n' * 63}/{'s' * 63}"


@dataclass(frozen=True)
class Flood:
    """The worst records of some time, sent in a minute; then the stream writes them all.

    Attributes:
        seconds: How much of an hour's records are sent.
        days: Of how many days the accepted events are; most of them are new.
        send_seconds: In what time they are sent.
    """

    seconds: int = 3_600
    days: int = 790
    send_seconds: int = _SEND_SECONDS
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Send the records, wait until all are stored or rejected, and note what that took."""
        pipeline = stage.pipeline
        counts = {kind: count * self.seconds // 3_600 for kind, count in PER_HOUR.items()}
        stage.figures.strangers.append(_RUN_ID)
        stage.figures.faults += sum(counts.values())
        stream = pipeline.streaming.process.pid
        with Consumption(pipeline) as consumption:
            self._send(pipeline, counts)
            ends = end_offsets(pipeline.kafka.bootstrap_servers)

            def all_are_read() -> bool:
                pipeline.streaming.check()
                return pipeline.has_read(ends)

            wait_until(all_are_read, "the flood is read", _WAIT_SECONDS)
        stage.figures.taken = consumption.most_mebibytes()
        assert pipeline.streaming.process.pid == stream, "the stream is another process"
        rejected = pipeline.count(
            "SELECT count(*) FROM ops.rejected_events WHERE key = 'flood'::bytea"
        )
        wanted = sum(counts.values()) - sum(counts[kind] for kind in _ACCEPTED)
        assert rejected == wanted, "each of the worst records is one reject"
        stage.figures.shown = f"{sum(counts.values()):,} records, {rejected:,} rejected"

    def _send(self, pipeline: Pipeline, counts: dict[str, int]) -> None:
        """Send all kinds side by side, as much in each second as in every other."""
        producer = Producer(
            {
                "bootstrap.servers": pipeline.kafka.bootstrap_servers,
                "message.max.bytes": 2_097_152,
                "queue.buffering.max.kbytes": 262_144,
                "linger.ms": 20,
            }
        )
        began, sent = time.monotonic(), 0
        makers = _makers(self.days)
        for second in range(1, self.send_seconds + 1):
            for kind, count in counts.items():
                done = count * (second - 1) // self.send_seconds
                for number in range(done, count * second // self.send_seconds):
                    topic = LEDGER if "ledger" in kind or "announcements" in kind else EVENTS
                    _produce(producer, topic.name, makers[kind](number), sent % topic.partitions)
                    sent += 1
            time.sleep(max(0.0, began + second - time.monotonic()))
        assert producer.flush(60) == 0


_ACCEPTED = (
    "orders of 50 lines",
    "events with the longest texts",
    "announcements of invented runs",
)


def _produce(producer: Producer, topic: str, value: bytes, partition: int) -> None:
    """Hand a record over; wait while the client's queue is full."""
    while True:
        try:
            producer.produce(topic, value=value, key=b"flood", partition=partition)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _makers(days: int) -> dict[str, Callable[[int], bytes]]:
    """Return, by kind, what makes its n-th record."""
    draw = random.Random(7)  # noqa: S311  records, not secrets
    today = datetime.now(tz=UTC).replace(microsecond=0)

    def time_of(number: int) -> str:
        day = today - timedelta(days=number % days, seconds=number % 60 + 60)
        return day.isoformat().replace("+00:00", ".000Z")

    def event(name: str, number: int, **more: object) -> bytes:
        own = {
            "event_id": str(UUID(int=(0x800 << 64) | (2 << 62) | number)),
            "session_id": str(UUID(int=(0x801 << 64) | (2 << 62) | number)),
            "event_time": time_of(number),
            "run_id": _RUN_ID,
            "shard_seq": number + 1,
            "session_seq": 1,
            "user_id": f"{number:032}",
        }
        return json.dumps(_longest(name) | own | more).encode()

    def order(number: int) -> bytes:
        lines = [
            {
                "product_id": f"{product:032}",
                "product_name": f"{product:0256}",
                "brand": f"{product % 300:064}",
                "category": f"{product % 500:064}",
                "quantity": 1,
                "price_minor": 1,
            }
            for product in draw.sample(range(_PRODUCTS), MAX_ORDER_LINES)
        ]
        ids = {"order_id": str(UUID(int=(0x802 << 64) | number)), "value_minor": MAX_ORDER_LINES}
        return event("purchase", number, items=lines, session_seq=2, **ids)

    def view(number: int) -> bytes:
        product = {"product_id": f"{number:032}", "product_name": f"{number:0256}"}
        return event("view_item", 1_000_000 + number, **product)

    deep = b'{"items": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    return {
        "orders of 50 lines": order,
        "events with the longest texts": view,
        "oversized records of 66 kB": lambda _number: b"x" * 66_000,
        "oversized records of 2 MB": lambda _number: b"x" * 2_090_000,
        "JSON 30,000 levels deep": lambda _number: deep,
        "objects of 4,000 unknown fields": lambda number: (
            json.dumps({f"f{number}-{column}": column for column in range(4_000)}).encode()[:-1]
            + b', "user_id": 1}'
        ),
        "numbers of 60,000 digits": lambda _number: b'{"price_minor": ' + b"9" * 60_000 + b"}",
        "texts that are not UTF-8": lambda _number: b'{"city": "' + b"\xff" * 60_000 + b'"}',
        "records that are no JSON": lambda number: f"<{number}>".encode(),
        "ledger rows of unknown kinds": lambda number: ledger_record(kind=f"kind-{number}"),
        "ledger rows beyond all bounds": lambda number: ledger_record(
            kind="minute", shard=number + 5_000, records_sent=2**63 - 1
        ),
        "announcements of invented runs": lambda number: ledger_record(
            kind="run_start", simulation=_LONGEST_NAME, run_id=str(UUID(int=(1 << 100) | number))
        ),
    }


def _longest(name: str) -> dict[str, Any]:
    """Return an event with the longest text that each of its fields may have."""
    texts = {
        known.name: "y" * known.max_length
        for known in EVENT_FIELDS
        if known.type is FieldType.TEXT and not known.values and not known.pattern
    }
    event = sample_event(name)
    assert event_field("simulation").max_length >= len(_LONGEST_NAME)
    return (
        event
        | {key: text for key, text in texts.items() if key in event}
        | {"simulation": _LONGEST_NAME}
    )


@dataclass
class Consumption:
    """The most that processes and folders of a pipeline take while the context is open."""

    pipeline: Pipeline
    _most: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MOST_MEBIBYTES, 0.0))
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Begin to look, twice a second."""
        self._began_bytes = self._log_position()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
        self._most["PostgreSQL's log written"] = (self._log_position() - self._began_bytes) / 2**20

    def most_mebibytes(self) -> dict[str, int]:
        """Return the most of each, by its name in :data:`MOST_MEBIBYTES`."""
        return {name: round(most) for name, most in self._most.items()}

    def _log_position(self) -> int:
        return self.pipeline.count("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for name, mebibytes in (*self._memory(), *self._disk()):
                self._most[name] = max(self._most[name], mebibytes)

    def _memory(self) -> Iterator[tuple[str, float]]:
        """Each process of the stream by itself; the database's processes share most of theirs."""
        pipeline = self.pipeline
        for process in _tree(pipeline.streaming.process.pid):
            with suppress(psutil.Error):
                is_driver = "java" in process.name()
                name = "driver's memory" if is_driver else "worker's memory"
                yield name, process.memory_info().rss / 2**20
        yield "Kafka's memory", _resident_mebibytes(pipeline.kafka.process.process.pid)
        assert pipeline.postgres.process is not None
        yield "PostgreSQL's memory", _shared_mebibytes(pipeline.postgres.process.process.pid)

    def _disk(self) -> Iterator[tuple[str, float]]:
        folder = self.pipeline.state.folder
        log = folder("postgres") / "data" / "pg_wal"
        log_mebibytes = _mebibytes_in(log)
        yield "PostgreSQL's log on disk", log_mebibytes
        yield "PostgreSQL's tables", _mebibytes_in(folder("postgres")) - log_mebibytes
        yield "Kafka's disk", _mebibytes_in(folder("kafka"))
        yield "the stream's disk", sum(_mebibytes_in(folder(n)) for n in ("spark", "checkpoints"))
        yield "logs", _mebibytes_in(folder("logs"))


def _tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that it has started; none if it is gone."""
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def _resident_mebibytes(pid: int) -> float:
    total = 0
    for process in _tree(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20


def _shared_mebibytes(pid: int) -> float:
    """Return what processes take together, where what they share counts once."""
    total = 0
    for process in _tree(pid):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 2**20


def _mebibytes_in(folder: Path) -> float:
    """Return what a folder's files take on the disk; files may go while they are counted."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_blocks * 512
    return total / 2**20
