"""The preflight: checkpoint, database and topics must agree before the first read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.errors import (
    CheckpointBehindDatabase,
    CheckpointMismatch,
    DatabaseBehindCheckpoint,
    PartitionCountMismatch,
    RecordsMissing,
)
from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.preflight import check_checkpoint, check_topics, next_offsets
from clickstream_streaming.shell.query import fingerprint
from scripted_database import Rows, ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_streaming.core.log_positions import LogPositions
    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.topic_logs import TopicLogs


def _committed(settings: Settings, offset: int) -> None:
    """Write a checkpoint whose first batch is committed and ends at an offset."""
    checkpoint = Checkpoint(settings.checkpoint_dir / QUERY)
    checkpoint.check_fingerprint(fingerprint())
    text = f'v1\n{{}}\n{{"{EVENTS.name}": {{"0": {offset}}}}}'
    for log in ("offsets", "commits"):
        (checkpoint.folder / log).mkdir()
        (checkpoint.folder / log / "0").write_text(text, encoding="utf-8")
    (checkpoint.folder / "metadata").write_text(json.dumps({"id": "abc"}), encoding="utf-8")


def _holding(offset: int) -> ScriptedDatabase:
    """Return a database whose only batch ends at an offset."""
    rows: list[tuple[object, ...]] = [(EVENTS.name, 0, offset)]

    def ends(values: object) -> list[tuple[object, ...]]:
        assert isinstance(values, dict)
        return rows if values["batch_id"] == 0 else []

    return ScriptedDatabase({"max(until_offset)": rows, "FROM ops.batches": ends})


def test_new_checkpoint_follows_database(tmp_path: Path) -> None:
    """Without a checkpoint reading continues where the database's batches ended."""
    settings = stream_settings(tmp_path)

    assert next_offsets(_holding(5).connection(), settings) == {EVENTS.name: {0: 5}}


def test_committed_batch_counts(tmp_path: Path) -> None:
    """With a checkpoint reading continues where its last committed batch ended."""
    settings = stream_settings(tmp_path)
    _committed(settings, 7)

    assert next_offsets(_holding(7).connection(), settings) == {EVENTS.name: {0: 7}}


def test_wiped_database_is_refused(tmp_path: Path) -> None:
    """A database without the checkpoint's batch is refused before anything is read."""
    settings = stream_settings(tmp_path)
    _committed(settings, 7)

    with pytest.raises(DatabaseBehindCheckpoint):
        next_offsets(ScriptedDatabase().connection(), settings)


def test_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    """A checkpoint of another job is refused."""
    settings = stream_settings(tmp_path)
    Checkpoint(settings.checkpoint_dir / QUERY).check_fingerprint({"query": "other"})

    with pytest.raises(CheckpointMismatch, match="query: other there"):
        next_offsets(ScriptedDatabase().connection(), settings)


class _Logs:
    """Logs of all partitions, each with records from offset 10 to 19."""

    def check(self) -> LogPositions:
        return self.ends("latest")

    def ends(self, bound: str) -> LogPositions:
        offset = {"earliest": 10, "latest": 20}[bound]
        places = [(LEDGER.name, 0), *((EVENTS.name, at) for at in range(EVENTS.partitions))]
        return {place: LogPosition("id", offset, 0) for place in places}


LOGS = cast("TopicLogs", _Logs())


@pytest.mark.parametrize("offset", [10, 15, 20])
def test_present_offsets_are_fine(tmp_path: Path, offset: int) -> None:
    """An offset from the first to the end can come next."""
    check_topics(LOGS, stream_settings(tmp_path), {EVENTS.name: {0: offset}})


@pytest.mark.parametrize("offset", [9, 21])
def test_absent_offset_is_named(tmp_path: Path, offset: int) -> None:
    """An offset before the first or after the end is named with its partition."""
    settings = stream_settings(tmp_path)

    with pytest.raises(RecordsMissing) as caught:
        check_topics(LOGS, settings, {EVENTS.name: {0: 10, 2: offset}})

    error = caught.value
    assert (error.topic, error.partition, error.wanted) == (EVENTS.name, 2, offset)
    assert error.has == (10, 20)
    assert error.folder == settings.checkpoint_dir / QUERY


