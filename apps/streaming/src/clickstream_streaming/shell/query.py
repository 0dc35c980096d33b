"""The streaming query: reads both topics, and writes each batch to the database.

Owns the connection between Spark's batches and transactions of the database: each task writes the
partition that it has read, then the finalizer ends the batch. Owns also the interval of batches.
"""

from __future__ import annotations

import json
import logging
import os
import time
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from clickstream_contract.derive import spark_schema
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import EVENTS, LEDGER
from pyspark.sql import functions as F

from clickstream_streaming.core.sample import sample_events
from clickstream_streaming.core.validation.batch import validate
from clickstream_streaming.errors import BatchRowsLost
from clickstream_streaming.shell.batch import OUTCOME, BatchTask, Outcome
from clickstream_streaming.shell.batch_finalizer import BatchFinalizer
from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.database import committed_offsets
from clickstream_streaming.shell.kafka_client import client_settings
from clickstream_streaming.shell.partition import write_partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import Event

    import pyarrow as pa
    from psycopg2.extensions import connection as Connection
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.telemetry import Telemetry
    from clickstream_streaming.shell.topic_logs import TopicLogs

__all__ = ["fingerprint", "start_query", "warm_up"]

_LOG = logging.getLogger(__name__)

_TOPICS = (EVENTS.name, LEDGER.name)
_WARM_UP_ROWS = 1_000
_WARM_UP_ROUNDS = 3
_RUNS = 3
"""How often the query runs a batch whose rows the database loses."""


def warm_up(spark: SparkSession) -> None:
    """Let Spark's workers validate samples, so that they load all code before the first record."""
    values = spark.createDataFrame([(text,) for text in sample_events()], "value string")
    kafka = values.crossJoin(spark.range(_WARM_UP_ROWS)).select(
        F.col("value").cast("binary").alias("key"),
        F.col("value").cast("binary").alias("value"),
        F.lit(EVENTS.name).alias("topic"),
        F.lit(0).alias("partition"),
        F.col("id").alias("offset"),
        F.current_timestamp().alias("timestamp"),
    )
    for _ in range(_WARM_UP_ROUNDS):
        kafka.mapInArrow(_validate_only, OUTCOME).collect()


class _Interval:
    """The interval of batches, by the monotonic clock.

    Spark's own trigger uses the wall clock: if that is set back by an hour, the stream would stop
    for an hour.

    Args:
        seconds: The shortest time from the end of one batch to the end of the next.
        stopping: Ends the waiting when it is set.
    """

    def __init__(self, seconds: float, stopping: Event) -> None:
        self._seconds = seconds
        self._stopping = stopping
        self._ended = time.monotonic() - seconds

    def wait(self) -> None:
        """Wait until the batch may end."""
        self._stopping.wait(max(0.0, self._ended + self._seconds - time.monotonic()))
        self._ended = time.monotonic()


def start_query(
    spark: SparkSession,
    settings: Settings,
    telemetry: Telemetry,
    connection: Connection,
    logs: TopicLogs,
    stopping: Event,
) -> StreamingQuery:
    """Start the query that stores events, rejects, marts and the ledger.

    Args:
        spark: The session.
        settings: All settings.
        telemetry: The metrics.
        connection: A connection to the database.
        logs: The topics, and the positions read in them.
        stopping: Set when the query shall end soon.
    """
    checkpoint = Checkpoint(settings.checkpoint_dir / QUERY)
    known = committed_offsets(connection, QUERY)
    finalizer = BatchFinalizer(settings, telemetry)
    interval = _Interval(settings.trigger_milliseconds / 1_000, stopping)

    def write(batch: DataFrame, batch_id: int) -> None:
        began = time.monotonic()
        # Before any record is read: a log that is replaced later differs at the next check.
        ends = logs.check_with_retries(stopping)
        task = BatchTask(
            settings=settings,
            query=QUERY,
            checkpoint_id=checkpoint.identity(),
            batch_id=batch_id,
            offsets_from=checkpoint.offsets_until(batch_id - 1) if batch_id else known,
            offsets_until=checkpoint.offsets_until(batch_id),
            logs=ends,
            driver_pid=os.getpid(),
        )
        _run(batch, task, finalizer, began)
        logs.record_read(ends, task.offsets_until)
        interval.wait()

    return (
        _records(spark, settings, known)
        .writeStream.queryName(QUERY)
        .outputMode("append")
        .option("checkpointLocation", str(checkpoint.folder))
        .trigger(processingTime="0 seconds")
        .foreachBatch(write)
        .start()
    )


def _records(spark: SparkSession, settings: Settings, known: Offsets) -> DataFrame:
    """Return the records of both topics as a stream.

    Args:
        spark: The session.
        settings: Kafka's address, and how many records a batch may have.
        known: The offsets where the database's batches ended.
    """
    return (
        spark.readStream.format("kafka")
        .options(**{f"kafka.{name}": value for name, value in client_settings(settings).items()})
        # Records of an aborted transaction do not count as sent.
        .option("kafka.isolation.level", "read_committed")
        .option("subscribe", ",".join(_TOPICS))
        .option("startingOffsets", _starting_offsets(known))
        .option("maxOffsetsPerTrigger", settings.max_offsets_per_trigger)
        .option("failOnDataLoss", "true")
        .load()
        .select("topic", "partition", "offset", "timestamp", "key", "value")
    )


def _run(batch: DataFrame, task: BatchTask, finalizer: BatchFinalizer, began: float) -> None:
    """Write and finalize a batch; run it again if the database loses its rows in between."""
    work = batch.mapInArrow(partial(write_partition, task), OUTCOME)
    for runs in range(1, _RUNS + 1):
        outcomes = [Outcome(**json.loads(row["outcome"])) for row in work.collect()]
        try:
            finalizer.finalize(task, outcomes, time.monotonic() - began)
        except BatchRowsLost as error:
            if runs == _RUNS:
                raise
            _LOG.warning("%s", error)
        else:
            return


def _validate_only(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """Validate records and return no row, so that a worker process loads what it needs."""
    for batch in batches:
        validate(batch)
        yield from ()


def fingerprint() -> dict[str, str]:
    """Return the fingerprint of this job, which a checkpoint must have."""
    schema = spark_schema(EVENT_FIELDS) + spark_schema(LEDGER_FIELDS)
    return {
        "query": QUERY,
        "topics": ",".join(_TOPICS),
        "schema": sha256(schema.encode()).hexdigest()[:16],
    }


def _starting_offsets(known: Offsets) -> str:
    """Return Spark's ``startingOffsets``: the end of the stored batches, else the earliest."""
    if not known:
        return "earliest"
    return json.dumps(
        {
            topic: {str(number): until for number, until in partitions.items()}
            for topic, partitions in known.items()
        }
    )
