"""The speed of the stream.

Compares, in one run on one machine with broker and database: Spark's ceiling (read and parse, write
nothing); reading and validating like the job; into PostgreSQL the raw rows over JDBC, the usual
windows (Spark's windows and state), and the whole job; PostgreSQL's own limit (copy the same rows);
the latency of events at steady rates. While the job drains the topic, samples show whether writers
wait for each other.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from clickstream_contract.derive import spark_schema
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.topics import EVENTS
from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.environment import service_environment
from clickstream_local.figures import is_drained
from clickstream_local.java import find_java_home
from clickstream_local.kafka import Kafka, create_topics
from clickstream_local.ports import LOOPBACK
from clickstream_local.postgres import DATABASE, OWNER, READER
from clickstream_local.processes import ServiceProcess
from clickstream_local.session import end_offsets
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_streaming.api import verify
from clickstream_streaming.benchmarking import spark_session, validate
from clickstream_streaming.settings import Settings
from confluent_kafka.admin import AdminClient, NewPartitions
from psycopg2 import sql
from pyspark.sql import functions as F
from rich.console import Console

from clickstream_bench.load import LoadSamples
from clickstream_bench.panels import panel_milliseconds
from clickstream_bench.raw_rows import append_rows, copied_rows_per_second, flat_rows
from clickstream_bench.shop import shop
from clickstream_bench.windows import (
    CHECKPOINTS,
    committed_offsets,
    slowest_speed,
    windows_command,
    windows_jars,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa
    from psycopg2.extensions import connection as Connection
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.readwriter import DataStreamWriter

__all__ = ["LATENCY_RATES", "measure_streaming"]

LATENCY_RATES = (1_000, 5_000, 20_000)
_PACE_PER_SECOND = 5_000
_SETTLE_SECONDS = 15
_STEADY_SECONDS = 45
_WAIT_SECONDS = 600.0
_PAGE_ROWS = 10_000
_OFFSETS_PER_TRIGGER = 400_000


def measure_streaming(
    windows: Path,
    events: int,
    *,
    partitions: int = EVENTS.partitions,
    latencies: bool = True,
) -> dict[str, float]:
    """Return events per second of each variant, their ratios, and latencies at steady rates.

    Args:
        windows: The script of the usual windows.
        events: Number of events in the topic.
        partitions: Number of partitions of the topic.
        latencies: Whether to hold steady rates as well, for a minute each.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        bench = _Bench(Path(folder))
        try:
            bench.start_services(partitions)
            bench.fill(events)
            figures = bench.ceilings(windows, events)
            figures |= bench.usual_windows(windows, events)
            figures |= bench.drain(events)
            figures |= bench.copied_rows()
            for rate in LATENCY_RATES if latencies else ():
                figures |= bench.steady(rate)
        finally:
            bench.stop()
    for name in ("whole_job", "usual_windows", "jdbc_rows", "copied_rows"):
        figures[f"{name}_to_ceiling"] = (
            figures[f"{name}_events_per_second"] / figures["ceiling_events_per_second"]
        )
    return figures


