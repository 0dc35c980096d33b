"""A run whose state was written with other library versions, in a real broker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_contract.document import parse_simulation
from clickstream_contract.topics import SHARDS
from clickstream_contract.worker_exit import WorkerExit
from clickstream_generator.core.snapshot import dump_snapshot
from clickstream_generator.shell.shard_log import Record, ShardRecords, snapshot_rows
from confluent_kafka import Producer
from generators import Broker, GeneratorRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.services, pytest.mark.slow]

_SIMULATION = parse_simulation("""
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: tested}
spec:
  seed: 11
  rate: {eventsPerSecond: 1000}
  userMix: [{persona: Shopper, weight: 1}]
  users: 2000
  catalog: {products: 100, categories: 5}
  shards: 1
""")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[GeneratorRun]:
    """A run on a separate broker, which leaves no process behind."""
    broker = Broker(tmp_path / "broker")
    prepared = GeneratorRun(broker, tmp_path, _SIMULATION, uuid4(), on_stop="pause")
    yield prepared
    prepared.stop()
    broker.stop()


def _pretend_other_faker(run: GeneratorRun) -> None:
    """Rewrite the newest snapshot as if another version of Faker had made it."""
    records = ShardRecords(run.run_id, (0,))
    for key, value in run.broker.read(SHARDS.name):
        records.take(Record(0, key, value))
    stored = records.found()[0]
    assert stored.snapshot is not None
    header = stored.snapshot.header
    libraries = header["fingerprint"]["libraries"] | {"faker": "1.2.3"}
    fingerprint = header["fingerprint"] | {"world": "other", "libraries": libraries}
    changed = replace(stored.snapshot, header={**header, "fingerprint": fingerprint})
    producer = Producer({"bootstrap.servers": run.broker.servers})
    content = dump_snapshot(changed)
    for key, value in snapshot_rows(run.run_id, 0, 1, stored.generation, content):
        partition = stored.position.snapshot_partition
        producer.produce(SHARDS.name, value, key, partition=partition)
    assert producer.flush(20) == 0


def test_resume_in_another_world_is_refused(run: GeneratorRun) -> None:
    """The process sends nothing, and its error names the library and the remedy."""
    worker = run.start()
    worker.wait_until_sent(1_000)
    worker.process.process.terminate()
    worker.must_end(60)
    sent = len(run.events())
    _pretend_other_faker(run)

    run.start().must_end(60, code=WorkerExit.WORLD_CHANGED)

    last = (run.folder / "generator.log").read_text(encoding="utf-8").splitlines()[-1]
    assert last.startswith("error: ")
    assert "faker 1.2.3 -> " in last
    assert "start a new run" in last
    assert len(run.events()) == sent
