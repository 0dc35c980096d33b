"""The job: one Spark session and its query, watched until told to stop.

Owns Spark's configuration and the job's life. It does not know what the query does.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from clickstream_contract.topics import EVENTS
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from clickstream_streaming.errors import QueryFailed, TopicMissing, TopicUnfit
from clickstream_streaming.shell.database import check_tables, connect, store_rules
from clickstream_streaming.shell.kafka_client import blamed_setting, client_settings
from clickstream_streaming.shell.query import QUERY, start_query, warm_up

if TYPE_CHECKING:
    from pyspark.sql.streaming.query import StreamingQuery

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["Job", "spark_session"]

_LOG = logging.getLogger(__name__)

_WATCH_SECONDS = 0.5
_KAFKA_MILLISECONDS = 20_000
_NO_LATEST_OFFSETS = 'Cannot invoke "scala.collection.IterableOps.map(scala.Function1)"'
# Plans of so many rules are deep, and Spark walks them by recursion.
_JVM = "-Xss8m -XX:+UseParallelGC"
_KEPT_OUT = ("PushDownPredicates", "PushPredicateThroughNonJoin", "CollapseProject")


def spark_session(settings: Settings) -> SparkSession:
    """Start Spark, or return the session that this process has."""
    # Tasks run this very Python, with what is installed in it.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    optimizer = "org.apache.spark.sql.catalyst.optimizer"
    values = {
        # Moving the filter below the projection would parse each record once per rule.
        "spark.sql.optimizer.excludedRules": ",".join(f"{optimizer}.{rule}" for rule in _KEPT_OUT),
        "spark.sql.optimizer.enableJsonExpressionOptimization": "false",
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraClassPath": settings.jars.replace(",", ":"),
        "spark.driver.extraJavaOptions": f"{_JVM} {settings.driver_java_options}".strip(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.streaming.minBatchesToRetain": "20",
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
            store_rules(connection)
        spark = spark_session(self._settings)
        query: StreamingQuery | None = None
        try:
            _check_topic(spark, self._settings)
            warm_up(spark)
            query = start_query(spark, self._settings, self._telemetry)
            while not self._stopping.wait(_WATCH_SECONDS):
                if _failed_to_report(query):
                    _LOG.warning("%s is started again after a batch it recovered", QUERY)
                    query = start_query(spark, self._settings, self._telemetry)
                else:
                    self._watch(query)
        except PySparkException as error:
            raise QueryFailed(QUERY, _cause(str(error))) from error
        finally:
            if query is not None:
                query.stop()
            spark.stop()

    def _watch(self, query: StreamingQuery) -> None:
        """Show the query's progress, and notice its end."""
        error = query.exception()
        if error is not None or not query.isActive:
            raise QueryFailed(QUERY, _cause(str(error)) if error else "it was stopped from outside")
        if query.status["message"].startswith("Waiting"):
            self._telemetry.is_ready = True
        progress = query.lastProgress
        if progress is not None:
            for source in json.loads(progress.json)["sources"]:
                self._telemetry.show_lag(source["endOffset"] or {}, source["latestOffset"] or {})


def _check_topic(spark: SparkSession, settings: Settings) -> None:
    """Look at the events' topic before anything is read.

    Raises:
        TopicMissing: It is not there, or Kafka is not.
        TopicUnfit: It has another number of partitions than expected.
    """
    jvm: Any = spark._jvm  # noqa: SLF001  Kafka's own client, as Spark has it, is only there
    client = jvm.org.apache.kafka.clients.admin.Admin.create(
        {
            **client_settings(settings),
            "default.api.timeout.ms": str(_KAFKA_MILLISECONDS),
            "request.timeout.ms": str(_KAFKA_MILLISECONDS),
        }
    )
    try:
        topics = client.describeTopics([EVENTS.name]).allTopicNames().get()
        found = topics[EVENTS.name].partitions().size()
    except Py4JJavaError as error:
        cause = str(error.java_exception)
        raise TopicMissing(EVENTS.name, _cause(cause), blamed_setting(cause)) from error
    finally:
        client.close()
    if settings.events_partitions and found != settings.events_partitions:
        raise TopicUnfit(EVENTS.name, found, settings.events_partitions)


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
