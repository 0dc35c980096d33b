"""A pipeline for tests: the laptop mode's own services, and runs that come to an end.

Owns starting, feeding and draining.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from unittest import mock
from uuid import UUID, uuid4

import psutil
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.topics import EVENTS
from clickstream_local import stack
from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.environment import service_environment
from clickstream_local.figures import is_drained
from clickstream_local.java import find_java_home
from clickstream_local.kafka import Kafka, announce_run, create_topics
from clickstream_local.ports import LOOPBACK, free_port
from clickstream_local.postgres import OWNER, Postgres
from clickstream_local.session import end_offsets
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import VerificationReport, verify
from confluent_kafka import Producer
from disks import Disk
from network import TcpProxy, one_more_listener
from rich.console import Console
from stream_settings import SAMPLE_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from clickstream_local.processes import ServiceProcess
    from psycopg2.extensions import connection as Connection

__all__ = ["SIMULATION", "Pipeline", "wait_until"]

SIMULATION = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: tested}
spec:
  seed: 7
  rate: {eventsPerSecond: 1000}
  userMix:
    - {persona: Hurried, weight: 800}
    - {persona: Shopper, weight: 150}
    - {persona: Bot, weight: 50}
  personas: [{name: Hurried, basedOn: Buyer, thinkMedianMilliseconds: 200}]
  users: 5000
  catalog: {products: 50, categories: 5}
  shards: 2
  stopAfter: {events: 3000}
"""
_WAIT_SECONDS = 180.0
_ABORT_SECONDS = 10.0
_TAIL_CHARACTERS = 4_000
_SPARK_SECONDS = 300.0
"""How long Spark may take to start on a machine that does much else."""
_DISKS = ("kafka", "postgres", "checkpoints")
_UNCOUNT = """
UPDATE ops.batches AS known
SET stored_events = stored_events - gone.events, known_events = known_events + gone.events,
    late_events = least(late_events, stored_events - gone.events)
FROM (
    SELECT query, checkpoint_id, batch_id, topic, kafka_partition, count(*) AS events
    FROM ops.batches AS batch INNER JOIN raw.events AS event USING (kafka_partition)
    WHERE run_id = %s AND topic = %s AND kafka_offset < until_offset
        AND kafka_offset >= coalesce(from_offset, 0)
    GROUP BY query, checkpoint_id, batch_id, topic, kafka_partition
) AS gone
WHERE known.query = gone.query AND known.checkpoint_id = gone.checkpoint_id
    AND known.batch_id = gone.batch_id AND known.topic = gone.topic
    AND known.kafka_partition = gone.kafka_partition
"""
"""As if a run's events had been known before; a late one came in a batch without other runs'."""


