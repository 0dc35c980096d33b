"""Values in Avro's and Protobuf's binary form, one at a time or as columns.

Owns both forms. A *piece* is one field of an event as bytes; a record is its fields' pieces in the
contract's order. In Avro an absent field is one byte, in Protobuf it has none.

- Avro: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
- Protobuf: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from clickstream_contract.events import EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.schemas import (
    ENUM_FIELD,
    EVENT_NAME_NUMBERS,
    EVENT_NUMBERS,
    ITEM_NUMBERS,
)

from clickstream_generator.core.byte_columns import join, lengths, pool, varint, varints

if TYPE_CHECKING:
    import pyarrow as pa
    from clickstream_contract.fields import Field

__all__ = ["AVRO", "PROTOBUF", "Wire"]

_UNKNOWN_NAME: Final = 99
"""The number of no event name."""
_NULL, _PRESENT = b"\x00", b"\x02"
"""Avro's branches of a union of null and a type."""
_VARINT, _LENGTH, _NO_TYPE = 0, 2, 7
"""Protobuf's wire types, and a number that is none."""
_NANOSECONDS: Final = 1_000_000
_MILLISECONDS: Final = 1_000


class Wire(Protocol):
    """A binary form."""

    def piece(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        """Return a field from its JSON value; ``None`` for an absent one."""

    def item_piece(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        """Return a field of an order line from its JSON value."""

    def text_start(self, row: Field, size: int) -> bytes:
        """Return what comes before a text of this many bytes."""

    def numbers(self, row: Field, values: np.ndarray) -> pa.Array:
        """Return a field of whole numbers, as a column."""

    def times(self, row: Field, unix_ms: np.ndarray) -> pa.Array:
        """Return a field of times in Unix milliseconds, as a column."""

    def lines(self, before: pa.Array, quantities: np.ndarray, after: pa.Array) -> pa.Array:
        """Return order lines, as a column: the pieces before and after the quantity are given."""

    def line_list(self, counts: np.ndarray, joined: pa.Array) -> pa.Array:
        """Return the field ``items``: the joined lines of each event; absent without a line."""

    def unknown_name(self) -> bytes:
        """Return the piece of an event name that the schema does not have."""

    def wrong_type(self, row: Field) -> bytes:
        """Return a number's piece with another type, which no reader can decode."""

    def hollow(self, row: Field) -> bytes:
        """Return a time's piece without its value, which no reader can decode at the end."""


class _Avro:
    """Avro's binary form."""

    def piece(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        if not row.is_optional:
            return self._body(row, value)
        return _NULL if value is None else _PRESENT + self._body(row, value)

    def item_piece(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        return self._body(row, value)

    def text_start(self, row: Field, size: int) -> bytes:
        return self._branch(row) + varint(_zigzag(size))

    def numbers(self, row: Field, values: np.ndarray) -> pa.Array:
        return varints(_zigzags(values), self._branch(row))

    def times(self, row: Field, unix_ms: np.ndarray) -> pa.Array:
        return varints(_zigzags(unix_ms), self._branch(row))

    def lines(self, before: pa.Array, quantities: np.ndarray, after: pa.Array) -> pa.Array:
        return join(before, varints(_zigzags(quantities)), after)

    def line_list(self, counts: np.ndarray, joined: pa.Array) -> pa.Array:
        starts = [_PRESENT + varint(_zigzag(count)) for count in range(int(counts.max()) + 1)]
        ends = [b"\x00"] * len(starts)
        starts[0], ends[0] = _NULL, b""
        return join(pool(starts).take(counts), joined, pool(ends).take(counts))

    def unknown_name(self) -> bytes:
        return varint(_zigzag(_UNKNOWN_NAME))

    def wrong_type(self, row: Field) -> bytes:
        # A text; its second letter is then the next text's length, and negative.
        return self.text_start(row, 4) + b"many"

    def hollow(self, row: Field) -> bytes:
        return self._branch(row)

    def _branch(self, row: Field) -> bytes:
        return _PRESENT if row.is_optional else b""

    def _body(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        if row.type is FieldType.ITEMS:
            lines = b"".join(
                self._body(part, line[part.name]) for line in value for part in ITEM_FIELDS
            )
            return varint(_zigzag(len(value))) + lines + b"\x00"
        if row.type is FieldType.TIMESTAMP:
            return varint(_zigzag(_unix_ms(value)))
        if row.type in {FieldType.INTEGER, FieldType.BIGINT}:
            return varint(_zigzag(value))
        if row.name == ENUM_FIELD:
            return varint(_zigzag(EVENT_NAMES.index(value)))
        text = value.encode()
        return varint(_zigzag(len(text))) + text


class _Protobuf:
    """Protobuf's binary form, fields by ascending number."""

    def __init__(self) -> None:
        self._nanoseconds = pool(
            [b"", *(_tag(2, _VARINT) + varint(ms * _NANOSECONDS) for ms in range(1, _MILLISECONDS))]
        )

    def piece(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        if value is None:
            return b""
        number = EVENT_NUMBERS[row.name]
        if row.type is FieldType.ITEMS:
            return b"".join(_sized(number, self._line(line)) for line in value)
        if row.type is FieldType.TIMESTAMP:
            seconds, ms = divmod(_unix_ms(value), _MILLISECONDS)
            return _sized(
                number, _tag(1, _VARINT) + varint(seconds) + self._nanoseconds[ms].as_py()
            )
        if row.name == ENUM_FIELD:
            return _tag(number, _VARINT) + varint(EVENT_NAME_NUMBERS[value])
        return _scalar(number, value)

    def item_piece(self, row: Field, value: Any) -> bytes:  # noqa: ANN401  any JSON value
        return _scalar(ITEM_NUMBERS[row.name], value)

    def text_start(self, row: Field, size: int) -> bytes:
        return _tag(EVENT_NUMBERS[row.name], _LENGTH) + varint(size)

    def numbers(self, row: Field, values: np.ndarray) -> pa.Array:
        return varints(values, _tag(EVENT_NUMBERS[row.name], _VARINT))

    def times(self, row: Field, unix_ms: np.ndarray) -> pa.Array:
        seconds, ms = np.divmod(unix_ms, _MILLISECONDS)
        body = join(varints(seconds, _tag(1, _VARINT)), self._nanoseconds.take(ms))
        return join(varints(lengths(body), _tag(EVENT_NUMBERS[row.name], _LENGTH)), body)

    def lines(self, before: pa.Array, quantities: np.ndarray, after: pa.Array) -> pa.Array:
        quantity = varints(quantities, _tag(ITEM_NUMBERS["quantity"], _VARINT))
        size = lengths(before) + lengths(quantity) + lengths(after)
        start = varints(size, _tag(EVENT_NUMBERS["items"], _LENGTH))
        return join(start, before, quantity, after)

    def line_list(self, _counts: np.ndarray, joined: pa.Array) -> pa.Array:
        return joined

    def unknown_name(self) -> bytes:
        return _tag(EVENT_NUMBERS[ENUM_FIELD], _VARINT) + varint(_UNKNOWN_NAME)

    def wrong_type(self, row: Field) -> bytes:
        return _tag(EVENT_NUMBERS[row.name], _NO_TYPE) + varint(1)

    def hollow(self, row: Field) -> bytes:
        return self.text_start(row, 11)

    def _line(self, line: dict[str, Any]) -> bytes:
        return b"".join(self.item_piece(part, line[part.name]) for part in ITEM_FIELDS)


def _scalar(number: int, value: str | int) -> bytes:
    """Return a text or a whole number as a field of Protobuf."""
    if isinstance(value, str):
        return _sized(number, value.encode())
    return _tag(number, _VARINT) + varint(value)


def _sized(number: int, content: bytes) -> bytes:
    return _tag(number, _LENGTH) + varint(len(content)) + content


def _tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def _zigzag(number: int) -> int:
    """Return Avro's mapping of signed numbers: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return (number << 1) ^ (number >> 63)


def _zigzags(numbers: np.ndarray) -> np.ndarray:
    wide = numbers.astype(np.int64)
    return (wide << 1) ^ (wide >> 63)


def _unix_ms(text: str) -> int:
    """Return a time of the contract's form in Unix milliseconds."""
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))


AVRO: Final[Wire] = _Avro()
PROTOBUF: Final[Wire] = _Protobuf()
