"""Settings of the operator's process, from the environment.

Owns their names, defaults and bounds. The rights of a pod are here and not in the resource: the
author of a simulation decides about traffic, but not about images, commands or rights. An unknown
variable with the operator's prefix is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.environment import (
    SettingsInvalid,
    flag,
    like,
    one_of,
    settings_values,
    whole,
)
from clickstream_contract.naming import HOST, PORT, SERVERS
from pydantic import TypeAdapter, ValidationError

from clickstream_operator.core.database import Database
from clickstream_operator.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_contract.environment import Reader

__all__ = ["PREFIX", "Settings", "settings_from"]

PREFIX = "CLICKSTREAM_OPERATOR_"


@dataclass(frozen=True)
class Settings:
    """Settings of one operator."""

    image: str
    """The generator's image, with a tag or a digest."""
    namespaces: tuple[str, ...]
    """The namespaces to work in; empty for the whole cluster, which the variable names ``*``."""
    image_pull_policy: str = "IfNotPresent"
    """When nodes pull the image."""
    image_pull_secret: str = ""
    """Secret in the simulation's namespace with which nodes pull the image."""
    bootstrap_servers: str = ""
    """Kafka for simulations that name none, ``host:port`` separated by commas."""
    credentials_secret: str = ""
    """Secret with ``password``, and ``username`` if that is not the secret's own name."""
    ca_secret: str = ""
    """Secret with ``ca.crt``, the CA of that Kafka's certificate."""
    sasl_mechanism: str = "SCRAM-SHA-512"
    """The SASL mechanism with which workers authenticate."""
    allowed_servers: tuple[str, ...] = ()
    """Servers that a simulation may name in ``spec.kafka.bootstrapServers`` and
    ``spec.verification.database``, beside the operator's own Kafka and database: ``host:port``,
    where the host may be ``*`` or begin with ``*.``."""
    allowed_topics: tuple[str, ...] = ()
    """Topics that a simulation without a secret in ``spec.kafka`` may name in ``spec.output``:
    names, or prefixes that end in ``*``."""
    registries: tuple[Registry, ...] = ()
    """The schema registries that simulations may name in ``spec.output.registry``: a JSON list of
    objects with ``name``, ``url`` and, if wanted, ``caSecret``, ``credentialsSecret`` and
    ``register``."""
    sasl_without_tls: bool = False
    """Whether workers and verifications may send credentials over a connection without TLS."""
    database: Database | None = None
    """The database of the project's stream, which verifications read: a JSON object with ``host``,
    ``name``, ``secret`` (of a user who may only read) and, if wanted, ``port``, ``sslmode``,
    ``caSecret`` and ``keepsDays``."""
    worker_cpu_request: str = "250m"
    """Of each worker."""
    worker_cpu_limit: str = "2"
    """Of each worker."""
    worker_memory_request: str = "512Mi"
    """Of each worker."""
    worker_memory_limit: str = "1Gi"
    """Of each worker; one million users take 600 MB."""
    verification_cpu_request: str = "100m"
    """Of each verification."""
    verification_cpu_limit: str = "1"
    """Of each verification."""
    verification_memory_request: str = "256Mi"
    """Of each verification."""
    verification_memory_limit: str = "1Gi"
    """Of each verification."""
    verification_seconds: int = 3_600
    """How long a verification may take."""
    worker_events_per_second: int = 50_000
    """The assumed rate of one worker before the first measurement."""
    max_workers: int = 8
    """The highest number of workers of one simulation; a higher number in its spec is cut."""
    queue_records: int = 200_000
    """How many records a worker may send ahead of the acknowledgements."""
    drain_seconds: int = 25
    """How long a stopping worker waits for acknowledgements."""
    resync_seconds: int = 5
    """How often the operator reconciles a simulation that runs."""
    revision_delay_seconds: int = 4
    """The delay before a change takes effect; every worker must have read it by then."""
    below_seconds: int = 60
    """How long the rate must be missed before a worker is added."""
    calm_seconds: int = 600
    """How long there must be one worker too many before one is removed."""
    metrics_port: int = 9403
    """The port of the operator's own metrics and health."""
    metrics_host: str = "127.0.0.1"
    """The address of the operator's own metrics and health."""


