"""One batch of one partition, handed to the stream's own task without Kafka and Spark.

Owns how records look as Spark hands them over.
"""

from __future__ import annotations

import json
import os
import resource
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from clickstream_contract.topics import EVENTS
from clickstream_local.postgres import DATABASE, WRITER
from clickstream_streaming.errors import StreamingError
from clickstream_streaming.settings import Settings
from clickstream_streaming.shell import portions
from clickstream_streaming.shell.batch import BatchTask, Outcome
from clickstream_streaming.shell.batch_finalizer import BatchFinalizer
from clickstream_streaming.shell.database import connect
from clickstream_streaming.shell.partition import write_partition
from clickstream_streaming.shell.telemetry import Telemetry
from stream_settings import SAMPLE_DAYS

if TYPE_CHECKING:
    from clickstream_local.stack import Stack

__all__ = [
    "refusal",
    "rejects_memory",
    "write_batch",
    "write_closed_batch",
    "write_portions",
    "writer_settings",
]


def writer_settings(stack: Stack) -> Settings:
    """Return the stream's settings for a laptop's database, and for no Kafka."""
    return Settings(
        bootstrap_servers="",
        postgres_host=stack.postgres.host,
        postgres_port=stack.postgres.port,
        postgres_database=DATABASE,
        postgres_user=WRITER,
        postgres_password_file=stack.state.secret(WRITER),
        postgres_sslmode="disable",
        checkpoint_dir=stack.state.folder("checkpoints"),
        oldest_event_days=SAMPLE_DAYS,
    )


def write_batch(
    settings: Settings, records: list[bytes], batch_id: int = 0, topic: str = EVENTS.name
) -> dict[str, Any]:
    """Write records as a batch that begins where the batches before it end; return its outcome.

    The task keeps its connection: run it in a process that ends.
    """
    return vars(_written(_task(settings, len(records), batch_id, topic), records))


def write_portions(
    settings: Settings, batches: list[list[bytes]], portion_bytes: int
) -> dict[str, Any]:
    """Write one batch whose records come in several pieces, in portions of about so many bytes."""
    portions._PORTION_BYTES = portion_bytes
    return vars(_written(_task(settings, sum(map(len, batches)), 0, EVENTS.name), *batches))


def rejects_memory(settings: Settings, pieces: int, records: int, size: int) -> tuple[int, int]:
    """Write pieces of large records that are no events; return rejects, and growth in bytes."""
    task = _task(settings, pieces * records, 0, EVENTS.name)
    write_batch(settings, [b"x"], 1)  # what a worker process needs is loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches = (
        _records(EVENTS.name, number * records, [b"x" * size] * records) for number in range(pieces)
    )
    (answer,) = write_partition(task, batches)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return sum(json.loads(answer["outcome"][0].as_py())["rejects"].values()), grown << 10


def write_closed_batch(settings: Settings, records: list[bytes], batch_id: int) -> dict[str, Any]:
    """Write a batch of events and close it, as the driver does; return its outcome."""
    task = _task(settings, len(records), batch_id, EVENTS.name)
    outcome = _written(task, records)
    BatchFinalizer(settings, Telemetry()).finalize(task, [outcome], 0.0)
    return vars(outcome)


def _task(settings: Settings, records: int, batch_id: int, topic: str) -> BatchTask:
    before = _end_before(settings, batch_id, topic)
    return BatchTask(
        settings=settings,
        query="events",
        checkpoint_id=str(UUID(int=1)),
        batch_id=batch_id,
        offsets_from={} if before is None else {topic: {0: before}},
        offsets_until={topic: {0: (before or 0) + records}},
        driver_pid=os.getpid(),
    )


def _written(task: BatchTask, *pieces: list[bytes]) -> Outcome:
    ((topic, ends),) = task.offsets_until.items()
    first = ends[0] - sum(map(len, pieces))
    batches = []
    for records in pieces:
        batches.append(_records(topic, first, records))
        first += len(records)
    (answer,) = write_partition(task, batches)
    return Outcome(**json.loads(answer["outcome"][0].as_py()))


def _records(topic: str, first: int, values: list[bytes]) -> pa.RecordBatch:
    """Return records of partition 0 that begin at an offset, as Spark hands them over."""
    count = len(values)
    return pa.RecordBatch.from_pydict(
        {
            "topic": pa.array([topic] * count),
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(first, first + count), pa.int64()),
            "timestamp": pa.array([datetime.now(UTC)] * count, pa.timestamp("us", "UTC")),
            "key": pa.array([None] * count, pa.binary()),
            "value": pa.array(values, pa.binary()),
        }
    )


def _end_before(settings: Settings, batch_id: int, topic: str) -> int | None:
    """Return the offset at which the batches before this one end; ``None`` without one."""
    with closing(connect(settings)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(until_offset) FROM ops.batches WHERE topic = %s AND batch_id < %s",
            (topic, batch_id),
        )
        (end,) = cursor.fetchone() or (None,)
    return None if end is None else int(end)


def refusal(settings: Settings, records: list[bytes]) -> str:
    """Return in whose name, and with which words, records are refused; empty if they are not."""
    try:
        write_batch(settings, records)
    except StreamingError as error:
        return f"{type(error).__name__}: {error}"
    return ""
