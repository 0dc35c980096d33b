"""Checkpoints: read as Spark writes them, and named when they cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clickstream_streaming.errors import CheckpointMismatch, RecordsGone
from clickstream_streaming.shell.checkpoint import Checkpoint

_OFFSETS = 'v1\n{"batchWatermarkMs":0}\n{"events":{"0":7,"1":9}}'


def _checkpoint(folder: Path, text: str = _OFFSETS) -> Checkpoint:
    for name in ("offsets", "commits"):
        (folder / name).mkdir()
        (folder / name / "3").write_text(text)
    (folder / "metadata").write_text(json.dumps({"id": "abc"}))
    return Checkpoint(folder)


def test_the_end_of_a_batch_is_read(tmp_path: Path) -> None:
    """Offsets come by topic and partition, as numbers."""
    checkpoint = _checkpoint(tmp_path)

    assert checkpoint.committed_batch() == 3
    assert checkpoint.identity() == "abc"
    assert checkpoint.offsets_until(3) == {"events": {0: 7, 1: 9}}


@pytest.mark.parametrize(
    "text", ["", _OFFSETS[:20], _OFFSETS[:-5], "v1\n{}\n[]", _OFFSETS.replace("7", '"x"')]
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    """Cut off, or something else altogether: the refusal says which file it is."""
    with pytest.raises(CheckpointMismatch, match="offsets/3 is not as Spark writes it"):
        _checkpoint(tmp_path, text).offsets_until(3)


@pytest.mark.parametrize(
    ("has", "says"),
    [((30, 90), "deleted the 10 records before 30"), ((0, 5), "ends before 5: its broker was")],
)
def test_records_that_are_gone_are_told_apart(has: tuple[int, int], says: str) -> None:
    """Expired records and a topic made anew ask for different things of people."""
    assert says in str(RecordsGone("events", 1, 20, has, Path("/c/events")))
