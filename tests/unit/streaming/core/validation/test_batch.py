"""Each record appears exactly once: as an event, a ledger record or a reject."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.quality import KEPT_BYTES
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.sample import sample_events
from clickstream_streaming.core.validation.batch import ValidatedBatch, validate
from clickstream_streaming.core.validation.parsing import parse_one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka_records import (
    ARRIVED,
    FIRST_OFFSET,
    PARTITION,
    changed,
    damaged,
    ledger_record,
    line,
    order_of,
    records_of,
)
from poison import poison

NAMES = [field.name for field in EVENT_FIELDS]
TEXT = changed()
GOOD_ID = "0a1b2c3d-4e5f-4789-8abc-def012345678"
REJECT_COLUMNS = [
    "topic", "kafka_partition", "kafka_offset", "kafka_timestamp", "reason", "detail", "key",
    "key_bytes", "payload", "payload_bytes",
]  # fmt: skip


def _verdict(value: bytes | None, topic: str = EVENTS.name) -> tuple[str, str] | None:
    """Return reason and detail of one record's reject, or nothing."""
    rejects = validate(records_of([value], topic)).rejects.to_pylist()
    return (rejects[0]["reason"], rejects[0]["detail"]) if rejects else None


def _offsets(table: pa.Table) -> list[int]:
    """Return the places in the batch of a table's records."""
    return [offset - FIRST_OFFSET for offset in table["kafka_offset"].to_pylist()]


def _same(one: ValidatedBatch, other: ValidatedBatch) -> bool:
    return bool(
        one.events.equals(other.events)
        and one.rejects.equals(other.rejects)
        and one.ledger.equals(other.ledger)
        and one.expired.equals(other.expired)
    )


@settings(max_examples=30)
@given(st.lists(damaged(), min_size=1, max_size=12))
def test_both_ways_of_reading_agree(values: list[bytes | None]) -> None:
    """Records have the same result, parsed in bulk or one by one."""
    records = records_of(values)

    assert _same(validate(records), validate(records, parse_one_by_one))


@settings(max_examples=40)
@given(st.lists(damaged(), max_size=12))
def test_record_comes_out_once(values: list[bytes | None]) -> None:
    """Events and rejects together are the records; a reject keeps its whole payload."""
    validated = validate(records_of(values))

    events = _offsets(validated.events)
    rejects = dict(
        zip(_offsets(validated.rejects), validated.rejects["payload"].to_pylist(), strict=True)
    )
    assert sorted([*events, *rejects]) == list(range(len(values)))
    assert events == sorted(events)
    assert rejects == {place: values[place] for place in sorted(rejects)}


def test_bad_record_leaves_others_alone() -> None:
    """A bad record among thousands is found at its place, and the others are events."""
    values = [changed(EVENT_NAMES[at % 12]) for at in range(9_000)]
    bad = {7: changed(shard="many"), 4_096: b"{" + values[0], 8_999: values[0] + values[1]}
    for at, value in bad.items():
        values[at] = value

    validated = validate(records_of(values))

    assert _offsets(validated.rejects) == list(bad)
    assert validated.rejects["reason"].to_pylist() == ["wrong_type", "not_json", "not_json"]
    assert _offsets(validated.events) == [at for at in range(9_000) if at not in bad]


def test_chunk_borders_change_nothing() -> None:
    """Records of several chunks are validated like single records."""
    values = [changed() if at % 2 else b"x" for at in range(4_098)]

    validated = validate(records_of(values))

    assert _offsets(validated.events) == list(range(1, 4_098, 2))
    assert _offsets(validated.rejects) == list(range(0, 4_098, 2))


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(1, [1]), (4_096, [4_096]), (4_097, [4_096, 1]), (8_193, [4_096] * 2 + [1])],
)
def test_records_are_read_in_chunks(size: int, chunks: list[int]) -> None:
    """A chunk has at most 4,096 records, so that a processor's cache holds it."""
    sizes: list[int] = []

    def read(values: pa.BinaryArray, fields: Any) -> Any:  # noqa: ANN401  passed on
        sizes.append(len(values))
        return parse_one_by_one(values, fields)

    validate(records_of([b"x"] * size), read)

    assert sizes == chunks


