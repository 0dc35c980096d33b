"""Filling the tables: the batches for the stream's tasks."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from clickstream_bench.shop import shop
from clickstream_bench.views import _records, _task
from clickstream_contract.topics import EVENTS
from clickstream_generator.core.simulator import Simulator
from clickstream_streaming.settings import Settings

_START = 1_764_000_000.0


def _settings(folder: Path) -> Settings:
    return Settings(
        bootstrap_servers="",
        postgres_host="",
        postgres_password_file=Path(),
        checkpoint_dir=folder,
    )


def test_batches_follow_each_other(tmp_path: Path) -> None:
    """Each task ends where the next begins, by the batch's number and partition."""
    first, third = (_task(_settings(tmp_path), 1, number) for number in (0, 2))

    assert first.offsets_until == {EVENTS.name: {1: 400_000}}
    assert third.offsets_until == {EVENTS.name: {1: 1_200_000}}
    assert (first.batch_id, third.batch_id) == (0, 2)
    assert first.checkpoint_id == third.checkpoint_id == str(UUID(int=1))


def test_records_are_as_spark_gives_them() -> None:
    """Each event is a record of its partition, at the next offset and its event time."""
    simulator = Simulator(shop(rate={"eventsPerSecond": 1_000}, users=2_000), (0, 1), UUID(int=2))
    simulator.begin(_START)
    events = simulator.take_due(_START + 60, 20)
    encoded = simulator.encoder.encode(events, 0)

    batch = _records(events, encoded, 1, 100)

    assert batch.schema.names == ["topic", "partition", "offset", "timestamp", "key", "value"]
    assert set(batch["topic"].to_pylist()) == {EVENTS.name}
    assert set(batch["partition"].to_pylist()) == {1}
    assert batch["offset"].to_pylist() == list(range(100, 100 + len(events)))
    assert batch["value"].to_pylist() == list(encoded.values)
    moments = [row.timestamp() for row in batch["timestamp"].to_pylist()]
    assert moments == [at / 1_000 for at in events.rows["event_time_ms"].tolist()]
