"""The job: runs one Spark session with one query until it is stopped.

Owns Spark's configuration, and the order of start and end.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from clickstream_streaming.errors import DatabaseNotMigrated, DatabaseUnreachable, QueryFailed
from clickstream_streaming.shell.checkpoint import QUERY
from clickstream_streaming.shell.database import (
    connect,
    connect_when_migrated,
    connect_with_retries,
    store_rules,
)
from clickstream_streaming.shell.integrity_monitor import IntegrityMonitor
from clickstream_streaming.shell.kafka_client import last_line
from clickstream_streaming.shell.lag import Lag
from clickstream_streaming.shell.preflight import check_topics, next_offsets
from clickstream_streaming.shell.query import start_query, warm_up
from clickstream_streaming.shell.topic_logs import TopicLogs, read_positions

if TYPE_CHECKING:
    from pyspark.sql.streaming.query import StreamingQuery

    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.checkpoint import Offsets
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["Job", "spark_session"]

_LOG = logging.getLogger(__name__)

_WATCH_SECONDS = 0.5
_START_ANSWER_SECONDS, _ANSWER_SECONDS = 20, 3
"""Time limits for answers of Kafka: before the start, and while a batch waits."""
_NO_LATEST_OFFSETS = 'Cannot invoke "scala.collection.IterableOps.map(scala.Function1)"'
_JVM = "-XX:+UseParallelGC"
_ARROW_BATCH_RECORDS = 8_192
_ARROW_BATCH_BYTES = 32 << 20
"""Spark hands at most this many bytes at once to a Python worker."""


def spark_session(settings: Settings) -> SparkSession:
    """Start Spark, or return the running session of this process."""
    # Tasks run the same Python with the same packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    values = {
        "spark.driver.extraClassPath": settings.jars.replace(",", ":"),
        "spark.driver.extraJavaOptions": f"{_JVM} {settings.driver_java_options}".strip(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.streaming.minBatchesToRetain": "20",
        # Applies while there is no data; between batches the query waits itself.
        "spark.sql.streaming.pollingDelay": f"{settings.trigger_milliseconds}ms",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(_ARROW_BATCH_RECORDS),
        "spark.sql.execution.arrow.maxBytesPerBatch": str(_ARROW_BATCH_BYTES),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.ansi.enabled": "true",
    }
    if settings.driver_memory is not None:
        values["spark.driver.memory"] = settings.driver_memory
    if settings.master is not None and settings.master.startswith("local"):
        values |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    builder = SparkSession.builder.appName("clickstream")
    if settings.master is not None:
        builder = builder.master(settings.master)
    for name, value in values.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session


class Job:
    """The running stream.

    Args:
        settings: All settings.
        telemetry: The metrics.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask the job to end; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Run until :meth:`stop` is called.

        Raises:
            StreamingError: The job cannot start, or the query has failed.
        """
        try:
            connection = connect_when_migrated(self._settings, self._stopping)
        except (DatabaseNotMigrated, DatabaseUnreachable):
            if self._stopping.is_set():
                return
            raise
        with closing(connection):
            store_rules(connection)
            wanted = next_offsets(connection, self._settings)
            read = read_positions(connection, QUERY)
        spark = spark_session(self._settings)
        query: StreamingQuery | None = None
        logs: TopicLogs | None = None
        integrity = IntegrityMonitor(self._settings, self._telemetry)
        try:
            self._check_topics(spark, wanted, read)
            warm_up(spark)
            logs = TopicLogs(spark, self._settings, read, _ANSWER_SECONDS)
            query = self._start_query(spark, logs)
            lag = Lag(logs, self._telemetry)
            while not self._stopping.wait(_WATCH_SECONDS):
                if _failed_after_recovery(query):
                    _LOG.warning("restarting the query %s after a recovered batch", QUERY)
                    query = self._start_query(spark, logs)
                else:
                    self._check_query(query)
                lag.update(_ends_of(query) or wanted)
                integrity.update()
        except (PySparkException, QueryFailed) as error:
            self._raise_cause(spark)
            if isinstance(error, QueryFailed):
                raise
            raise QueryFailed(QUERY, last_line(str(error))) from error
        finally:
            if query is not None:
                query.stop()
            if logs is not None:
                logs.close()
            spark.stop()
            integrity.close()

    def _start_query(self, spark: SparkSession, logs: TopicLogs) -> StreamingQuery:
        with closing(connect_with_retries(self._settings, self._stopping)) as connection:
            return start_query(
                spark, self._settings, self._telemetry, connection, logs, self._stopping
            )

    def _raise_cause(self, spark: SparkSession) -> None:
        """Raise the cause if checkpoint, database or topics are the reason of a failed query."""
        with closing(connect(self._settings)) as connection:
            wanted = next_offsets(connection, self._settings)
            read = read_positions(connection, QUERY)
        self._check_topics(spark, wanted, read)

    def _check_topics(self, spark: SparkSession, wanted: Offsets, read: LogPositions) -> None:
        with closing(TopicLogs(spark, self._settings, read, _START_ANSWER_SECONDS)) as logs:
            check_topics(logs, self._settings, wanted)

    def _check_query(self, query: StreamingQuery) -> None:
        """Set readiness if the query waits for data; raise an error if it has ended."""
        error = query.exception()
        if error is not None or not query.isActive:
            reason = last_line(str(error)) if error else "it was stopped from outside"
            raise QueryFailed(QUERY, reason)
        if query.status["message"].startswith("Waiting"):
            self._telemetry.is_ready = True


def _ends_of(query: StreamingQuery) -> Offsets:
    """Return the end of the query's last batch; empty before the first batch."""
    progress = query.lastProgress
    if progress is None:
        return {}
    return {
        topic: {int(number): end for number, end in partitions.items()}
        for source in json.loads(progress.json)["sources"]
        for topic, partitions in (source["endOffset"] or {}).items()
    }


def _failed_after_recovery(query: StreamingQuery) -> bool:
    """Return whether the query failed in Spark's progress report after a recovered batch.

    A defect of Spark 4.1.1 (SPARK-55271, SPARK-57438): before its first planned batch, the source
    has no latest offsets to report. The recovered batch is committed, so a restart continues after
    it.
    """
    error = query.exception()
    return error is not None and _NO_LATEST_OFFSETS in str(error)
