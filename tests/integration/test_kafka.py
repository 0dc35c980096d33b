"""The embedded broker starts whatever it draws."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import UUID

from clickstream_local.kafka import start_kafka_alone
from clickstream_local.state import StateFolder
from rich.console import Console

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_cluster_id_begins_with_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = UUID(bytes=b"\xfb" + 15 * b"\x01")
    monkeypatch.setattr("clickstream_local.kafka.uuid.uuid4", lambda: drawn)
    broker = start_kafka_alone(StateFolder(tmp_path), os.environ, Console(quiet=True))
    try:
        meta = (tmp_path / "kafka" / "data" / "meta.properties").read_text(encoding="utf-8")
        assert "cluster.id=-w" in meta
    finally:
        broker.process.stop()
