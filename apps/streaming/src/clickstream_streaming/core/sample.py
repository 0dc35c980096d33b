"""Sample events made from the contract, one valid event of each name.

The stream validates them to warm up before it reads the first real record.
"""

from __future__ import annotations

import json
from typing import Any

from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS, SCHEMA_VERSION
from clickstream_contract.fields import Field, FieldType

__all__ = ["sample_event", "sample_events"]


def sample_events() -> list[str]:
    """Return one valid event of each name, as JSON."""
    return [json.dumps(sample_event(name)) for name in EVENT_NAMES]


def sample_event(name: str) -> dict[str, Any]:
    """Return a valid event with all the fields that the contract allows."""
    return {
        field.name: name if field.name == "event_name" else _value(field)
        for field in EVENT_FIELDS
        if field.may_be_in(name)
    }


def _value(field: Field) -> Any:  # noqa: ANN401  any JSON value
    if field.name == "schema_version":
        return SCHEMA_VERSION
    if field.type is FieldType.UUID:
        return "00000000-0000-8000-8000-000000000001"
    if field.type is FieldType.TIMESTAMP:
        return "2020-01-31T12:00:00.000Z"
    if field.type is FieldType.ITEMS:
        return [{item.name: _value(item) for item in ITEM_FIELDS}]
    if field.type is FieldType.TEXT:
        return field.values[0] if field.values else "x" * min(2, field.max_length)
    return field.minimum or 1
