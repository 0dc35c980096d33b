"""Kafka: one node in KRaft mode, from Kafka's jars.

Owns its configuration and the creation of topics.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickstream_contract.ledger import LEDGER_FIELDS, LedgerKind
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS, TOPICS
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from confluent_kafka.cimpl import NewTopic

from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.class_archive import ClassArchive
from clickstream_local.environment import service_environment
from clickstream_local.errors import ServiceFailed
from clickstream_local.java import FAST_START, find_java_home
from clickstream_local.ports import LOOPBACK, free_port
from clickstream_local.processes import ServiceProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from clickstream_contract.simulation import Simulation
    from clickstream_contract.topics import Topic
    from rich.console import Console

    from clickstream_local.state import StateFolder

__all__ = ["MAX_BYTES", "Kafka", "announce_run", "create_topics", "start_kafka_alone"]

_MEBIBYTE = 2**20
_TOPIC_BYTES = {
    EVENTS.name: 2_048 * _MEBIBYTE,
    LEDGER.name: 256 * _MEBIBYTE,
    SHARDS.name: 640 * _MEBIBYTE,
}
"""The size limit of each topic; Kafka drops the oldest records, stored or not."""
_PARTITIONS = {SHARDS.name: 2}
"""Fewer than on a cluster: a laptop has one run at a time, whose snapshots are in one partition."""
_METADATA_BYTES = 128 * _MEBIBYTE
MAX_BYTES = sum(_TOPIC_BYTES.values()) + _METADATA_BYTES
"""The most disk space that Kafka uses."""

_READY_SECONDS = 60.0
_TOPIC_SECONDS = 20.0
# Kafka drops whole segments, and never the active one.
_SEGMENT_BYTES = 32 * _MEBIBYTE
_JVM = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", *FAST_START)
_SETTINGS, _LOGGING = "server.properties", "log4j2.yaml"
_LOG4J = """Configuration:
  status: WARN
  Appenders:
    Console:
      name: out
      PatternLayout: {pattern: "%d{ISO8601} %p %c: %m%n"}
  Loggers:
    Root:
      level: WARN
      AppenderRef: {ref: out}
"""


@dataclass
class Kafka:
    """A running broker.

    Attributes:
        bootstrap_servers: Its address.
        process: Its process.
    """

    bootstrap_servers: str
    process: ServiceProcess

    @classmethod
    def start(
        cls, state: StateFolder, java_home: Path, jars: list[Path], port: int | None = None
    ) -> Kafka:
        """Start the broker; call :meth:`wait_ready` before using it."""
        folder = state.folder("kafka")
        log_file = state.log_file("kafka")
        port = free_port(port)
        (folder / _SETTINGS).write_text(_properties(port, free_port()), encoding="utf-8")
        (folder / _LOGGING).write_text(_LOG4J, encoding="utf-8")
        archive = ClassArchive.of("kafka", cache_folder(os.environ), java_home, jars)
        java = [str(java_home / "bin" / "java"), "-cp", os.pathsep.join(map(str, jars)),
                *_JVM, f"-Dlog4j2.configurationFile={_LOGGING}"]  # fmt: skip
        environment = service_environment(os.environ)
        if not (folder / "data" / "meta.properties").exists():
            _format(java, folder, log_file, environment)
        command = [*java, *archive.options(os.environ), "kafka.Kafka", _SETTINGS]
        process = ServiceProcess.start("kafka", command, log_file, environment, folder=folder)
        process.archive = archive
        return cls(f"{LOOPBACK}:{port}", process)

    def wait_ready(self) -> None:
        """Wait until the broker answers.

        Raises:
            ServiceFailed: The broker does not answer.
        """
        admin = _admin(self.bootstrap_servers)

        def answers() -> bool:
            try:
                return bool(admin.list_topics(timeout=1).brokers)
            except KafkaException:
                return False

        self.process.wait_until(answers, _READY_SECONDS)


def start_kafka_alone(
    state: StateFolder, environment: Mapping[str, str], console: Console, port: int | None = None
) -> Kafka:
    """Start a broker without the rest of the pipeline, and wait until it is ready."""
    jars = ArtifactCache.of(environment).provide(pinned_artifacts("kafka"), console)
    java_home = find_java_home(environment, cache_folder(environment))
    kafka = Kafka.start(state, java_home, jars, port)
    try:
        kafka.wait_ready()
    except BaseException:
        kafka.process.stop()
        raise
    return kafka


def create_topics(bootstrap_servers: str) -> None:
    """Create the contract's missing topics, and limit the size of each topic."""
    admin = _admin(bootstrap_servers)
    there = admin.list_topics(timeout=_TOPIC_SECONDS).topics
    wanted = [
        NewTopic(topic.name, _partitions_of(topic), 1, config=_settings_of(topic))
        for topic in TOPICS
        if topic.name not in there
    ]
    if wanted:
        for future in admin.create_topics(wanted, operation_timeout=_TOPIC_SECONDS).values():
            future.result(_TOPIC_SECONDS)
    # An earlier version may have created them without these limits.
    known = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            topic.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in _settings_of(topic).items()
            ],
        )
        for topic in TOPICS
        if topic.name in there
    ]
    if known:
        for future in admin.incremental_alter_configs(known).values():
            future.result(_TOPIC_SECONDS)


