"""Settings of the console's process, from the environment.

Owns their names, defaults and bounds. An unknown variable with the console's prefix is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.environment import existing_file, like, settings_values, text, whole
from clickstream_contract.naming import HOST, PORT
from clickstream_contract.postgres_settings import (
    POSTGRES_READERS,
    POSTGRES_REQUIRED,
    PostgresSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clickstream_contract.environment import Reader

__all__ = ["PREFIX", "Settings", "settings_from"]

PREFIX = "CLICKSTREAM_CONSOLE_"
_HOST = r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_OPERATOR = re.compile(rf"http://{HOST}:{PORT}/metrics")
_HOSTS = re.compile(rf"{_HOST}(,{_HOST}){{0,15}}")


@dataclass(frozen=True, kw_only=True)
class Settings(PostgresSettings):
    """Settings of one process."""

    postgres_user: str = "clickstream_read"
    """The user to connect as, a member of ``clickstream_reader``."""
    postgres_user_file: Path | None = None
    """File with the user's name, instead of it."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 9404
    """Port to listen on."""
    metrics_port: int = 9405
    """Port of the console's health and metrics, which viewers cannot overload."""
    allowed_hosts: str = "127.0.0.1,localhost"
    """Host names of the console, separated by commas; a request for another name is rejected, so
    that a foreign page cannot point a name here."""
    pool_connections: int = 4
    """Highest number of connections to PostgreSQL."""
    statement_timeout_milliseconds: int = 5_000
    """How long a question to PostgreSQL may take."""
    operator_url: str | None = None
    """Address of the operator's metrics, which have the results of verifications:
    ``http://HOST:PORT/metrics``. None are shown if absent."""
    max_live_streams: int = 32
    """Live streams at a time; the answer to one more is 503 with ``Retry-After``."""
    max_live_streams_per_peer: int = 8
    """Live streams of one address at a time. Behind a proxy all viewers have its address: set
    this to ``max_live_streams`` there."""
    max_connections_per_peer: int = 64
    """Connections of one address at a time; one more is closed. Behind a proxy, at least as many
    as the proxy keeps open."""

    @property
    def hosts(self) -> list[str]:
        """The allowed hosts, one by one."""
        return self.allowed_hosts.split(",")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings of the environment; an empty variable counts as absent.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    return Settings(**settings_values(environment, PREFIX, _READERS, POSTGRES_REQUIRED))  # type: ignore[arg-type]


_READERS: dict[str, Reader] = {
    **POSTGRES_READERS,
    "postgres_user": text,
    "postgres_user_file": existing_file,
    "host": text,
    "port": whole(1, 65_535),
    "metrics_port": whole(1, 65_535),
    "allowed_hosts": like(_HOSTS, "host names separated by commas, at most 16"),
    "pool_connections": whole(1, 64),
    "statement_timeout_milliseconds": whole(50, 60_000),
    "operator_url": like(_OPERATOR, "an address http://HOST:PORT/metrics"),
    "max_live_streams": whole(1, 1_000),
    "max_live_streams_per_peer": whole(1, 1_000),
    "max_connections_per_peer": whole(1, 10_000),
}
