"""Whole files: there or not there, and a full disk is named."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.errors import OutputFailed
from clickstream_generator.shell.whole_files import is_temporary, remove_temporary, write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_file_is_written(tmp_path: Path) -> None:
    """A file has its content, in folders that are made, and replaces an older one."""
    path = tmp_path / "a" / "b.txt"

    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, the error names file and remedy, and the older file stays complete."""
    path = tmp_path / "b.txt"
    write_whole(path, b"old")

    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed) as failed:
        write_whole(path, b"new")
    assert str(failed.value).startswith(
        f"cannot write {path}: No space left on device; free some space"
    )
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_file_as_folder_is_named(tmp_path: Path) -> None:
    """A file where a folder must be is named too."""
    (tmp_path / "a").touch()

    with pytest.raises(OutputFailed, match=r"File exists|Not a directory"):
        write_whole(tmp_path / "a" / "b.txt", b"x")


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    """Files under a temporary name are removed, and no other one."""
    (tmp_path / "a").mkdir()
    left = tmp_path / "a" / ".b.txt.clickstream-part"
    left.touch()
    (tmp_path / "a" / ".hidden").touch()

    remove_temporary(tmp_path)
    assert is_temporary(left.name)
    assert not is_temporary(".hidden")
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == [".hidden"]
