"""Settings of the generator's process, from the environment.

Owns their names, defaults and bounds. A variable that begins like ours and is unknown is an
error: a typing mistake must not pass for a default. It does not know the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from clickstream_generator.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PREFIX", "Settings", "settings_from"]

PREFIX = "CLICKSTREAM_GENERATOR_"


@dataclass(frozen=True)
class Settings:
    """Settings of one process."""

    simulation_file: Path
    """The simulation, as a Kubernetes resource in YAML."""
    bootstrap_servers: str
    """Kafka's addresses, ``host:port`` separated by commas."""
    run_id: UUID | None = None
    """The run; a new one if absent. A run that has been under way goes on where it stood."""
    start_time: float | None = None
    """When the run's live part starts, Unix seconds from an ISO 8601 time; now if absent."""
    shards: tuple[int, ...] | None = None
    """The shards that this process carries; all if absent."""
    metrics_host: str = "127.0.0.1"
    """Where metrics and health are served."""
    metrics_port: int = 9401
    on_stop: str = "end"
    """What SIGTERM means: ``end`` the run, or ``pause`` it, to be gone on with."""
    on_end: str = "exit"
    """What follows a run that is over: ``exit``, or ``wait`` and show the figures until told."""
    snapshot_seconds: float = 10.0
    """How often each shard's state is kept, at least; what is sent since is worked out anew."""
    drain_seconds: float = 25.0
    """How long to wait for acknowledgements at the end; under Kubernetes' 30 s of grace."""
    queue_records: int = 200_000
    """Records without acknowledgement at most; beyond it the generator waits."""
    security_protocol: str = "PLAINTEXT"
    """Kafka's ``security.protocol``."""
    ca_file: Path | None = None
    """Certificates that the broker's is checked against."""
    username: str | None = None
    """User for SASL/SCRAM."""
    username_file: Path | None = None
    """File with the user's name; where it is missing, ``username`` holds."""
    password_file: Path | None = None
    """File with that user's password."""
    sasl_mechanism: str = "SCRAM-SHA-512"


_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_ON_STOP = ("end", "pause")
_ON_END = ("exit", "wait")
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value
    }
    values: dict[str, object] = {}
    for name, value in given.items():
        read = _READERS.get(name)
        if read is None:
            known = ", ".join(PREFIX + key.upper() for key in sorted(_READERS))
            raise SettingsInvalid(PREFIX + name.upper(), value, f"one of the known ones: {known}")
        values[name] = read(PREFIX + name.upper(), value)
    for name in ("simulation_file", "bootstrap_servers"):
        if name not in values:
            raise SettingsInvalid(PREFIX + name.upper(), None, "set")
    return Settings(**values)  # type: ignore[arg-type]


def _number(low: float, high: float) -> Callable[[str, str], float]:
    def read(name: str, value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise SettingsInvalid(name, value, f"a number from {low:g} to {high:g}")
        return number

    return read


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise SettingsInvalid(name, value, f"a whole number from {low} to {high}")
        return int(value)

    return read


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in allowed:
            raise SettingsInvalid(name, value, "one of " + ", ".join(allowed))
        return value

    return read


def _file(name: str, value: str) -> Path:
    path = Path(value)
    if not path.is_file():
        raise SettingsInvalid(name, value, "a file that exists")
    return path


def _path(_name: str, value: str) -> Path:
    return Path(value)


def _text(_name: str, value: str) -> str:
    return value


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
        raise SettingsInvalid(name, value, "a time with its zone, such as 2026-11-27T08:00:00Z")
    return moment.timestamp()


def _shards(name: str, value: str) -> tuple[int, ...]:
    """Read ``0-3,7``."""
    numbers: set[int] = set()
    for part in value.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdigit() or not (high or low).isdigit() or int(low) > int(high or low):
            raise SettingsInvalid(name, value, "numbers and ranges, such as 0-3,7")
        if int(high or low) > 4095:
            raise SettingsInvalid(name, value, "numbers up to 4095")
        numbers.update(range(int(low), int(high or low) + 1))
    return tuple(sorted(numbers))


_READERS: dict[str, Callable[[str, str], object]] = {
    "simulation_file": _file,
    "bootstrap_servers": _text,
    "run_id": _uuid,
    "start_time": _moment,
    "shards": _shards,
    "metrics_host": _text,
    "metrics_port": _whole(1, 65_535),
    "on_stop": _one_of(_ON_STOP),
    "on_end": _one_of(_ON_END),
    "snapshot_seconds": _number(1, 3_600),
    "drain_seconds": _number(0.1, 3_600),
    "queue_records": _whole(1_000, 10_000_000),
    "security_protocol": _one_of(_PROTOCOLS),
    "ca_file": _file,
    "username": _text,
    "username_file": _path,
    "password_file": _file,
    "sasl_mechanism": _one_of(_MECHANISMS),
}
