"""Broken copies of records: what each ``corrupt_`` fault does to a record.

A reader of the record's encoding cannot decode the copy, or it breaks the schema.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from clickstream_contract.events import EVENT_FIELDS, MAX_EVENT_BYTES, field
from clickstream_contract.ledger import FAULT_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_contract.fields import Field

    from clickstream_generator.core.wire import Wire

__all__ = ["CORRUPT_FAULTS", "break_binary", "break_json", "break_json_schema"]

CORRUPT_FAULTS: Final = tuple(name for name in FAULT_NAMES if name.startswith("corrupt_"))

_PAGE = b"<html></html>"
"""An error page: 13 bytes, of which Avro reads the first as the length 30, and Protobuf as the end
of a group."""
_UNKNOWN_VERSION = b"c"
"""A first byte that is not a version of the wire format, but a negative length for Avro, and for
Protobuf the start of a group without an end."""
_PADDING = b"<" * MAX_EVENT_BYTES
"""Padding that has no event name for Avro, and the end of a group for Protobuf."""

_JSON: Final[dict[str, Callable[[bytes], bytes | None]]] = {
    "corrupt_not_json": lambda value: b"<html>" + value[1:-1] + b"</html>",
    "corrupt_truncated": lambda value: value[: len(value) // 2],
    "corrupt_bad_encoding": lambda value: value.replace(b'"city":"', b'"city":"\xff\xfe'),
    "corrupt_nul": lambda value: value.replace(b'"city":"', b'"city":"\\u0000'),
    "corrupt_wrong_type": lambda value: re.sub(
        rb'"session_seq":\d+', b'"session_seq":"many"', value
    ),
    "corrupt_missing_field": lambda value: re.sub(rb'"user_id":"[^"]*",', b"", value),
    "corrupt_unknown_value": lambda value: re.sub(
        rb'"event_name":"[^"]*"', b'"event_name":"teleport"', value
    ),
    "corrupt_unknown_version": lambda value: re.sub(
        rb'"schema_version":\d+', b'"schema_version":99', value
    ),
    "corrupt_oversized": lambda value: (
        value[:-1] + b',"padding":"' + b"x" * MAX_EVENT_BYTES + b'"}'
    ),
    "corrupt_no_value": lambda _value: None,
}

_ENDS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "corrupt_truncated": lambda piece: piece[:-1],
    "corrupt_nul": lambda _piece: b"\x00",
}
"""The binary faults that end the record in the city, and the end that they make of its piece."""

_PIECES: Final[dict[str, tuple[str, Callable[[Wire, Field], bytes]]]] = {
    "corrupt_bad_encoding": ("city", lambda wire, row: wire.text_start(row, 2) + b"\xff\xfe"),
    "corrupt_wrong_type": ("session_seq", lambda wire, row: wire.wrong_type(row)),
    "corrupt_missing_field": ("sent_at", lambda wire, row: wire.hollow(row)),
    "corrupt_unknown_value": ("event_name", lambda wire, _row: wire.unknown_name()),
}
"""The binary faults that replace a field, and its new piece."""


def break_json(fault: str, value: bytes) -> bytes | None:
    """Return a JSON record with a fault.

    Args:
        fault: One of :data:`CORRUPT_FAULTS`.
        value: The JSON of a valid event.
    """
    return _JSON[fault](value)


def break_json_schema(fault: str, value: bytes, header: bytes) -> bytes | None:
    """Return a JSON record of the registry's wire format with a fault; same arguments.

    Args:
        fault: One of :data:`CORRUPT_FAULTS`.
        value: The JSON of a valid event.
        header: The first bytes of every record.
    """
    if fault == "corrupt_nul":
        # The schema allows an escaped NUL, JSON does not allow a bare one.
        return header + value.replace(b'"city":"', b'"city":"\x00')
    broken = break_json(fault, value)
    if broken is None or fault == "corrupt_not_json":
        return broken
    return header + broken


def break_binary(fault: str, value: bytes, wire: Wire, header: bytes) -> bytes | None:
    """Return a binary record with a fault.

    Args:
        fault: One of :data:`CORRUPT_FAULTS`.
        value: The JSON of a valid event.
        wire: The binary form.
        header: The first bytes of every record.
    """
    if fault == "corrupt_no_value":
        return None
    if fault == "corrupt_not_json":
        return _PAGE
    event = json.loads(value)
    pieces = {row.name: wire.piece(row, event.get(row.name)) for row in EVENT_FIELDS}
    if fault in _ENDS:
        names = list(pieces)
        start = b"".join(pieces[name] for name in names[: names.index("city")])
        return header + start + _ENDS[fault](pieces["city"])
    if fault in _PIECES:
        name, piece = _PIECES[fault]
        pieces[name] = piece(wire, field(name))
    elif fault == "corrupt_unknown_version":
        header = _UNKNOWN_VERSION + header[1:]
    elif fault == "corrupt_oversized":
        header += _PADDING
    return header + b"".join(pieces.values())
