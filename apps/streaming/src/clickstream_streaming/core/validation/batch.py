"""Validation of Kafka records: each becomes an event, a ledger record or a reject.

Owns the way from bytes to valid columns. Each record appears exactly once in the result.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.quality import KEPT_BYTES
from clickstream_contract.topics import LEDGER, RejectReason

from clickstream_streaming.core.validation.parsing import parse
from clickstream_streaming.core.validation.rules import (
    DAY_DROPPED,
    EVENT_RULES,
    FLAG_RULES,
    LEDGER_RULES,
    Columns,
)
from clickstream_streaming.core.validation.run_records import read_run_record
from clickstream_streaming.core.validation.text_formats import contains

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clickstream_contract.fields import Field

    from clickstream_streaming.core.validation.parsing import Parsed
    from clickstream_streaming.core.validation.rules import Rule

__all__ = ["ValidatedBatch", "validate"]

_CHUNK = 4_096
_NUL = b"\\u0000"
_TYPES = {
    FieldType.TIMESTAMP: pa.timestamp("us", "UTC"),
    FieldType.INTEGER: pa.int32(),
    FieldType.BIGINT: pa.int64(),
}
_EVENTS = pa.schema(
    [
        *((field.name, _TYPES.get(field.type, pa.string())) for field in EVENT_FIELDS),
        ("flags", pa.string()),
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
    ]
)
_LEDGER = pa.schema([("ledger", pa.string())])
_EXPIRED = pa.schema(
    [
        ("run_id", pa.string()),
        ("shard", pa.int32()),
        ("simulation", pa.string()),
        ("shard_seq", pa.int64()),
        ("event_id", pa.string()),
        ("event_time", pa.string()),
    ]
)
_REJECTED = pa.schema(
    [
        ("topic", pa.string()),
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
        ("kafka_timestamp", pa.timestamp("us", "UTC")),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("key", pa.binary()),
        ("key_bytes", pa.int32()),
        ("payload", pa.binary()),
        ("payload_bytes", pa.int32()),
    ]
)


@dataclass(frozen=True)
class ValidatedBatch:
    """Validated records: each is an event, a reject or a ledger record.

    Attributes:
        events: The fields of the events in order, line items as JSON; then ``flags`` (names of
            rules, or null), ``kafka_partition`` and ``kafka_offset``.
        rejects: ``topic``, ``kafka_partition``, ``kafka_offset``, ``kafka_timestamp``, ``reason``,
            ``detail`` (the field, or empty), ``key`` and ``payload`` with their lengths. A key or
            payload that is longer than any event is cut.
        ledger: One column ``ledger``, JSON.
        expired: The events among the rejects whose day is not stored: ``run_id``, ``shard``,
            ``simulation``, ``shard_seq``, ``event_id`` and ``event_time``.
    """

    events: pa.Table
    rejects: pa.Table
    ledger: pa.Table
    expired: pa.Table

    @property
    def nbytes(self) -> int:
        """Return the size in memory."""
        tables = (self.events, self.rejects, self.ledger, self.expired)
        return sum(table.nbytes for table in tables)

    @classmethod
    def joined(cls, parts: Sequence[ValidatedBatch]) -> ValidatedBatch:
        """Return several batches as one."""
        return cls(
            pa.concat_tables([part.events for part in parts]),
            pa.concat_tables([part.rejects for part in parts]),
            pa.concat_tables([part.ledger for part in parts]),
            pa.concat_tables([part.expired for part in parts]),
        )


def validate(
    records: pa.RecordBatch,
    read: Callable[[pa.BinaryArray, tuple[Field, ...]], Parsed] = parse,
    kept_since: np.datetime64 | None = None,
    oldest_days: int | None = None,
) -> ValidatedBatch:
    """Validate records of the events' or the ledger's topic.

    Args:
        records: Records of one topic from Spark's Kafka source: key, value, topic, partition,
            offset, timestamp.
        read: The parser.
        kept_since: The first day that retention has kept; ``None`` if it has kept all.
        oldest_days: How many days an event may be older than its arrival; ``None`` for any number.
    """
    if not records.num_rows:
        return ValidatedBatch(
            _EVENTS.empty_table(),
            _REJECTED.empty_table(),
            _LEDGER.empty_table(),
            _EXPIRED.empty_table(),
        )
    is_ledger = records.column("topic")[0].as_py() == LEDGER.name
    return ValidatedBatch.joined(
        [
            _validate_chunk(
                records.slice(at, _CHUNK), read, kept_since, oldest_days, is_ledger=is_ledger
            )
            for at in range(0, records.num_rows, _CHUNK)
        ]
    )


def _validate_chunk(
    records: pa.RecordBatch,
    read: Callable[[pa.BinaryArray, tuple[Field, ...]], Parsed],
    kept_since: np.datetime64 | None,
    oldest_days: int | None,
    *,
    is_ledger: bool,
) -> ValidatedBatch:
    values = records.column("value")
    parsed = read(values, LEDGER_FIELDS if is_ledger else EVENT_FIELDS)
    arrived = np.asarray(
        records.column("timestamp").to_numpy(zero_copy_only=False), "datetime64[us]"
    )
    arrived = arrived[parsed.rows]
    columns = Columns(
        parsed.objects,
        arrived,
        parsed.wrong_texts,
        may_hold_nul=contains(values, _NUL) is not None,
        kept_since=kept_since if oldest_days is None else _since(arrived, kept_since, oldest_days),
    )
    rules = LEDGER_RULES if is_ledger else EVENT_RULES
    verdicts = _first_broken(rules, columns)
    fine = np.flatnonzero(verdicts < 0)
    reasons = {number: (reason, "") for number, reason in parsed.reasons.items()}
    for place in np.flatnonzero(verdicts >= 0).tolist():
        rule = rules[verdicts[place]]
        reasons[int(parsed.rows[place])] = (rule.reason, rule.field)
    rejects = _rejects(records, reasons)
    if is_ledger:
        ledger = _ledger(parsed.objects, fine)
        return ValidatedBatch(_EVENTS.empty_table(), rejects, ledger, _EXPIRED.empty_table())
    expired = np.flatnonzero(verdicts == rules.index(DAY_DROPPED))
    return ValidatedBatch(
        _events(columns, fine, records, parsed.rows[fine]),
        rejects,
        _LEDGER.empty_table(),
        _expired(columns, expired),
    )


def _since(arrived: np.ndarray, kept_since: np.datetime64 | None, oldest_days: int) -> np.ndarray:
    """Return the start of the first stored day for each record.

    It depends on the record's arrival, not on the clock: a record that is read again gets the same
    result.
    """
    oldest = (arrived.astype("datetime64[D]") - oldest_days).astype("datetime64[us]")
    return oldest if kept_since is None else np.maximum(oldest, kept_since)


def _first_broken(rules: tuple[Rule, ...], columns: Columns) -> np.ndarray:
    """Return the index of the first rule that each record breaks; -1 if it breaks none."""
    verdicts = np.full(columns.objects.num_rows, -1)
    for number, rule in enumerate(rules):
        broken = rule.broken(columns)
        if broken is not None and broken.any():
            verdicts[broken & (verdicts < 0)] = number
    return verdicts


def _events(
    columns: Columns, fine: np.ndarray, records: pa.RecordBatch, rows: np.ndarray
) -> pa.Table:
    """Return the valid events, in the types of their table."""
    arrays: dict[str, pa.Array] = {}
    for field in EVENT_FIELDS:
        array = columns[field.name]
        if field.type is FieldType.TIMESTAMP:
            array = columns.timestamps(field.name)
        elif field.type is FieldType.ITEMS:
            array = _lines_as_json(array)
        arrays[field.name] = array
    arrays["flags"] = _flags(columns)
    if len(fine) < columns.objects.num_rows:
        arrays = {name: array.take(pa.array(fine)) for name, array in arrays.items()}
    for name in ("partition", "offset"):
        # A copy even of all rows: a column without one would keep the bytes of the records alive.
        arrays[f"kafka_{name}"] = records.column(name).take(pa.array(rows))
    return pa.table(arrays, _EVENTS)


def _flags(columns: Columns) -> pa.StringArray:
    """Return the names of the rules that flag each event, or null."""
    flags = np.full(columns.objects.num_rows, None, dtype=object)
    for rule in FLAG_RULES:
        odd = rule.broken(columns)
        if odd is not None and odd.any():
            named = f",{rule.name}"
            flags[odd] = [(known or "") + named for known in flags[odd]]
    return pc.utf8_ltrim(pa.array(flags, pa.string()), ",")


def _lines_as_json(items: pa.ListArray) -> pa.StringArray:
    """Return line items as JSON, without the fields that an item lacks."""
    if items.null_count == len(items):
        return pa.nulls(len(items), pa.string())
    lines = pc.list_flatten(items)
    # Every valid line has the first field, so all other fields follow a comma.
    members = [
        pc.binary_join_element_wise(
            f'{"," if place else "{"}"{field.name}":', _as_json(pc.struct_field(lines, place)), ""
        )
        for place, field in enumerate(ITEM_FIELDS)
    ]
    written = pc.binary_join_element_wise(
        *members, "}", "", null_handling="replace", null_replacement=""
    )
    ends = np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(items), 0))])
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), written), ",")
    joined = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(pc.is_valid(items), joined, None) if items.null_count else joined


def _as_json(column: pa.Array) -> pa.StringArray:
    """Return a column's values as JSON; each distinct text is converted once."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.string())
    known = column.dictionary_encode()
    written = [json.dumps(text, ensure_ascii=False) for text in known.dictionary.to_pylist()]
    return pa.array(written, pa.string()).take(known.indices)