_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SERVERS = re.compile(SERVERS)
_ALLOWED_SERVER = re.compile(rf"(\*|(\*\.)?{HOST}):{PORT}")
_ALLOWED_TOPIC = re.compile(r"_?[a-zA-Z0-9.-][a-zA-Z0-9._-]{0,248}\*?")
"""No name and no prefix of Kafka's own topics, which begin with two underscores."""
_REGISTRIES = TypeAdapter(list[Registry])
_DATABASE = "a JSON object with host, port, name, sslmode, secret, caSecret, keepsDays"
_REGISTRY_LIST = "a JSON list of registries: name, url, caSecret, credentialsSecret, register"
_ALL_NAMESPACES = "*"
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,254}(:[A-Za-z0-9._-]{1,128}|@sha256:[0-9a-f]{64})")
_CPU = re.compile(r"[0-9]{1,4}|[0-9]{1,6}m")
_MEMORY = re.compile(r"[0-9]{1,6}(Mi|Gi)")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings of the environment; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    return Settings(**settings_values(environment, PREFIX, _READERS, _REQUIRED))  # type: ignore[arg-type]


def _namespaces(name: str, value: str) -> tuple[str, ...]:
    """Return the namespaces' names, none for the whole cluster."""
    if value == _ALL_NAMESPACES:
        return ()
    return _parts(_NAME, "names of namespaces, separated by commas, or * for all")(name, value)


def _parts(pattern: re.Pattern[str], allowed: str) -> Callable[[str, str], tuple[str, ...]]:
    """Return a reader of texts that match a pattern, separated by commas."""

    def read(name: str, value: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in value.split(","))
        if not all(pattern.fullmatch(part) for part in parts):
            raise SettingsInvalid(name, value, allowed)
        return parts

    return read


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "the value"
    return f"{place}: {first['msg']}"


def _registries(name: str, value: str) -> tuple[Registry, ...]:
    try:
        found = _REGISTRIES.validate_json(value)
    except ValidationError as error:
        raise SettingsInvalid(name, value, f"{_REGISTRY_LIST}; {_first_problem(error)}") from None
    if len({row.name for row in found}) != len(found):
        raise SettingsInvalid(name, value, f"{_REGISTRY_LIST}; two have the same name")
    return tuple(found)


def _database(name: str, value: str) -> Database:
    try:
        return Database.model_validate_json(value)
    except ValidationError as error:
        raise SettingsInvalid(name, value, f"{_DATABASE}; {_first_problem(error)}") from None


_REQUIRED = ("image", "namespaces")
_SECRET = like(_NAME, "the name of a secret")
_READERS: dict[str, Reader] = {
    "image": like(_IMAGE, "an image with a tag or a digest"),
    "image_pull_policy": one_of("Always", "IfNotPresent", "Never"),
    "image_pull_secret": _SECRET,
    "namespaces": _namespaces,
    "bootstrap_servers": like(_SERVERS, "addresses host:port, separated by commas"),
    "credentials_secret": _SECRET,
    "ca_secret": _SECRET,
    "sasl_mechanism": one_of("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"),
    "allowed_servers": _parts(
        _ALLOWED_SERVER,
        "addresses host:port, separated by commas; a host may be * or begin with *.",
    ),
    "allowed_topics": _parts(
        _ALLOWED_TOPIC, "names of topics, separated by commas; a prefix ends in *."
    ),
    "registries": _registries,
    "sasl_without_tls": flag,
    "database": _database,
    "worker_cpu_request": like(_CPU, "a CPU quantity such as 250m or 2"),
    "worker_cpu_limit": like(_CPU, "a CPU quantity such as 250m or 2"),
    "worker_memory_request": like(_MEMORY, "a memory quantity such as 512Mi or 1Gi"),
    "worker_memory_limit": like(_MEMORY, "a memory quantity such as 512Mi or 1Gi"),
    "verification_cpu_request": like(_CPU, "a CPU quantity such as 250m or 2"),
    "verification_cpu_limit": like(_CPU, "a CPU quantity such as 250m or 2"),
    "verification_memory_request": like(_MEMORY, "a memory quantity such as 512Mi or 1Gi"),
    "verification_memory_limit": like(_MEMORY, "a memory quantity such as 512Mi or 1Gi"),
    "verification_seconds": whole(60, 86_400),
    "worker_events_per_second": whole(1, 1_000_000),
    "max_workers": whole(1, 1_024),
    "queue_records": whole(1_000, 10_000_000),
    "drain_seconds": whole(1, 3_600),
    "resync_seconds": whole(1, 300),
    "revision_delay_seconds": whole(0, 300),
    "below_seconds": whole(1, 3_600),
    "calm_seconds": whole(1, 86_400),
    "metrics_port": whole(1, 65_535),
    "metrics_host": like(re.compile(r"[0-9a-fA-F.:]{2,45}"), "an IP address"),
}
