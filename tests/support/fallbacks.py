"""A database that falls back: an older state of its folder takes the place of the present one.

Owns the copies. It is what a standby without the last commits looks like to the stream.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline import Pipeline

__all__ = ["fall_back", "keep_database"]


def keep_database(pipeline: Pipeline, folder: Path) -> Path:
    """Copy the database as it is now, and return the copy; the server is away for a moment."""
    copy = folder / "standby"
    copy.mkdir()
    pipeline.kill_postgres()
    _copy(pipeline.state.folder("postgres"), copy)
    pipeline.restart_postgres()
    return copy


def fall_back(pipeline: Pipeline, copy: Path) -> None:
    """Let the copy take over: what was committed since then is lost."""
    present = pipeline.state.folder("postgres")
    pipeline.kill_postgres()
    for path in present.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    _copy(copy, present)
    pipeline.restart_postgres()


def _copy(source: Path, target: Path) -> None:
    """Copy what is in a folder, with its owners: for root the server is another user's process."""
    subprocess.run(["/bin/cp", "-a", f"{source}/.", str(target)], check=True)
