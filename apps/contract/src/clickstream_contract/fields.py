"""What a field of a record is: its type, when it is there, its unit and its meaning.

Owns the vocabulary in which the tables of this package are written. It does not know any
particular record.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Field", "FieldType"]


class FieldType(Enum):
    """The types that every target (JSON, Spark, PostgreSQL) can hold without loss."""

    TEXT = "text"
    UUID = "uuid"
    TIMESTAMP = "timestamp"
    """UTC, ISO 8601 with milliseconds and a ``Z``, as in ``2026-01-31T12:00:00.000Z``."""
    INTEGER = "integer"
    """A signed 32-bit number."""
    BIGINT = "bigint"
    """A signed 64-bit number."""
    ITEMS = "items"
    """A list of order lines; see :data:`clickstream_contract.events.ITEM_FIELDS`."""


@dataclass(frozen=True)
class Field:
    """One field of a record."""

    name: str
    type: FieldType
    doc: str
    """Its meaning, one sentence; becomes the column's comment and the documentation's row."""
    required: bool = True
    events: tuple[str, ...] = ()
    """The events that carry it; empty means all of them."""
    optional_events: tuple[str, ...] = ()
    """Beside these, events that may carry it."""
    unit: str = ""
    since: int = 1
    """The schema version that introduced it."""
    values: tuple[str, ...] = ()
    """The values it may take; empty means any."""
    minimum: int | None = None
    maximum: int | None = None
    """Only with a minimum."""
    max_length: int = 256
    """In characters of a text, in lines of an order."""
    pattern: str = ""
    """What a text must match; empty means anything."""

    def may_be_in(self, event_name: str) -> bool:
        """Return whether an event of that name may carry the field."""
        return not self.events or event_name in (*self.events, *self.optional_events)