def wait_until(holds: Callable[[], bool], what: str, seconds: float = _WAIT_SECONDS) -> None:
    """Wait for a condition; fail with its name when it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.1)


def wait_until_sent(
    generator: ServiceProcess, acknowledged: Callable[[], float], records: float
) -> None:
    """Wait until more records than these are acknowledged; fail if the generator ends before."""

    def has_sent() -> bool:
        assert generator.process.poll() is None, "the generator ended too early"
        return acknowledged() > records

    try:
        wait_until(has_sent, "the generator sends")
    except AssertionError as error:
        error.add_note(_tail(generator))
        raise


def must_end(process: ServiceProcess, seconds: float, code: int = 0) -> None:
    """Wait until a process ends; fail with its last output if it does not, or with another code.

    A Python process that does not end writes the stacks of its threads into its log first.
    """
    try:
        found: int | None = process.process.wait(seconds)
    except subprocess.TimeoutExpired:
        found = None
        process.process.send_signal(signal.SIGABRT)
        process.process.wait(_ABORT_SECONDS)
    assert found == code, f"{process.service} ended with {found}, not {code}:\n{_tail(process)}"


def _tail(process: ServiceProcess) -> str:
    return process.log_file.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:]


class Pipeline(Stack):
    """Services without a generator; tests start generators as they need them.

    The stream reaches broker and database through proxies, which can break; everybody else
    reaches them directly.

    Attributes:
        kafka_proxy, postgres_proxy: What is between the stream and each of them.
        is_kafka_proxied: Whether the stream takes that way to Kafka; the proxy leads to a listener
            without authentication.
        failpoint: Where the running job is to kill itself; empty: nowhere.
        disks: The disks of each of them and of the checkpoint, by the folder's name; none
            where the folder must outlast the pipeline.
    """

    def __init__(self, folder: Path, *, has_disks: bool = False, has_stream: bool = True) -> None:
        """Keep everything in ``folder``; without a stream, tests start it with :meth:`resume`."""
        super().__init__(StateFolder(folder), Console(quiet=True), lambda _text: None)
        self.simulation = parse_simulation(SIMULATION)
        self.failpoint = ""
        self._has_stream = has_stream
        self.is_kafka_proxied = True
        names = _DISKS if has_disks else ()
        self.disks = {name: Disk(self.state.folder(name)) for name in names}
        self._proxied_port = free_port()
        self.kafka_proxy, self.postgres_proxy = TcpProxy(self._proxied_port), TcpProxy()

    def __enter__(self) -> Self:
        """Start Kafka, PostgreSQL and, unless it was left out, the stream."""
        try:
            self._start_services()
        except BaseException:
            self.stop()
            raise
        return self

    def _start_services(self) -> None:
        cache = ArtifactCache.of(os.environ)
        console = Console()
        self.kafka_jars = cache.provide(pinned_artifacts("kafka"), console)
        self.spark_jars = [str(jar) for jar in cache.provide(pinned_artifacts("spark"), console)]
        self.java_home = find_java_home(os.environ, cache_folder(os.environ))
        self._start_kafka()
        self.start_postgres()
        self.kafka.wait_ready()
        create_topics(self.kafka.bootstrap_servers)
        announce_run(self.kafka.bootstrap_servers, self.simulation, UUID(int=1))
        if self._has_stream:
            self.resume()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.stop()

    def stop(self) -> None:
        """Stop everything, and remove its disks."""
        super().stop()
        for proxy in (self.kafka_proxy, self.postgres_proxy):
            proxy.close()
        for disk in self.disks.values():
            disk.unmount()

    def resume(self, **settings: str) -> ServiceProcess:
        """Start the stream, and wait until it works unless it is to die."""
        self.launch(settings)
        self.failpoint = ""
        if not settings:
            self.wait_ready()
        return self.streaming

    def launch(
        self, settings: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> ServiceProcess:
        """Start the stream with other settings, and more in its environment."""
        settings = {"OLDEST_EVENT_DAYS": str(SAMPLE_DAYS), **settings}
        names = {f"CLICKSTREAM_STREAMING_{name}": value for name, value in settings.items()}
        direct = self.kafka, self.postgres
        if self.is_kafka_proxied:
            proxied = f"{LOOPBACK}:{self.kafka_proxy.port}"
            self.kafka = replace(self.kafka, bootstrap_servers=proxied)
        self.postgres_proxy.target_port = self.postgres.port
        self.postgres = replace(self.postgres, port=self.postgres_proxy.port)
        try:
            with _environment(names | dict(environment or {})):
                self.streaming = self.start_streaming(self.spark_jars, str(self.java_home))
        finally:
            self.kafka, self.postgres = direct
        return self.streaming

    def wait_ready(self) -> None:
        """Wait until the stream works."""
        self.streaming.wait_until(self.is_ready, _SPARK_SECONDS)

    def discard(self, process: ServiceProcess) -> None:
        """Forget a process that has ended; it need not run any more."""
        assert process.process.poll() is not None, f"{process.service} still runs"
        if process in self._running:
            self._running.remove(process)

    def halt(self) -> None:
        """Stop the stream."""
        self.streaming.stop()
        self.discard(self.streaming)

    def kill(self) -> None:
        """Kill the stream with SIGKILL."""
        self._kill(self.streaming)

    def wait_until_stream_ends(self, what: str, seconds: float = _WAIT_SECONDS) -> int:
        """Wait until the stream ends by itself, discard it, and return its exit code."""
        process = self.streaming.process
        wait_until(lambda: process.poll() is not None, what, seconds)
        self.discard(self.streaming)
        return int(process.returncode)

    def kill_kafka(self) -> None:
        """Kill the broker with SIGKILL."""
        self._kill(self.kafka.process)

    def _kill(self, process: ServiceProcess) -> None:
        process.process.kill()
        process.process.wait()
        self.discard(process)

    def restart_kafka(self) -> None:
        """Start the broker where it was."""
        self._start_kafka(int(self.kafka.bootstrap_servers.rsplit(":", 1)[1]))
        self.kafka.wait_ready()

    def _start_kafka(self, port: int | None = None) -> None:
        proxied = "PROXIED", self._proxied_port, self.kafka_proxy.port
        with one_more_listener(*proxied):
            self.kafka = Kafka.start(self.state, self.java_home, self.kafka_jars, port)
        self._running.insert(0, self.kafka.process)

    def kill_postgres(self) -> None:
        """Kill the database without a word, its other processes too."""
        assert self.postgres.process is not None
        server = psutil.Process(self.postgres.process.process.pid)
        children = server.children(recursive=True)
        self.postgres.process.process.kill()
        self.postgres.process.process.wait()
        psutil.wait_procs(children, timeout=30)  # they see that the first is gone, and end
        self.discard(self.postgres.process)

    def restart_postgres(self) -> None:
        """Start the database where it was."""
        self.postgres = Postgres.start(self.state, self.postgres.port)
        assert self.postgres.process is not None
        self._running.insert(1, self.postgres.process)
        self.postgres.wait_ready()

    def last_batch(self) -> int:
        """Return how many batches have been committed, whatever the checkpoint."""
        return self.count("SELECT count(DISTINCT (checkpoint_id, batch_id)) FROM ops.batches")

    def generate(self, text: str = SIMULATION) -> UUID:
        """Run a simulation to its end and return the run."""
        self.begin(text)
        self.wait_for_generator()
        return self.run_id

    def wait_for_generator(self, seconds: float = _WAIT_SECONDS) -> None:
        """Wait until the generator ends by itself, without an error."""
        must_end(self.generator, seconds)
        self.discard(self.generator)

    def wait_until_sent(self, records: float) -> None:
        """Wait until the broker has taken more records than these from the generator's process."""
        wait_until_sent(self.generator, self.acknowledged, records)

    def stop_generator(self) -> int:
        """Stop the generator and return its exit code."""
        self.generator.stop()
        self.discard(self.generator)
        return int(self.generator.process.returncode)

    def kill_generator(self) -> None:
        """Kill the generator with SIGKILL."""
        self._kill(self.generator)

    def start_successor(self) -> ServiceProcess:
        """Start another generator of the same run, and return the former one, which still runs."""
        former, self.generator = self.generator, self._start_generator(self._begun)
        return former

    def change_simulation(self, text: str) -> None:
        """Put a changed simulation in place for the generators of the run."""
        self._begun = parse_simulation(text)
        file = self.state.root / "simulation.yaml"
        fresh = file.with_suffix(".new")
        fresh.write_text(dump_simulation(self._begun), encoding="utf-8")
        fresh.rename(file)

    def begin(
        self,
        text: str = SIMULATION,
        start_time: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a simulation, now or as if it had been started then, with more around it."""
        self.run_id = uuid4()
        self.begun_text = text
        self._begun = parse_simulation(text)
        start = {"CLICKSTREAM_GENERATOR_START_TIME": start_time} if start_time else {}
        with _environment(start | dict(environment or {})):
            self.generator = self._start_generator(self._begun)

    def restart_generator(self) -> None:
        """Start a process that continues the run of one that was killed."""
        self.discard(self.generator)
        self.generator = self._start_generator(self._begun)

    def acknowledged(self) -> float:
        """Return how many records the broker has taken from the generator's process."""
        return self.metric("generator", "clickstream_generator_records_acknowledged_total")

    def metric(self, service: str, name: str) -> float:
        """Return the sum of what a process shows under a name; 0 while it does not answer."""
        try:
            with urllib.request.urlopen(self.metrics_url(service), timeout=2) as answer:  # noqa: S310  our own port
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        rows = [row for row in lines if row.startswith((f"{name} ", f"{name}{{"))]
        assert rows, f"{service} shows no {name}"
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows)

    def is_ready(self) -> bool:
        """Return whether the stream says that it works."""
        return stack._answers(self.metrics_url("streaming").replace("/metrics", "/readyz"))

    def drain(self, run_id: UUID | None = None) -> None:
        """Wait until the run, and everything in Kafka, is in the tables."""
        connection = self.connect()
        ends = end_offsets(self.kafka.bootstrap_servers)

        def drained() -> bool:
            self.streaming.check()
            return is_drained(connection, run_id or self.run_id, ends)

        wait_until(drained, "every record is in the tables")
        connection.close()

    def has_read(self, ends: Mapping[tuple[str, int], int]) -> bool:
        """Return whether the stream has read each partition up to an offset."""
        rows = self.rows(
            "SELECT topic, kafka_partition, max(until_offset) FROM ops.batches"
            " GROUP BY topic, kafka_partition"
        )
        read = {(topic, number): until for topic, number, until in rows}
        return all(read.get(at, 0) >= end for at, end in ends.items())

    def connect(self) -> Connection:
        """Connect as the owner of the tables."""
        return self.postgres.connect(OWNER)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query as the owner, in a separate transaction, and return its rows."""
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def change(self, *statements: str) -> None:
        """Run statements as the owner, in one transaction."""
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def count(self, query: str, *values: object) -> int:
        """Return the one number that a query gives; 0 without a row or with NULL."""
        rows = self.rows(query, *values)
        return int(rows[0][0] or 0) if rows else 0

    def verify(self) -> VerificationReport:
        """Run the verification."""
        connection = self.connect()
        try:
            return verify(connection, self.connect)
        finally:
            connection.close()

    def forget(self, run_id: str) -> None:
        """Take out what a test sent itself, which no ledger knows."""
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ops.quality_minute_by_writer AS known USING raw.events AS gone"
                " WHERE run_id = %s AND minute = date_trunc('minute', event_time, 'UTC')"
                " AND rule IN (SELECT rule FROM ops.quality_rules WHERE severity = 'flag')",
                (run_id,),
            )
            cursor.execute("SET LOCAL clickstream.seals = 'on'")
            cursor.execute(_UNCOUNT, (run_id, EVENTS.name))
            for table in (
                "raw.events",
                "ops.runs",
                "ops.shard_states",
                "ops.shard_events_by_writer",
                "ops.latency_buckets_by_writer",
            ):
                cursor.execute(f"DELETE FROM {table} WHERE run_id = %s", (run_id,))  # noqa: S608
        rebuild(connection)
        connection.close()

    def produce(self, *values: bytes | None, key: bytes | None = b"k") -> None:
        """Send records as they are to the events' topic."""
        producer = Producer(
            {"bootstrap.servers": self.kafka.bootstrap_servers, "message.max.bytes": 2_097_152}
        )
        for value in values:
            producer.produce(EVENTS.name, value=value, key=key)
        assert producer.flush(20) == 0


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Let processes that start meanwhile see these variables."""

    def with_values(environment: Mapping[str, str]) -> dict[str, str]:
        return service_environment(environment) | dict(values)

    with mock.patch("clickstream_local.stack.service_environment", with_values):
        yield
