"""Schemas for JSON, Spark and PostgreSQL, and documentation, derived from the field tables.

Owns the translation of fields for each target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS, SCHEMA_VERSION
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.ledger import LEDGER_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Column",
    "event_json_schema",
    "ledger_json_schema",
    "markdown_table",
    "postgres_columns",
    "spark_schema",
]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
_POSTGRES = {
    FieldType.TEXT: "text",
    FieldType.UUID: "uuid",
    FieldType.TIMESTAMP: "timestamp with time zone",
    FieldType.INTEGER: "integer",
    FieldType.BIGINT: "bigint",
    FieldType.ITEMS: "jsonb",
}
_SPARK = {
    FieldType.TEXT: "string",
    FieldType.UUID: "string",
    FieldType.TIMESTAMP: "string",
    FieldType.INTEGER: "int",
    FieldType.BIGINT: "bigint",
}


@dataclass(frozen=True)
class Column:
    """A column of PostgreSQL."""

    name: str
    type: str
    nullable: bool
    comment: str


def event_json_schema() -> dict[str, Any]:
    """Return the event's JSON Schema, without additional properties, exact for each event name."""
    return {
        "$schema": _DIALECT,
        "title": f"Clickstream event, version {SCHEMA_VERSION}",
        **_object(EVENT_FIELDS, always=[row for row in EVENT_FIELDS if not row.events]),
        "allOf": [
            {
                "if": {"properties": {"event_name": {"const": name}}},
                "then": {
                    "required": [
                        row.name for row in EVENT_FIELDS if name in row.events and row.required
                    ],
                    "properties": {
                        row.name: False for row in EVENT_FIELDS if not row.may_be_in(name)
                    },
                },
            }
            for name in EVENT_NAMES
        ]
        + [
            {
                "if": {"properties": {"schema_version": {"minimum": version}}},
                "then": {"properties": {"items": {"items": {"required": names}}}},
            }
            for version, names in _newer_item_fields().items()
        ],
    }


def _newer_item_fields() -> dict[int, list[str]]:
    """Return the order lines' new fields of each version after the first."""
    newer: dict[int, list[str]] = {}
    for row in ITEM_FIELDS:
        if row.since > 1:
            newer.setdefault(row.since, []).append(row.name)
    return newer


def ledger_json_schema() -> dict[str, Any]:
    """Return the ledger record's JSON Schema."""
    return {
        "$schema": _DIALECT,
        "title": "Clickstream ledger record, version 1",
        **_object(LEDGER_FIELDS, always=LEDGER_FIELDS),
    }


def spark_schema(fields: Sequence[Field]) -> str:
    """Return the fields as Spark's DDL for reading JSON.

    Times and ids are read as text; quality rules validate them.
    """
    return ", ".join(f"`{row.name}` {_spark_type(row)}" for row in fields)


def postgres_columns(fields: Sequence[Field]) -> tuple[Column, ...]:
    """Return the fields as PostgreSQL columns, with comments."""
    return tuple(
        Column(
            row.name,
            _POSTGRES[row.type],
            nullable=row.is_optional,
            comment=f"{row.doc} Unit: {row.unit}." if row.unit else row.doc,
        )
        for row in fields
    )


def markdown_table(fields: Sequence[Field]) -> str:
    """Return the fields as a Markdown table."""
    lines = ["| Field | Type | In | Since | Meaning |", "|---|---|---|---|---|"]
    for row in fields:
        unit = f", {row.unit}" if row.unit else ""
        where = ", ".join(row.events) if row.events else "every record"
        optional = "" if row.required else " (optional)"
        if row.optional_events:
            optional += f"; optional in {', '.join(row.optional_events)}"
        lines.append(
            f"| `{row.name}` | {row.type.value}{unit} | {where}{optional}"
            f" | {row.since} | {row.doc} |"
        )
    return "\n".join(lines)


def _object(fields: Sequence[Field], always: Sequence[Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [row.name for row in always if row.required],
        "properties": {row.name: _json_type(row) for row in fields},
    }


def _json_type(row: Field) -> dict[str, Any]:
    shape: dict[str, Any] = {"description": row.doc}
    if row.type is FieldType.ITEMS:
        return shape | {
            "type": "array",
            "minItems": 1,
            "maxItems": row.max_length,
            "items": _object(ITEM_FIELDS, always=[row for row in ITEM_FIELDS if row.since == 1]),
        }
    if row.type in {FieldType.INTEGER, FieldType.BIGINT}:
        bits = 31 if row.type is FieldType.INTEGER else 63
        shape |= {"type": "integer", "maximum": 2**bits - 1}
        if row.minimum is not None:
            shape["minimum"] = row.minimum
        if row.maximum is not None:
            shape["maximum"] = row.maximum
        return shape | ({"enum": [int(value) for value in row.values]} if row.values else {})
    shape["type"] = "string"
    if row.type is FieldType.UUID:
        return shape | {"pattern": _UUID_PATTERN}
    if row.type is FieldType.TIMESTAMP:
        return shape | {"pattern": _TIME_PATTERN}
    shape |= {"minLength": 1, "maxLength": row.max_length}
    shape |= {"pattern": row.pattern} if row.pattern else {}
    return shape | ({"enum": list(row.values)} if row.values else {})


def _spark_type(row: Field) -> str:
    if row.type is FieldType.ITEMS:
        inner = ", ".join(f"`{item.name}`: {_SPARK[item.type]}" for item in ITEM_FIELDS)
        return f"array<struct<{inner}>>"
    return _SPARK[row.type]
