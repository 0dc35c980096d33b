"""The way from bytes to columns: Arrow parses most records in bulk, Python the rest one by one.

Owns the choice between the two parsers. Arrow parses a chunk like a file of JSON lines. Arrow is
strict: it accepts nothing that ``record_parser`` rejects, and each record of an accepted chunk is
one row. A rejected chunk is split into smaller parts, down to single records.
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

from clickstream_streaming.core.validation.record_parser import ParsedRecord, parse_record
from clickstream_streaming.core.validation.text_formats import (
    as_mask,
    contains,
    start_and_end_bytes,
)

__all__ = ["Parsed", "parse", "parse_one_by_one"]

_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.UUID: pa.string(),
    FieldType.TIMESTAMP: pa.string(),
    FieldType.INTEGER: pa.int32(),
    FieldType.BIGINT: pa.int64(),
}
_SMALL_CHUNK = 256
"""Arrow rejects a chunk because of one record; a chunk of at most this size is read one by one."""
_PARTS = 8
_SHORT_BYTES = 1_000
"""A shorter text cannot be nested too deeply for Python's parser."""
_DEEP = 400
_NOT_JSON = (b"NaN", b"Inf")
"""Not JSON, but Arrow accepts these as numbers in unknown fields."""


@dataclass(frozen=True)
class Parsed:
    """The result of parsing.

    Attributes:
        rows: Indices of the records that fit the schema, ascending; shape (objects,).
        objects: These records, a column for each field.
        wrong_texts: Mask over ``objects``: a text field has another type.
        reasons: The reject reasons of all other records, by index.
    """

    rows: np.ndarray
    objects: pa.RecordBatch
    wrong_texts: np.ndarray
    reasons: dict[int, RejectReason]


def parse(values: pa.BinaryArray, fields: tuple[Field, ...]) -> Parsed:
    """Parse records.

    Args:
        values: The bytes of some thousand records, few enough for a processor's cache.
        fields: The fields to read; others are ignored.
    """
    parser = _Parser(values, fields)
    readable = parser.reject_unreadable()
    together = _are_plain(values)[readable]
    parser.parse_in_bulk(readable[together])
    parser.parse_one_by_one(readable[~together])
    return parser.result()


def parse_one_by_one(values: pa.BinaryArray, fields: tuple[Field, ...]) -> Parsed:
    """Parse records one by one, with the result of :func:`parse` but much slower."""
    parser = _Parser(values, fields)
    parser.parse_one_by_one(parser.reject_unreadable())
    return parser.result()


class _Parser:
    """Parser of one chunk of records."""

    def __init__(self, values: pa.BinaryArray, fields: tuple[Field, ...]) -> None:
        self._values = values
        self._fields = fields
        self._reasons: dict[int, RejectReason] = {}
        self._parts: list[tuple[np.ndarray, pa.RecordBatch]] = []
        self._wrong_texts: list[int] = []

    def reject_unreadable(self) -> np.ndarray:
        """Reject records that are not text; return the indices of all others."""
        sizes = pc.fill_null(pc.binary_length(self._values), 0).to_numpy()
        readable = sizes <= MAX_EVENT_BYTES
        self._reject(np.flatnonzero(~readable), RejectReason.OVERSIZED)
        if self._values.null_count:
            missing = as_mask(pc.is_null(self._values))
            self._reject(np.flatnonzero(missing), RejectReason.NO_VALUE)
            readable &= ~missing
        rows = np.flatnonzero(readable)
        chosen = self._take(rows)
        try:
            chosen.cast(pa.string())
        except (pa.ArrowInvalid, UnicodeDecodeError):
            fine = np.array([_is_utf8(value) for value in chosen.to_pylist()], dtype=bool)
            self._reject(rows[~fine], RejectReason.BAD_ENCODING)
            rows = rows[fine]
        return rows

    def parse_in_bulk(self, rows: np.ndarray) -> None:
        """Parse records in bulk; split them into parts if Arrow rejects one of them."""
        if not len(rows):
            return
        objects = _read_lines(self._take(rows), _schema(self._fields))
        if objects is not None:
            self._parts.append((rows, objects))
        elif len(rows) <= _SMALL_CHUNK:
            self.parse_one_by_one(rows)
        else:
            for part in np.array_split(rows, _PARTS):
                self.parse_in_bulk(part)

    def parse_one_by_one(self, rows: np.ndarray) -> None:
        """Parse each record alone."""
        found, kept = [], []
        for number in rows.tolist():
            row = parse_record(self._values[number].as_py(), self._fields)
            if isinstance(row, ParsedRecord):
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
        """Return the parsed records in their order."""
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

    def _reject(self, rows: np.ndarray, reason: RejectReason) -> None:
        self._reasons |= dict.fromkeys(rows.tolist(), reason)

    def _take(self, rows: np.ndarray) -> pa.BinaryArray:
        """Return some records, without a copy if they are all."""
        return self._values if len(rows) == len(self._values) else self._values.take(pa.array(rows))


def _read_lines(values: pa.BinaryArray, schema: pa.Schema) -> pa.RecordBatch | None:
    """Parse records as JSON lines; return ``None`` if Arrow rejects one."""
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
    # Each record begins with a brace, so each is at least one object. Equal counts exclude two.
    return table.combine_chunks().to_batches()[0] if table.num_rows == len(values) else None


def _are_plain(values: pa.BinaryArray) -> np.ndarray:
    """Return which records look like one object that both parsers read alike."""
    first, last = start_and_end_bytes(values)
    plain = (first == ord("{")) & (last == ord("}"))
    for mark in _NOT_JSON:
        found = contains(values, mark)
        if found is not None:
            plain &= ~found
    long = np.flatnonzero(
        plain & (pc.fill_null(pc.binary_length(values), 0).to_numpy() > _SHORT_BYTES)
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
    """Return the columns of some fields; ids and timestamps are text for the rules to check."""
    lines = pa.list_(pa.struct([(item.name, _TYPES[item.type]) for item in ITEM_FIELDS]))
    types = _TYPES | {FieldType.ITEMS: lines}
    return pa.schema([(field.name, types[field.type]) for field in fields])