class _Bench(Stack):
    """The local services, started as each measurement needs them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(StateFolder(folder), Console(stderr=True), lambda _text: None)

    def start_services(self, partitions: int) -> None:
        """Start broker and database; the events' topic gets at least so many partitions."""
        cache = ArtifactCache.of(os.environ)
        kafka_jars = cache.provide(pinned_artifacts("kafka"), self.console)
        self._jars = [str(jar) for jar in cache.provide(pinned_artifacts("spark"), self.console)]
        self._java_home = find_java_home(os.environ, cache_folder(os.environ))
        self.kafka = Kafka.start(self.state, self._java_home, kafka_jars)
        self._running.append(self.kafka.process)
        self.start_postgres()
        self.kafka.wait_ready()
        create_topics(self.kafka.bootstrap_servers)
        if partitions > EVENTS.partitions:
            admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap_servers})
            admin.create_partitions([NewPartitions(EVENTS.name, partitions)])[EVENTS.name].result()
        self._partitions = partitions

    def fill(self, events: int) -> None:
        """Fill the topic and the ledger, like a generator that catches up."""
        simulation = shop(rate={"eventsPerSecond": _PACE_PER_SECOND}, stopAfter={"events": events})
        started = datetime.fromtimestamp(time.time() - events / _PACE_PER_SECOND, tz=UTC)
        self.run_id = uuid4()
        os.environ["CLICKSTREAM_GENERATOR_START_TIME"] = started.isoformat()
        try:
            process = self._start_generator(simulation)
        finally:
            del os.environ["CLICKSTREAM_GENERATOR_START_TIME"]
        self._finish(process)

    def ceilings(self, script: Path, events: int) -> dict[str, float]:
        """Return the speed of Spark alone and with JDBC, measured in a separate process.

        Args:
            script: The script of the usual windows, which names the driver of JDBC.
            events: Number of events in the topic.
        """
        os.environ["JAVA_HOME"] = str(self._java_home)
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        jars = windows_jars(script.absolute(), self.console)
        url = f"jdbc:postgresql://{self.postgres.host}:{self.postgres.port}/{DATABASE}"
        login = {
            "user": OWNER,
            "password": self.state.secret(OWNER).read_text(encoding="utf-8").strip(),
            "driver": "org.postgresql.Driver",
            "sslmode": "disable",
        }
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            figures = pool.submit(
                _ceilings, self.kafka.bootstrap_servers, ",".join(jars),
                self.state.folder("ceiling"), append_rows_to=(url, login),
            ).result()  # fmt: skip
        self._take_rows("public.jdbc_rows", events)
        return figures

    def usual_windows(self, script: Path, events: int) -> dict[str, float]:
        """Return the speed of Spark's own windows and state, and check that it stored all.

        Args:
            script: The script.
            events: Number of events in the topic.
        """
        folder = self.state.folder("windows")
        environment = service_environment(os.environ) | {
            "JAVA_HOME": str(self._java_home),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": LOOPBACK,
            "KAFKA_SERVERS": self.kafka.bootstrap_servers,
            "KAFKA_TOPIC": EVENTS.name,
            "PGHOST": self.postgres.host,
            "PGPORT": str(self.postgres.port),
            "PGDATABASE": DATABASE,
            "PGUSER": OWNER,
            "PGPASSWORD_FILE": str(self.state.secret(OWNER).absolute()),
            "PGSSLMODE": "disable",
        }
        process = ServiceProcess.start(
            "windows",
            windows_command(script.absolute(), self.console),
            self.state.log_file("windows"), environment, folder=folder,
        )  # fmt: skip
        self._running.append(process)
        checkpoints = folder / CHECKPOINTS
        self._wait(
            lambda: sum(committed_offsets(checkpoints).values()) >= events,
            "the usual windows have read the topic",
        )
        process.stop()
        self._running.remove(process)
        self._take_rows("public.events", events)
        return {"usual_windows_events_per_second": slowest_speed(checkpoints)}

    def _take_rows(self, table: str, events: int) -> None:
        """Drop a peer's table, after a check that it has all events."""
        schema, name = table.split(".")
        relation = sql.Identifier(schema, name)
        with closing(self.postgres.connect(OWNER)) as owner, owner, owner.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(relation))
            (stored,) = cursor.fetchone() or (0,)
            cursor.execute(sql.SQL("DROP TABLE {}").format(relation))
        if stored != events:
            raise RuntimeError(f"{table} has {stored} of {events} events")

    def copied_rows(self) -> dict[str, float]:
        """Return the speed at which PostgreSQL alone stores the rows of ``raw.events`` again."""
        folder = self.state.folder("rows")
        speed = copied_rows_per_second(lambda: self.postgres.connect(OWNER), folder)
        return {"copied_rows_events_per_second": speed}

    def drain(self, events: int) -> dict[str, float]:
        """Return the speed of the whole job, and verify the tables."""
        os.environ["CLICKSTREAM_STREAMING_EVENTS_PARTITIONS"] = str(self._partitions)
        try:
            self.start_streaming(self._jars, str(self._java_home))
        finally:
            del os.environ["CLICKSTREAM_STREAMING_EVENTS_PARTITIONS"]
        connection = self.postgres.connect(OWNER)
        ends = end_offsets(self.kafka.bootstrap_servers)
        self._wait(lambda: _has_stored(connection), "the first events are stored")
        load = LoadSamples(connection)

        def drained() -> bool:
            load.take()
            return is_drained(connection, self.run_id, ends)

        self._wait(drained, "the topic is drained")
        loads = load.figures()
        self.console.print(f"waited for locks: {dict(load.lock_waits)}")
        with connection, connection.cursor() as cursor:
            # From the end of the first batch, to leave out Spark's start.
            cursor.execute(
                "WITH batch AS (SELECT batch_id, max(committed_at) AS at,"
                " sum(until_offset) AS records FROM ops.batches WHERE topic = %s GROUP BY 1)"
                " SELECT (max(records) - min(records)) /"
                " extract(epoch FROM max(at) - min(at))::float8 FROM batch",
                (EVENTS.name,),
            )
            (speed,) = cursor.fetchone() or (0.0,)
        report = verify(connection)
        connection.close()
        if not report.is_clean() or report.events_stored != events:
            raise RuntimeError(f"the tables are wrong, so the measurement is invalid: {report}")
        return {"whole_job_events_per_second": speed, **loads, **self._views()}

    def _views(self) -> dict[str, float]:
        """Return the times of the slowest view and panel; of a long view only one page is read."""
        taken: dict[str, float] = {}
        connection = self.postgres.connect(READER)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name FROM information_schema.views WHERE table_schema = 'mart'"
            )
            for (view,) in cursor.fetchall():
                name = sql.Identifier("mart", view)
                for _ in range(2):  # the second run counts, like a dashboard's refresh
                    began = time.perf_counter()
                    cursor.execute(sql.SQL("SELECT * FROM {} LIMIT %s").format(name), (_PAGE_ROWS,))
                    cursor.fetchall()
                    taken[view] = time.perf_counter() - began
        panels = panel_milliseconds(connection)
        connection.close()
        slowest = max(taken, key=lambda view: taken[view])
        panel = max(panels, key=lambda name: panels[name])
        self.console.print(f"slowest view: mart.{slowest}; slowest panel: {panel}")
        return {
            "slowest_view_milliseconds": 1000 * taken[slowest],
            "slowest_panel_milliseconds": panels[panel],
        }

    def steady(self, rate: int) -> dict[str, float]:
        """Hold a rate, and return the latency after the warm-up."""
        self.run_id = uuid4()
        seconds = _SETTLE_SECONDS + _STEADY_SECONDS
        stop = {"events": rate * seconds}
        self._finish(self._start_generator(shop(rate={"eventsPerSecond": rate}, stopAfter=stop)))
        ends = end_offsets(self.kafka.bootstrap_servers)
        connection = self.postgres.connect(OWNER)
        self._wait(lambda: is_drained(connection, self.run_id, ends), "the run is drained")
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch"
                " FROM ingested_at - event_time)::float8) FROM raw.events WHERE run_id = %s"
                " AND event_time > (SELECT min(event_time) FROM raw.events WHERE run_id = %s)"
                " + %s * interval '1 second'",
                (str(self.run_id), str(self.run_id), _SETTLE_SECONDS),
            )
            ((p50, p95),) = cursor.fetchone() or ((0.0, 0.0),)
        connection.close()
        return {f"latency_p50_seconds_at_{rate}": p50, f"latency_p95_seconds_at_{rate}": p95}

    def _finish(self, generator: ServiceProcess) -> None:
        if generator.process.wait(_WAIT_SECONDS):
            generator.check()
        self._running.remove(generator)

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not holds():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {_WAIT_SECONDS:.0f} s it is not true that {what}")
            time.sleep(0.2)