def _rejects(records: pa.RecordBatch, reasons: dict[int, tuple[RejectReason, str]]) -> pa.Table:
    """Return the rejects."""
    if not reasons:
        return _REJECTED.empty_table()
    rows = sorted(reasons)
    chosen = records.take(pa.array(rows))
    return pa.table(
        {
            "topic": chosen.column("topic"),
            "kafka_partition": chosen.column("partition"),
            "kafka_offset": chosen.column("offset"),
            "kafka_timestamp": chosen.column("timestamp"),
            "reason": [reasons[row][0].value for row in rows],
            "detail": [reasons[row][1] for row in rows],
            "key": _kept(chosen.column("key")),
            "key_bytes": pc.binary_length(chosen.column("key")),
            "payload": _kept(chosen.column("value")),
            "payload_bytes": pc.binary_length(chosen.column("value")),
        },
        _REJECTED,
    )


def _kept(values: pa.BinaryArray) -> pa.BinaryArray:
    """Return keys or values; one that is longer than any event is cut."""
    is_long = pc.greater(pc.binary_length(values), MAX_EVENT_BYTES)
    if not pc.any(is_long).as_py():
        return values
    return pc.if_else(is_long, pc.binary_slice(values, 0, KEPT_BYTES), values)


def _expired(columns: Columns, rows: np.ndarray) -> pa.Table:
    """Return the events whose day is not stored."""
    if not len(rows):
        return _EXPIRED.empty_table()
    return pa.table({name: columns[name].take(pa.array(rows)) for name in _EXPIRED.names}, _EXPIRED)


def _ledger(objects: pa.RecordBatch, fine: np.ndarray) -> pa.Table:
    """Return the valid ledger records as JSON."""
    rows = objects.take(pa.array(fine)).to_pylist()
    for row in rows:
        row["run_record"] = read_run_record(row["run_record"] or "")
    return pa.table({"ledger": [json.dumps(row) for row in rows]}, _LEDGER)
