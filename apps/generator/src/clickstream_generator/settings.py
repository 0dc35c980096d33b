"""Settings of the generator's process, from the environment.

Owns their names, defaults and bounds. An unknown variable with the prefix is an error, so that a
misspelled name does not silently become a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from clickstream_contract.environment import (
    SettingsInvalid,
    existing_file,
    flag,
    number,
    one_of,
    path,
    settings_values,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clickstream_contract.environment import Reader

__all__ = ["PREFIX", "KafkaSettings", "Settings", "kafka_settings_from", "settings_from"]

PREFIX = "CLICKSTREAM_GENERATOR_"


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """Settings of Kafka's clients."""

    bootstrap_servers: str
    """Kafka's addresses, ``host:port`` separated by commas."""
    queue_records: int = 200_000
    """Most records in flight; above it the generator waits."""
    security_protocol: str = "PLAINTEXT"
    """Kafka's ``security.protocol``."""
    ca_file: Path | None = None
    """CA certificates that verify the broker's certificate."""
    username: str | None = None
    """User name for SASL."""
    username_file: Path | None = None
    """File with the user name; without this file, ``username`` is used."""
    password_file: Path | None = None
    """File with the user's password."""
    sasl_mechanism: str = "SCRAM-SHA-512"
    """SASL mechanism."""


@dataclass(frozen=True, kw_only=True)
class Settings(KafkaSettings):
    """Settings of one process."""

    simulation_file: Path
    """The simulation, as a Kubernetes resource in YAML."""
    run_id: UUID | None = None
    """The run's id; a new run if absent. A run that has begun is resumed."""
    start_time: float | None = None
    """When the run's live part starts, Unix seconds from an ISO 8601 time; now if absent."""
    shards: tuple[int, ...] | None = None
    """The shards that this process carries; all if absent."""
    metrics_host: str = "127.0.0.1"
    """Address on which metrics and health are served."""
    metrics_port: int = 9401
    """Port on which metrics and health are served."""
    on_stop: str = "end"
    """What SIGTERM does: ``end`` the run, or ``pause`` it so that it can be resumed."""
    on_end: str = "exit"
    """What the process does after the run: ``exit``, or ``wait`` with its metrics until SIGTERM."""
    snapshot_seconds: float = 10.0
    """Shortest time between two snapshots of a shard; large snapshots are taken less often. A
    resumed shard recomputes the events since its snapshot."""
    state_retention_days: int = 90
    """Days after which a starting worker removes the snapshots of inactive runs. A simulation that
    is suspended for longer cannot be resumed; 0 keeps all snapshots."""
    drain_seconds: float = 25.0
    """How long to wait for acknowledgements at the end; below Kubernetes' grace period of 30 s."""
    registry: str | None = None
    """URL of the schema registry that ``spec.output.registry`` names."""
    registry_username: str | None = None
    """User name for the registry."""
    registry_username_file: Path | None = None
    """File with the user name; without this file, ``registry_username`` is used."""
    registry_password_file: Path | None = None
    """File with the user's password."""
    registry_ca_file: Path | None = None
    """CA certificates that verify the registry's certificate; the system's if absent."""
    registry_no_register: bool = False
    """Whether to look the schema up only, and never to register it: ``true`` or ``false``."""


_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_KAFKA_REQUIRED = ("bootstrap_servers",)
_REQUIRED = (*_KAFKA_REQUIRED, "simulation_file")
_ON_STOP = ("end", "pause")
_ON_END = ("exit", "wait")
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    return Settings(**settings_values(environment, PREFIX, _READERS, _REQUIRED))  # type: ignore[arg-type]


def kafka_settings_from(environment: Mapping[str, str]) -> KafkaSettings:
    """Read the settings of Kafka's clients alone; as :func:`settings_from`."""
    values = settings_values(environment, PREFIX, _KAFKA_READERS, _KAFKA_REQUIRED)
    return KafkaSettings(**values)  # type: ignore[arg-type]


def _uuid(name: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise SettingsInvalid(name, value, "a UUID") from None


def _moment(name: str, value: str) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SettingsInvalid(name, value, "a time with a time zone, such as 2026-11-27T08:00:00Z")
    return moment.timestamp()


def _shards(name: str, value: str) -> tuple[int, ...]:
    """Return the shards of a text such as ``0-3,7``."""
    numbers: set[int] = set()
    for part in value.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdigit() or not (high or low).isdigit() or int(low) > int(high or low):
            raise SettingsInvalid(name, value, "numbers and ranges, such as 0-3,7")
        if int(high or low) > 4095:
            raise SettingsInvalid(name, value, "numbers up to 4095")
        numbers.update(range(int(low), int(high or low) + 1))
    return tuple(sorted(numbers))


_KAFKA_READERS: dict[str, Reader] = {
    "bootstrap_servers": text,
    "queue_records": whole(1_000, 10_000_000),
    "security_protocol": one_of(*_PROTOCOLS),
    "ca_file": existing_file,
    "username": text,
    "username_file": path,
    "password_file": existing_file,
    "sasl_mechanism": one_of(*_MECHANISMS),
}
_READERS: dict[str, Reader] = {
    **_KAFKA_READERS,
    "simulation_file": existing_file,
    "run_id": _uuid,
    "start_time": _moment,
    "shards": _shards,
    "metrics_host": text,
    "metrics_port": whole(1, 65_535),
    "on_stop": one_of(*_ON_STOP),
    "on_end": one_of(*_ON_END),
    "snapshot_seconds": number(1, 3_600),
    "state_retention_days": whole(0, 36_500),
    "drain_seconds": number(0.1, 3_600),
    "registry": text,
    "registry_username": text,
    "registry_username_file": existing_file,
    "registry_password_file": existing_file,
    "registry_ca_file": existing_file,
    "registry_no_register": flag,
}
