"""The local broker starts with any cluster id, and its topics are bounded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil
import pytest
from clickstream_contract.topics import LEDGER, TOPICS
from clickstream_local.artifacts import cache_folder
from clickstream_local.kafka import _settings_of, create_topics, start_kafka_alone
from clickstream_local.state import StateFolder
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from pipeline import wait_until
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.services

_DASH = UUID(bytes=b"\xfb" + 15 * b"\x01")
"""Its text in Kafka's form begins with a dash."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the broker."""
    return tmp_path_factory.mktemp("broker")


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[str]:
    """Start a broker whose cluster id begins with a dash, and return its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clickstream_local.kafka.uuid.uuid4", lambda: _DASH)
        broker = start_kafka_alone(StateFolder(folder), os.environ, Console(quiet=True))
    yield broker.bootstrap_servers
    broker.process.stop()


def test_cluster_id_begins_with_dash(folder: Path, servers: str) -> None:
    """A cluster id that begins with a dash is not read as an option."""
    assert AdminClient({"bootstrap.servers": servers}).list_topics(timeout=20).brokers
    meta = (folder / "kafka" / "data" / "meta.properties").read_text(encoding="utf-8")
    assert "cluster.id=-w" in meta


def test_topics_keep_their_bytes(servers: str) -> None:
    """New topics are bounded, and so is one that an earlier version made without a bound."""
    admin = AdminClient({"bootstrap.servers": servers})
    older = NewTopic(LEDGER.name, 1, 1, config={"retention.bytes": "-1", "retention.ms": "-1"})
    admin.create_topics([older])[LEDGER.name].result(20)

    create_topics(servers)

    # The controller has them first; the broker that is asked learns of them a little later.
    wanted = {topic.name: _settings_of(topic) for topic in TOPICS}
    wait_until(lambda: _described(admin, wanted) == wanted, "every topic is bounded", 20)


def _described(admin: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the topics' settings that are wanted; nothing while the broker lacks a topic."""
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted]
    try:
        found = {row.name: done.result(20) for row, done in admin.describe_configs(asked).items()}
    except KafkaException:
        return {}
    return {
        topic: {name: found[topic][name].value for name in settings}
        for topic, settings in wanted.items()
    }


@pytest.mark.slow
def test_second_start_maps_classes(tmp_path: Path) -> None:
    """A broker's JVM writes its classes when it stops, and the next one maps them."""
    cache = tmp_path / "a cache"
    cache.mkdir()
    (cache / "jars").symlink_to(cache_folder(os.environ) / "jars")

    def maps() -> list[str]:
        broker = start_kafka_alone(StateFolder(tmp_path / "state"), os.environ, Console(quiet=True))
        try:
            rows = psutil.Process(broker.process.process.pid).memory_maps()
            return [row.path for row in rows if row.path.startswith(str(cache / "classes"))]
        finally:
            broker.process.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKSTREAM_CACHE_DIR", str(cache))
        first, second = maps(), maps()
    assert not any("kafka-" in file for file in first)
    assert any("kafka-" in file for file in second)
