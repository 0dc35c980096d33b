"""Generators as processes with a real broker, and the records in its topics.

Owns starting, killing and reading back.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.ledger import GROWING_FIGURES
from clickstream_contract.topics import EVENTS
from clickstream_generator.core.simulator import Simulator
from clickstream_local.kafka import create_topics, start_kafka_alone
from clickstream_local.ports import free_port
from clickstream_local.processes import ServiceProcess
from clickstream_local.session import end_offsets
from clickstream_local.state import StateFolder
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pipeline import must_end, wait_until, wait_until_sent
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from clickstream_contract.access import User
    from clickstream_contract.simulation import Simulation
    from clickstream_local.kafka import Kafka

__all__ = ["Broker", "GeneratorRun", "Worker", "four_shards", "reference", "soon", "timeless"]

_PROGRAM = ("-m", "clickstream_generator")
_START_SECONDS = 5


def soon() -> datetime:
    """Return the start of a run: late enough that its first process is up before most events."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=_START_SECONDS)


def four_shards(rate: int | str, events: int, more: str = "") -> Simulation:
    """Return a simulation of four shards.

    Args:
        rate: Events per second, and what else the rate has in its braces.
        events: How many there are.
        more: Lines of the specification.
    """
    return parse_simulation(f"""
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {{name: tested}}
spec:
  seed: 11
  rate: {{eventsPerSecond: {rate}}}
  userMix: [{{persona: Shopper, weight: 8}}, {{persona: Buyer, weight: 4}}]
  users: 20000
  catalog: {{products: 100, categories: 5}}
  shards: 4
  stopAfter: {{events: {events}}}
{more}""")


class Broker:
    """A real broker in a folder, which can stop and start again."""

    def __init__(self, folder: Path) -> None:
        """Start the broker."""
        self._state = StateFolder(folder)
        self._port: int | None = None
        self.start()
        create_topics(self.servers)

    @classmethod
    def of(cls, kafka: Kafka) -> Broker:
        """Use a running broker, which another fixture stops."""
        broker = cls.__new__(cls)
        broker.kafka, broker.servers = kafka, kafka.bootstrap_servers
        return broker

    def start(self) -> None:
        """Start the broker, after a stop at the same address."""
        console = Console(quiet=True)
        self.kafka = start_kafka_alone(self._state, os.environ, console, self._port)
        self.servers = self.kafka.bootstrap_servers
        self._port = int(self.servers.rsplit(":", 1)[1])

    def stop(self) -> None:
        """Stop the broker."""
        self.kafka.process.stop()

    def add_user(self, name: str, password: str) -> None:
        """Create a user with SCRAM-SHA-512."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
        change = UserScramCredentialUpsertion(name, info, password.encode())
        for done in admin.alter_user_scram_credentials([change]).values():
            done.result()

    def let(self, user: User) -> None:
        """Grant a user its rights."""
        rows = [
            AclBinding(
                ResourceType[right.kind.upper()],
                right.name,
                ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
                f"User:{user.name}",
                "*",
                AclOperation[operation.upper()],
                AclPermissionType.ALLOW,
            )
            for right in user.rights
            for operation in right.operations
        ]
        admin = AdminClient({"bootstrap.servers": self.servers})
        for done in admin.create_acls(rows).values():
            done.result()

    def add_topic(self, name: str, partitions: int) -> None:
        """Create a topic."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result()

    def limit_events(self, max_bytes: int) -> None:
        """Limit the size of a record in the events' topic."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        change = ConfigEntry(
            "max.message.bytes", str(max_bytes), incremental_operation=AlterConfigOpType.SET
        )
        resource = ConfigResource(ResourceType.TOPIC, EVENTS.name, incremental_configs=[change])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result()

    def ends(self) -> dict[tuple[str, int], int]:
        """Return the end offset of each partition, by topic and partition."""
        return end_offsets(self.servers)

    def read(
        self, topic: str, since: Mapping[tuple[str, int], int] | None = None
    ) -> list[tuple[bytes, bytes | None]]:
        """Return a topic's records with their keys: all of them, or those since some offsets."""
        return [(row.key() or b"", row.value()) for row in self.messages(topic, since)]

    def messages(
        self, topic: str, since: Mapping[tuple[str, int], int] | None = None
    ) -> list[Message]:
        """Return a topic's records as the client has them, with headers."""
        begins = since or {}
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "test",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        try:
            partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
            open_partitions = set(partitions)
            consumer.assign(
                [
                    TopicPartition(topic, at, begins.get((topic, at), OFFSET_BEGINNING))
                    for at in partitions
                ]
            )
            found = []
            while open_partitions:
                for message in consumer.consume(10_000, timeout=0.5):
                    if message.error() is not None:
                        open_partitions.discard(message.partition())
                    else:
                        found.append(message)
            return found
        finally:
            consumer.close()


