"""Columns of bytes: joined, of fixed width, and numbers as variable-length integers.

Every function works on whole columns; there is no loop over single values.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["digits", "fixed", "join", "lengths", "listed", "pool", "varint", "varints"]

_BITS = 7
"""Bits of a number in each byte of a variable-length integer."""
_MORE = 0x80
"""The bit of a byte that another byte follows."""


def join(*parts: pa.Array | bytes) -> pa.Array:
    """Return the values joined element by element; bytes are the same for every element."""
    return pc.binary_join_element_wise(*parts, b"")


def fixed(matrix: np.ndarray) -> pa.Array:
    """Return the rows of a matrix of bytes, without a copy."""
    count, width = matrix.shape
    return _sliced(np.arange(0, (count + 1) * width, width, dtype=np.int32), matrix)


def pool(values: list[bytes]) -> pa.Array:
    """Return values as a column."""
    return pa.array(values, pa.binary())


def digits(numbers: np.ndarray) -> pa.Array:
    """Return whole numbers as decimal digits."""
    return pa.array(np.ascontiguousarray(numbers)).cast(pa.string()).cast(pa.binary())


def lengths(column: pa.Array) -> np.ndarray:
    """Return the number of bytes of each value."""
    return pc.binary_length(column).to_numpy(zero_copy_only=False)


def listed(lines: pa.Array, counts: np.ndarray) -> pa.Array:
    """Return values as lists, each of the given number of values in order."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), lines)


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


def varints(numbers: np.ndarray, before: bytes = b"") -> pa.Array:
    """Return numbers as variable-length integers; see :func:`varint`.

    Args:
        numbers: Shape (values,); integers.
        before: Bytes in front of each number.
    """
    if not len(numbers):
        return pool([])
    rest = numbers.astype(np.int64).view(np.uint64)
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
    ends = np.zeros(len(rest) + 1, dtype=np.int32)
    np.cumsum(size, out=ends[1:])
    return _sliced(ends, octets[np.arange(octets.shape[1]) < size[:, None]])


def _sliced(offsets: np.ndarray, octets: np.ndarray) -> pa.Array:
    """Return the slices of some bytes between consecutive offsets."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(octets)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)