def _partitions_of(topic: Topic) -> int:
    return _PARTITIONS.get(topic.name, topic.partitions)


def _settings_of(topic: Topic) -> dict[str, str]:
    """Return a topic's local settings; a local run is never resumed after its worker."""
    kept = _TOPIC_BYTES[topic.name] // _partitions_of(topic) - 2 * _SEGMENT_BYTES
    bounded = {"retention.bytes": str(kept)}
    if topic == SHARDS:
        bounded |= {"cleanup.policy": "compact,delete", "retention.ms": "-1"}
    return topic.settings | bounded


def announce_run(bootstrap_servers: str, simulation: Simulation, run_id: UUID) -> None:
    """Publish a run's first ledger entry, so that the stream reads it before the first event."""
    now = datetime.now(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    texts = {
        "kind": LedgerKind.RUN_START.value,
        "simulation": simulation.full_name,
        "run_id": str(run_id),
        "minute": now,
        "shards": simulation.spec.shards,
    }
    record = {field.name: texts.get(field.name, 0) for field in LEDGER_FIELDS if field.required}
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all", "log_level": 0})
    producer.produce(LEDGER.name, key=f"{run_id}", value=json.dumps(record))
    producer.flush(_TOPIC_SECONDS)


def _admin(bootstrap_servers: str) -> AdminClient:
    # Without the client's log lines while the broker is still starting.
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})


def _properties(port: int, controller_port: int) -> str:
    """Return the broker's settings (https://kafka.apache.org/documentation/#brokerconfigs).

    Paths are relative to the broker's working folder: a list such as ``log.dirs`` cannot escape a
    comma.
    """
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"CLIENTS://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENTS://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": "data",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "offsets.topic.num.partitions": 1,
        "message.max.bytes": 2_097_152,
        "group.initial.rebalance.delay.ms": 0,
        "log.segment.bytes": _SEGMENT_BYTES,
        "metadata.log.segment.bytes": _METADATA_BYTES // 8,
        "metadata.max.retention.bytes": _METADATA_BYTES // 2,
        "log.retention.check.interval.ms": 10_000,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _format(java: list[str], folder: Path, log_file: Path, environment: Mapping[str, str]) -> None:
    """Format the data folder."""
    # One argument with its value: every 64th id begins with a dash, which the tool would read as
    # another option.
    cluster = f"--cluster-id={_cluster_id(uuid.uuid4())}"
    command = [*java, "kafka.tools.StorageTool", "format", cluster, "-c", _SETTINGS]
    with log_file.open("ab") as log:
        done = subprocess.run(
            command, stdout=log, stderr=log, check=False, cwd=folder, env=dict(environment)
        )
    if done.returncode:
        raise ServiceFailed("kafka", "could not prepare its data folder", log_file)


def _cluster_id(drawn: uuid.UUID) -> str:
    """Return a UUID in Kafka's form: URL-safe base64 (``org.apache.kafka.common.Uuid``)."""
    return urlsafe_b64encode(drawn.bytes).decode().rstrip("=")
