"""The stack: all services of a pipeline, started in order and stopped in reverse.

Owns the services' order, their local settings, and the check that all of them run.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from clickstream_contract.document import dump_simulation

from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.backup import restore
from clickstream_local.class_archive import ClassArchive
from clickstream_local.environment import service_environment
from clickstream_local.errors import NoSpace
from clickstream_local.java import FAST_START, find_java_home
from clickstream_local.kafka import MAX_BYTES, Kafka, announce_run, create_topics
from clickstream_local.migrations import migrate
from clickstream_local.ports import LOOPBACK, free_port
from clickstream_local.postgres import DATABASE, READER, WRITER, Postgres
from clickstream_local.processes import ServiceProcess, process_identity
from clickstream_local.web import open_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from clickstream_contract.simulation import Simulation
    from rich.console import Console

    from clickstream_local.state import StateFolder

__all__ = ["NEEDED_BYTES", "Stack"]

NEEDED_BYTES = MAX_BYTES + 2 * 2**30
"""Disk space for Kafka, and for the tables of a few million events."""
_READY_SECONDS = 90.0
_DRAIN_SECONDS = 20


@dataclass
class Stack:
    """The services of one pipeline.

    Attributes:
        state: The state folder.
        report: Called with a short text after each step.
        run_id: The run of the generator.
        started_at: When the start began, Unix seconds.
    """

    state: StateFolder
    console: Console
    report: Callable[[str], None]
    run_id: UUID = field(default_factory=uuid4)
    started_at: float = field(default_factory=time.time)
    _running: list[ServiceProcess] = field(default_factory=list)
    _ports: dict[str, int] = field(default_factory=dict)
    kafka: Kafka = field(init=False)
    postgres: Postgres = field(init=False)
    streaming: ServiceProcess = field(init=False)
    generator: ServiceProcess = field(init=False)

    def start(self, simulation: Simulation) -> None:
        """Start all services; the generator and the console come last.

        Raises:
            LocalError: A service is missing or did not start.
        """
        free_bytes = shutil.disk_usage(self.state.folder("run")).free
        if free_bytes < NEEDED_BYTES:
            raise NoSpace(self.state.root, free_bytes, NEEDED_BYTES)
        cache = ArtifactCache.of(os.environ)
        kafka_jars = cache.provide(pinned_artifacts("kafka"), self.console)
        spark_jars = cache.provide(pinned_artifacts("spark"), self.console)
        java_home = find_java_home(os.environ, cache_folder(os.environ))
        self._ports = (self.state.recall() or {}).get("ports", {})
        self.kafka = Kafka.start(self.state, java_home, kafka_jars, self._ports.get("kafka"))
        self._running.append(self.kafka.process)
        self.start_postgres()
        self.report(f"PostgreSQL at {LOOPBACK}:{self.postgres.port}, tables up to date")
        self.kafka.wait_ready()
        create_topics(self.kafka.bootstrap_servers)
        self.report(f"Kafka at {self.kafka.bootstrap_servers}")
        self.streaming = self.start_streaming([str(jar) for jar in spark_jars], str(java_home))
        self._remember(simulation)
        announce_run(self.kafka.bootstrap_servers, simulation, self.run_id)
        self._wait_for(self.streaming, "streaming", "readyz")
        self.report("Spark is reading")
        self.generator = self._start_generator(simulation)
        self._wait_for(self.generator, "generator", "healthz")
        self.start_console()
        self._remember(simulation)
        self.report(f"simulation {simulation.full_name}, run {self.run_id}")
        self.report(f"console at {self.console_url}")

    def start_postgres(self) -> None:
        """Start only the database, with its tables."""
        self._start_database()
        migrate(self.postgres)
        self.postgres.ensure_logins()

    def restore_postgres(self, source: Path, manifest: dict[str, Any]) -> bool:
        """Start an empty database, and restore a backup into it.

        Returns:
            Whether the backup's offsets belong to the local Kafka.
        """
        self._start_database()
        is_same = restore(self.postgres, source, manifest)
        migrate(self.postgres)
        self.postgres.ensure_logins()
        return is_same

    def _start_database(self) -> None:
        self.postgres = Postgres.start(self.state, self._ports.get("postgres"))
        if self.postgres.process is not None:
            self._running.append(self.postgres.process)
        self.postgres.wait_ready()

    def start_streaming(self, jars: list[str], java_home: str) -> ServiceProcess:
        """Start the stream; Kafka and PostgreSQL must run."""
        all_jars = [*map(Path, jars), *_jars_of_spark()]
        archive = ClassArchive.of("spark", cache_folder(os.environ), Path(java_home), all_jars)
        java_options = (*FAST_START, *map(_quoted, archive.options(os.environ)))
        settings = {
            "BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            **self._postgres_settings(WRITER),
            "CHECKPOINT_DIR": self.state.folder("checkpoints").absolute(),
            "JARS": ",".join(jars),
            "MASTER": "local[2,4]",
            "DRIVER_MEMORY": "1g",
            "METRICS_PORT": self._new_port("streaming"),
            "DRIVER_JAVA_OPTIONS": " ".join(java_options),
        }
        spark = {
            "JAVA_HOME": java_home,
            "SPARK_LOCAL_IP": LOOPBACK,
            "SPARK_LOCAL_DIRS": ".",  # a list, which cannot escape a comma
            # In the class path: Java 21 takes no archive if it is missing, none if it has a file.
            "SPARK_CONF_DIR": str(archive.empty_folder),
        }
        process = self._start_process("streaming", settings, spark, folder="spark")
        process.archive = archive
        return process

    def start_console(self, postgres_port: int | None = None) -> ServiceProcess:
        """Start the console, and wait until it answers.

        Args:
            postgres_port: Another port for the database, such as a proxy's.
        """
        settings = self._postgres_settings(READER) | {
            "HOST": LOOPBACK,
            "PORT": self._new_port("console"),
            "METRICS_PORT": self._new_port("console_metrics"),
        }
        if postgres_port is not None:
            settings["POSTGRES_PORT"] = postgres_port
        process = self._start_process("console", settings)
        self._wait_for(process, "console_metrics", "healthz")
        return process

    @property
    def console_url(self) -> str:
        """The URL of the console."""
        return f"http://{LOOPBACK}:{self._ports['console']}/"

    def check(self) -> None:
        """Raise :class:`ServiceFailed` if a service has ended; the generator may end normally.

        Large logs are truncated.
        """
        for process in self._running:
            process.limit_log()
            if process.service != "generator" or process.process.poll() not in {None, 0}:
                process.check()

    def generator_has_ended(self) -> bool:
        """Return whether the generator has ended."""
        return self.generator.process.poll() is not None

    def stop(self) -> None:
        """Stop all services, the last one first."""
        if any(row.archive is not None and row.archive.is_written for row in self._running):
            self.report("saving Java's classes once, so that the next start takes half the time")
        while self._running:
            self._running[-1].stop()
            self._running.pop()

    def kill(self) -> None:
        """Kill all services, so that :meth:`stop` need not wait."""
        for process in self._running:
            process.kill()

    def metrics_url(self, service: str) -> str:
        """Return the URL of a service's metrics."""
        return f"http://{LOOPBACK}:{self._ports[service]}/metrics"

    def _start_generator(self, simulation: Simulation) -> ServiceProcess:
        file = self.state.root / "simulation.yaml"
        file.write_text(dump_simulation(simulation), encoding="utf-8")
        settings = {
            "SIMULATION_FILE": file,
            "BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "RUN_ID": self.run_id,
            "METRICS_PORT": self._new_port("generator"),
            "DRAIN_SECONDS": _DRAIN_SECONDS,
        }
        return self._start_process("generator", settings)

    def _start_process(
        self,
        service: str,
        settings: dict[str, object],
        others: dict[str, str] | None = None,
        folder: str = "run",
    ) -> ServiceProcess:
        """Start one of our processes.

        Args:
            service: The service, as its package is named.
            settings: Its settings, without the prefix of their variables.
            others: Other environment variables.
            folder: The folder in which it runs.
        """
        environment = service_environment(os.environ) | (others or {})
        environment |= {
            f"CLICKSTREAM_{service.upper()}_{name}": str(value) for name, value in settings.items()
        }
        process = ServiceProcess.start(
            service,
            [sys.executable, "-m", f"clickstream_{service}"],
            self.state.log_file(service),
            environment,
            folder=self.state.folder(folder),
        )
        self._running.append(process)
        return process

    def _new_port(self, name: str) -> int:
        """Return a free port, if possible the one of the last run."""
        self._ports[name] = free_port(self._ports.get(name))
        return self._ports[name]

    def _postgres_settings(self, user: str) -> dict[str, object]:
        """Return the settings with which a process connects to the database."""
        return {
            "POSTGRES_HOST": self.postgres.host,
            "POSTGRES_PORT": self.postgres.port,
            "POSTGRES_DATABASE": DATABASE,
            "POSTGRES_USER": user,
            "POSTGRES_PASSWORD_FILE": self.state.secret(user),
            "POSTGRES_SSLMODE": "disable",
        }

    def _wait_for(self, process: ServiceProcess, service: str, path: str) -> None:
        url = f"http://{LOOPBACK}:{self._ports[service]}/{path}"
        process.wait_until(lambda: _answers(url), _READY_SECONDS)

    def _remember(self, simulation: Simulation) -> None:
        self._ports["kafka"] = int(self.kafka.bootstrap_servers.rsplit(":", 1)[1])
        self._ports["postgres"] = self.postgres.port
        state: dict[str, Any] = {
            "pid": os.getpid(),
            "identity": process_identity(os.getpid()),
            "since": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.started_at)),
            "started_at": self.started_at,
            "simulation": simulation.full_name,
            "run_id": str(self.run_id),
            "ports": self._ports,
            "services": [process.remembered() for process in self._running],
        }
        self.state.remember(state)


def _jars_of_spark() -> Iterator[Path]:
    """Yield the jars of the package pyspark, without importing it."""
    package = find_spec("pyspark")
    for folder in (package and package.submodule_search_locations) or ():
        yield from Path(folder).glob("jars/*.jar")


def _quoted(option: str) -> str:
    """Quote a JVM option for Spark's launcher (``CommandBuilderUtils.parseOptionString``)."""
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _answers(url: str) -> bool:
    try:
        with open_url(url, 1) as response:
            return response.status == 200
    except OSError:
        return False
