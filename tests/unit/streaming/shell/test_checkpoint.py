"""Checkpoints are read as Spark writes them, and a broken one is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.errors import CheckpointMismatch
from clickstream_streaming.shell.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

OFFSETS = 'v1\n{"batchWatermarkMs":0}\n{"events":{"0":7,"1":9}}'
OURS = {"schema": "a", "partitions": "2"}


def _checkpoint(folder: Path, text: str = OFFSETS) -> Checkpoint:
    for name in ("offsets", "commits"):
        (folder / name).mkdir(parents=True)
        (folder / name / "3").write_text(text, encoding="utf-8")
    (folder / "metadata").write_text(json.dumps({"id": "abc"}), encoding="utf-8")
    return Checkpoint(folder)


def test_batch_end_is_read(tmp_path: Path) -> None:
    """Offsets come by topic and partition, as numbers."""
    checkpoint = _checkpoint(tmp_path)

    assert checkpoint.offsets_until(3) == {"events": {0: 7, 1: 9}}


def test_identity_is_sparks(tmp_path: Path) -> None:
    """The identity is the id in Spark's metadata."""
    assert _checkpoint(tmp_path).identity() == "abc"


def test_last_batches_are_found(tmp_path: Path) -> None:
    """The last batch is the highest number, and Spark's other files are no batches."""
    for log, numbers in (("offsets", "9 10 11"), ("commits", "9 10")):
        (tmp_path / log).mkdir()
        for number in numbers.split():
            (tmp_path / log / number).touch()
            (tmp_path / log / f".{number}.crc").touch()
            (tmp_path / log / f"{number}9.tmp").touch()
    checkpoint = Checkpoint(tmp_path)

    assert checkpoint.exists()
    assert checkpoint.planned_batch() == 11
    assert checkpoint.committed_batch() == 10


def test_first_batch_counts(tmp_path: Path) -> None:
    """A checkpoint whose only batch has the number 0 exists."""
    (tmp_path / "offsets").mkdir()
    (tmp_path / "offsets" / "0").touch()

    assert Checkpoint(tmp_path).exists()
    assert Checkpoint(tmp_path).planned_batch() == 0


def test_new_checkpoint_has_no_batch(tmp_path: Path) -> None:
    """Without Spark's logs there is no checkpoint yet."""
    checkpoint = Checkpoint(tmp_path / "new")

    assert not checkpoint.exists()
    assert checkpoint.planned_batch() is None
    assert checkpoint.committed_batch() is None


@pytest.mark.parametrize(
    "text",
    ["", OFFSETS[:20], OFFSETS[:-5], "v1\n{}\n[]", 'v1\n{}\n{"a": 1}', OFFSETS.replace("7", '"x"')],
    ids=["empty", "cut early", "cut late", "no object", "no partitions", "no number"],
)
def test_broken_offsets_are_named(tmp_path: Path, text: str) -> None:
    """A file of another form is named, with its folder."""
    checkpoint = _checkpoint(tmp_path, text)

    with pytest.raises(CheckpointMismatch, match="offsets/3 is not as Spark writes it") as caught:
        checkpoint.offsets_until(3)
    assert caught.value.folder == tmp_path


def test_missing_offsets_are_named(tmp_path: Path) -> None:
    """A batch without a file is named, too."""
    with pytest.raises(CheckpointMismatch, match="offsets/4 is not as Spark writes it"):
        _checkpoint(tmp_path).offsets_until(4)


@pytest.mark.parametrize("text", ["", "[]", "{}", "5"])
def test_broken_metadata_is_named(tmp_path: Path, text: str) -> None:
    """Metadata without an id is named."""
    checkpoint = _checkpoint(tmp_path)
    (tmp_path / "metadata").write_text(text, encoding="utf-8")

    with pytest.raises(CheckpointMismatch, match="metadata is not as Spark writes it"):
        checkpoint.identity()


def test_fingerprint_is_noted(tmp_path: Path) -> None:
    """The first job stores its fingerprint, and the same job is accepted again."""
    checkpoint = Checkpoint(tmp_path / "deep" / "query")

    checkpoint.check_fingerprint(OURS)
    checkpoint.check_fingerprint(OURS)

    (file,) = checkpoint.folder.iterdir()
    assert json.loads(file.read_text(encoding="utf-8")) == OURS


def test_other_fingerprint_is_refused(tmp_path: Path) -> None:
    """Another job gets the differences, also those that only one of the two has."""
    checkpoint = Checkpoint(tmp_path)
    checkpoint.check_fingerprint(OURS)

    with pytest.raises(CheckpointMismatch) as caught:
        checkpoint.check_fingerprint({"schema": "b", "topics": "t"})
    assert caught.value.differences == [
        "partitions: 2 there, None here",
        "schema: a there, b here",
        "topics: None there, t here",
    ]


def test_refused_job_changes_nothing(tmp_path: Path) -> None:
    """A refused job does not change the fingerprint of the first one."""
    checkpoint = Checkpoint(tmp_path)
    checkpoint.check_fingerprint(OURS)

    with pytest.raises(CheckpointMismatch):
        checkpoint.check_fingerprint({})
    checkpoint.check_fingerprint(OURS)


def test_checkpoint_needs_fingerprint(tmp_path: Path) -> None:
    """A checkpoint with batches and without a fingerprint is another program's."""
    with pytest.raises(CheckpointMismatch, match="it has no fingerprint"):
        _checkpoint(tmp_path).check_fingerprint(OURS)


def test_broken_fingerprint_is_named(tmp_path: Path) -> None:
    """A fingerprint that cannot be read is refused by its file's name."""
    checkpoint = Checkpoint(tmp_path)
    checkpoint.check_fingerprint(OURS)
    (file,) = tmp_path.iterdir()
    file.write_text("{", encoding="utf-8")

    with pytest.raises(CheckpointMismatch, match=f"{file.name} is not as Spark writes it"):
        checkpoint.check_fingerprint(OURS)
