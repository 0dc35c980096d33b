"""The two queries: what each reads, how a batch of it is written, and where it starts.

Owns the joint between Spark's batches and the database's transactions. It does not know what
the rules and statements say.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from clickstream_contract.derive import spark_schema
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import EVENTS, LEDGER
from pyspark.sql import functions as F

from clickstream_streaming.core.parsing import checked_records, event_columns
from clickstream_streaming.core.sample import sample_events
from clickstream_streaming.core.statements import (
    CLOSE_RUNS,
    CREATE_EVENTS_STAGE,
    CREATE_TRAFFIC_STAGE,
    EVENT_STEPS,
    FINISH_SESSIONS,
    PARTITIONS_NEEDED,
    TRAFFIC_STEPS,
)
from clickstream_streaming.core.traffic import traffic_per_minute
from clickstream_streaming.shell.checkpoint import Checkpoint
from clickstream_streaming.shell.database import (
    Writer,
    committed_offsets,
    copy_table,
    max_event_time,
    refuse_if_behind,
)
from clickstream_streaming.shell.telemetry import LATENCY_BOUNDS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["SHUFFLE_PARTITIONS", "STATE_STORE", "start_events", "start_traffic", "warm_up"]

SHUFFLE_PARTITIONS = 2
STATE_STORE = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
_WINDOW_SECONDS = 3_600
"""The longest window that is added up from what a query writes."""
_TRAFFIC_TRIGGER_FACTOR = 4
_WARM_UP_ROWS = 1_000
_WARM_UP_ROUNDS = 3

_NOTE_TRAFFIC = """
INSERT INTO ops.progress AS known (query, max_event_time)
SELECT 'traffic', max(minute) FROM stage HAVING count(*) > 0
ON CONFLICT (query) DO UPDATE SET
    max_event_time = greatest(known.max_event_time, excluded.max_event_time)