@pytest.mark.parametrize("topic", [EVENTS.name, LEDGER.name])
def test_no_records_give_empty_tables(topic: str) -> None:
    """Without records each table is there, with its columns."""
    validated = validate(records_of([], topic))

    assert validated.events.column_names == [*NAMES, "flags", "kafka_partition", "kafka_offset"]
    assert validated.rejects.column_names == REJECT_COLUMNS
    assert validated.ledger.column_names == ["ledger"]
    assert (validated.events.num_rows, validated.rejects.num_rows, validated.ledger.num_rows) == (
        0,
        0,
        0,
    )


def test_columns_have_types() -> None:
    """Times, numbers and bytes have the types in which they are written to the database."""
    validated = validate(records_of([changed("purchase"), b"x"]))

    time = pa.timestamp("us", "UTC")
    special = {
        FieldType.TIMESTAMP: time,
        FieldType.INTEGER: pa.int32(),
        FieldType.BIGINT: pa.int64(),
    }
    types = [special.get(field.type, pa.string()) for field in EVENT_FIELDS]
    assert validated.events.schema.types == [*types, pa.string(), pa.int32(), pa.int64()]
    assert validated.rejects.schema.types == [
        pa.string(), pa.int32(), pa.int64(), time, pa.string(), pa.string(), pa.binary(),
        pa.int32(), pa.binary(), pa.int32(),
    ]  # fmt: skip
    assert validated.ledger.schema.types == [pa.string()]


def test_joined_keeps_order() -> None:
    """Several results joined hold the rows of each, one after the other."""
    first, second = validate(records_of([TEXT, b"x"])), validate(records_of([b"y", TEXT, TEXT]))
    ledger = validate(records_of([ledger_record()], LEDGER.name))

    joined = ValidatedBatch.joined([first, second, ledger])

    assert _offsets(joined.events) == [0, 1, 2]
    assert joined.rejects["payload"].to_pylist() == [b"x", b"y"]
    assert joined.ledger.num_rows == 1


def test_event_keeps_its_values() -> None:
    """A valid event of each name is stored as it was sent, whatever the order of its fields."""
    values = [
        json.dumps(dict(reversed(json.loads(text).items())), indent=2).encode()
        for text in sample_events()
    ]

    validated = validate(records_of(values))

    assert validated.rejects.num_rows == 0
    for text, row in zip(sample_events(), validated.events.to_pylist(), strict=True):
        event = json.loads(text)
        for field in EVENT_FIELDS:
            stored = row[field.name]
            if field.type is FieldType.TIMESTAMP:
                stored = stored.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            elif field.type is FieldType.ITEMS and stored is not None:
                stored = json.loads(stored)
            assert stored == event.get(field.name), field.name


def test_event_has_kafka_place() -> None:
    """Each event has the partition and the offset of its record."""
    validated = validate(records_of([b"x", TEXT, None, TEXT]))

    assert validated.events["kafka_offset"].to_pylist() == [101, 103]
    assert validated.events["kafka_partition"].to_pylist() == [PARTITION] * 2


def test_events_alone_have_kafka_place() -> None:
    """If all records are events, each has the place of its record."""
    validated = validate(records_of([TEXT, TEXT]))

    assert validated.events["kafka_offset"].to_pylist() == [100, 101]
    assert validated.events["kafka_partition"].to_pylist() == [PARTITION] * 2


def test_reject_keeps_record() -> None:
    """A reject has the whole record, its place in Kafka, the reason and the field."""
    bad = changed(city="")

    validated = validate(records_of([TEXT, bad]))

    assert validated.rejects.to_pylist() == [
        {
            "topic": EVENTS.name,
            "kafka_partition": PARTITION,
            "kafka_offset": 101,
            "kafka_timestamp": ARRIVED,
            "reason": "out_of_range",
            "detail": "city",
            "key": b"k",
            "key_bytes": 1,
            "payload": bad,
            "payload_bytes": len(bad),
        }
    ]


@pytest.mark.parametrize(
    ("size", "kept"), [(MAX_EVENT_BYTES, MAX_EVENT_BYTES), (MAX_EVENT_BYTES + 1, KEPT_BYTES)]
)
def test_oversized_reject_is_cut(size: int, kept: int) -> None:
    """Of a key or value that is longer than any event, the first 8 KiB and the length are kept."""
    value = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    records = records_of([b"short", value, None])
    key = pa.array([None, b"k", value], pa.binary())
    records = records.set_column(records.schema.get_field_index("key"), "key", key)

    rejects = validate(records).rejects

    assert rejects["payload"].to_pylist() == [b"short", value[:kept], None]
    assert rejects["payload_bytes"].to_pylist() == [5, size, None]
    assert rejects["key"].to_pylist() == [None, b"k", value[:kept]]
    assert rejects["key_bytes"].to_pylist() == [None, 1, size]


