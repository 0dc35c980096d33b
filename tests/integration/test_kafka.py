"""The embedded broker starts whatever it draws."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import UUID

import clickstream_local.kafka
from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.java import find_java_home
from clickstream_local.kafka import Kafka
from clickstream_local.state import StateFolder
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cluster_id_may_begin_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = UUID(bytes=b"\xfb" + 15 * b"\x01")
    monkeypatch.setattr(clickstream_local.kafka.uuid, "uuid4", lambda: drawn)
    cache = ArtifactCache.of(os.environ)
    jars = cache.provide(pinned_artifacts("kafka"), Console(quiet=True))
    java_home = find_java_home(os.environ, cache_folder(os.environ))
    broker = Kafka.start(StateFolder(tmp_path), java_home, jars)
    try:
        broker.wait_ready()
        meta = (tmp_path / "kafka" / "data" / "meta.properties").read_text(encoding="utf-8")
        assert "cluster.id=-w" in meta
    finally:
        broker.process.stop()
