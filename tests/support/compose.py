"""compose.yaml without Docker: read, and its services run as processes of this machine.

A container's root is a folder with links to what the service mounts, so a mount that is missing is
missing here too. Kafka and PostgreSQL are the laptop's own; their hosts, and addresses that would
listen on every interface, are replaced.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.environment import service_environment
from clickstream_local.java import find_java_home
from clickstream_local.kafka import Kafka
from clickstream_local.ports import LOOPBACK, free_port
from clickstream_local.postgres import OWNER, Postgres
from clickstream_local.processes import ServiceProcess
from clickstream_local.state import StateFolder
from pipeline import wait_until
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FILE", "Composed", "composition", "mounts"]

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_CONTAINER_PATH = re.compile(r"^/(?=(?:run|var|etc|compose)/|opt/entrypoint)")
_PYTHON = "/opt/clickstream/bin/python"
_EVERYWHERE = "0.0.0.0"  # noqa: S104  what is replaced
_ONE_SHOT_SECONDS = 240.0
_SPARK_SECONDS = 300.0
_TOPICS_TOOL = """#!/bin/bash
exec {python} {script} "$@"
"""


def composition(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return compose.yaml with its variables filled in."""

    def filled(found: re.Match[str]) -> str:
        return (environment or {}).get(found[1]) or found[2]

    text = _VARIABLE.sub(filled, FILE.read_text("utf-8"))
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return where a service sees what: a named volume, or a file beside compose.yaml."""
    parts = [row.split(":") for row in service.get("volumes", [])]
    return {part[1]: part[0] for part in parts}


class Composed:
    """The services of compose.yaml on a Kafka and a PostgreSQL of this machine.

    Args:
        folder: Where everything is kept.
        environment: The variables of compose.yaml that are set.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._services = composition(environment)["services"]
        self._state = StateFolder(folder / "state")
        cache = ArtifactCache.of(os.environ)
        self._kafka_jars = cache.provide(pinned_artifacts("kafka"), Console())
        self._spark_jars = cache.provide(pinned_artifacts("spark"), Console())
        self._java_home = find_java_home(os.environ, cache_folder(os.environ))
        self._running: list[ServiceProcess] = []
        self._ports: dict[tuple[str, str], int] = {}
        self.kafka: Kafka
        self.postgres: Postgres

    def start_foreign_services(self) -> None:
        """Start Kafka and PostgreSQL, the latter with the owner's password that was drawn."""
        drawn = self.volume("login-owner") / "password"
        secret = self._state.folder("secrets") / f"{OWNER}.password"
        secret.write_text(drawn.read_text("utf-8"), encoding="utf-8")
        self.kafka = Kafka.start(self._state, self._java_home, self._kafka_jars)
        self._running.append(self.kafka.process)
        self.postgres = Postgres.start(self._state)
        assert self.postgres.process is not None
        self._running.append(self.postgres.process)
        self.postgres.wait_ready()
        self.kafka.wait_ready()

    def volume(self, name: str) -> Path:
        """Return the folder of a named volume."""
        folder = self._folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return subprocess.run(
            self._command(name), env=self._environment(name), cwd=self._folder, check=False,
            capture_output=True, text=True, timeout=_ONE_SHOT_SECONDS,
        )  # fmt: skip

    def start(self, name: str) -> ServiceProcess:
        """Start a service that stays."""
        process = ServiceProcess.start(
            name, self._command(name), self._state.log_file(name), self._environment(name),
            folder=self._state.folder("run"),
        )  # fmt: skip
        self._running.append(process)
        return process

    def wait_healthy(self, name: str) -> None:
        """Wait until the service's own health check succeeds."""
        words = self._services[name]["healthcheck"]["test"][1:]
        (variable,) = (row for row in self._ports if row[0] == name)
        check = [
            self._local(name, word).replace(":9402/", f":{self._ports[variable]}/")
            for word in words
        ]

        def is_healthy() -> bool:
            self._running[-1].check()
            return subprocess.run(check, check=False, capture_output=True).returncode == 0

        wait_until(is_healthy, f"{name} is healthy", _SPARK_SECONDS)

    def port(self, service: str, setting: str) -> int:
        """Return the port that a service got for one of its settings, such as ``PORT``."""
        return self._ports[service, setting]

    def stop(self) -> None:
        """Stop everything, the last one first."""
        while self._running:
            self._running.pop().stop()

    def _command(self, name: str) -> list[str]:
        service = self._services[name]
        words = service.get("entrypoint") or self._entrypoint(service)
        return [self._local(name, str(word)) for word in [*words, *service.get("command", [])]]

    def _entrypoint(self, service: dict[str, Any]) -> list[str]:
        text = (ROOT / service["build"]["dockerfile"]).read_text("utf-8")
        (found,) = re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
        words: list[str] = json.loads(found)
        return words

    def _environment(self, name: str) -> dict[str, str]:
        service = self._services[name]
        given = {key: self._local(name, value) for key, value in service["environment"].items()}
        prefix = f"CLICKSTREAM_{_process(service).upper()}_"
        if any(key.startswith(prefix) for key in given):
            given |= self._own_ports(name, prefix, given)
        if name == "streaming":
            # The image has the connector among Spark's own jars.
            given[f"{prefix}JARS"] = ",".join(map(str, self._spark_jars))
        if name == "topics":
            given["KAFKA_HOME"] = str(self._topics_tool())
        if name == "prepare":
            given["CHECKPOINT_OWNER"] = f"{os.getuid()}:{os.getgid()}"
        base = service_environment(os.environ) | {"JAVA_HOME": str(self._java_home)}
        return base | {"SPARK_LOCAL_IP": LOOPBACK} | given

    def _own_ports(self, name: str, prefix: str, given: Mapping[str, str]) -> dict[str, str]:
        """Return settings for ports that are free here, where containers have their own."""
        ports = {}
        if f"{prefix}POSTGRES_HOST" in given:
            ports["POSTGRES_PORT"] = self.postgres.port
        for setting, host in (("METRICS_PORT", "METRICS_HOST"), ("PORT", "HOST")):
            if f"{prefix}{host}" in given:
                ports[setting] = self._ports.setdefault((name, setting), free_port())
        if "PORT" in ports:
            ports["METRICS_PORT"] = self._ports.setdefault((name, "METRICS_PORT"), free_port())
        return {f"{prefix}{setting}": str(port) for setting, port in ports.items()}

    def _local(self, name: str, word: str) -> str:
        """Return what a word of a container means on this machine."""
        if word == "kafka:9092":
            return self.kafka.bootstrap_servers
        if word in {_EVERYWHERE, "postgres"}:
            return LOOPBACK
        if word == _PYTHON:
            return sys.executable
        return _CONTAINER_PATH.sub(f"{self._root(name)}/", word)

    def _root(self, name: str) -> Path:
        """Return the folder that is a container's root here."""
        root = self._folder / "roots" / name
        for place, source in mounts(self._services[name]).items():
            link = root / place.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            target = (ROOT / source) if "/" in source else self.volume(source)
            if not link.is_symlink():
                link.symlink_to(target.resolve())
        script = ROOT / "apps" / "streaming" / "image" / "entrypoint.sh"
        copy = root / "opt" / "entrypoint.sh"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(script.read_text("utf-8").replace(_PYTHON, sys.executable), "utf-8")
        copy.chmod(0o755)
        return root

    def _topics_tool(self) -> Path:
        home = self._folder / "kafka"
        tool = home / "bin" / "kafka-topics.sh"
        tool.parent.mkdir(parents=True, exist_ok=True)
        script = Path(__file__).with_name("kafka_topics.py")
        text = _TOPICS_TOOL.format(
            python=shlex.quote(sys.executable), script=shlex.quote(str(script))
        )
        tool.write_text(text, encoding="utf-8")
        tool.chmod(0o755)
        return home


def _process(service: dict[str, Any]) -> str:
    """Return the name of the image, which is that of the process in it."""
    return str(service["image"]).rsplit("/", 1)[1].partition(":")[0]
