"""Snapshots as bytes: they are read back as they were written, or refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from clickstream_generator.core import snapshot as module
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.snapshot import (
    Snapshot,
    compress,
    dump_snapshot,
    load_snapshot,
)
from clickstream_generator.errors import SnapshotUnusable
from simulations import RUN_ID, START_SECONDS, carried, simulation

RATE = "{eventsPerSecond: 400}"
_MOMENT = START_SECONDS + 7.3
_BUSIER = Revision(
    _MOMENT,
    _MOMENT,
    simulation("{eventsPerSecond: 600}", mix="Browser: 100, Loyal: 300, Bot: 50"),
)


def _snapshot() -> Snapshot:
    source, shards = carried(RATE)
    source.revise(_BUSIER)
    source.take_due(START_SECONDS + 2, 10**9)
    return shards[2].snapshot()


def test_snapshot_survives_as_bytes() -> None:
    """A loaded snapshot equals the dumped one, to the last bit and type."""
    written = _snapshot()

    read = load_snapshot(dump_snapshot(written))

    assert read.header == json.loads(json.dumps(written.header))
    assert read.arrays.keys() >= written.arrays.keys()
    for name, array in written.arrays.items():
        assert read.arrays[name].dtype == array.dtype
        assert np.array_equal(read.arrays[name], array)


def test_snapshot_has_the_position() -> None:
    """A snapshot has its shard, the last event's number and the simulations."""
    snapshot = _snapshot()

    assert snapshot.number == 2
    assert snapshot.shard_seq == 200
    assert snapshot.since_seconds == START_SECONDS
    assert snapshot.first == simulation(RATE)
    assert snapshot.running == simulation(RATE)
    (row,) = snapshot.header["pending"]
    assert Revision.from_json(row) == _BUSIER


def test_snapshot_keeps_the_namespace() -> None:
    """Another process that takes a shard up sends events under the same full name."""
    wanted = simulation(users=400).model_copy(update={"namespace": "blue"})
    source = Simulator(wanted, (0, 1, 2, 3), RUN_ID)
    shards = source.begin(START_SECONDS)

    snapshot = load_snapshot(dump_snapshot(shards[1].snapshot()))

    assert snapshot.first.full_name == snapshot.running.full_name == "blue/tested"


def test_other_bytes_are_refused() -> None:
    """Bytes that are no snapshot, or a part of one, are refused with the reason."""
    for content in (b"something else", b"", dump_snapshot(_snapshot())[:-100]):
        with pytest.raises(SnapshotUnusable, match="its bytes cannot be read"):
            load_snapshot(content)


def test_other_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of another format is refused with both formats."""
    monkeypatch.setattr(module, "_FORMAT", 99)
    content = dump_snapshot(_snapshot())
    monkeypatch.undo()

    with pytest.raises(SnapshotUnusable, match="its format is 99, not 8"):
        load_snapshot(content)


def test_missing_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header without a format is of no snapshot."""
    monkeypatch.setattr(module, "_FORMAT", None)
    content = dump_snapshot(_snapshot())
    monkeypatch.undo()

    with pytest.raises(SnapshotUnusable, match="its format is None"):
        load_snapshot(content)


def test_snapshot_has_no_objects() -> None:
    """Arrays of Python objects, which run code when they are read, are neither written nor read."""
    objects = np.array([{}], dtype=object)
    plain = io.BytesIO()
    np.savez(plain, header=np.frombuffer(b"{}", dtype=np.uint8), objects=objects)

    with pytest.raises(SnapshotUnusable, match="allow_pickle"):
        load_snapshot(compress(plain.getvalue()))
    with pytest.raises(ValueError, match="allow_pickle"):
        dump_snapshot(Snapshot({}, {"objects": objects}))
