"""Windows, sessions and products with Spark's own state, into PostgreSQL over JDBC.

Five queries read the topic, each with a checkpoint. After a crash, Spark repeats the last batch:
the tables with a key replace their rows, ``events`` and ``sessions`` get the batch twice.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2.extras import execute_values
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg2.extensions import cursor
    from pyspark.sql import DataFrame

SCHEMA = """
event_id string, event_time timestamp, session_id string, user_id string, event_name string,
country string, city string, campaign string, product_id string, value_minor bigint
"""
TABLES = """
CREATE TABLE IF NOT EXISTS minutes
    (starts_at timestamptz, country text, events bigint, revenue_minor bigint,
    PRIMARY KEY (starts_at, country));
CREATE TABLE IF NOT EXISTS hours
    (starts_at timestamptz, country text, events bigint, revenue_minor bigint,
    PRIMARY KEY (starts_at, country));
"""
UPSERT = """
INSERT INTO {table} VALUES %s ON CONFLICT (starts_at, country)
DO UPDATE SET events = excluded.events, revenue_minor = excluded.revenue_minor
"""
URL = f"jdbc:postgresql://{os.environ['PGHOST']}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}"
PASSWORD = Path(os.environ["PGPASSWORD_FILE"]).read_text(encoding="utf-8").strip()
LOGIN = {
    "user": os.environ["PGUSER"],
    "password": PASSWORD,
    "driver": "org.postgresql.Driver",
    **{
        setting: os.environ[variable]
        for setting, variable in (("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT"))
        if variable in os.environ
    },
}
LOG = logging.getLogger("windows")
CHECKPOINTS = os.environ.get("CHECKPOINTS", "checkpoints")
OFFSETS_PER_BATCH = 100_000


def append(table: str) -> Callable[[DataFrame, int], None]:
    """Return what adds the rows of a batch to a table."""
    return lambda rows, _: rows.write.jdbc(URL, table, mode="append", properties=LOGIN)


def replace(table: str) -> Callable[[DataFrame, int], None]:
    """Return what replaces a table with the rows of a batch."""
    options = LOGIN | {"truncate": "true"}
    return lambda rows, _: rows.write.jdbc(URL, table, mode="overwrite", properties=options)


def upsert(table: str) -> Callable[[DataFrame, int], None]:
    """Return what replaces the rows of a batch in a table with a key."""

    def write(rows: DataFrame, _: int) -> None:
        with connected() as database:
            execute_values(database, UPSERT.format(table=table), rows.collect())

    return write


@contextmanager
def connected() -> Iterator[cursor]:
    """Open a transaction; the other settings of the connection are libpq's variables."""
    with closing(psycopg2.connect(password=PASSWORD)) as connection, connection:
        yield connection.cursor()


def windows(events: DataFrame, length: str) -> DataFrame:
    """Return events and revenue per window and country."""
    revenue = F.sum(F.when(F.col("event_name") == "purchase", F.col("value_minor")).otherwise(0))
    return (
        events.groupBy(F.window("event_time", length), "country")
        .agg(F.count("*").alias("events"), revenue.alias("revenue_minor"))
        .select(F.col("window.start").alias("starts_at"), "country", "events", "revenue_minor")
    )


def sessions(events: DataFrame) -> DataFrame:
    """Return closed sessions: those without an event for half an hour."""
    return (
        events.groupBy(F.session_window("event_time", "30 minutes"), "user_id")
        .agg(F.count("*").alias("events"))
        .select("session_window.start", "session_window.end", "user_id", "events")
    )


def products(events: DataFrame) -> DataFrame:
    """Return the number of events of each product, the top ones first."""
    counted = events.where("product_id IS NOT NULL").groupBy("product_id")
    return counted.agg(F.count("*").alias("events")).orderBy(F.desc("events"))


def kafka_options() -> dict[str, str]:
    """Return the settings of Kafka's client, from a file with lines ``name=value``."""
    file = os.environ.get("KAFKA_CONFIG_FILE")
    lines = Path(file).read_text(encoding="utf-8").splitlines() if file else []
    rows = [line.partition("=") for line in lines if line.strip()]
    return {f"kafka.{name.strip()}": value.strip() for name, _, value in rows}


def main() -> None:
    """Run all queries, and start each one again that fails."""
    with connected() as database:
        database.execute(TABLES)
    provider = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    spark = (
        SparkSession.builder.config("spark.sql.streaming.stateStore.providerClass", provider)
        .config("spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled", "true")
        .config("spark.sql.shuffle.partitions", 2)
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("WARN")
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", os.environ["KAFKA_SERVERS"])
        .option("subscribe", os.environ["KAFKA_TOPIC"])
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", OFFSETS_PER_BATCH)
        .options(**kafka_options())
        .load()
    )
    parsed = F.from_json(F.col("value").cast("string"), SCHEMA).alias("event")
    events = records.select(parsed).select("event.*").withWatermark("event_time", "10 minutes")
    queries = {
        "events": (events, "append", append("events")),
        "sessions": (sessions(events), "append", append("sessions")),
        "minutes": (windows(events, "1 minute"), "update", upsert("minutes")),
        "hours": (windows(events, "1 hour"), "update", upsert("hours")),
        "products": (products(events), "complete", replace("products")),
    }
    while True:
        for name in queries.keys() - {query.name for query in spark.streams.active}:
            start(name, *queries[name])
        # Kafka's source of Spark 4.1.1 may raise a NullPointerException after a repeated batch.
        try:
            spark.streams.awaitAnyTermination()
        except StreamingQueryException as error:
            LOG.warning("a query failed, and starts again: %s", error)
        spark.streams.resetTerminated()
        time.sleep(1)


def start(name: str, rows: DataFrame, mode: str, write: Callable[[DataFrame, int], None]) -> None:
    """Start a query, which continues at its checkpoint."""
    (
        rows.writeStream.queryName(name)
        .foreachBatch(write)
        .outputMode(mode)
        .option("checkpointLocation", f"{CHECKPOINTS}/{name}")
        .trigger(processingTime="2 seconds")
        .start()
    )


if __name__ == "__main__":
    main()
