"""Text files of options: encodings, and files that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_text_is_read(tmp_path: Path, start: bytes) -> None:
    """UTF-8 is read, with or without a byte order mark, up to the largest size."""
    (tmp_path / "a").write_bytes(start + "ä\n".encode())
    assert read_text("--x", tmp_path / "a", 6) == "ä\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"1234567", "at most 6 bytes"),
        (b"a\n\xe9", "line 2 is not UTF-8; save the file as UTF-8"),
        ("a".encode("utf-16"), "line 1 is not UTF-8"),
        (None, "it cannot be read: "),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    """A file that is missing, too large or in another encoding is named, without its content."""
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(SimulationInvalid) as refused:
        read_text("--x", tmp_path / "a", 6)
    assert str(refused.value).startswith("--x: '/")
    assert says in str(refused.value)
