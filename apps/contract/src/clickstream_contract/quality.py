"""The rules of data quality, and what happens to a record that breaks one.

Owns the table of rules. ``ops.quality_rules`` and the documentation are made from it, and the
stream has a condition for each rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from clickstream_contract.currencies import MINOR_UNITS
from clickstream_contract.events import EVENT_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import RejectReason

__all__ = [
    "HUGE_ORDER_MINOR",
    "KEPT_BYTES",
    "LARGE_QUANTITY",
    "LATE_SECONDS",
    "QUALITY_RULES",
    "RECORD",
    "TOLERATED_SECONDS",
    "FlagReason",
    "QualityRule",
    "Severity",
]

RECORD = "record"
"""The field of a rule that concerns the whole record."""
KEPT_BYTES = 8_192
"""Bytes kept of a key or value that is longer than any event."""
TOLERATED_SECONDS = 5
"""Allowed difference between clocks."""
LATE_SECONDS = 600
LARGE_QUANTITY = 100
HUGE_ORDER_MINOR = 10_000_000
"""In euros; times the price level in another currency."""


class Severity(Enum):
    """What happens to a record that breaks a rule."""

    REJECT = "reject"
    """The record is not an event; it goes to ``ops.rejected_events``."""
    FLAG = "flag"
    """The event is stored, and flagged with the rule's name."""


class FlagReason(Enum):
    """Why an event is flagged."""

    LATE = "late"
    CLOCK_AHEAD = "clock_ahead"
    LARGE = "large"
    ZERO = "zero"


@dataclass(frozen=True)
class QualityRule:
    """One rule.

    Attributes:
        field: The rule's field, or :data:`RECORD`.
        severity: What happens to a record that breaks the rule.
        reason: Why; a :class:`RejectReason` or a :class:`FlagReason`.
        doc: The rule in words.
    """

    field: str
    severity: Severity
    reason: RejectReason | FlagReason
    doc: str

    @property
    def name(self) -> str:
        """The rule's name in tables."""
        return f"{self.field}.{self.reason.value}"


def _reject(field: str, reason: RejectReason, doc: str) -> QualityRule:
    return QualityRule(field, Severity.REJECT, reason, doc)


def _flag(field: str, reason: FlagReason, doc: str) -> QualityRule:
    return QualityRule(field, Severity.FLAG, reason, doc)


def _of_field(field: Field) -> list[QualityRule]:
    """Return the rules of a field."""
    rules = []
    if field.required:
        where = f"in {', '.join(field.events)}" if field.events else "in every event"
        rules.append(_reject(field.name, RejectReason.MISSING_FIELD, f"It is there {where}."))
    if field.type is FieldType.UUID:
        rules.append(_reject(field.name, RejectReason.WRONG_TYPE, "A UUID in lower case."))
    elif field.type is FieldType.TIMESTAMP:
        doc = "A time such as 2026-01-31T12:00:00.000Z."
        rules.append(_reject(field.name, RejectReason.WRONG_TYPE, doc))
        rules.append(_reject(field.name, RejectReason.OUT_OF_RANGE, "Not before the year 2000."))
    elif field.type is FieldType.ITEMS:
        doc = f"At most {field.max_length} lines."
        rules.append(_reject(field.name, RejectReason.OUT_OF_RANGE, doc))
    elif field.values:
        is_version = field.name == "schema_version"
        reason = RejectReason.UNKNOWN_VERSION if is_version else RejectReason.UNKNOWN_VALUE
        rules.append(_reject(field.name, reason, f"One of {', '.join(field.values)}."))
    elif field.type is FieldType.TEXT:
        doc = f"From 1 to {field.max_length} characters."
        rules.append(_reject(field.name, RejectReason.OUT_OF_RANGE, doc))
        if field.pattern:
            doc = f"It matches `{field.pattern}`."
            rules.append(_reject(field.name, RejectReason.WRONG_TYPE, doc))
    elif field.minimum is not None:
        most = field.maximum
        doc = f"At least {field.minimum}" + ("." if most is None else f", at most {most}.")
        rules.append(_reject(field.name, RejectReason.OUT_OF_RANGE, doc))
    return rules


def _of_ledger() -> list[QualityRule]:
    """Return the rules of fields that only the ledger has, without missing fields: one rule."""
    known = {rule.name for field in EVENT_FIELDS for rule in _of_field(field)}
    rules = [rule for field in LEDGER_FIELDS for rule in _of_field(field)]
    return [
        replace(rule, doc=f"In the ledger: {rule.doc[0].lower()}{rule.doc[1:]}")
        for rule in rules
        if rule.reason is not RejectReason.MISSING_FIELD and rule.name not in known
    ]


QUALITY_RULES: tuple[QualityRule, ...] = (
    _reject(RECORD, RejectReason.NO_VALUE, "It has a value."),
    _reject(RECORD, RejectReason.OVERSIZED, f"At most {MAX_EVENT_BYTES} bytes."),
    _reject(RECORD, RejectReason.BAD_ENCODING, "UTF-8, without the character NUL."),
    _reject(RECORD, RejectReason.NOT_JSON, "One JSON object."),
    _reject(RECORD, RejectReason.WRONG_TYPE, "Each field is of its type."),
    _reject(RECORD, RejectReason.MISSING_FIELD, "A ledger record is complete."),
    *(rule for field in EVENT_FIELDS for rule in _of_field(field)),
    *_of_ledger(),
    _reject("run_record", RejectReason.WRONG_TYPE, "In the ledger: it is a run record."),
    _reject(
        "event_time",
        RejectReason.FUTURE_TIME,
        f"Not more than {TOLERATED_SECONDS} s after Kafka got the record.",
    ),
    _reject(
        "event_time",
        RejectReason.DAY_DROPPED,
        "Of a day that retention has not dropped, and not older than OLDEST_EVENT_DAYS.",
    ),
    _flag(
        "event_time",
        FlagReason.LATE,
        f"Not more than {LATE_SECONDS} s before Kafka got the record.",
    ),
    _flag(
        "sent_at",
        FlagReason.CLOCK_AHEAD,
        f"Not more than {TOLERATED_SECONDS} s after Kafka got the record.",
    ),
    _flag("quantity", FlagReason.LARGE, f"At most {LARGE_QUANTITY} pieces at once."),
    _flag("price_minor", FlagReason.ZERO, "More than nothing."),
    _flag(
        "value_minor",
        FlagReason.LARGE,
        f"An order is worth at most {HUGE_ORDER_MINOR // MINOR_UNITS} euros, or as much in another "
        "currency, by its price level.",
    ),
    _flag("value_minor", FlagReason.ZERO, "An order is worth more than nothing."),
)
"""Every rule."""
