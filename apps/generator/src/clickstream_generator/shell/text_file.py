"""Text files that options of ``clickstream generate`` name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.errors import SimulationInvalid

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_text"]


def read_text(option: str, path: Path, most_bytes: int) -> str:
    """Return the text of a file, without a byte order mark.

    Args:
        option: The option's name, for errors.
        path: The file.
        most_bytes: Largest size; a larger file is not read.

    Raises:
        SimulationInvalid: The file cannot be read, is too large, or is not UTF-8. No content is
            shown.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise SimulationInvalid(option, str(path), f"it cannot be read: {error}") from None
    if len(content) > most_bytes:
        raise SimulationInvalid(option, str(path), f"at most {most_bytes:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SimulationInvalid(
            option, str(path), f"line {line} is not UTF-8; save the file as UTF-8"
        ) from None
