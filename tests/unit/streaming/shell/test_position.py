"""Where reading continues, and what Kafka must have for that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.errors import (
    CheckpointMismatch,
    DatabaseBehindCheckpoint,
    RecordsGone,
    TopicUnfit,
)
from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.position import check_topics, next_offsets
from clickstream_streaming.shell.query import fingerprint
from scripted_database import ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
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

    with pytest.raises(RecordsGone) as caught:
        check_topics(LOGS, settings, {EVENTS.name: {0: 10, 2: offset}})

    error = caught.value
    assert (error.topic, error.partition, error.wanted) == (EVENTS.name, 2, offset)
    assert error.has == (10, 20)
    assert error.folder == settings.checkpoint_dir / QUERY


@pytest.mark.parametrize("wanted", [3, 5])
def test_other_partition_count_is_named(tmp_path: Path, wanted: int) -> None:
    """The events' topic must have the number of partitions that is expected."""
    settings = stream_settings(tmp_path, EVENTS_PARTITIONS=str(wanted))

    with pytest.raises(TopicUnfit) as caught:
        check_topics(LOGS, settings, {})

    assert (caught.value.topic, caught.value.found, caught.value.wanted) == (EVENTS.name, 4, wanted)


def test_any_partition_count_may_do(tmp_path: Path) -> None:
    """With 0 expected, any number of partitions is fine."""
    check_topics(LOGS, stream_settings(tmp_path, EVENTS_PARTITIONS="0"), {})
