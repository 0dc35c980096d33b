"""The description of a record's field: type, presence, unit and meaning.

Owns the classes from which this package's field tables are built.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Field", "FieldType"]


class FieldType(Enum):
    """The types of fields, which JSON, Spark and PostgreSQL all represent without loss."""

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
    """Its meaning in one sentence, for the column's comment and the documentation."""
    required: bool = True
    events: tuple[str, ...] = ()
    """The events that have the field; empty means all events."""
    optional_events: tuple[str, ...] = ()
    """Further events that may have the field."""
    unit: str = ""
    since: int = 1
    """The schema version that introduced the field."""
    values: tuple[str, ...] = ()
    """The allowed values; empty means any value."""
    minimum: int | None = None
    maximum: int | None = None
    """Only with a minimum."""
    max_length: int = 256
    """Characters of a text, or lines of an order."""
    pattern: str = ""
    """Pattern of a text; empty means any text."""

    @property
    def is_optional(self) -> bool:
        """Whether some records do not have the field."""
        return bool(self.events) or not self.required

    def may_be_in(self, event_name: str) -> bool:
        """Return whether an event of this name may have the field."""
        return not self.events or event_name in (*self.events, *self.optional_events)
