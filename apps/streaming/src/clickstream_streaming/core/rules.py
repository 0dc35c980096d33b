"""Rules that a record must keep to be an event.

Owns a condition for each rule of the contract's table. Of the rules that reject, the first broken
one counts, in the order of :data:`_REASONS`; of those that flag, all do. It does not know where
records come from or go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.quality import (
    HUGE_ORDER_MINOR,
    LARGE_QUANTITY,
    LATE_SECONDS,
    RECORD,
    TOLERATED_SECONDS,
    FlagReason,
)
from clickstream_contract.topics import RejectReason
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["Rule", "event_rules", "flag_rules", "ledger_rules"]

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_TIME_LENGTH = len("2026-01-31T12:00:00.000Z")
_EARLIEST = "2000-01-01T00:00:00Z"

_REASONS = (
    RejectReason.BAD_ENCODING,
    RejectReason.MISSING_FIELD,
    RejectReason.UNKNOWN_VERSION,
    RejectReason.WRONG_TYPE,
    RejectReason.UNKNOWN_VALUE,
    RejectReason.OUT_OF_RANGE,
    RejectReason.FUTURE_TIME,
)
"""Reasons that fields can give, the one that is named first wins."""


@dataclass(frozen=True)
class Rule:
    """One rule; ``broken`` is true for a record that breaks it."""

    field: str
    """The field it is about; empty if it is about the whole record."""
    reason: RejectReason | FlagReason | None
    """What is wrong; ``None`` if the record is fine and no later rule applies."""
    broken: Column

    @property
    def name(self) -> str:
        """Return the rule's name in the contract's table."""
        return f"{self.field or RECORD}.{self.reason.value if self.reason else ''}"


def event_rules(event: str, arrived: Column) -> list[Rule]:
    """Return the rules of an event.

    Args:
        event: Name of the column with the parsed event.
        arrived: When Kafka got the record; what lies ahead of it is in the future. Not the
            wall clock of the batch: a record read again must meet the same verdict, and a
            constant that changes with each batch would make Spark compile each one anew.
    """
    rules = [rule for field in EVENT_FIELDS for rule in _field_rules(event, field)]
    latest = arrived + F.expr(f"interval {TOLERATED_SECONDS} seconds")
    moment = F.col(f"{event}.event_time").try_cast("timestamp")
    rules.append(Rule("event_time", RejectReason.FUTURE_TIME, moment > latest))
    items = F.col(f"{event}.items")
    bad_line = F.exists(items, lambda line: reduce(or_, _line_breaks(line)))
    no_line = (F.col(f"{event}.event_name") == "purchase") & (F.size(items) == 0)
    rules.append(Rule("items", RejectReason.MISSING_FIELD, bad_line | no_line))
    return sorted(rules, key=_rank)


def _rank(rule: Rule) -> int:
    return _REASONS.index(rule.reason) if rule.reason in _REASONS else -1


def flag_rules(event: str, arrived: Column) -> list[Rule]:
    """Return the rules by which a stored event can be odd.

    Args:
        event: Name of the column with the parsed event; null for what is no event.
        arrived: When Kafka got the record.
    """
    moment = F.col(f"{event}.event_time").try_cast("timestamp")
    sent_at = F.col(f"{event}.sent_at").try_cast("timestamp")
    price, value = F.col(f"{event}.price_minor"), F.col(f"{event}.value_minor")
    is_order = F.col(f"{event}.event_name") == "purchase"
    late = arrived - F.expr(f"interval {LATE_SECONDS} seconds")
    ahead = arrived + F.expr(f"interval {TOLERATED_SECONDS} seconds")
    return [
        Rule("event_time", FlagReason.LATE, moment < late),
        Rule("sent_at", FlagReason.CLOCK_AHEAD, sent_at > ahead),
        Rule("quantity", FlagReason.LARGE, F.col(f"{event}.quantity") > LARGE_QUANTITY),
        Rule("price_minor", FlagReason.ZERO, price == 0),
        Rule("value_minor", FlagReason.LARGE, is_order & (value > HUGE_ORDER_MINOR)),
        Rule("value_minor", FlagReason.ZERO, is_order & (value == 0)),
    ]


def ledger_rules(record: str, is_ledger: Column) -> list[Rule]:
    """Return the rules of a ledger record: it is all there, and ids and times are such.

    Args:
        record: Name of the column with the parsed record.
        is_ledger: Whether the record is from the ledger's topic.
    """
    missing = [F.col(f"{record}.{field.name}").isNull() for field in LEDGER_FIELDS]
    return [
        Rule("", RejectReason.MISSING_FIELD, is_ledger & reduce(or_, missing)),
        Rule("run_id", RejectReason.WRONG_TYPE, ~F.col(f"{record}.run_id").rlike(_UUID)),
        Rule(
            "minute",
            RejectReason.WRONG_TYPE,
            is_ledger & F.col(f"{record}.minute").try_cast("timestamp").isNull(),
        ),
    ]


def _field_rules(record: str, field: Field) -> list[Rule]:
    """Return what the contract asks of one field."""
    value = F.col(f"{record}.{field.name}")
    rules = []
    if field.required and field.events:
        needed = F.col(f"{record}.event_name").isin(list(field.events))
        rules.append(Rule(field.name, RejectReason.MISSING_FIELD, needed & value.isNull()))
    elif field.required:
        rules.append(Rule(field.name, RejectReason.MISSING_FIELD, value.isNull()))
    if field.type is FieldType.UUID:
        rules.append(Rule(field.name, RejectReason.WRONG_TYPE, ~value.rlike(_UUID)))
    elif field.type is FieldType.TIMESTAMP:
        moment = value.try_cast("timestamp")
        formed = (F.length(value) == _TIME_LENGTH) & value.endswith("Z")
        rules.append(Rule(field.name, RejectReason.WRONG_TYPE, moment.isNull() | ~formed))
        early = moment < F.lit(_EARLIEST).cast("timestamp")
        rules.append(Rule(field.name, RejectReason.OUT_OF_RANGE, early))
    elif field.values:
        known = value.cast("string").isin(list(field.values))
        reason = (
            RejectReason.UNKNOWN_VERSION
            if field.name == "schema_version"
            else RejectReason.UNKNOWN_VALUE
        )
        rules.append(Rule(field.name, reason, ~known))
    elif field.type is FieldType.TEXT:
        long = (F.length(value) > field.max_length) | (F.length(value) == 0)
        rules.append(Rule(field.name, RejectReason.OUT_OF_RANGE, long))
    elif field.minimum is not None:
        rules.append(Rule(field.name, RejectReason.OUT_OF_RANGE, value < field.minimum))
    return rules


def _line_breaks(line: Column) -> list[Column]:
    """Return what can be wrong with an order's line."""
    breaks = [line.isNull()]
    for field in ITEM_FIELDS:
        value = line[field.name]
        breaks.append(value.isNull())
        if field.minimum is not None:
            breaks.append(value < field.minimum)
    return breaks
