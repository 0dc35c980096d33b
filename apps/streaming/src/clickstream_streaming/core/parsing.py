"""Bytes to columns: many records at a time, and with care those that cannot go that way.

Owns how the records' texts are read. Arrow reads a whole chunk as if it were a file of JSON lines,
which is strict: it takes nothing that :mod:`clickstream_streaming.core.careful` would not, and
if it takes a chunk, each record of it is one row. What it refuses is read in smaller parts, at last
one by one. It does not know what values are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson
from clickstream_contract.events import ITEM_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.topics import RejectReason

from clickstream_streaming.core.careful import Row, read_carefully
from clickstream_streaming.core.forms import containing, start_and_end_bytes, truths

__all__ = ["Parsed", "parse", "parse_carefully"]

_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.UUID: pa.string(),
    FieldType.TIMESTAMP: pa.string(),
    FieldType.INTEGER: pa.int32(),
    FieldType.BIGINT: pa.int64(),
}
_FEW = 256
"""So many records are read one by one if one among them cannot be read with the others."""
_PARTS = 8
_DEEP_BYTES = 1_000
"""A shorter text cannot be nested so deeply that reading it one by one would not end well."""
_DEEP = 400
_NO_NUMBERS = (b"NaN", b"Inf")
"""No JSON, but Arrow takes them for numbers in fields that nobody wants."""


@dataclass(frozen=True)
class Parsed:
    """What some records hold.

    Attributes:
        rows: Which of the records are objects of the schema, ascending; shape (objects,).
        objects: These, a column for each field.
        wrong_texts: Mask over ``objects``: a field that should be text is not.
        reasons: Of all other records, by their number, why they are none.
    """

    rows: np.ndarray
    objects: pa.RecordBatch
    wrong_texts: np.ndarray
    reasons: dict[int, RejectReason]


def parse(values: pa.BinaryArray, fields: tuple[Field, ...]) -> Parsed:
    """Read records.

    Args:
        values: Their bytes; some thousands, so that a processor's cache holds them.
        fields: The fields that are wanted; others are passed over.
    """
    reader = _Reader(values, fields)
    readable = reader.refuse_unreadable()
    together = _are_plain(values)[readable]
    reader.read_together(readable[together])
    reader.read_one_by_one(readable[~together])
    return reader.result()


def parse_carefully(values: pa.BinaryArray, fields: tuple[Field, ...]) -> Parsed:
    """Read records one by one: the same as :func:`parse`, and many times slower."""
    reader = _Reader(values, fields)
    reader.read_one_by_one(reader.refuse_unreadable())
    return reader.result()


class _Reader:
    """Some records on their way to a table."""

    def __init__(self, values: pa.BinaryArray, fields: tuple[Field, ...]) -> None:
        self._values = values
        self._fields = fields
        self._reasons: dict[int, RejectReason] = {}
        self._parts: list[tuple[np.ndarray, pa.RecordBatch]] = []
        self._wrong_texts: list[int] = []

    def refuse_unreadable(self) -> np.ndarray:
        """Refuse what is no text, and return the numbers of the others."""
        sizes = pc.fill_null(pc.binary_length(self._values), 0).to_numpy()
        readable = sizes <= MAX_EVENT_BYTES
        self._refuse(np.flatnonzero(~readable), RejectReason.OVERSIZED)
        if self._values.null_count:
            missing = truths(pc.is_null(self._values))
            self._refuse(np.flatnonzero(missing), RejectReason.NO_VALUE)
            readable &= ~missing
        rows = np.flatnonzero(readable)
        chosen = self._take(rows)
        try:
            chosen.cast(pa.string())
        except (pa.ArrowInvalid, UnicodeDecodeError):
            fine = np.array([_is_utf8(value) for value in chosen.to_pylist()], dtype=bool)
            self._refuse(rows[~fine], RejectReason.BAD_ENCODING)
            rows = rows[fine]
        return rows

    def read_together(self, rows: np.ndarray) -> None:
        """Read records at once; if one of them cannot be read so, in parts, at last one by one."""
        if not len(rows):
            return
        objects = _read_lines(self._take(rows), _schema(self._fields))
        if objects is not None:
            self._parts.append((rows, objects))
        elif len(rows) <= _FEW:
            self.read_one_by_one(rows)
        else:
            for part in np.array_split(rows, _PARTS):
                self.read_together(part)

    def read_one_by_one(self, rows: np.ndarray) -> None:
        """Read each record for itself."""
        found, kept = [], []
        for number in rows.tolist():
            row = read_carefully(self._values[number].as_py(), self._fields)
            if isinstance(row, Row):
                found.append(row.values)
                kept.append(number)
                if row.is_text_wrong:
                    self._wrong_texts.append(number)
            else:
                self._reasons[number] = row
        if kept:
            schema = _schema(self._fields)
            part = pa.RecordBatch.from_pylist(found, schema)
            self._parts.append((np.array(kept), part))

    def result(self) -> Parsed:
        """Return all that was read, in the records' order."""
        if not self._parts:
            empty = _schema(self._fields).empty_table().to_batches()
            objects = empty[0] if empty else pa.RecordBatch.from_pylist([], _schema(self._fields))
            return Parsed(np.zeros(0, int), objects, np.zeros(0, bool), self._reasons)
        rows = np.concatenate([numbers for numbers, _ in self._parts])
        objects = pa.concat_batches([part for _, part in self._parts])
        if len(self._parts) > 1:
            order = np.argsort(rows)
            rows, objects = rows[order], objects.take(pa.array(order))
        return Parsed(rows, objects, np.isin(rows, self._wrong_texts), self._reasons)

    def _refuse(self, rows: np.ndarray, reason: RejectReason) -> None:
        self._reasons |= dict.fromkeys(rows.tolist(), reason)

    def _take(self, rows: np.ndarray) -> pa.BinaryArray:
        """Return some records; all of them without copying."""
        return self._values if len(rows) == len(self._values) else self._values.take(pa.array(rows))


