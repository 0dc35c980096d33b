"""Writes events from Kafka into Parquet files, ten thousand at a time or every eight seconds.

Kafka's client commits on a timer (``enable.auto.commit``, the default), whether or not the events
that it has handed out are in a file.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer

FILE_EVENTS = 10_000
FILE_SECONDS = 8.0
SCHEMA = pa.schema(
    {
        "event_id": pa.string(),
        "event_time": pa.string(),
        "session_id": pa.string(),
        "user_id": pa.string(),
        "event_name": pa.string(),
        "country": pa.string(),
        "city": pa.string(),
        "campaign": pa.string(),
        "product_id": pa.string(),
        "value_minor": pa.int64(),
    }
)


def write(events: list[dict[str, Any]], folder: Path) -> None:
    """Write events as one file; its name appears when it is complete."""
    path = folder / f"{time.time_ns()}.parquet"
    draft = path.with_suffix(".draft")
    pq.write_table(pa.Table.from_pylist(events, SCHEMA), draft)
    draft.rename(path)


def main() -> None:
    """Write files until SIGTERM."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    folder = Path("result")
    folder.mkdir(exist_ok=True)
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_SERVERS"],
            "group.id": os.environ["KAFKA_GROUP"],
            "group.instance.id": "one",  # so that a restart need not wait for the dead member
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([os.environ["KAFKA_TOPIC"]])
    events: list[dict[str, Any]] = []
    written = time.monotonic()
    while not stopping or events:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            events.append(json.loads(message.value() or b""))
        is_old = time.monotonic() - written > FILE_SECONDS
        if events and (stopping or is_old or len(events) >= FILE_EVENTS):
            write(events, folder)
            events = []
            written = time.monotonic()
    consumer.close()


if __name__ == "__main__":
    main()
