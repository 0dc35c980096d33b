"""Formats of ids and timestamps, checked and parsed for a whole column at once.

Owns the two formats. The functions work on the bytes of Arrow columns.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["are_uuids", "as_mask", "contains", "start_and_end_bytes", "timestamps", "uuid_bytes"]

_UUID = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"
_TIME = "dddd-dd-ddTdd:dd:dd.dddZ"
_TIME_PARTS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 23))
_CLASSES = {"h": b"0123456789abcdef", "d": b"0123456789"}
_HEX_PLACES = [at for at, mark in enumerate(_UUID) if mark == "h"]
_NIBBLES = np.zeros(256, dtype=np.uint8)
_NIBBLES[np.frombuffer(_CLASSES["h"], dtype=np.uint8)] = np.arange(16)
_DAY_MICROSECONDS = 86_400_000_000
_UNITS_MICROSECONDS = (3_600_000_000, 60_000_000, 1_000_000, 1_000)


def are_uuids(texts: pa.StringArray) -> np.ndarray:
    """Return which texts are UUIDs in lower case; a null is none."""
    rows, matrix = _with_length(texts, len(_UUID))
    return _scattered(len(texts), rows, _matches(matrix, _UUID))


def uuid_bytes(uuids: pa.StringArray) -> np.ndarray:
    """Return the 16 bytes of each UUID, shape (uuids, 16); a null gives zeros."""
    rows, matrix = _with_length(uuids, len(_UUID))
    nibbles = _NIBBLES[matrix[:, _HEX_PLACES]]
    found = np.zeros((len(uuids), 16), dtype=np.uint8)
    found[rows] = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
    return found


def timestamps(texts: pa.StringArray) -> pa.TimestampArray:
    """Parse timestamps such as ``2026-01-31T12:00:00.000Z``; any other text gives null."""
    rows, matrix = _with_length(texts, len(_TIME))
    formed = _matches(matrix, _TIME)
    if not formed.all():
        rows, matrix = rows[formed], matrix[formed]
    year, month, day, *clock = (_number(matrix[:, begin:end]) for begin, end in _TIME_PARTS)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first_day = first.astype("datetime64[D]").astype(np.int64)
    days_in_month = (first + 1).astype("datetime64[D]").astype(np.int64) - first_day
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (day <= days_in_month)
    exists &= (clock[0] < 24) & (clock[1] < 60) & (clock[2] < 60)
    unix = (first_day + day - 1) * _DAY_MICROSECONDS
    for part, microseconds in zip(clock, _UNITS_MICROSECONDS, strict=True):
        unix += part * microseconds
    found = np.zeros(len(texts), dtype=np.int64)
    found[rows] = unix
    known = _scattered(len(texts), rows, exists)
    return pa.array(found, pa.timestamp("us", "UTC"), mask=None if known.all() else ~known)


def start_and_end_bytes(values: pa.BinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last byte of each value; 0 for an empty value or null."""
    ends, data = _buffers(values)
    first, last = np.zeros(len(values), dtype=np.uint8), np.zeros(len(values), dtype=np.uint8)
    filled = np.flatnonzero(ends[1:] > ends[:-1])
    first[filled], last[filled] = data[ends[filled]], data[ends[filled + 1] - 1]
    return first, last


def contains(values: pa.BinaryArray, mark: bytes) -> np.ndarray | None:
    """Return which values contain a mark; ``None`` if no value does."""
    ends, data = _buffers(values)
    # Usually no value contains the mark: search all values at once, without copying them.
    data = data[ends[0] : ends[-1]]
    found = np.flatnonzero(data == mark[0])
    for place, byte in enumerate(mark[1:], 1):
        found = found[found < len(data) - place]
        found = found[data[found + place] == byte]
    return as_mask(pc.match_substring(values, mark)) if len(found) else None


def as_mask(answers: pa.BooleanArray) -> np.ndarray:
    """Return Arrow's booleans as a NumPy mask; null counts as false."""
    if answers.null_count:
        answers = pc.fill_null(answers, fill_value=False)
    return np.asarray(answers.to_numpy(zero_copy_only=False), dtype=bool)


def _buffers(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the start of the first value and the end of each value, and the bytes."""
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    return ends, np.frombuffer(data or b"", dtype=np.uint8)


def _with_length(texts: pa.StringArray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of texts with this length, and their bytes, one text per row."""
    ends, data = _buffers(texts)
    fitting = np.diff(ends) == width
    if texts.null_count:
        fitting &= as_mask(pc.is_valid(texts))
    rows = np.flatnonzero(fitting)
    if len(rows) == len(texts):
        return rows, data[ends[0] : ends[-1]].reshape(-1, width)
    return rows, data[ends[rows][:, None] + np.arange(width)]


def _matches(matrix: np.ndarray, form: str) -> np.ndarray:
    """Return which rows match a format: each byte is of its class or equals its literal."""
    allowed = np.zeros(256, dtype=np.uint8)
    needed = np.empty(len(form), dtype=np.uint8)
    bits = {mark: 1 << at for at, mark in enumerate(dict.fromkeys(form))}
    for mark, bit in bits.items():
        for byte in _CLASSES.get(mark, mark.encode()):
            allowed[byte] |= bit
    needed[:] = [bits[mark] for mark in form]
    return np.asarray(((allowed[matrix] & needed) != 0).all(axis=1))


def _number(digits: np.ndarray) -> np.ndarray:
    """Return the number that each row of digits represents."""
    number = np.zeros(len(digits), dtype=np.int64)
    for column in digits.T:
        number = number * 10 + (column - 48)
    return number


def _scattered(size: int, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return a mask over all rows from answers for some rows; other rows are false."""
    if len(rows) == size:
        return answers
    mask = np.zeros(size, dtype=bool)
    mask[rows] = answers
    return mask
