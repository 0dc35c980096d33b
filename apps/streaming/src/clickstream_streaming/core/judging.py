"""Kafka records to events, ledger records and rejects.

Owns the way from bytes to checked columns: every record comes out exactly once, as what it
is, or with the reason why it is nothing. It does not know what becomes of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import LEDGER, RejectReason

from clickstream_streaming.core.forms import containing
from clickstream_streaming.core.parsing import parse
from clickstream_streaming.core.rules import (
    DAY_DROPPED,
    EVENT_RULES,
    FLAG_RULES,
    LEDGER_RULES,
    Columns,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clickstream_contract.fields import Field

    from clickstream_streaming.core.parsing import Parsed
    from clickstream_streaming.core.rules import Rule

__all__ = ["Judged", "judge"]

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
        ("payload", pa.binary()),
    ]
)


@dataclass(frozen=True)
class Judged:
    """What some records are; each of them is an event, a reject or a ledger record.

    Attributes:
        events: The event's fields in order, times as such and an order's lines as JSON; then
            ``flags``, names of rules or null, ``kafka_partition`` and ``kafka_offset``.
        rejects: Topic, ``kafka_partition``, ``kafka_offset``, ``kafka_timestamp``, ``reason``,
            ``detail`` (the field, or empty), ``key`` and ``payload``.
        ledger: One column ``ledger``, JSON.
        expired: Of the rejects whose day retention has dropped: which event it was, by ``run_id``,
            ``shard``, ``simulation`` and ``shard_seq``.
    """

    events: pa.Table
    rejects: pa.Table
    ledger: pa.Table
    expired: pa.Table

    @classmethod
    def joined(cls, parts: Sequence[Judged]) -> Judged:
        """Return several as one."""
        return cls(
            pa.concat_tables([part.events for part in parts]),
            pa.concat_tables([part.rejects for part in parts]),
            pa.concat_tables([part.ledger for part in parts]),
            pa.concat_tables([part.expired for part in parts]),
        )


def judge(
    records: pa.RecordBatch,
    read: Callable[[pa.BinaryArray, tuple[Field, ...]], Parsed] = parse,
    kept_since: np.datetime64 | None = None,
) -> Judged:
    """Check records of the events' and the ledger's topic.

    Args:
        records: What Spark's Kafka source gives, all of one topic: key, value, topic, partition,
            offset, timestamp.
        read: How texts are read.
        kept_since: Retention has dropped all days before; ``None`` if it has dropped none.
    """
    if not records.num_rows:
        return Judged(
            _EVENTS.empty_table(),
            _REJECTED.empty_table(),
            _LEDGER.empty_table(),
            _EXPIRED.empty_table(),
        )
    is_ledger = records.column("topic")[0].as_py() == LEDGER.name
    return Judged.joined(
        [
            _judge_chunk(records.slice(at, _CHUNK), read, kept_since, is_ledger=is_ledger)
            for at in range(0, records.num_rows, _CHUNK)
        ]
    )


def _judge_chunk(
    records: pa.RecordBatch,
    read: Callable[[pa.BinaryArray, tuple[Field, ...]], Parsed],
    kept_since: np.datetime64 | None,
    *,
    is_ledger: bool,
) -> Judged:
    values = records.column("value")
    parsed = read(values, LEDGER_FIELDS if is_ledger else EVENT_FIELDS)
    arrived = np.asarray(
        records.column("timestamp").to_numpy(zero_copy_only=False), "datetime64[us]"
    )
    columns = Columns(
        parsed.objects,
        arrived[parsed.rows],
        parsed.wrong_texts,
        may_hold_nul=containing(values, _NUL) is not None,
        kept_since=kept_since,
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
        return Judged(_EVENTS.empty_table(), rejects, ledger, _EXPIRED.empty_table())
    expired = np.flatnonzero(verdicts == rules.index(DAY_DROPPED))
    return Judged(
        _events(columns, fine, records, parsed.rows[fine]),
        rejects,
        _LEDGER.empty_table(),
        _expired(columns, expired),
    )


def _first_broken(rules: tuple[Rule, ...], columns: Columns) -> np.ndarray:
    """Return the number of the first rule that each record breaks; -1 if it breaks none."""
    verdicts = np.full(columns.objects.num_rows, -1)
    for number, rule in enumerate(rules):
        broken = rule.broken(columns)
        if broken is not None and broken.any():
            verdicts[broken & (verdicts < 0)] = number
    return verdicts


def _events(
    columns: Columns, fine: np.ndarray, records: pa.RecordBatch, rows: np.ndarray
) -> pa.Table:
    """Return the events among some records, in the types of their table."""
    arrays: dict[str, pa.Array] = {}
    for field in EVENT_FIELDS:
        array = columns[field.name]
        if field.type is FieldType.TIMESTAMP:
            array = columns.moments(field.name)
        elif field.type is FieldType.ITEMS:
            array = _lines_as_json(array)
        arrays[field.name] = array
    arrays["flags"] = _flags(columns)
    if len(fine) < columns.objects.num_rows:
        arrays = {name: array.take(pa.array(fine)) for name, array in arrays.items()}
    for name in ("partition", "offset"):
        column = records.column(name)
        chosen = column if len(rows) == len(column) else column.take(pa.array(rows))
        arrays[f"kafka_{name}"] = chosen
    return pa.table(arrays, _EVENTS)


def _flags(columns: Columns) -> pa.StringArray:
    """Return the names of the rules that find an event odd, or null."""
    flags = np.full(columns.objects.num_rows, None, dtype=object)
    for rule in FLAG_RULES:
        odd = rule.broken(columns)
        if odd is not None and odd.any():
            named = f",{rule.name}"
            flags[odd] = [(known or "") + named for known in flags[odd]]
    return pc.utf8_ltrim(pa.array(flags, pa.string()), ",")


def _lines_as_json(items: pa.ListArray) -> pa.StringArray:
    """Write the lines of orders as JSON; null where there is no order."""
    if items.null_count == len(items):
        return pa.nulls(len(items), pa.string())
    lines = pc.list_flatten(items)
    parts: list[pa.Array | str] = []
    for place, field in enumerate(ITEM_FIELDS):
        parts += [
            f'{"," if place else "{"}"{field.name}":',
            _as_json(pc.struct_field(lines, place)),
        ]
    written = pc.binary_join_element_wise(
        *parts, "}", "", null_handling="replace", null_replacement="null"
    )
    ends = np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(items), 0))])
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), written), ",")
    joined = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(pc.is_valid(items), joined, None) if items.null_count else joined


def _as_json(column: pa.Array) -> pa.StringArray:
    """Write a column's values as JSON; each different text is looked at once."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.string())
    known = column.dictionary_encode()
    written = [json.dumps(text, ensure_ascii=False) for text in known.dictionary.to_pylist()]
    return pa.array(written, pa.string()).take(known.indices)


def _rejects(records: pa.RecordBatch, reasons: dict[int, tuple[RejectReason, str]]) -> pa.Table:
    """Return what is kept of the records that are nothing."""
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
            "key": chosen.column("key"),
            "payload": chosen.column("value"),
        },
        _REJECTED,
    )


def _expired(columns: Columns, rows: np.ndarray) -> pa.Table:
    """Return which events they are."""
    if not len(rows):
        return _EXPIRED.empty_table()
    return pa.table({name: columns[name].take(pa.array(rows)) for name in _EXPIRED.names}, _EXPIRED)


def _ledger(objects: pa.RecordBatch, fine: np.ndarray) -> pa.Table:
    """Return ledger records; they are few."""
    rows = objects.take(pa.array(fine)).to_pylist()
    return pa.table({"ledger": [json.dumps(row) for row in rows]}, _LEDGER)
