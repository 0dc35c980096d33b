"""File formats for events: JSON lines, CSV and Parquet, each compressed.

A file is built in memory and then written at once.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from clickstream_generator.core.event_columns import event_schema, event_table, flat_table

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FILE_FORMATS", "CsvFile", "EventFile", "JsonLinesFile", "ParquetFile"]

_GZIP_LEVEL = 1
"""Higher levels take three times as long for files that are a sixth smaller."""
_GZIP_BITS = 31
"""zlib's window bits for a gzip header and checksum."""
_GROUP_ROWS = 20_000


class EventFile(Protocol):
    """A file of events under construction.

    Attributes:
        suffix: End of the file's name.
        has_columns: Whether the format has columns, so that it holds only valid events.
    """

    suffix: str
    has_columns: bool

    def add(self, values: list[bytes]) -> None:
        """Add encoded events."""

    def content(self) -> bytes:
        """Return the file's content and close it; call it once."""


class JsonLinesFile:
    """A file with one record per line; a record without a value is an empty line."""

    suffix = ".jsonl.gz"
    has_columns = False

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_BITS)
        self._packed: list[bytes] = []

    def add(self, values: list[bytes]) -> None:
        """Add records."""
        self._packed.append(self._packer.compress(b"\n".join(values) + b"\n"))

    def content(self) -> bytes:
        """Return the file's content and close it."""
        return b"".join([*self._packed, self._packer.flush()])


class CsvFile:
    """A file with a header and one event per line; ``items`` is JSON."""

    suffix = ".csv.gz"
    has_columns = True

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_BITS)
        self._packed: list[bytes] = []

    def add(self, values: list[bytes]) -> None:
        """Add events."""
        text = pa.BufferOutputStream()
        options = pc.WriteOptions(include_header=not self._packed)
        pc.write_csv(flat_table(values), text, options)
        self._packed.append(self._packer.compress(text.getvalue()))

    def content(self) -> bytes:
        """Return the file's content and close it."""
        return b"".join([*self._packed, self._packer.flush()])


class ParquetFile:
    """A file with typed columns; times are UTC with milliseconds, ``items`` is a list."""

    suffix = ".parquet"
    has_columns = True

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._packed = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._packed, event_schema(), compression="zstd")

    def add(self, values: list[bytes]) -> None:
        """Add events; write a row group once there are enough."""
        self._waiting += values
        if len(self._waiting) >= _GROUP_ROWS:
            self._write()

    def content(self) -> bytes:
        """Return the file's content and close it."""
        if self._waiting:
            self._write()
        self._writer.close()
        return bytes(self._packed.getvalue())

    def _write(self) -> None:
        self._writer.write_table(event_table(self._waiting))
        self._waiting = []


FILE_FORMATS: Mapping[str, type[EventFile]] = {
    "jsonl": JsonLinesFile,
    "csv": CsvFile,
    "parquet": ParquetFile,
}
"""The formats, by their name in ``--output``."""
