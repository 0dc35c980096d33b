"""The event's schema for each encoding: Avro, Protobuf and JSON Schema.

Owns the translation of the field tables, and the field numbers of Protobuf.

- Avro: https://avro.apache.org/docs/1.12.0/specification/
- Protobuf: https://protobuf.dev/programming-guides/proto3/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from clickstream_contract.derive import event_json_schema
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.output import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ENUM_FIELD",
    "EVENT_NAME_NUMBERS",
    "EVENT_NUMBERS",
    "ITEM_NUMBERS",
    "NAMESPACE",
    "RECORD_NAME",
    "SCHEMA_FILES",
    "avro_schema",
    "protobuf_schema",
    "schema_text",
]

NAMESPACE: Final = "dev.clickstream"
"""The namespace of Avro's records and the package of Protobuf's messages."""
RECORD_NAME: Final = f"{NAMESPACE}.Event"
"""The full name of an event's record."""
ENUM_FIELD: Final = "event_name"
"""The field that Avro and Protobuf write as an enumeration."""

EVENT_NUMBERS: Final[Mapping[str, int]] = {
    "event_id": 1,
    "session_id": 2,
    "event_time": 3,
    "schema_version": 4,
    "simulation": 5,
    "run_id": 6,
    "event_name": 7,
    "shard": 8,
    "shard_seq": 9,
    "session_seq": 10,
    "user_id": 11,
    "persona": 12,
    "channel": 13,
    "country": 14,
    "city": 15,
    "language": 16,
    "device": 17,
    "os": 18,
    "browser": 19,
    "page": 20,
    "referrer": 21,
    "campaign": 22,
    "user_agent": 23,
    "session_number": 24,
    "search_term": 25,
    "category": 26,
    "product_id": 27,
    "product_name": 28,
    "brand": 29,
    "price_minor": 30,
    "quantity": 31,
    "shipping_tier": 32,
    "payment_type": 33,
    "order_id": 34,
    "items": 35,
    "cart_quantity": 36,
    "value_minor": 37,
    "currency": 38,
    "sent_at": 39,
    "experiments": 40,
}
"""Protobuf's number of each field. A number never changes: records with it stay in Kafka. A new
field gets the next free number, wherever it is in the table of fields."""

ITEM_NUMBERS: Final[Mapping[str, int]] = {
    "product_id": 1,
    "product_name": 2,
    "brand": 3,
    "category": 4,
    "quantity": 5,
    "price_minor": 6,
}
"""Protobuf's number of each field of an order line; same rule."""

EVENT_NAME_NUMBERS: Final[Mapping[str, int]] = {
    "session_start": 1,
    "page_view": 2,
    "search": 3,
    "view_item_list": 4,
    "view_item": 5,
    "add_to_cart": 6,
    "remove_from_cart": 7,
    "view_cart": 8,
    "begin_checkout": 9,
    "add_shipping_info": 10,
    "add_payment_info": 11,
    "purchase": 12,
}
"""Protobuf's number of each event name; same rule."""

SCHEMA_FILES: Final[Mapping[str, str]] = {
    Encoding.AVRO.value: "event.avsc",
    Encoding.PROTOBUF.value: "event.proto",
    Encoding.JSON_SCHEMA.value: "event.schema.json",
}
"""The name of each encoding's schema as a file."""

_AVRO: Final[Mapping[FieldType, Any]] = {
    FieldType.TEXT: "string",
    FieldType.UUID: {"type": "string", "logicalType": "uuid"},
    FieldType.TIMESTAMP: {"type": "long", "logicalType": "timestamp-millis"},
    FieldType.INTEGER: "int",
    FieldType.BIGINT: "long",
}
_PROTOBUF: Final[Mapping[FieldType, str]] = {
    FieldType.TEXT: "optional string",
    FieldType.UUID: "optional string",
    FieldType.TIMESTAMP: "google.protobuf.Timestamp",
    FieldType.INTEGER: "optional int32",
    FieldType.BIGINT: "optional int64",
    FieldType.ITEMS: "repeated Item",
}


def schema_text(encoding: str) -> str:
    """Return the event's schema as a file's text.

    Args:
        encoding: One of :data:`SCHEMA_FILES`.
    """
    if encoding == Encoding.PROTOBUF:
        return protobuf_schema()
    schema = avro_schema() if encoding == Encoding.AVRO else event_json_schema()
    return json.dumps(schema, indent=2) + "\n"


def avro_schema() -> dict[str, Any]:
    """Return the event's Avro schema; a field that not every event has is null by default."""
    return {
        "type": "record",
        "name": "Event",
        "namespace": NAMESPACE,
        "doc": "One action of a user.",
        "fields": [_avro_field(row) for row in EVENT_FIELDS],
    }


def _avro_field(row: Field) -> dict[str, Any]:
    shape = {"name": row.name, "type": _avro_type(row), "doc": _meaning(row)}
    if row.is_optional:
        shape |= {"type": ["null", shape["type"]], "default": None}
    return shape


def _avro_type(row: Field) -> Any:  # noqa: ANN401  any JSON value
    if row.type is FieldType.ITEMS:
        item = {
            "type": "record",
            "name": "Item",
            "doc": "One line of an order or a cart.",
            "fields": [_avro_field(line) for line in ITEM_FIELDS],
        }
        return {"type": "array", "items": item}
    if row.name == ENUM_FIELD:
        return {"type": "enum", "name": "EventName", "symbols": list(EVENT_NAMES)}
    return _AVRO[row.type]


def protobuf_schema() -> str:
    """Return the event's Protobuf schema, a proto3 file.

    Every field has presence, so that a reader can distinguish 0 from an absent field.
    """
    names = "\n".join(
        f"  EVENT_NAME_{name.upper()} = {number};" for name, number in EVENT_NAME_NUMBERS.items()
    )
    return (
        'syntax = "proto3";\n\n'
        f"package {NAMESPACE};\n\n"
        'import "google/protobuf/timestamp.proto";\n\n'
        "// One action of a user.\n"
        f"{_message('Event', EVENT_FIELDS, EVENT_NUMBERS)}\n"
        "// One line of an order or a cart.\n"
        f"{_message('Item', ITEM_FIELDS, ITEM_NUMBERS)}\n"
        "// What the user did.\n"
        f"enum EventName {{\n  EVENT_NAME_UNSPECIFIED = 0;\n{names}\n}}\n"
    )


def _message(name: str, fields: Sequence[Field], numbers: Mapping[str, int]) -> str:
    lines = []
    for row in fields:
        kind = "optional EventName" if row.name == ENUM_FIELD else _PROTOBUF[row.type]
        lines += [f"  // {_meaning(row)}", f"  {kind} {row.name} = {numbers[row.name]};"]
    body = "\n".join(lines)
    return f"message {name} {{\n{body}\n}}\n"


def _meaning(row: Field) -> str:
    """Return the field's meaning with its unit, its values and its events."""
    parts = [row.doc]
    if row.unit:
        parts.append(f"Unit: {row.unit}.")
    if row.values and row.name != ENUM_FIELD:
        parts.append(f"One of {', '.join(row.values)}.")
    if row.events:
        parts.append(f"In {', '.join((*row.events, *row.optional_events))}.")
    return " ".join(parts)