@pytest.mark.parametrize("wanted", [3, 5])
def test_other_partition_count_is_named(tmp_path: Path, wanted: int) -> None:
    """The events' topic must have the number of partitions that is expected."""
    settings = stream_settings(tmp_path, EVENTS_PARTITIONS=str(wanted))

    with pytest.raises(PartitionCountMismatch) as caught:
        check_topics(LOGS, settings, {})

    assert (caught.value.topic, caught.value.found, caught.value.wanted) == (EVENTS.name, 4, wanted)


def test_any_partition_count_may_do(tmp_path: Path) -> None:
    """With 0 expected, any number of partitions is fine."""
    check_topics(LOGS, stream_settings(tmp_path, EVENTS_PARTITIONS="0"), {})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[int | None, int | None], Checkpoint]:
    """Return a function that makes a checkpoint with a last planned and a last committed batch.

    Batch n ends at offset 10 n + 10 of each of two partitions.
    """

    def make(planned: int | None, committed: int | None) -> Checkpoint:
        folder = tmp_path / "checkpoint"
        for log, last in (("offsets", planned), ("commits", committed)):
            (folder / log).mkdir(parents=True)
            for batch in range(0 if last is None else last + 1):
                end = 10 * batch + 10
                text = f'v1\n{{}}\n{{"t": {{"0": {end}, "1": {end}}}}}'
                (folder / log / str(batch)).write_text(text, encoding="utf-8")
        (folder / "metadata").write_text('{"id": "abc"}', encoding="utf-8")
        return Checkpoint(folder)

    return make


def _storing(**batches: Rows) -> ScriptedDatabase:
    """Return a database with the ends of some batches, named ``batch_0`` and so on."""

    def ends(values: object) -> Rows:
        assert isinstance(values, dict)
        assert (values["query"], values["checkpoint_id"]) == ("events", "abc")
        return batches.get(f"batch_{values['batch_id']}", [])

    return ScriptedDatabase({"FROM ops.batches": ends})


def _ends(offset: int) -> Rows:
    return [("t", 0, offset), ("t", 1, offset)]


AGREEING = {
    "no checkpoint": (None, None, {}),
    "first batch planned": (0, None, {}),
    "first batch in part": (0, None, {"batch_0": _ends(10)[:1]}),
    "all committed": (1, 1, {"batch_1": _ends(20)}),
    "one batch ahead": (2, 1, {"batch_1": _ends(20)}),
    "one batch ahead, in part": (2, 1, {"batch_1": _ends(20), "batch_2": _ends(30)[1:]}),
    "one batch ahead, as a whole": (2, 1, {"batch_1": _ends(20), "batch_2": _ends(30)}),
}


@pytest.mark.parametrize("case", AGREEING)
def test_agreeing_batches_are_accepted(
    checkpoint: Callable[[int | None, int | None], Checkpoint], case: str
) -> None:
    """The last batch may be stored in part; all batches before it must be complete."""
    planned, committed, batches = AGREEING[case]

    check_checkpoint(_storing(**batches).connection(), "events", checkpoint(planned, committed))


@pytest.mark.parametrize("rows", [[], _ends(20)[:1]], ids=["none", "in part"])
def test_lost_batch_is_refused(
    checkpoint: Callable[[int | None, int | None], Checkpoint], rows: Rows
) -> None:
    """A committed batch that the database lacks in part or as a whole was lost."""
    database = _storing(batch_1=rows)

    with pytest.raises(DatabaseBehindCheckpoint) as caught:
        check_checkpoint(database.connection(), "events", checkpoint(1, 1))
    assert caught.value.batch_id == 1


@pytest.mark.parametrize(
    ("batches", "batch"),
    [
        ({"batch_1": _ends(20), "batch_2": _ends(30)[:1]}, 2),
        ({"batch_1": [("t", 0, 20), ("t", 1, 21)]}, 1),
        ({"batch_1": [*_ends(20), ("t", 2, 20)]}, 1),
    ],
    ids=["batch unknown", "other end", "other partition"],
)
def test_old_checkpoint_is_refused(
    checkpoint: Callable[[int | None, int | None], Checkpoint],
    batches: dict[str, Rows],
    batch: int,
) -> None:
    """An unknown batch, or one with other ends, shows that the checkpoint is old."""
    database = _storing(**batches)

    with pytest.raises(CheckpointBehindDatabase) as caught:
        check_checkpoint(database.connection(), "events", checkpoint(1, 1))
    assert caught.value.batch_id == batch
