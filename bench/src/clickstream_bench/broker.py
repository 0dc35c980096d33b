"""A temporary broker for a measurement."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_local.kafka import create_topics, start_kafka_alone
from clickstream_local.state import StateFolder
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fresh_broker"]


@contextmanager
def fresh_broker() -> Iterator[str]:
    """Start Kafka with the contract's topics in a temporary folder, and return its address."""
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        state = StateFolder(Path(folder))
        kafka = start_kafka_alone(state, os.environ, Console(stderr=True))
        try:
            create_topics(kafka.bootstrap_servers)
            yield kafka.bootstrap_servers
        finally:
            kafka.process.stop()
