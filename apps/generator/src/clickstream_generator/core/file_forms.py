"""The forms of a file of events: JSON lines, CSV and Parquet, each compressed.

Owns a file's bytes from its first event to its last. A file is made in memory, so that it can
appear as a whole.
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

__all__ = ["FORMS", "CsvFile", "EventFile", "JsonLinesFile", "ParquetFile"]

_GZIP_LEVEL = 1
"""Higher levels take three times as long for a sixth less."""
_GZIP_BITS = 31
"""zlib's number for gzip's own header and check."""
_GROUP_ROWS = 20_000


class EventFile(Protocol):
    """A file of events under construction.

    Attributes:
        suffix: How the file's name ends.
        has_columns: Whether only valid events fit into it.
    """

    suffix: str
    has_columns: bool

    def add(self, values: list[bytes]) -> None:
        """Add encoded events."""

    def content(self) -> bytes:
        """Return the file; nothing can be added any more."""


class JsonLinesFile:
    """One record per line, as Kafka would get it; a record without a value is an empty line."""

    suffix = ".jsonl.gz"
    has_columns = False

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_BITS)
        self._packed: list[bytes] = []

    def add(self, values: list[bytes]) -> None:
        """Add records."""
        self._packed.append(self._packer.compress(b"\n".join(values) + b"\n"))

    def content(self) -> bytes:
        """Return the file."""
        return b"".join([*self._packed, self._packer.flush()])


class CsvFile:
    """One event per line under a header; order lines are JSON in their column."""

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
        """Return the file."""
        return b"".join([*self._packed, self._packer.flush()])


class ParquetFile:
    """Typed columns; times are UTC with milliseconds, order lines a list."""

    suffix = ".parquet"
    has_columns = True

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._packed = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._packed, event_schema(), compression="zstd")

    def add(self, values: list[bytes]) -> None:
        """Add events; a group of rows is written when there are enough."""
        self._waiting += values
        if len(self._waiting) >= _GROUP_ROWS:
            self._write()

    def content(self) -> bytes:
        """Return the file."""
        if self._waiting:
            self._write()
        self._writer.close()
        return bytes(self._packed.getvalue())

    def _write(self) -> None:
        self._writer.write_table(event_table(self._waiting))
        self._waiting = []


FORMS: Mapping[str, type[EventFile]] = {
    "jsonl": JsonLinesFile,
    "csv": CsvFile,
    "parquet": ParquetFile,
}
"""By the name that ``--output`` has for them."""
