"""Columns of Arrow: bytes, texts and numbers; joined, of fixed width, as variable-length integers.

Every function works on whole columns. None gives Python values to Arrow, which would first import
pandas wherever it is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "column", "digits", "fixed", "join", "lengths", "listed", "pool", "scalar", "texts", "varint",
    "varints",
]  # fmt: skip

_BITS = 7
"""Bits of a number in each byte of a variable-length integer."""
_MORE = 0x80
"""The bit of a byte that another byte follows."""


def join(*parts: pa.Array | pa.Scalar | str | bytes) -> pa.Array:
    """Return the values joined element by element; constants are the same for every element.

    All parts are texts, or all are bytes.
    """
    known = [scalar(part) if isinstance(part, (str, bytes)) else part for part in parts]
    return pc.binary_join_element_wise(*known, scalar(b"").cast(known[0].type))


def scalar(value: str | bytes) -> pa.Scalar:
    """Return a constant."""
    return texts([value])[0] if isinstance(value, str) else pool([value])[0]


def fixed(matrix: np.ndarray) -> pa.Array:
    """Return the rows of a matrix of bytes, without a copy."""
    count, width = matrix.shape
    return _sliced(np.arange(0, (count + 1) * width, width, dtype=np.int32), matrix)


def column(values: np.ndarray) -> pa.Array:
    """Return numbers or truth values as a column; numbers that are contiguous are not copied."""
    whole = np.ascontiguousarray(values)
    content = np.packbits(whole, bitorder="little") if whole.dtype == bool else whole
    buffers = [None, pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(whole.dtype), len(whole), buffers)


def pool(values: Sequence[bytes]) -> pa.Array:
    """Return values as a column."""
    offsets = _offsets(np.fromiter(map(len, values), np.int32, len(values)))
    return _sliced(offsets, np.frombuffer(b"".join(values), dtype=np.uint8))


def texts(values: Iterable[str]) -> pa.Array:
    """Return texts as a column."""
    return pool([value.encode() for value in values]).view(pa.string())


def digits(values: np.ndarray) -> pa.Array:
    """Return whole numbers as decimal digits."""
    return column(values).cast(pa.string()).cast(pa.binary())


def lengths(column: pa.Array) -> np.ndarray:
    """Return the number of bytes of each value."""
    return pc.binary_length(column).to_numpy(zero_copy_only=False)


def listed(lines: pa.Array, counts: np.ndarray) -> pa.Array:
    """Return values as lists, each of the given number of values in order."""
    return pa.ListArray.from_arrays(column(_offsets(counts)), lines)


def varint(number: int) -> bytes:
    """Return a number of at most 64 bits as a variable-length integer.

    Seven bits a byte, the lowest first; the highest bit is set if another byte follows. Negative
    numbers are taken modulo 2**64.
    """
    rest = number % 2**64
    octets = bytearray()
    while rest >= _MORE:
        octets.append(rest & (_MORE - 1) | _MORE)
        rest >>= _BITS
    octets.append(rest)
    return bytes(octets)


def varints(values: np.ndarray, before: bytes = b"") -> pa.Array:
    """Return numbers as variable-length integers; see :func:`varint`.

    Args:
        values: Shape (values,); integers.
        before: Bytes in front of each number.
    """
    if not len(values):
        return pool([])
    rest = values.astype(np.int64).view(np.uint64)
    start, width = len(before), len(varint(int(rest.max())))
    octets = np.empty((len(rest), start + width), dtype=np.uint8)
    octets[:, :start] = np.frombuffer(before, dtype=np.uint8)
    size = np.full(len(rest), start + 1, dtype=np.int32)
    for place in range(width):
        octets[:, start + place] = rest.astype(np.uint8) | _MORE
        rest = rest >> np.uint64(_BITS)
        size += rest > 0
    octets[np.arange(len(rest)), size - 1] &= _MORE - 1
    if size.min() == octets.shape[1]:
        return fixed(octets)
    return _sliced(_offsets(size), octets[np.arange(octets.shape[1]) < size[:, None]])


def _offsets(counts: np.ndarray) -> np.ndarray:
    """Return where each value begins, and where the last one ends."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _sliced(offsets: np.ndarray, octets: np.ndarray) -> pa.Array:
    """Return the slices of some bytes between consecutive offsets."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(octets)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
