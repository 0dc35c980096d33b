"""Rows in the format of PostgreSQL's binary COPY.

Owns the encoding (https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format") of whole
columns. With it the server parses no ids, timestamps and numbers, and searches no quotes. Each
column is encoded once, even for several tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickstream_streaming.core.validation.text_formats import uuid_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["BinaryRows"]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH_MICROSECONDS = 946_684_800_000_000
"""2000-01-01 as Unix time, the start of PostgreSQL's timestamps."""
_NUMBERS = {"integer": ">i4", "bigint": ">i8", "timestamp with time zone": ">i8"}
_JSONB_VERSION = b"\x01"
_CHUNK = 4_096
_CHUNK_BYTES = 256 << 20
"""Arrow counts the bytes of a chunk with 31 bits and silently cuts a larger one."""


@dataclass(frozen=True)
class _Column:
    """Encoded values of a column.

    Attributes:
        sizes: The size of each value as four bytes, -1 for null; shape (values, 4).
        data: The bytes: a matrix if all values have the same size; ``None`` if all are null.
    """

    sizes: np.ndarray
    data: np.ndarray | pa.BinaryArray | None


class BinaryRows:
    """Rows that COPY can write, with any choice of columns.

    Args:
        rows: The rows; ids are text.
        types: The types of the columns in PostgreSQL: ``uuid``, ``text``, ``jsonb``, ``bytea``,
            ``integer``, ``bigint``, ``timestamp with time zone``.
    """

    def __init__(self, rows: pa.Table, types: Mapping[str, str]) -> None:
        self._types = types
        self._chunks = [
            (chunk.combine_chunks().to_batches()[0], dict[str, _Column]())
            for at in range(0, rows.num_rows, _CHUNK)
            for chunk in _of_bounded_size(rows.slice(at, _CHUNK))
        ]

    def of(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the bytes of COPY for some columns of all rows."""
        yield _HEADER
        for rows, known in self._chunks:
            for name in names:
                if name not in known:
                    known[name] = _column(rows.column(name), self._types[name])
            yield _joined([known[name] for name in names], rows.num_rows)
        yield _TRAILER


def _of_bounded_size(rows: pa.Table) -> Iterator[pa.Table]:
    """Yield rows in parts within the size limit; a single row may exceed it."""
    if rows.nbytes <= _CHUNK_BYTES or rows.num_rows == 1:
        yield rows
        return
    half = rows.num_rows // 2
    yield from _of_bounded_size(rows.slice(0, half))
    yield from _of_bounded_size(rows.slice(half))


def _joined(columns: list[_Column], size: int) -> bytes:
    """Return the bytes of some rows: the number of fields, then each field's size and bytes."""
    # Sizes and numbers have the same width in every row: adjacent ones are joined beforehand.
    even = [np.tile(_as_bytes(np.array([len(columns)]), ">i2"), (size, 1))]
    parts: list[pa.BinaryArray] = []
    for column in columns:
        even.append(column.sizes)
        if isinstance(column.data, np.ndarray):
            even.append(column.data)
        elif column.data is not None:
            parts += [_as_array(np.hstack(even)), column.data]
            even = []
    if even:
        parts.append(_as_array(np.hstack(even)))
    joined = pc.binary_join_element_wise(*parts, b"")
    length = pc.sum(pc.binary_length(joined)).as_py()
    return memoryview(joined.buffers()[2])[:length].tobytes()


def _column(values: pa.Array, name: str) -> _Column:
    """Encode the values of a column."""
    if values.null_count == len(values):
        return _Column(_as_bytes(np.full(len(values), -1), ">i4"), None)
    width, data = _field(values, name)
    if not values.null_count:
        return _Column(_as_bytes(width, ">i4"), data)
    valid = pc.is_valid(values)
    width = np.where(valid.to_numpy(zero_copy_only=False), width, -1)
    data = _as_array(data) if isinstance(data, np.ndarray) else data
    return _Column(_as_bytes(width, ">i4"), pc.if_else(valid, data, b""))


def _field(column: pa.Array, name: str) -> tuple[np.ndarray, np.ndarray | pa.BinaryArray]:
    """Return the size and bytes of each value; a matrix if all sizes are equal."""
    size = len(column)
    if name == "uuid":
        return np.full(size, 16), uuid_bytes(column)
    if name in _NUMBERS:
        number = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        values = pc.fill_null(number, 0).to_numpy()
        if name == "timestamp with time zone":
            values = values - _EPOCH_MICROSECONDS
        field = _as_bytes(values, _NUMBERS[name])
        return np.full(size, field.shape[1]), field
    data = column.cast(pa.binary())
    if name == "jsonb":
        data = pc.binary_join_element_wise(_JSONB_VERSION, data, b"")
    return pc.fill_null(pc.binary_length(data), 0).to_numpy(), data


def _as_bytes(values: np.ndarray, form: str) -> np.ndarray:
    """Return numbers as bytes, one number per row."""
    return values.astype(form).view(np.uint8).reshape(len(values), -1)


def _as_array(matrix: np.ndarray) -> pa.BinaryArray:
    """Return the rows of a matrix of bytes as an Arrow array."""
    size, width = matrix.shape
    offsets = np.arange(size + 1, dtype=np.int32) * width
    data = np.ascontiguousarray(matrix)
    return pa.BinaryArray.from_buffers(
        pa.binary(), size, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
