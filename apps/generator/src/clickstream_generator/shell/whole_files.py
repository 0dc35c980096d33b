"""Atomic file writes: a file appears complete or not at all.

Owns the temporary names, and their removal after a kill.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clickstream_generator.errors import OutputFailed

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_temporary", "remove_temporary", "write_whole"]

_PREFIX, _SUFFIX = ".", ".clickstream-part"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync it to disk, and rename it.

    Raises:
        OutputFailed: The file cannot be written; no part of it is left.
    """
    fresh = path.with_name(f"{_PREFIX}{path.name}{_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with fresh.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputFailed(
            str(path),
            error.strerror or str(error),
            "free some space or grant write access, then run the same command again to resume",
        ) from None


def is_temporary(name: str) -> bool:
    """Return whether a name is a temporary name of :func:`write_whole`."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files of a killed process."""
    for path in folder.rglob(f"{_PREFIX}*{_SUFFIX}"):
        path.unlink()