def test_kept_rows_do_not_hold_records() -> None:
    """Validated records share no memory with their batch, so its bytes can be freed."""
    before = pa.total_allocated_bytes()
    validated = validate(_received(records_of([changed(padding="x" * 60_000)] * 200)))

    held = pa.total_allocated_bytes() - before

    assert validated.events.num_rows == 200
    assert held < 2_000_000


def _received(records: pa.RecordBatch) -> pa.RecordBatch:
    """Return records as Spark hands them over: all columns in one piece of memory."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, records.schema) as stream:
        stream.write_batch(records)
    with pa.ipc.open_stream(pa.BufferReader(sink.getvalue())) as stream:
        return stream.read_next_batch()


def test_rejects_come_in_order() -> None:
    """Rejects of reading and of rules come in the order of the records."""
    validated = validate(
        records_of([changed(city=""), b"x", changed(page=""), None, changed(city="")])
    )

    assert _offsets(validated.rejects) == [0, 1, 2, 3, 4]
    assert validated.rejects["detail"].to_pylist() == ["city", "", "page", "", "city"]


def test_first_broken_rule_counts() -> None:
    """Of several broken rules the first by reason is named, and the first field of that."""
    assert _verdict(changed(user_id=None, price_minor=-1, event_id="x")) == (
        "missing_field",
        "user_id",
    )
    assert _verdict(changed(run_id="x", event_id="x")) == ("wrong_type", "event_id")


def test_future_is_after_arrival() -> None:
    """Each record is compared with the time at which Kafka received it."""
    batch = records_of([changed(event_time="2026-09-21T14:20:06.000Z")] * 3)
    times = [ARRIVED.replace(second=second) for second in (1, 0, 2)]
    column = pa.array(times, pa.timestamp("us", "UTC"))

    validated = validate(
        batch.set_column(batch.schema.get_field_index("timestamp"), "timestamp", column)
    )

    assert _offsets(validated.rejects) == [1]


def test_arrival_follows_its_record() -> None:
    """A record that cannot be read does not shift the times of those behind it."""
    batch = records_of([b"x", changed(event_time="2026-09-21T14:20:06.000Z")])
    times = [ARRIVED, datetime(2026, 9, 21, 14, 20, 1, tzinfo=UTC)]
    column = pa.array(times, pa.timestamp("us", "UTC"))

    validated = validate(
        batch.set_column(batch.schema.get_field_index("timestamp"), "timestamp", column)
    )

    assert _offsets(validated.rejects) == [0]


@pytest.mark.parametrize(
    ("moment", "days", "kept_since", "expected"),
    [
        ("2026-09-11T00:00:00.000Z", 10, None, None),
        ("2026-09-10T23:59:59.999Z", 10, None, ("day_dropped", "event_time")),
        ("2026-09-10T23:59:59.999Z", 11, None, None),
        ("2000-01-01T00:00:00.000Z", None, None, None),
        ("2026-09-11T00:00:00.000Z", 10, "2026-09-12", ("day_dropped", "event_time")),
        ("2026-09-12T00:00:00.000Z", 10, "2026-09-12", None),
    ],
)
def test_old_day_is_not_stored(
    moment: str, days: int | None, kept_since: str | None, expected: tuple[str, str] | None
) -> None:
    """A day is stored if retention has kept it and it is not too long before the arrival."""
    mark = None if kept_since is None else np.datetime64(kept_since, "us")

    validated = validate(
        records_of([changed(event_time=moment)]), kept_since=mark, oldest_days=days
    )

    found = [(row["reason"], row["detail"]) for row in validated.rejects.to_pylist()]
    assert found == ([] if expected is None else [expected])
    assert validated.expired.num_rows == len(found)


def test_oldest_day_follows_arrival() -> None:
    """The arrival of each record counts, so that reading it again later changes no result."""
    batch = records_of([changed(event_time="2026-09-11T12:00:00.000Z")] * 2)
    times = [ARRIVED, ARRIVED.replace(day=22)]
    column = pa.array(times, pa.timestamp("us", "UTC"))

    validated = validate(
        batch.set_column(batch.schema.get_field_index("timestamp"), "timestamp", column),
        oldest_days=10,
    )

    assert _offsets(validated.rejects) == [1]


VERDICTS = {
    "white space around": (b"\n " + TEXT + b"\t\r\n", None),
    "line ends within": (TEXT.replace(b", ", b",\r\n"), None),
    "a field more": (changed(loyalty={"user_id": 5, "deep": [[[]]]}), None),
    "the last of two": (b'{"city": 5, ' + TEXT[1:], None),
    "a name in escapes": (TEXT.replace(b'"city"', b'"c\\u0069ty"'), None),
    "a pair of surrogates": (TEXT.replace(b'"city": "', b'"city": "\\ud83d\\ude00'), None),
    "deeply nested": (TEXT[:-1] + b',"z":' + b"[" * 500 + b"]" * 500 + b"}", None),
    "a number without end": (TEXT[:-1] + b',"z":' + b"9" * 9_000 + b"}", None),
    "two objects": (TEXT + TEXT, ("not_json", "")),
    "something behind": (TEXT + b" }", ("not_json", "")),
    "nested without end": (b'{"z":' + b"[" * 30_000 + b"]" * 30_000 + b"}", ("not_json", "")),
    "no number": (TEXT[:-1] + b',"z":NaN}', ("not_json", "")),
    "single quotes": (TEXT.replace(b'"', b"'"), ("not_json", "")),
    "half a pair": (TEXT.replace(b'"city": "', b'"city": "\\ud83d'), ("bad_encoding", "")),
    "a fraction": (changed(shard=1.0), ("wrong_type", "")),
    "a power": (TEXT.replace(b'"shard": 1', b'"shard": 1e0'), ("wrong_type", "")),
    "true": (changed(shard=True), ("wrong_type", "")),
    "a number in a text": (changed(city=5), ("wrong_type", "")),
    "a number in an id": (changed(event_id=5), ("wrong_type", "event_id")),
    "an id and a line end": (changed(event_id=f"{GOOD_ID}\n"), ("wrong_type", "event_id")),
    "no such day": (changed(sent_at="2026-02-29T00:00:00.000Z"), ("wrong_type", "sent_at")),
    "a blank in a time": (changed(sent_at="2026-02-27 00:00:00.000Z"), ("wrong_type", "sent_at")),
    "long ago": (changed(event_time="1999-12-31T23:59:59.999Z"), ("out_of_range", "event_time")),
    "too early": (changed(event_time="2026-09-21T14:20:05.001Z"), ("future_time", "event_time")),
    "just not": (changed(event_time="2026-09-21T14:20:05.000Z"), None),
    "a wrong list": (changed("purchase", items={"a": 1}), ("wrong_type", "")),
    "no lines": (order_of(), ("missing_field", "items")),
    "a line twice": (order_of(line(), line(quantity=9)), ("missing_field", "items")),
    "worth too much": (changed(value_minor=10**12 + 1), ("out_of_range", "value_minor")),
    "worth much": (changed(value_minor=10**12), None),
    "NUL": (changed(city="a\0"), ("bad_encoding", "")),
    "NUL in a line": (order_of(line(category="a\0")), ("bad_encoding", "")),
    "as large as can be": (TEXT.ljust(MAX_EVENT_BYTES), None),
    "one byte too large": (TEXT.ljust(MAX_EVENT_BYTES + 1), ("oversized", "")),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdict_of_text(case: str) -> None:
    """Each kind of text gets the expected reason and field, or none."""
    value, expected = VERDICTS[case]

    assert _verdict(value) == expected


@pytest.mark.parametrize("kind", poison())
def test_poison_has_reason(kind: str) -> None:
    """Each record that faults plant has the reason that the contract has for it."""
    value, reason = poison()[kind]

    found = _verdict(value)

    assert found is not None
    assert found[0] == reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"run_id": "x"}, ("wrong_type", "run_id")),
        ({"minute": "2026"}, ("wrong_type", "minute")),
        ({"shard": None}, ("missing_field", "")),
        ({"simulation": "a\x00"}, ("bad_encoding", "")),
        ({"events": "many"}, ("wrong_type", "")),
    ],
)
def test_bad_ledger_record_is_rejected(
    changes: dict[str, object], expected: tuple[str, str]
) -> None:
    """A ledger record that PostgreSQL cannot store is a reject."""
    assert _verdict(ledger_record(**changes), LEDGER.name) == expected


def test_ledger_records_come_through() -> None:
    """Ledger records are kept as JSON, without those that are rejected, and are no events."""
    record = {"start_seconds": 1e9, "revisions": [], "document": None}
    values = [
        ledger_record(events=3),
        b"x",
        ledger_record(kind="shard_end", more=1),
        ledger_record(kind="revision", run_record=json.dumps(record)),
    ]

    validated = validate(records_of(values, LEDGER.name))

    assert [json.loads(text) for text in validated.ledger["ledger"].to_pylist()] == [
        json.loads(ledger_record(events=3, run_record=None)),
        json.loads(ledger_record(kind="shard_end", run_record=None)),
        json.loads(ledger_record(kind="revision", run_record=record)),
    ]
    assert validated.rejects["topic"].to_pylist() == [LEDGER.name]
    assert validated.events.num_rows == 0


def test_event_is_no_ledger_record() -> None:
    """The topic decides what a record must be."""
    assert _verdict(ledger_record()) == ("missing_field", "event_id")
    assert _verdict(TEXT, LEDGER.name) == ("missing_field", "")
    assert validate(records_of([TEXT])).ledger.num_rows == 0


def test_flags_name_odd_things() -> None:
    """Flags come in the order of the rules; an event without any has none."""
    now = "2026-09-21T14:20:00.000Z"
    odd = changed("purchase", event_time="2026-09-21T14:09:59.999Z", value_minor=0)
    large = changed("add_to_cart", event_time=now, quantity=101, price_minor=0)
    ahead = changed(event_time=now, sent_at="2026-09-21T14:20:05.001Z")
    values = [odd, large, ahead, b"x", changed(event_time=now), odd]

    validated = validate(records_of(values))

    assert validated.events["flags"].to_pylist() == [
        "event_time.late,value_minor.zero",
        "quantity.large,price_minor.zero",
        "sent_at.clock_ahead",
        None,
        "event_time.late,value_minor.zero",
    ]


def test_order_lines_are_exact_json() -> None:
    """Lines are written as compact JSON in the contract's order of fields."""
    first = line(product_id='"é"', category="a\nb", quantity=2, price_minor=10**9)
    second = dict(reversed(line().items()))

    validated = validate(records_of([order_of(first, second)]))

    assert validated.events["items"].to_pylist() == [
        (
            '[{"product_id":"\\"é\\"","product_name":"xx","brand":"xx","category":"a\\nb",'
            '"quantity":2,"price_minor":1000000000},{"product_id":"xx","product_name":"xx",'
            '"brand":"xx","category":"xx","quantity":1,"price_minor":1}]'
        )
    ]


