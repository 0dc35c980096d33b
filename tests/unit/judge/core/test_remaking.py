"""Events made again: exactly those that the run has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from clickstream_generator.core.run_record import RunRecord
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.remaking import Chunk, remake
from run_records import run_record, shared_worlds
from simulations import simulation

if TYPE_CHECKING:
    from judged import Run


@pytest.fixture(scope="module")
def chunks(run: Run) -> list[Chunk]:
    """Return the chunks of the run."""
    record = RunRecord.from_json((run.folder / "run.json").read_text(encoding="utf-8"), "run.json")
    with shared_worlds():
        return list(remake(record, record.ends_at))


def test_remade_events_are_the_same(run: Run, chunks: list[Chunk]) -> None:
    """They are the events of the files, apart from when they were sent."""
    made = pa.concat_tables([chunk.table for chunk in chunks])
    assert set(made.column_names) == set(FIELDS)
    stored = run.clean.select(made.column_names).cast(made.schema)

    assert made.sort_by("event_id").equals(stored.sort_by("event_id"))


def test_remade_events_come_in_order(chunks: list[Chunk]) -> None:
    """Ids ascend over all shards, so that they can be merged with a sorted result."""
    ids = [event_id for chunk in chunks for event_id in chunk.table["event_id"].to_pylist()]

    assert ids == sorted(ids)


def test_repeated_ids_are_known(run: Run, chunks: list[Chunk]) -> None:
    """Events that the run sent twice on purpose are known."""
    repeated = sum(int(chunk.is_repeated.sum()) for chunk in chunks)

    assert repeated == len(run.sent) - len(run.clean) > 0


def test_late_events_are_known(run: Run) -> None:
    """An event behind a later one of its shard in the files is late."""
    highest: dict[int, int] = {}
    behind = set()
    columns = (run.sent[name].to_pylist() for name in ("event_id", "shard", "shard_seq"))
    for event_id, shard, seq in zip(*columns, strict=True):
        if seq < highest.get(shard, 0):
            behind.add(event_id)
        highest[shard] = max(highest.get(shard, 0), seq)

    assert behind
    assert behind <= set(run.late)


def _remade(faults: str) -> list[Chunk]:
    """Return 400 events of a run with faults."""
    first = simulation(more=f"  faults: {{{faults}}}\n", users=400)
    return list(remake(run_record(first)[0], dict.fromkeys(range(4), 100)))


def test_lost_events_are_left_out() -> None:
    """Events that the run has lost on purpose were not sent."""
    (whole, some) = (_remade(faults) for faults in ("lossPermille: 0", "lossPermille: 300"))

    assert [len(chunk.values) for chunk in whole] == [100] * 4
    sent = [value for chunk in some for value in chunk.values]
    assert 200 < len(sent) < 360
    assert set(sent) < {value for chunk in whole for value in chunk.values}
    assert not any(chunk.late_seconds.any() for chunk in (*whole, *some))


def test_lateness_is_the_delay() -> None:
    """A late event was sent by at most the longest delay later; all others at once."""
    late = np.concatenate(
        [chunk.late_seconds for chunk in _remade("latePermille: 300, maxLatenessSeconds: 60")]
    )

    assert len(late) == 400
    assert 40 < np.count_nonzero(late) < 200
    assert late.min() >= 0
    assert 30 < late.max() <= 60


def test_endless_shard_has_no_event() -> None:
    """Only shards whose last event is given are made again."""
    record, _ = run_record()

    assert [(chunk.shard, chunk.shard_seq.tolist()) for chunk in remake(record, {1: 3})] == [
        (1, [1, 2, 3])
    ]
