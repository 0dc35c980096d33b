"""The topic with the shards' state, when it gets more partitions under a run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from clickstream_contract.topics import SHARDS
from clickstream_generator.shell.shard_log import snapshot_partition
from confluent_kafka.admin import AdminClient, NewPartitions
from generators import Broker, GeneratorRun, four_shards, reference, soon, timeless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.services

_PARTITIONS = 9


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A separate broker: partitions cannot be taken away again."""
    started = Broker(tmp_path / "broker")
    yield started
    started.stop()


def _snapshots(broker: Broker) -> set[int]:
    """Return the partitions that have, or had, snapshots."""
    messages = broker.messages(SHARDS.name)
    return {row.partition() or 0 for row in messages if b"/snapshot/" in (row.key() or b"")}


def test_run_survives_more_partitions(broker: Broker, tmp_path: Path) -> None:
    """The successor resumes from the snapshots in the former partition, and loses nothing."""
    start = soon()
    run = GeneratorRun(
        broker, tmp_path, four_shards(1_000, 20_000), UUID(int=4), start_time=start.isoformat()
    )
    try:
        worker = run.start()
        worker.wait_until_sent(3_000)
        worker.kill()
        admin = AdminClient({"bootstrap.servers": broker.servers})
        admin.create_partitions([NewPartitions(SHARDS.name, _PARTITIONS)])[SHARDS.name].result()
        own = snapshot_partition(run.run_id, _PARTITIONS)
        assert _snapshots(broker) == {1} != {own}

        run.start().must_end(120)
    finally:
        run.stop()

    assert _snapshots(broker) == {1, own}
    assert "resumed shard 3" in (tmp_path / "generator.log").read_text(encoding="utf-8")
    expected = reference(run.simulation, run.run_id, start.timestamp())
    assert set(map(timeless, run.events())) == expected
