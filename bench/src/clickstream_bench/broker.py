"""A broker of its own for each measurement, gone afterwards.

Owns starting it in a temporary folder. It does not know what is measured.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.java import find_java_home
from clickstream_local.kafka import Kafka, create_topics
from clickstream_local.state import StateFolder
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fresh_broker"]


@contextmanager
def fresh_broker() -> Iterator[str]:
    """Run Kafka with the contract's topics and give its address."""
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        cache = ArtifactCache.of(os.environ)
        java_home = find_java_home(os.environ, cache_folder(os.environ))
        jars = cache.provide(pinned_artifacts("kafka"), Console(stderr=True))
        kafka = Kafka.start(StateFolder(Path(folder)), java_home, jars)
        try:
            kafka.wait_ready()
            create_topics(kafka.bootstrap_servers)
            yield kafka.bootstrap_servers
        finally:
            kafka.process.stop()
