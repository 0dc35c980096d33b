"""Rows in the form of PostgreSQL's binary COPY.

Owns that form (https://www.postgresql.org/docs/18/sql-copy.html, "Binary Format"), written for
whole columns at once: so the server need not parse ids, times and numbers, nor look for quotes.
It does not know a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickstream_streaming.core.forms import uuid_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["binary_rows"]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH_MICROSECONDS = 946_684_800_000_000
"""PostgreSQL counts from the year 2000."""
_NUMBERS = {"integer": ">i4", "bigint": ">i8", "timestamp with time zone": ">i8"}
_JSONB_VERSION = b"\x01"
_CHUNK = 4_096


def binary_rows(rows: pa.Table, types: Mapping[str, str]) -> Iterator[bytes]:
    """Return rows as COPY takes them, in pieces.

    Args:
        rows: The rows; ids are text.
        types: The columns' types by PostgreSQL's names: ``uuid``, ``text``, ``jsonb``, ``bytea``,
            ``integer``, ``bigint``, ``timestamp with time zone``.
    """
    yield _HEADER
    for at in range(0, rows.num_rows, _CHUNK):
        part = rows.slice(at, _CHUNK).combine_chunks().to_batches()[0]
        yield _chunk(part, [types[name] for name in rows.column_names])
    yield _TRAILER


def _chunk(rows: pa.RecordBatch, types: list[str]) -> bytes:
    """Return some rows: the number of fields, then of each its size (-1 if null) and its bytes."""
    size = rows.num_rows
    # Sizes and numbers are as wide in every row: what stands side by side is joined beforehand.
    even = [np.tile(_as_bytes(np.array([len(types)]), ">i2"), (size, 1))]
    parts: list[pa.BinaryArray] = []
    for column, name in zip(rows.columns, types, strict=True):
        width, field = _field(column, name)
        if column.null_count:
            width = np.where(pc.is_valid(column).to_numpy(zero_copy_only=False), width, -1)
        even.append(_as_bytes(width, ">i4"))
        if column.null_count == size:
            continue
        if isinstance(field, np.ndarray) and not column.null_count:
            even.append(field)
            continue
        data = _as_array(field) if isinstance(field, np.ndarray) else field
        parts += [_as_array(np.hstack(even)), pc.if_else(pc.is_valid(column), data, b"")]
        even = []
    if even:
        parts.append(_as_array(np.hstack(even)))
    joined = pc.binary_join_element_wise(*parts, b"")
    length = pc.sum(pc.binary_length(joined)).as_py()
    return memoryview(joined.buffers()[2])[:length].tobytes()


def _field(column: pa.Array, name: str) -> tuple[np.ndarray, np.ndarray | pa.BinaryArray]:
    """Return how many bytes each value has, and these: a matrix where all have as many."""
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
    """Return numbers as bytes, one number in each row."""
    return values.astype(form).view(np.uint8).reshape(len(values), -1)


def _as_array(matrix: np.ndarray) -> pa.BinaryArray:
    """Return the rows of a matrix of bytes as values."""
    size, width = matrix.shape
    offsets = np.arange(size + 1, dtype=np.int32) * width
    data = np.ascontiguousarray(matrix)
    return pa.BinaryArray.from_buffers(
        pa.binary(), size, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