"""

_LATENCIES = """
SELECT bucket, count(*), sum(seconds)::float8 FROM (
    SELECT seconds, width_bucket(seconds, %s::float8[]) AS bucket FROM (
        SELECT extract(epoch FROM clock_timestamp() - event_time)::float8 AS seconds FROM fresh
    ) AS measured
) AS sorted GROUP BY bucket
"""


def warm_up(spark: SparkSession) -> None:
    """Let Spark compile what it will need, on samples, before the first record waits for it."""
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
        _stage(checked_records(kafka)).toArrow()


def start_events(
    spark: SparkSession, settings: Settings, connection: Connection, telemetry: Telemetry
) -> StreamingQuery:
    """Start the query that stores events, rejects, sessions, orders and the ledger.

    Raises:
        CheckpointMismatch: The checkpoint is another job's.
        DatabaseBehindCheckpoint: The database was wiped or restored.
    """
    checkpoint = Checkpoint(settings.checkpoint_dir / "events")
    topics = [EVENTS.name, LEDGER.name]
    _check(checkpoint, connection, "events", topics, {})
    start = _known_offsets(committed_offsets(connection, "events"), topics)
    records = checked_records(_kafka(spark, settings, topics, {"startingOffsets": start}))
    stage = _stage(records)
    writer = Writer(settings, "events", checkpoint, CREATE_EVENTS_STAGE)

    def write(batch: DataFrame, batch_id: int) -> None:
        began = time.monotonic()
        rows = batch.toArrow()
        collected = time.monotonic()

        def work(cursor: Cursor) -> tuple[int, list[tuple[str, int]], list[tuple[int, int, float]]]:
            copy_table(cursor, "stage", rows)
            cursor.execute(PARTITIONS_NEEDED)
            for step in EVENT_STEPS:
                cursor.execute(step)
            cursor.execute(FINISH_SESSIONS, {"watermark_seconds": settings.watermark_delay_seconds})
            cursor.execute(CLOSE_RUNS)
            cursor.execute("SELECT count(*) FROM stage WHERE event_id IS NOT NULL")
            (events,) = cursor.fetchone() or (0,)
            cursor.execute("SELECT reason, count(*) FROM stage WHERE reason IS NOT NULL GROUP BY 1")
            reasons = cursor.fetchall()
            cursor.execute(_LATENCIES, (list(LATENCY_BOUNDS_SECONDS),))
            return events, reasons, cursor.fetchall()

        events, reasons, latencies = writer.write(batch_id, work)
        stored = sum(count for _, count, _ in latencies)
        telemetry.input_rows.labels("events").inc(rows.num_rows)
        telemetry.stored.inc(stored)
        telemetry.duplicates.inc(events - stored)
        for reason, count in reasons:
            telemetry.rejected.labels(reason).inc(count)
        for _, count, seconds in latencies:
            for _ in range(count):
                telemetry.latency.observe(seconds / count)
        _time(telemetry, "events", "read", collected - began)
        _time(telemetry, "events", "write", time.monotonic() - collected)

    return _start(stage, checkpoint, "events", "append", settings.trigger_milliseconds, write)


def start_traffic(
    spark: SparkSession, settings: Settings, connection: Connection, telemetry: Telemetry
) -> StreamingQuery:
    """Start the query that keeps traffic per minute and hour.

    A query without a checkpoint reads from well before what the database holds, so that its
    windows are whole, and leaves alone the windows that began before that.

    Raises:
        CheckpointMismatch: The checkpoint is another job's.
        DatabaseBehindCheckpoint: The database was wiped or restored.
    """
    checkpoint = Checkpoint(settings.checkpoint_dir / "traffic")
    topics = [EVENTS.name]
    watermark = {"watermark_delay_seconds": str(settings.watermark_delay_seconds)}
    _check(checkpoint, connection, "traffic", topics, watermark)
    trusted_from = checkpoint.folder / "trusted-from"
    if not checkpoint.exists():
        latest = max_event_time(connection, "traffic")
        back = settings.watermark_delay_seconds + _WINDOW_SECONDS
        trusted_from.write_text(str(0 if latest is None else latest - back), encoding="utf-8")
    since_seconds = float(trusted_from.read_text(encoding="utf-8"))
    source = _kafka(
        spark,
        settings,
        topics,
        {
            "startingTimestamp": str(int(since_seconds * 1000)),
            "startingOffsetsByTimestampStrategy": "latest",
        },
    )  # fmt: skip
    minutes = traffic_per_minute(checked_records(source), settings.watermark_delay_seconds)
    writer = Writer(settings, "traffic", checkpoint, CREATE_TRAFFIC_STAGE)

    def write(batch: DataFrame, batch_id: int) -> None:
        began = time.monotonic()
        rows = batch.toArrow()
        collected = time.monotonic()

        def work(cursor: Cursor) -> None:
            copy_table(cursor, "stage", rows)
            for step in TRAFFIC_STEPS:
                cursor.execute(step, {"trusted_from": _timestamp(since_seconds)})
            cursor.execute(_NOTE_TRAFFIC)

        writer.write(batch_id, work)
        telemetry.input_rows.labels("traffic").inc(rows.num_rows)
        _time(telemetry, "traffic", "read", collected - began)
        _time(telemetry, "traffic", "write", time.monotonic() - collected)

    every = settings.trigger_milliseconds * _TRAFFIC_TRIGGER_FACTOR
    return _start(minutes, checkpoint, "traffic", "update", every, write)


def _timestamp(unix_seconds: float) -> datetime:
    return datetime.fromtimestamp(unix_seconds, tz=UTC)


def _stage(records: DataFrame) -> DataFrame:
    """Return checked records as they are handed over."""
    empty = F.lit(None).cast("string")
    return records.select(
        "topic",
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("kafka_timestamp"),
        "reason",
        "detail",
        *(
            F.when(F.col("reason").isNotNull(), F.concat(F.lit("\\x"), F.hex(source)))
            .otherwise(empty)
            .alias(name)
            for name, source in (("key", "key"), ("payload", "value"))
        ),
        F.to_json("ledger").alias("ledger"),
        *event_columns(),
    )


def _check(
    checkpoint: Checkpoint,
    connection: Connection,
    query: str,
    topics: list[str],
    more: dict[str, str],
) -> None:
    """Refuse a checkpoint that does not fit the job or the database."""
    schema = spark_schema(EVENT_FIELDS) + spark_schema(LEDGER_FIELDS)
    checkpoint.check_fingerprint(
        {
            "query": query,
            "topics": ",".join(topics),
            "schema": sha256(schema.encode()).hexdigest()[:16],
            "shuffle_partitions": str(SHUFFLE_PARTITIONS),
            "state_store": STATE_STORE.rsplit(".", 1)[-1],
            **more,
        }
    )
    refuse_if_behind(connection, query, checkpoint)


def _known_offsets(offsets: Offsets, topics: list[str]) -> str:
    """Return where to start: where the database's batches ended, else at the beginning."""
    if not offsets:
        return "earliest"
    return json.dumps(
        {
            topic: {str(number): until for number, until in offsets.get(topic, {}).items()}
            for topic in topics
            if topic in offsets
        }
    )


def _kafka(
    spark: SparkSession, settings: Settings, topics: list[str], start: dict[str, str]
) -> DataFrame:
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap_servers)
        .option("subscribe", ",".join(topics))
        .option("maxOffsetsPerTrigger", settings.max_offsets_per_trigger)
        .option("failOnDataLoss", "true")
        .options(**start)
        .load()
    )


def _start(
    frame: DataFrame,
    checkpoint: Checkpoint,
    name: str,
    mode: Literal["append", "update"],
    every_milliseconds: int,
    write: Callable[[DataFrame, int], None],
) -> StreamingQuery:
    return (
        frame.writeStream.queryName(name)
        .outputMode(mode)
        .option("checkpointLocation", str(checkpoint.folder))
        .trigger(processingTime=f"{every_milliseconds} milliseconds")
        .foreachBatch(write)
        .start()
    )


def _time(telemetry: Telemetry, query: str, phase: str, seconds: float) -> None:
    telemetry.batch_seconds.labels(query, phase).observe(seconds)
    telemetry.last_batch.labels(query).set_to_current_time()