def test_lines_of_other_events_are_kept() -> None:
    """Empty items stay an empty list, and absent items null."""
    values = [changed(items=[]), changed(), order_of(line())]

    stored = validate(records_of(values)).events["items"].to_pylist()

    assert stored[:2] == ["[]", None]
    assert json.loads(stored[2]) == [line()]


_LINES = st.lists(
    st.fixed_dictionaries(
        {
            "product_id": st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
                min_size=1,
                max_size=32,
            ),
            "category": st.sampled_from(["a", '"', "\\", "é\n"]),
            "quantity": st.integers(1, 10**6),
            "price_minor": st.integers(0, 10**9),
        },
        optional={"product_name": st.sampled_from(["a", "[/red]"]), "brand": st.just("b")},
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda line: line["product_id"],
)


@settings(max_examples=25)
@given(_LINES, _LINES)
def test_order_lines_come_back(lines: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Items are stored with their order, beside events without items."""
    orders = [changed("purchase", schema_version=1, items=rows) for rows in (lines, others)]
    values = [changed("view_item"), orders[0], changed("page_view"), orders[1]]

    stored = validate(records_of(values)).events["items"].to_pylist()

    assert [text and json.loads(text) for text in stored] == [None, lines, None, others]


def test_event_of_dropped_day_differs() -> None:
    """An event of a dropped day is a reject with its payload and number; invalid ones have none."""
    old = changed(event_time="2026-08-31T23:59:59.999Z", shard=2, shard_seq=77)
    unfit = changed(event_time="2026-08-31T23:59:59.999Z", city="")
    kept = changed(event_time="2026-09-01T00:00:00.000Z")

    validated = validate(
        records_of([old, unfit, kept]), kept_since=np.datetime64("2026-09-01", "us")
    )

    assert validated.rejects["reason"].to_pylist() == ["day_dropped", "out_of_range"]
    assert validated.rejects["payload"][0].as_py() == old
    assert _offsets(validated.events) == [2]
    assert validated.expired.select(["shard", "shard_seq"]).to_pylist() == [
        {"shard": 2, "shard_seq": 77}
    ]