def _has_stored(connection: Connection) -> bool:
    """Return whether an event is in the table."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM raw.events LIMIT 1")
        return cursor.rowcount > 0


def _ceilings(
    servers: str, jars: str, folder: Path, append_rows_to: tuple[str, dict[str, str]]
) -> dict[str, float]:
    """Return the speed of reading the whole topic in batches of the job's size.

    The first two figures are of queries that write nothing, the third writes raw rows over JDBC.
    """
    settings = Settings(
        bootstrap_servers=servers,
        postgres_host="",
        postgres_password_file=Path(),
        checkpoint_dir=folder,
        jars=jars,
        master="local[2]",
        driver_memory="2g",
    )
    spark = spark_session(settings)
    kafka = _topic(spark, servers)
    parsed = kafka.select(
        F.from_json(F.col("value").cast("string"), spark_schema(EVENT_FIELDS)).alias("event")
    )
    validated = kafka.mapInArrow(_validate_only, "nothing int")
    append = append_rows(*append_rows_to)
    writers = {
        "ceiling": parsed.writeStream.format("noop"),
        "rules": validated.writeStream.format("noop"),
        "jdbc_rows": flat_rows(parsed).writeStream.foreachBatch(append),
    }
    figures = {
        f"{name}_events_per_second": _speed(writer, folder / name)
        for name, writer in writers.items()
    }
    spark.stop()
    return figures


def _validate_only(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        validate(batch)
        yield from ()


def _topic(spark: SparkSession, servers: str) -> DataFrame:
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", servers)
        .option("subscribe", EVENTS.name)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", _OFFSETS_PER_TRIGGER)
        .load()
    )


def _speed(writer: DataStreamWriter, checkpoint: Path) -> float:
    """Return records per second of all batches except the first, which compiles code."""
    query = writer.option("checkpointLocation", str(checkpoint)).trigger(availableNow=True).start()
    query.awaitTermination()
    batches = [row for row in query.recentProgress if row.numInputRows]
    milliseconds = sum(row.durationMs["triggerExecution"] for row in batches[1:])
    return 1000 * sum(row.numInputRows for row in batches[1:]) / milliseconds
