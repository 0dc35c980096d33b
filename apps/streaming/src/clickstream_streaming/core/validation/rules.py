"""Validation rules of events and ledger records.

Owns a condition over columns for each rule of the contract's table. Of the rules that reject, the
first broken rule counts, in the order of :data:`_REASONS`. Of the rules that flag, all count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickstream_contract.currencies import CURRENCIES
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
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

from clickstream_streaming.core.validation.run_records import read_run_record
from clickstream_streaming.core.validation.text_formats import are_uuids, as_mask, timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["DAY_DROPPED", "EVENT_RULES", "FLAG_RULES", "LEDGER_RULES", "Columns", "Rule"]

_EARLIEST = np.datetime64("2000-01-01T00:00:00", "us")
_SECOND = np.timedelta64(1, "s")
_PURCHASE = EVENT_NAMES.index("purchase")
_CURRENCIES = pa.array(CURRENCIES)
_HIGHEST_ORDER_MINOR = pa.array([int(HUGE_ORDER_MINOR * level) for level in CURRENCIES.values()])
_PRODUCT = [field.name for field in ITEM_FIELDS].index("product_id")
_REASONS = (
    RejectReason.BAD_ENCODING,
    RejectReason.MISSING_FIELD,
    RejectReason.UNKNOWN_VERSION,
    RejectReason.WRONG_TYPE,
    RejectReason.UNKNOWN_VALUE,
    RejectReason.OUT_OF_RANGE,
    RejectReason.FUTURE_TIME,
)
"""Reject reasons of fields; the first in this order counts."""


class Columns:
    """Records of one topic as columns, with values that several rules share.

    Args:
        objects: The records, a column for each field.
        arrived: When Kafka received each record, ``datetime64[us]``; a later time is in the future.
            Not the clock of the batch: a record that is read again must get the same result.
        wrong_texts: Mask: a text field has another type.
        may_hold_nul: Whether a text may contain the character NUL.
        kept_since: The first day that is stored, for each record or for all, ``datetime64[us]``;
            ``None`` if all days are stored.
    """

    def __init__(
        self,
        objects: pa.RecordBatch,
        arrived: np.ndarray,
        wrong_texts: np.ndarray,
        *,
        may_hold_nul: bool,
        kept_since: np.ndarray | np.datetime64 | None = None,
    ) -> None:
        self.objects = objects
        self.arrived = arrived
        self.wrong_texts = wrong_texts
        self.may_hold_nul = may_hold_nul
        self.kept_since = kept_since
        self._timestamps: dict[str, pa.TimestampArray] = {}

    def __getitem__(self, name: str) -> pa.Array:
        return self.objects.column(name)

    def missing(self, name: str) -> np.ndarray | None:
        """Return which records lack a field; ``None`` if no record does."""
        column = self[name]
        return as_mask(pc.is_null(column)) if column.null_count else None

    def timestamps(self, name: str) -> pa.TimestampArray:
        """Return the timestamps of a field; null if the text is not a timestamp."""
        if name not in self._timestamps:
            self._timestamps[name] = timestamps(self[name])
        return self._timestamps[name]

    def times(self, name: str) -> np.ndarray:
        """Return the timestamps as ``datetime64[us]``; NaT compares as false with every value."""
        return np.asarray(self.timestamps(name).to_numpy(zero_copy_only=False), "datetime64[us]")

    @cached_property
    def names(self) -> np.ndarray:
        """Return the index of each event's name in ``EVENT_NAMES``; the length if it is unknown."""
        found = pc.index_in(self["event_name"], pa.array(EVENT_NAMES))
        return np.asarray(pc.fill_null(found, len(EVENT_NAMES)).to_numpy())

    @cached_property
    def is_purchase(self) -> np.ndarray:
        """Return which events are purchases."""
        return np.asarray(self.names == _PURCHASE)


@dataclass(frozen=True)
class Rule:
    """One rule."""

    field: str
    """The field that it checks; empty for a rule about the whole record."""
    reason: RejectReason | FlagReason
    """The reason to reject or flag a record that breaks the rule."""
    broken: Callable[[Columns], np.ndarray | None]
    """Returns which records break the rule; ``None`` if no record does."""

    @property
    def name(self) -> str:
        """Return the rule's name in the contract's table."""
        return f"{self.field or RECORD}.{self.reason.value}"


