"""Settings of the stream's process, from the environment.

Owns their names, defaults and bounds. A variable that begins like ours and is unknown is an
error. It does not know what they are used for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_contract.topics import EVENTS

from clickstream_streaming.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PREFIX", "Settings", "settings_from"]

PREFIX = "CLICKSTREAM_STREAMING_"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FAILPOINTS = ("before_sink_commit", "after_sink_commit")


@dataclass(frozen=True)
class Settings:
    """Settings of one process."""

    bootstrap_servers: str
    """Kafka's addresses, ``host:port`` separated by commas."""
    postgres_host: str
    postgres_password_file: Path
    checkpoint_dir: Path
    """A folder for the query is made in it."""
    postgres_port: int = 5432
    postgres_database: str = "clickstream"
    postgres_user: str = "clickstream_stream"
    postgres_sslmode: str = "prefer"
    jars: str = ""
    """Class path of the Kafka connector, separated by commas; empty if Spark has it."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9402
    events_partitions: int = EVENTS.partitions
    """How many partitions the events' topic must have; 0 takes any number."""
    trigger_milliseconds: int = 500
    """Least time between two batches."""
    max_offsets_per_trigger: int = 400_000
    """Bounds a batch, and so the memory it takes."""
    master: str = "local[2]"
    driver_memory: str = "2g"
    driver_java_options: str = ""
    """Options for Spark's JVM."""
    watermark_delay_seconds: int = 900
    """How late an event may be before it counts as late, and a visit may be called over."""
    raw_retention_days: int = 0
    """How many days of ``raw.events`` are kept; 0 keeps all."""
    failpoint: str | None = None
    """For tests: where the process kills itself."""
    failpoint_batch: int = 0
    """For tests: in which batch."""


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
    for name in ("bootstrap_servers", "postgres_host", "postgres_password_file", "checkpoint_dir"):
        if name not in values:
            raise SettingsInvalid(PREFIX + name.upper(), None, "set")
    return Settings(**values)  # type: ignore[arg-type]


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise SettingsInvalid(name, value, f"a whole number from {low} to {high}")
        return int(value)

    return read


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        if value not in allowed:
            raise SettingsInvalid(name, value, "one of " + ", ".join(allowed))
        return value

    return read


def _file(name: str, value: str) -> Path:
    if not Path(value).is_file():
        raise SettingsInvalid(name, value, "a file that exists")
    return Path(value)


def _path(_name: str, value: str) -> Path:
    return Path(value).absolute()


def _text(_name: str, value: str) -> str:
    return value


_READERS: dict[str, Callable[[str, str], object]] = {
    "bootstrap_servers": _text,
    "postgres_host": _text,
    "postgres_port": _whole(1, 65_535),
    "postgres_database": _text,
    "postgres_user": _text,
    "postgres_password_file": _file,
    "postgres_sslmode": _one_of(*_SSL_MODES),
    "checkpoint_dir": _path,
    "jars": _text,
    "metrics_host": _text,
    "metrics_port": _whole(1, 65_535),
    "events_partitions": _whole(0, 10_000),
    "trigger_milliseconds": _whole(50, 600_000),
    "max_offsets_per_trigger": _whole(100, 10_000_000),
    "master": _text,
    "driver_memory": _text,
    "driver_java_options": _text,
    "watermark_delay_seconds": _whole(1, 604_800),
    "raw_retention_days": _whole(0, 36_500),
    "failpoint": _one_of(*_FAILPOINTS),
    "failpoint_batch": _whole(0, 1_000_000_000),
}
