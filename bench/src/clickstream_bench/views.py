"""The speed of the views over many events.

Fills the tables: passes events of the generator's core to the stream's tasks, without Kafka and
Spark, so that every table has the content that the stream would write.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pyarrow as pa
from clickstream_contract.topics import EVENTS
from clickstream_generator.core.simulator import Simulator
from clickstream_local.postgres import DATABASE, OWNER, READER, WRITER
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_streaming.benchmarking import (
    BatchFinalizer,
    BatchTask,
    Outcome,
    Telemetry,
    write_partition,
)
from clickstream_streaming.settings import Settings
from rich.console import Console

from clickstream_bench.queries import time_dashboards, time_views
from clickstream_bench.shop import shop

if TYPE_CHECKING:
    from clickstream_generator.core.encoding import Encoded
    from clickstream_generator.core.events import Events

__all__ = ["measure_views"]

_DAYS = 3
"""Days of the events; more days take longer to simulate."""
_CHUNK = 20_000
_BATCH_EVENTS = 400_000
_HORIZON_SECONDS = 1.2 * _DAYS * 86_400
"""How far ahead events are requested; the schedule is computed that far."""
_HALVES = ((0, 1), (2, 3))


def measure_views(events: int, dashboards: Path) -> dict[str, float]:
    """Return the milliseconds of every view and every dashboard's query.

    Args:
        events: Number of events, spread over three days.
        dashboards: A folder of dashboards; their queries cover the last day.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        stack = Stack(StateFolder(Path(folder)), Console(stderr=True), lambda _text: None)
        try:
            stack.start_postgres()
            began = time.monotonic()
            last = _fill(_settings(stack), events)
            figures = {"fill_seconds": time.monotonic() - began}
            owner = stack.postgres.connect(OWNER)
            owner.autocommit = True
            with owner.cursor() as cursor:
                # Like autovacuum: index-only scans need the visibility map.
                cursor.execute("VACUUM ANALYZE")
            owner.close()
            reader = stack.postgres.connect(READER)
            figures |= time_views(reader)
            figures |= time_dashboards(reader, dashboards, last - timedelta(days=1), last)
            reader.close()
        finally:
            stack.stop()
    return figures


def _settings(stack: Stack) -> Settings:
    return Settings(
        bootstrap_servers="",
        postgres_host=stack.postgres.host,
        postgres_port=stack.postgres.port,
        postgres_database=DATABASE,
        postgres_user=WRITER,
        postgres_password_file=stack.state.secret(WRITER),
        postgres_sslmode="disable",
        checkpoint_dir=stack.state.folder("checkpoints"),
    )


def _fill(settings: Settings, events: int) -> datetime:
    """Fill the tables with two processes, finalize the batch, and return the last event's time."""
    run_id, start = uuid4(), time.time() - _DAYS * 86_400
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        halves = [
            pool.submit(_fill_half, settings, events, run_id, start, half)
            for half in range(len(_HALVES))
        ]
        outcomes = [half.result() for half in halves]
    # Finalizing the batch moves the watermarks, and computes the summary tables.
    BatchFinalizer(settings, Telemetry()).finalize(_task(settings, len(_HALVES), 0), outcomes, 0.0)
    last = max((at for row in outcomes for *_, at in row.max_event_times), default=start)
    return datetime.fromtimestamp(last, tz=UTC)


def _task(settings: Settings, partition: int, batch_id: int) -> BatchTask:
    return BatchTask(
        settings=settings,
        query="events",
        checkpoint_id=str(UUID(int=1)),
        batch_id=batch_id,
        offsets_from={},
        offsets_until={EVENTS.name: {partition: (batch_id + 1) * _BATCH_EVENTS}},
        driver_pid=os.getpid(),
    )


def _fill_half(settings: Settings, events: int, run_id: UUID, start: float, half: int) -> Outcome:
    """Write half of the shards, batch by batch, and return the outcome of the last batch."""
    per_minute = math.ceil(events / (_DAYS * 1_440))
    simulation = shop(rate={"eventsPerMinute": per_minute})
    simulator = Simulator(simulation, _HALVES[half], run_id)
    simulator.begin(start)
    wanted, offset, batch_id = events // len(_HALVES), 0, 0
    answer: list[pa.RecordBatch] = []
    while offset < wanted:
        parts: list[pa.RecordBatch] = []
        end = min(offset + _BATCH_EVENTS, wanted)
        while offset < end:
            taken = simulator.take_due(start + _HORIZON_SECONDS, _CHUNK)
            encoded = simulator.encoder.encode(taken, int(taken.rows["event_time_ms"][-1]))
            parts.append(_records(taken, encoded, half, offset))
            offset += len(taken)
        answer = list(write_partition(_task(settings, half, batch_id), parts))
        batch_id += 1
    return Outcome(**json.loads(answer[-1]["outcome"][0].as_py()))


def _records(events: Events, encoded: Encoded, partition: int, offset: int) -> pa.RecordBatch:
    """Return events as Spark passes them to a task; each record's timestamp is its event time."""
    count = len(events)
    return pa.RecordBatch.from_pydict(
        {
            "topic": pa.array([EVENTS.name] * count),
            "partition": pa.array([partition] * count, pa.int32()),
            "offset": pa.array(range(offset, offset + count), pa.int64()),
            "timestamp": pa.array(1000 * events.rows["event_time_ms"], pa.timestamp("us", "UTC")),
            "key": pa.array(encoded.keys, pa.binary()),
            "value": pa.array(encoded.values, pa.binary()),
        }
    )