def _rules_of(field: Field) -> Iterable[Rule]:
    """Return the rules that follow from the contract of one field."""
    if field.required:
        yield Rule(field.name, RejectReason.MISSING_FIELD, partial(_missing, field))
    if field.type is FieldType.UUID:
        yield Rule(field.name, RejectReason.WRONG_TYPE, partial(_no_uuid, field.name))
    elif field.type is FieldType.TIMESTAMP:
        yield Rule(field.name, RejectReason.WRONG_TYPE, partial(_no_time, field.name))
        yield Rule(field.name, RejectReason.OUT_OF_RANGE, partial(_early, field.name))
    elif field.type is FieldType.ITEMS:
        yield Rule(field.name, RejectReason.OUT_OF_RANGE, partial(_too_many_lines, field))
    elif field.values:
        is_version = field.name == "schema_version"
        reason = RejectReason.UNKNOWN_VERSION if is_version else RejectReason.UNKNOWN_VALUE
        yield Rule(field.name, reason, partial(_unknown, field))
    elif field.type is FieldType.TEXT or field.minimum is not None:
        yield Rule(field.name, RejectReason.OUT_OF_RANGE, partial(_out_of_range, field))
    if field.pattern:
        yield Rule(field.name, RejectReason.WRONG_TYPE, partial(_no_match, field))


def _missing(field: Field, columns: Columns) -> np.ndarray | None:
    missing = columns.missing(field.name)
    if missing is None or not field.events:
        return missing
    needed = np.zeros(len(EVENT_NAMES) + 1, dtype=bool)
    needed[[EVENT_NAMES.index(name) for name in field.events]] = True
    return missing & needed[columns.names]


def _no_uuid(name: str, columns: Columns) -> np.ndarray:
    return ~are_uuids(columns[name]) & as_mask(pc.is_valid(columns[name]))


def _no_time(name: str, columns: Columns) -> np.ndarray | None:
    if not columns.timestamps(name).null_count:
        return None
    return as_mask(pc.is_null(columns.timestamps(name))) & as_mask(pc.is_valid(columns[name]))


def _early(name: str, columns: Columns) -> np.ndarray:
    return columns.times(name) < _EARLIEST


def _unknown(field: Field, columns: Columns) -> np.ndarray:
    column = columns[field.name]
    known = pc.is_in(column, pa.array(field.values).cast(column.type))
    return ~as_mask(known) & as_mask(pc.is_valid(column))


def _out_of_range(field: Field, columns: Columns) -> np.ndarray | None:
    return _exceeds_bounds(field, columns[field.name])


def _exceeds_bounds(field: Field, column: pa.Array) -> np.ndarray | None:
    """Return which texts are empty or too long, or which numbers are too small or too large."""
    is_text = field.type is FieldType.TEXT
    least, most = (1, field.max_length) if is_text else (field.minimum, field.maximum)
    ends = pc.min_max(pc.binary_length(column) if is_text else column)
    if ends["min"].as_py() is None:
        return None
    # A character has at least one byte: without a text of too many bytes, no text is too long.
    if ends["min"].as_py() >= least and (most is None or ends["max"].as_py() <= most):
        return None
    size = pc.utf8_length(column) if is_text else column
    beyond = pc.less(size, least)
    if most is not None:
        beyond = pc.or_(beyond, pc.greater(size, most))
    return as_mask(beyond)


def _no_match(field: Field, columns: Columns) -> np.ndarray | None:
    """Return which texts do not match the field's pattern; each distinct text is matched once."""
    known = columns[field.name].dictionary_encode()
    fits = as_mask(pc.match_substring_regex(known.dictionary, field.pattern))
    if fits.all():
        return None
    found = pa.array(~fits).take(known.indices)
    return as_mask(found)


def _too_many_lines(field: Field, columns: Columns) -> np.ndarray | None:
    items = columns[field.name]
    if items.null_count == len(items):
        return None
    return as_mask(pc.greater(pc.list_value_length(items), field.max_length))


def _future(columns: Columns) -> np.ndarray:
    return columns.times("event_time") > columns.arrived + TOLERATED_SECONDS * _SECOND


def _day_dropped(columns: Columns) -> np.ndarray | None:
    if columns.kept_since is None:
        return None
    return columns.times("event_time") < columns.kept_since


def _invalid_items(columns: Columns) -> np.ndarray | None:
    """Return which orders have no line, an incomplete or invalid line, or a product twice."""
    items = columns["items"]
    if items.null_count == len(items):
        return None
    lines = pc.list_flatten(items)
    order = pc.list_parent_indices(items).to_numpy()
    version = pc.fill_null(columns["schema_version"], 0).to_numpy()[order]
    broken = as_mask(pc.is_null(lines))
    for place, field in enumerate(ITEM_FIELDS):
        column = pc.struct_field(lines, place)
        broken |= as_mask(pc.is_null(column)) & (version >= field.since)
        invalid = _exceeds_bounds(field, column)
        if invalid is not None:
            broken |= invalid
    products = pc.fill_null(pc.struct_field(lines, _PRODUCT), "").dictionary_encode()
    pairs = order.astype(np.int64) * (len(products.dictionary) + 1) + products.indices.to_numpy()
    is_repeated = np.ones(len(pairs), dtype=bool)
    is_repeated[np.unique(pairs, return_index=True)[1]] = False
    hit = np.zeros(len(items), dtype=bool)
    hit[order[broken | is_repeated]] = True
    return hit | (columns.is_purchase & as_mask(pc.equal(pc.list_value_length(items), 0)))


