"""Files that appear as a whole or not at all.

Owns the temporary name under which a file is written, and what becomes of it after a kill.
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
    """Write a file under another name, bring it to the disk, and rename it.

    Raises:
        OutputFailed: It cannot be written; nothing of it is left.
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
            "make room or grant the right to write, and run the same command again: it continues",
        ) from None


def is_temporary(name: str) -> bool:
    """Return whether a file has a name that :func:`write_whole` uses for a moment."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def remove_temporary(folder: Path) -> None:
    """Remove what a killed process had begun to write."""
    for path in folder.rglob(f"{_PREFIX}*{_SUFFIX}"):
        path.unlink()
