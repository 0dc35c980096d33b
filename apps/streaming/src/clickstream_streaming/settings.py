"""Settings of the stream's process, from the environment.

Owns the names, defaults and bounds. An unknown variable with the stream's prefix is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.environment import (
    existing_file,
    one_of,
    path,
    settings_values,
    text,
    whole,
)
from clickstream_contract.postgres_settings import (
    POSTGRES_READERS,
    POSTGRES_REQUIRED,
    PostgresSettings,
)
from clickstream_contract.topics import EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clickstream_contract.environment import Reader

__all__ = ["PREFIX", "DatabaseSettings", "Settings", "database_settings_from", "settings_from"]

PREFIX = "CLICKSTREAM_STREAMING_"
_REQUIRED = (*POSTGRES_REQUIRED, "bootstrap_servers", "checkpoint_dir")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
_FAILPOINTS = ("before_sink_commit", "after_sink_commit")


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings(PostgresSettings):
    """Address of the database, and the login."""

    postgres_user: str = "clickstream_stream"
    """The login of the stream; a member of ``clickstream_writer``."""
    postgres_user_file: Path | None = None
    """File with the user's name; overrides ``postgres_user``."""


@dataclass(frozen=True, kw_only=True)
class Settings(DatabaseSettings):
    """Settings of one process."""

    bootstrap_servers: str
    """Kafka's addresses, ``host:port`` separated by commas."""
    checkpoint_dir: Path
    """Folder of the checkpoints; the query creates a folder in it."""
    security_protocol: str = "PLAINTEXT"
    """Kafka's ``security.protocol``."""
    ca_file: Path | None = None
    """CA certificates of the brokers."""
    username_file: Path | None = None
    """File with the user's name for SASL, and nothing else."""
    password_file: Path | None = None
    """File with that user's password, and nothing else."""
    sasl_mechanism: str = "SCRAM-SHA-512"
    """The SASL mechanism."""
    jars: str = ""
    """Class path of the Kafka connector, separated by commas; empty if Spark has it."""
    metrics_host: str = "127.0.0.1"
    """The address of the metrics and health endpoints."""
    metrics_port: int = 9402
    """The port of the metrics and health endpoints."""
    events_partitions: int = EVENTS.partitions
    """How many partitions the events' topic must have; 0 allows any number."""
    trigger_milliseconds: int = 500
    """The shortest time between two batches."""
    max_offsets_per_trigger: int = 400_000
    """The largest number of offsets per batch, which bounds its memory."""
    master: str | None = None
    """Spark's master; if absent, that of ``spark-submit`` or ``spark-defaults.conf``."""
    driver_memory: str | None = None
    """The heap of Spark's JVM; if absent, that of ``spark-submit`` or ``spark-defaults.conf``."""
    driver_java_options: str = ""
    """Options for Spark's JVM."""
    watermark_delay_seconds: int = 900
    """How late an event may be before it counts as late, and a session may be called over."""
    raw_retention_days: int = 0
    """How many days of ``raw.events`` are kept; 0 keeps all."""
    oldest_event_days: int = 800
    """How many days an event may be older than its arrival in Kafka; each day is a table."""
    rejected_payload_days: int = 30
    """How many days the bytes of a rejected record are kept, by Kafka's time; 0 keeps all."""
    rejected_retention_days: int = 90
    """How many days the row of a rejected record is kept; 0 keeps all."""
    detail_retention_days: int = 90
    """How many days verifications are kept, and rows of minutes and latencies whose events are
    dropped; 0 keeps all."""
    failpoint: str | None = None
    """For tests: the step at which the process kills itself."""
    failpoint_batch: int = 0
    """For tests: the first batch that kills the process."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    return Settings(**settings_values(environment, PREFIX, _READERS, _REQUIRED))  # type: ignore[arg-type]


def database_settings_from(environment: Mapping[str, str]) -> DatabaseSettings:
    """Read the database's settings alone; as :func:`settings_from`."""
    values = settings_values(environment, PREFIX, _DATABASE_READERS, POSTGRES_REQUIRED)
    return DatabaseSettings(**values)  # type: ignore[arg-type]


_DATABASE_READERS: dict[str, Reader] = {
    **POSTGRES_READERS,
    "postgres_user": text,
    "postgres_user_file": existing_file,
}
_READERS: dict[str, Reader] = {
    **_DATABASE_READERS,
    "bootstrap_servers": text,
    "security_protocol": one_of(*_PROTOCOLS),
    "ca_file": existing_file,
    "username_file": existing_file,
    "password_file": existing_file,
    "sasl_mechanism": one_of(*_MECHANISMS),
    "checkpoint_dir": path,
    "jars": text,
    "metrics_host": text,
    "metrics_port": whole(1, 65_535),
    "events_partitions": whole(0, 10_000),
    "trigger_milliseconds": whole(50, 600_000),
    "max_offsets_per_trigger": whole(100, 10_000_000),
    "master": text,
    "driver_memory": text,
    "driver_java_options": text,
    "watermark_delay_seconds": whole(1, 604_800),
    "raw_retention_days": whole(0, 36_500),
    "oldest_event_days": whole(1, 3_650),
    "rejected_payload_days": whole(0, 36_500),
    "rejected_retention_days": whole(0, 36_500),
    "detail_retention_days": whole(0, 36_500),
    "failpoint": one_of(*_FAILPOINTS),
    "failpoint_batch": whole(0, 1_000_000_000),
}