class GeneratorRun:
    """One run, carried by any number of processes."""

    def __init__(
        self, broker: Broker, folder: Path, simulation: Simulation, run_id: UUID, **settings: object
    ) -> None:
        """Prepare a run; no process is started."""
        self.broker, self.run_id, self.simulation = broker, run_id, simulation
        self.file = folder / "simulation.yaml"
        self.folder = folder
        self._settings = settings
        self._begins = broker.ends()
        self._processes: list[ServiceProcess] = []
        self.write(simulation)

    def write(self, simulation: Simulation, annotations: Mapping[str, str] | None = None) -> None:
        """Replace the simulation's file atomically."""
        fresh = self.file.with_suffix(".new")
        document = yaml.safe_load(dump_simulation(simulation))
        document["metadata"]["annotations"] = dict(annotations or {})
        fresh.write_text(yaml.safe_dump(document), encoding="utf-8")
        fresh.rename(self.file)

    def start(
        self, shards: str | None = None, program: Sequence[str] = _PROGRAM, **settings: object
    ) -> Worker:
        """Start a process for some shards; the program is Python's arguments."""
        port = free_port()
        named = {
            "simulation_file": self.file,
            "bootstrap_servers": self.broker.servers,
            "run_id": self.run_id,
            "metrics_port": port,
            "snapshot_seconds": 1,
            "shards": shards or "",
            **self._settings,
            **settings,
        }
        environment = {
            **os.environ,
            **{
                f"CLICKSTREAM_GENERATOR_{name.upper()}": str(value) for name, value in named.items()
            },
        }
        worker = Worker(
            ServiceProcess.start(
                "generator",
                [sys.executable, *program],
                self.folder / "generator.log",
                environment,
            ),
            port,
        )
        self._processes.append(worker.process)
        return worker

    def stop(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.stop()

    def owns(self, value: bytes) -> bool:
        """Return whether an event belongs to this run."""
        return f'"run_id":"{self.run_id}"'.encode() in value

    def events(self) -> list[bytes]:
        """Return this run's events in its topic."""
        topic = self.simulation.spec.event_output.topic
        return [value for _, value in self._read(topic) if value and self.owns(value)]

    def _read(self, topic: str) -> list[tuple[bytes, bytes | None]]:
        """Return the records written since the run was prepared, because brokers are shared."""
        return self.broker.read(topic, self._begins)

    def ledger(self) -> dict[tuple[int, str, str], dict[str, Any]]:
        """Return the valid ledger entry of each shard, kind and minute."""
        topic = self.simulation.spec.event_output.ledger_topic
        rows = [json.loads(value) for _, value in self._read(topic) if value]
        return {
            (row["shard"], row["kind"], row["minute"]): row
            for row in sorted(rows, key=lambda row: sum(row[name] for name in GROWING_FIGURES))
            if row["run_id"] == str(self.run_id)
        }


class Worker:
    """A generator's process."""

    def __init__(self, process: ServiceProcess, port: int) -> None:
        """Keep the arguments."""
        self.process, self._port = process, port

    def metrics(self) -> dict[str, float]:
        """Return its metrics; without a response every metric is 0."""
        found: dict[str, float] = defaultdict(float)
        try:
            url = f"http://127.0.0.1:{self._port}/metrics"
            with urllib.request.urlopen(url, timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return found
        for line in text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name.removeprefix("clickstream_generator_")] = float(value)
        return found

    def answered(self) -> dict[str, float]:
        """Return its metrics, once it responds."""
        found: dict[str, float] = {}

        def answers() -> bool:
            found.update(self.metrics())
            return bool(found)

        wait_until(answers, "it answers")
        return found

    def acknowledged(self) -> float:
        """Return the number of this process's acknowledged records."""
        return self.metrics().get("records_acknowledged_total", 0.0)

    def wait_until_sent(self, records: float) -> None:
        """Wait until more records than these are acknowledged; fail if the process ends before."""
        wait_until_sent(self.process, self.acknowledged, records)

    def must_end(self, seconds: float, code: int = 0) -> None:
        """Wait until the process ends; fail with its last output if its exit code differs."""
        must_end(self.process, seconds, code)

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self.process.process.kill()
        self.process.process.wait()


def timeless(value: bytes) -> bytes:
    """Return an event without ``sent_at``."""
    return re.sub(rb',"sent_at":"[^"]*"', b"", value, count=1)


def reference(simulation: Simulation, run_id: UUID, start_seconds: float) -> set[bytes]:
    """Return the events of an undisturbed run, without ``sent_at``."""
    source = Simulator(simulation, tuple(range(simulation.spec.shards)), run_id)
    source.begin(start_seconds)
    found: set[bytes] = set()
    while not source.is_over():
        part = source.take_due(start_seconds + 10**6, 100_000)
        found.update(map(timeless, source.encoder.encode(part, 0).values))
    return found
