"""The records of a topic as rows of texts.

Owns how a field is found in a record, and what becomes of a record that is no event.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["field_names", "plain", "record_fields", "record_texts", "split_header", "split_indexes"]

_HEADER_BYTES = 5
"""A registry's header: a zero and the number of the schema, 32 bits."""
_MOST_INDEXES = 20
_MOST_NAMES = 50
_MOST_LEVELS = 8
_TOO_DEEP = "(nested too deeply)"
"""Instead of a value that orjson reads but does not write; no event has such a text."""


def record_fields(value: bytes | None, *, has_header: bool) -> Mapping[str, Any] | None:
    """Return the fields of a record, or ``None`` if it is no JSON object.

    Args:
        value: The record's value; ``None`` for a tombstone.
        has_header: Whether a registry's header may come first.
    """
    if has_header and value is not None and value[:1] == b"\x00":
        value = value[_HEADER_BYTES:]
    try:
        fields = orjson.loads(value or b"null")
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None


def split_header(value: bytes) -> tuple[int, bytes] | None:
    """Return the schema's number of a registry's header and the rest; ``None`` without a header."""
    if value[:1] != b"\x00" or len(value) < _HEADER_BYTES:
        return None
    return int.from_bytes(value[1:_HEADER_BYTES]), value[_HEADER_BYTES:]


def split_indexes(value: bytes) -> tuple[tuple[int, ...], bytes] | None:
    """Return the place of a Protobuf message in its file, outer ones first, and the rest.

    The place is a list of zigzag varints after its length; a single zero is the first message.
    """
    count, place = _varint(value, 0)
    indexes = []
    for _ in range(count if 0 < count <= _MOST_INDEXES else 0):
        index, place = _varint(value, place)
        indexes.append(index)
    if count == 0 and place:
        indexes = [0]
    return (tuple(indexes), value[place:]) if indexes and min(indexes) >= 0 else None


def _varint(value: bytes, place: int) -> tuple[int, int]:
    """Return a zigzag varint and the place after it; -1 without one."""
    number = 0
    for shift, byte in enumerate(value[place : place + 5]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place + shift + 1
    return -1, place


def plain(value: Any) -> Any:  # noqa: ANN401  any value of Avro
    """Return a decoded value as one of JSON: times in ISO 8601, bytes in hexadecimal digits."""
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, datetime | date | time_of_day):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def record_texts(fields: Mapping[str, Any], paths: Sequence[str]) -> list[str | None]:
    """Return the values at some paths as texts; ``None`` for an absent one.

    Args:
        fields: The record's fields.
        paths: A field's name, or names joined by dots, such as ``payload.id``.
    """
    return [_text(_value(fields, path)) for path in paths]


def field_names(fields: Mapping[str, Any], levels: int = _MOST_LEVELS) -> list[str]:
    """Return the paths of a record's fields, the first ones of many and of few levels."""
    found: list[str] = []
    for name, value in fields.items():
        inner = field_names(value, levels - 1) if levels and isinstance(value, dict) else []
        found += [f"{name}.{part}" for part in inner] or [name]
    return found[:_MOST_NAMES]


def _value(fields: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  any value of JSON
    if path in fields:
        return fields[path]
    name, dot, rest = path.partition(".")
    inner = fields.get(name)
    return _value(inner, rest) if dot and isinstance(inner, dict) else None


def _text(value: Any) -> str | None:  # noqa: ANN401  any value of JSON
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return _TOO_DEEP