def _read_lines(values: pa.BinaryArray, schema: pa.Schema) -> pa.RecordBatch | None:
    """Read records as lines of JSON, or return nothing if that is not what they are."""
    lines = pc.binary_join_element_wise(values, b"", b"\n")
    text = pa.py_buffer(memoryview(lines.buffers()[2])[: pc.sum(pc.binary_length(lines)).as_py()])
    try:
        table = pajson.read_json(
            pa.BufferReader(text),
            read_options=pajson.ReadOptions(use_threads=False, block_size=text.size + 1),
            parse_options=pajson.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    # Each begins with a brace, so each is one object at least: none of them is two.
    return table.combine_chunks().to_batches()[0] if table.num_rows == len(values) else None


def _are_plain(values: pa.BinaryArray) -> np.ndarray:
    """Say which records look like one object that Arrow and a careful reader see alike."""
    first, last = start_and_end_bytes(values)
    plain = (first == ord("{")) & (last == ord("}"))
    for mark in _NO_NUMBERS:
        found = containing(values, mark)
        if found is not None:
            plain &= ~found
    long = np.flatnonzero(
        plain & (pc.fill_null(pc.binary_length(values), 0).to_numpy() > _DEEP_BYTES)
    )
    if len(long):
        chosen = values.take(pa.array(long))
        opened = pc.add(pc.count_substring(chosen, b"["), pc.count_substring(chosen, b"{"))
        plain[long] = opened.to_numpy() < _DEEP
    return plain


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


@cache
def _schema(fields: tuple[Field, ...]) -> pa.Schema:
    """Return the columns for some fields; ids and times are text, a rule looks at them."""
    lines = pa.list_(pa.struct([(item.name, _TYPES[item.type]) for item in ITEM_FIELDS]))
    types = _TYPES | {FieldType.ITEMS: lines}
    return pa.schema([(field.name, types[field.type]) for field in fields])
