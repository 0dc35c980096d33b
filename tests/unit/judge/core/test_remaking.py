"""Events made again: exactly those that the run has written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from clickstream_generator.core.run_record import RunRecord
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.remaking import Chunk, remake
from run_records import shared_worlds

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