def _holds_nul(columns: Columns) -> np.ndarray | None:
    """Return which records contain the character NUL, which PostgreSQL cannot store."""
    if not columns.may_hold_nul:
        return None
    found = np.zeros(columns.objects.num_rows, dtype=bool)
    for column in columns.objects.columns:
        if pa.types.is_string(column.type):
            found |= as_mask(pc.match_substring(column, "\0"))
        elif pa.types.is_list(column.type):
            lines, order = pc.list_flatten(column), pc.list_parent_indices(column).to_numpy()
            for text in lines.flatten():
                if pa.types.is_string(text.type):
                    found[order[as_mask(pc.match_substring(text, "\0"))]] = True
    return found


def _wrong_text(columns: Columns) -> np.ndarray:
    return columns.wrong_texts


def _incomplete(columns: Columns) -> np.ndarray | None:
    masks = [columns.missing(field.name) for field in LEDGER_FIELDS if field.required]
    found = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(found) if found else None


def _no_run_record(columns: Columns) -> np.ndarray | None:
    column = columns["run_record"]
    found = np.zeros(len(column), dtype=bool)
    for place in np.flatnonzero(as_mask(pc.is_valid(column))).tolist():
        found[place] = read_run_record(column[place].as_py()) is None
    return found if found.any() else None


def _late(columns: Columns) -> np.ndarray:
    return columns.times("event_time") < columns.arrived - LATE_SECONDS * _SECOND


def _clock_ahead(columns: Columns) -> np.ndarray:
    return columns.times("sent_at") > columns.arrived + TOLERATED_SECONDS * _SECOND


def _huge_order(columns: Columns) -> np.ndarray:
    found = columns.is_purchase.copy()
    orders = pa.array(np.flatnonzero(found))
    level = pc.index_in(columns["currency"].take(orders), _CURRENCIES)
    found[found] = as_mask(
        pc.greater(columns["value_minor"].take(orders), _HIGHEST_ORDER_MINOR.take(level))
    )
    return found


def _zero_order(columns: Columns) -> np.ndarray:
    return columns.is_purchase & as_mask(pc.equal(columns["value_minor"], 0))


_NUL = Rule("", RejectReason.BAD_ENCODING, _holds_nul)
_NO_TEXT = Rule("", RejectReason.WRONG_TYPE, _wrong_text)

DAY_DROPPED = Rule("event_time", RejectReason.DAY_DROPPED, _day_dropped)
"""The last rule: a record that breaks it is a valid event in all other respects."""

EVENT_RULES: tuple[Rule, ...] = (
    _NUL,
    *sorted(
        (
            *(rule for field in EVENT_FIELDS for rule in _rules_of(field)),
            Rule("event_time", RejectReason.FUTURE_TIME, _future),
            Rule("items", RejectReason.MISSING_FIELD, _invalid_items),
        ),
        key=lambda rule: _REASONS.index(rule.reason),
    ),
    _NO_TEXT,
    DAY_DROPPED,
)
"""Rules that reject an event."""

LEDGER_RULES: tuple[Rule, ...] = (
    _NUL,
    Rule("", RejectReason.MISSING_FIELD, _incomplete),
    *sorted(
        (
            *(
                rule
                for field in LEDGER_FIELDS
                for rule in _rules_of(field)
                if rule.reason is not RejectReason.MISSING_FIELD
            ),
            Rule("run_record", RejectReason.WRONG_TYPE, _no_run_record),
        ),
        key=lambda rule: _REASONS.index(rule.reason),
    ),
    _NO_TEXT,
)
"""Rules that reject a ledger record: each required field must exist, and each must be valid."""

FLAG_RULES: tuple[Rule, ...] = (
    Rule("event_time", FlagReason.LATE, _late),
    Rule("sent_at", FlagReason.CLOCK_AHEAD, _clock_ahead),
    Rule(
        "quantity",
        FlagReason.LARGE,
        lambda columns: as_mask(pc.greater(columns["quantity"], LARGE_QUANTITY)),
    ),
    Rule(
        "price_minor",
        FlagReason.ZERO,
        lambda columns: as_mask(pc.equal(columns["price_minor"], 0)),
    ),
    Rule("value_minor", FlagReason.LARGE, _huge_order),
    Rule("value_minor", FlagReason.ZERO, _zero_order),
)
"""Rules that flag a stored event."""
