"""The folder of a run: its files are complete, and other files are not touched."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.run_record import Layout
from clickstream_generator.errors import OutputFailed, OutputRefused, RecordUnusable
from clickstream_generator.shell.run_folder import RunFolder
from run_folders import event_ids
from run_records import begun, run_record

if TYPE_CHECKING:
    from pathlib import Path

RECORD = replace(run_record()[0], layout=Layout("jsonl", 10))
VALUE = b'{"event_id":"7"}'


def test_part_is_whole(tmp_path: Path) -> None:
    """A part has a file for each day and its entry in the ledger, which makes it complete."""
    with RunFolder(tmp_path / "new", "jsonl") as folder:
        folder.keep_record(RECORD)
        folder.add(3, "2026-11-29", [VALUE])
        folder.add(3, "2026-11-30", [VALUE, VALUE])
        folder.settle()
        assert not folder.has_part(3, 2)
        assert not (tmp_path / "new" / "events").exists()
        folder.close_part(3, 2, [{"a": 1}, {"a": 2}], None)
        folder.settle()
        assert folder.has_part(3, 2)

    found = sorted(str(path.relative_to(tmp_path / "new")) for path in tmp_path.rglob("*.*"))
    assert found == [
        "events/day=2026-11-29/shard-0003-part-00002.jsonl.gz",
        "events/day=2026-11-30/shard-0003-part-00002.jsonl.gz",
        "ledger/shard-0003-part-00002.jsonl",
        "run.json",
    ]
    assert event_ids(tmp_path / "new") == {"7": 3}
    lines = (tmp_path / "new" / "ledger" / "shard-0003-part-00002.jsonl").read_text("utf-8")
    assert lines == '{"a":1}\n{"a":2}\n'


def test_records_are_converted(tmp_path: Path) -> None:
    """A folder of another form holds converted records."""
    with RunFolder(tmp_path / "new", "jsonl", lambda _: VALUE.replace(b"7", b"8")) as folder:
        folder.keep_record(RECORD)
        folder.add(3, "2026-11-29", [VALUE, b""])
        folder.close_part(3, 2, [], None)
        folder.settle()
    assert event_ids(tmp_path / "new") == {"8": 2}


def test_snapshot_is_found_again(tmp_path: Path) -> None:
    """A snapshot is kept with its part, found by the next process, and gone in the end."""
    maker = begun()[1]
    with RunFolder(tmp_path, "jsonl") as folder:
        folder.keep_record(RECORD)
        folder.close_part(1, 1, [], maker.carried[1].snapshot())
        folder.settle()
    with RunFolder(tmp_path, "jsonl") as folder:
        assert folder.record == RECORD
        assert list(folder.snapshots()) == [1]
        folder.forget_state()
        folder.forget_state()
        assert folder.snapshots() == {}
    assert not (tmp_path / "state").exists()


def test_folder_of_others_is_refused(tmp_path: Path) -> None:
    """A folder with anything else, or a file, is left as it is."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(OutputRefused) as refused, RunFolder(tmp_path, "csv"):
        pass
    assert str(refused.value) == (
        f"csv:{tmp_path} holds notes.txt, which belongs to no run; nothing was changed;"
        " choose an empty folder or a new one"
    )
    with pytest.raises(OutputRefused, match="is not a usable folder"):
        RunFolder(tmp_path / "notes.txt", "csv").__enter__()
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ["mine"]


def test_record_of_others_is_refused(tmp_path: Path) -> None:
    """A ``run.json`` of something else is named, and stays."""
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")

    with pytest.raises(RecordUnusable, match=r"run\.json has KeyError"):
        RunFolder(tmp_path, "csv").__enter__()
    assert (tmp_path / "run.json").read_text("utf-8") == "{}"


def test_folder_has_one_writer(tmp_path: Path) -> None:
    """A second process is refused while the first one writes, and not afterwards."""
    with (
        RunFolder(tmp_path, "csv"),
        pytest.raises(OutputRefused, match="is written by another process"),
    ):
        RunFolder(tmp_path, "csv").__enter__()
    with RunFolder(tmp_path, "csv") as folder:
        assert folder.record is None


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    """A file that was being written when the process was killed is gone, and is no other's."""
    (tmp_path / ".run.json.clickstream-part").touch()

    with RunFolder(tmp_path, "csv"):
        assert list(tmp_path.iterdir()) == []


def test_failed_write_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the writing thread reaches the run; no snapshot behind it is written."""
    maker, sync, calls = begun()[1], os.fsync, 0

    def full(number: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(number)

    def fill() -> None:
        with RunFolder(tmp_path, "jsonl") as folder:
            folder.add(0, "2026-11-29", [VALUE])
            folder.close_part(0, 1, [], maker.carried[0].snapshot())
            folder.settle()

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed, match="No space left"):
        fill()
    assert event_ids(tmp_path) == {}
    assert list(tmp_path.rglob("*.snapshot")) == []
