"""The embedded broker starts whatever it draws."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

from clickstream_contract.topics import LEDGER, TOPICS
from clickstream_local.kafka import _settings_of, create_topics, start_kafka_alone
from clickstream_local.state import StateFolder
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from pipeline import wait_until
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping
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


def test_topics_keep_their_bytes(tmp_path: Path) -> None:
    """New topics are bounded, and so is one that an earlier version made without a bound."""
    broker = start_kafka_alone(StateFolder(tmp_path), os.environ, Console(quiet=True))
    try:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        older = NewTopic(LEDGER.name, 1, 1, config={"retention.bytes": "-1", "retention.ms": "-1"})
        admin.create_topics([older])[LEDGER.name].result(20)

        create_topics(broker.bootstrap_servers)

        # The controller has them first; the broker that is asked learns of them a little later.
        wanted = {topic.name: _settings_of(topic) for topic in TOPICS}
        wait_until(lambda: _described(admin, wanted) == wanted, "every topic is bounded", 20)
    finally:
        broker.process.stop()


def _described(admin: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted]
    found = {row.name: done.result(20) for row, done in admin.describe_configs(asked).items()}
    return {
        topic: {name: found[topic][name].value for name in settings}
        for topic, settings in wanted.items()
    }
