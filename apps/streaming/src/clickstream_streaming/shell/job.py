"""The job: one Spark session, both queries, watched until told to stop.

Owns Spark's configuration and the job's life. It does not know what the queries do.
"""

from __future__ import annotations

import logging
import re
import threading
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

from clickstream_contract.topics import TOPICS
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from clickstream_streaming.errors import QueryFailed, TopicMissing
from clickstream_streaming.shell.database import check_tables, connect
from clickstream_streaming.shell.queries import (
    SHUFFLE_PARTITIONS,
    STATE_STORE,
    start_events,
    start_traffic,
    warm_up,
)

if TYPE_CHECKING:
    from pyspark.sql.streaming.query import StreamingQuery

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["Job", "spark_session"]

_LOG = logging.getLogger(__name__)

_WATCH_SECONDS = 0.5
_NO_LATEST_OFFSETS = 'Cannot invoke "scala.collection.IterableOps.map(scala.Function1)"'
_STARTERS = {"events": start_events, "traffic": start_traffic}
_KEPT_OUT = ("PushDownPredicates", "PushPredicateThroughNonJoin", "CollapseProject")


def spark_session(settings: Settings) -> SparkSession:
    """Start Spark, or return the session that this process has."""
    rocksdb = "spark.sql.streaming.stateStore.rocksdb"
    optimizer = "org.apache.spark.sql.catalyst.optimizer"
    values = {
        # Moving the filter below the projection would parse each record once per rule.
        "spark.sql.optimizer.excludedRules": ",".join(f"{optimizer}.{rule}" for rule in _KEPT_OUT),
        "spark.sql.optimizer.enableJsonExpressionOptimization": "false",
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraClassPath": settings.jars.replace(",", ":"),
        # Plans of so many rules are deep; Spark walks them by recursion.
        "spark.driver.extraJavaOptions": f"-Xss8m {settings.driver_java_options}".strip(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(SHUFFLE_PARTITIONS),
        "spark.sql.streaming.stateStore.providerClass": STATE_STORE,
        f"{rocksdb}.changelogCheckpointing.enabled": "true",
        f"{rocksdb}.boundedMemoryUsage": "true",
        f"{rocksdb}.maxMemoryUsageMB": "256",
        "spark.sql.streaming.minBatchesToRetain": "20",
        # A batch without data would only move the watermark; the rows are out already.
        "spark.sql.streaming.noDataMicroBatches.enabled": "false",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.ansi.enabled": "true",
    }
    builder = SparkSession.builder.appName("clickstream").master(settings.master)
    for name, value in values.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session


class Job:
    """The running stream.

    Args:
        settings: All settings.
        telemetry: Where figures are shown.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask the job to end. Safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Run until :meth:`stop` is called.

        Raises:
            StreamingError: It cannot start, or a query has ended by itself.
        """
        with closing(connect(self._settings)) as connection:
            check_tables(connection)
        spark = spark_session(self._settings)
        queries: dict[str, StreamingQuery] = {}
        try:
            warm_up(spark)
            queries |= {name: self._start(spark, name) for name in _STARTERS}
            while not self._stopping.wait(_WATCH_SECONDS):
                for name, query in queries.items():
                    if _failed_to_report(query):
                        _LOG.warning("%s is started again after a batch it recovered", name)
                        queries[name] = self._start(spark, name)
                    else:
                        self._watch(name, query)
        except PySparkException as error:
            raise TopicMissing(", ".join(topic.name for topic in TOPICS), str(error)) from error
        finally:
            for query in queries.values():
                query.stop()
            spark.stop()

    def _start(self, spark: SparkSession, name: str) -> StreamingQuery:
        with closing(connect(self._settings)) as connection:
            return _STARTERS[name](spark, self._settings, connection, self._telemetry)

    def _watch(self, name: str, query: StreamingQuery) -> None:
        """Show a query's progress, and notice its end."""
        error = query.exception()
        if error is not None or not query.isActive:
            raise QueryFailed(name, _cause(str(error)) if error else "it was stopped from outside")
        if query.status["message"].startswith("Waiting"):
            self._telemetry.note_ready(name)
        progress = query.lastProgress
        if progress is None:
            return
        if "watermark" in progress.eventTime:
            moment = datetime.fromisoformat(progress.eventTime["watermark"])
            self._telemetry.watermark.labels(name).set(moment.timestamp())
        states = progress.stateOperators
        if states:
            self._telemetry.state_rows.labels(name).set(sum(s.numRowsTotal for s in states))
            self._telemetry.state_bytes.labels(name).set(sum(s.memoryUsedBytes for s in states))


def _failed_to_report(query: StreamingQuery) -> bool:
    """Say whether the query fell over its own report on a batch that it had recovered.

    Spark 4.1.1 does (SPARK-55271, SPARK-57438): the source does not know the latest offsets
    before it has planned a batch. The batch is committed by then; a new start finds it so.
    """
    error = query.exception()
    return error is not None and _NO_LATEST_OFFSETS in str(error)


def _cause(text: str) -> str:
    """Return the line of a trace that says what went wrong in our part of it, or all."""
    found = re.findall(r"^[a-zA-Z_.]*(?:psycopg2|Error|Exception)[^\n]*$", text, re.MULTILINE)
    return found[-1] if found else text
