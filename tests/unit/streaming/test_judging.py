"""Records are judged one like the other, many at a time or one by one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.quality import QUALITY_RULES, RECORD, Severity
from clickstream_contract.topics import EVENTS, LEDGER, RejectReason
from clickstream_streaming.core.forms import are_uuids, moments
from clickstream_streaming.core.judging import Judged, judge
from clickstream_streaming.core.parsing import parse_carefully
from clickstream_streaming.core.rules import EVENT_RULES, FLAG_RULES, LEDGER_RULES
from clickstream_streaming.core.sample import sample_event, sample_events
from hypothesis import given, settings
from hypothesis import strategies as st

ARRIVED = datetime(2026, 9, 21, 14, 20, tzinfo=UTC)
EVENT_TEXT = json.dumps(sample_event("view_item")).encode()
PURCHASE = sample_event("purchase")


def records_of(values: list[bytes | None], topic: str = EVENTS.name) -> pa.RecordBatch:
    """Return what Spark's Kafka source gives for some values."""
    size = len(values)
    return pa.record_batch(
        {
            "topic": pa.array([topic] * size, pa.string()),
            "partition": pa.array([3] * size, pa.int32()),
            "offset": pa.array(range(100, 100 + size), pa.int64()),
            "timestamp": pa.array([ARRIVED] * size, pa.timestamp("us", "UTC")),
            "key": pa.array([b"k"] * size, pa.binary()),
            "value": pa.array(values, pa.binary()),
        }
    )


def verdict(value: bytes | None, topic: str = EVENTS.name) -> tuple[str, str] | None:
    """Return reason and field of one record's reject, or nothing."""
    rejects = judge(records_of([value], topic)).rejects.to_pylist()
    return (rejects[0]["reason"], rejects[0]["detail"]) if rejects else None


def changed(name: str = "view_item", **values: object) -> bytes:
    """Return a valid event with some fields changed."""
    return json.dumps(sample_event(name) | values).encode()


def line(**values: object) -> bytes:
    """Return an order of one line with some of its fields changed."""
    return changed("purchase", items=[PURCHASE["items"][0] | values])


def same(one: Judged, other: Judged) -> bool:
    """Compare every table."""
    return (
        one.events.equals(other.events)
        and one.rejects.equals(other.rejects)
        and one.ledger.equals(other.ledger)
    )


def test_every_rule_of_the_contract_has_a_condition_and_no_other_has() -> None:
    """The names of what is checked are the names in ``ops.quality_rules``."""
    by_severity = {
        severity: {rule.name for rule in QUALITY_RULES if rule.severity is severity}
        for severity in Severity
    }
    reading = {
        f"{RECORD}.{reason.value}"
        for reason in (
            RejectReason.NO_VALUE,
            RejectReason.OVERSIZED,
            RejectReason.BAD_ENCODING,
            RejectReason.NOT_JSON,
            RejectReason.WRONG_TYPE,
        )
    }
    checked = {rule.name for rule in (*EVENT_RULES, *LEDGER_RULES)}

    assert reading | checked == by_severity[Severity.REJECT]
    assert {rule.name for rule in FLAG_RULES} == by_severity[Severity.FLAG]


_NAMES = [field.name for field in EVENT_FIELDS]
_PIECES = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b" ", b"\n", b"\r", b"0", b"\xff", b"\x00",
    b"\\u0000", b"\\ud800", b"\\ude00", b"\\ud83d\\ude00", b"NaN", b"Infinity", b'"a":NaN,',
    b'"city":"q",', b'"z":[{"user_id":5}],', b"{}", "é".encode(), b"\xc0\x80", b"\xed\xa0\x80",
    b"1.0", b"1e2", b"-0", b"null", b"//", b"'",
)  # fmt: skip
_TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "x" * 300, "é" * 256, "a\x00b", "1", "teleport", "purchase"]),
    st.sampled_from(["2026-09-21T14:13:20.000Z", "2026-02-30T00:00:00.000Z", "2026-09-21"]),
    st.uuids().map(str),
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 5, -1, 101, 2**31, 2**63 - 1, 2**63, 2**70, 1.0, 1.5, 1e300])
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=4,
)
_LINES = st.lists(
    st.dictionaries(
        st.sampled_from([*(field.name for field in ITEM_FIELDS), "more"]), _JSON, max_size=5
    )
    | st.just(PURCHASE["items"][0])
    | _JSON,
    max_size=3,
)


@st.composite
def _mutated(draw: st.DrawFn) -> bytes | None:
    """Draw an event to which something may have happened."""
    event: dict[str, Any] = sample_event(draw(st.sampled_from(EVENT_NAMES)))
    for name in draw(st.lists(st.sampled_from([*_NAMES, "extra"]), max_size=2)):
        if draw(st.booleans()):
            event[name] = draw(_LINES if name == "items" else _JSON)
        else:
            event.pop(name, None)
    indent = 1 if draw(st.integers(0, 9)) == 0 else None
    text = json.dumps(event, ensure_ascii=draw(st.booleans()), indent=indent)
    value = text.encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(value)))
        gone = draw(st.sampled_from([0, 0, 1, len(value)]))
        value = value[:at] + draw(st.sampled_from((b"", *_PIECES))) + value[at + gone :]
    return draw(st.sampled_from([value] * 30 + [None, b"", b"5", b" " + value, value + value]))


@settings(max_examples=300, deadline=None)
@given(st.lists(_mutated(), min_size=1, max_size=12))
def test_read_together_or_one_by_one_a_record_is_the_same(values: list[bytes | None]) -> None:
    """Whatever happened to records, both ways of reading give the same rows and reasons."""
    records = records_of(values)

    assert same(judge(records), judge(records, parse_carefully))


def test_one_bad_record_changes_nothing_for_thousands_around_it() -> None:
    """What cannot be read with the others is found among them, wherever it stands."""
    values = [json.dumps(sample_event(EVENT_NAMES[at % 12])).encode() for at in range(9_000)]
    bad = {7: changed(shard="many"), 4_096: b"{" + values[0], 8_999: values[0] + values[1]}
    for at, value in bad.items():
        values[at] = value
    judged = judge(records_of(values))

    assert [row["kafka_offset"] - 100 for row in judged.rejects.to_pylist()] == list(bad)
    assert judged.rejects["reason"].to_pylist() == ["wrong_type", "not_json", "not_json"]
    assert judged.events["kafka_offset"].to_pylist() == [
        100 + at for at in range(9_000) if at not in bad
    ]
    assert same(judged, judge(records_of(values), parse_carefully))


@settings(deadline=None)
@given(st.lists(_mutated(), max_size=12))
def test_every_record_comes_out_exactly_once(values: list[bytes | None]) -> None:
    """Events and rejects together are the records, each with its offset and whole payload."""
    judged = judge(records_of(values))
    events = judged.events["kafka_offset"].to_pylist()
    rejects = {row["kafka_offset"]: row["payload"] for row in judged.rejects.to_pylist()}

    assert sorted([*events, *rejects]) == list(range(100, 100 + len(values)))
    assert events == sorted(events)
    for offset, payload in rejects.items():
        assert payload == values[offset - 100]


def test_samples_are_fine_and_keep_their_values() -> None:
    """A valid event of each name is stored as it was sent, whatever the order of its fields."""
    values = [
        json.dumps(dict(reversed(json.loads(text).items())), indent=2).encode()
        for text in sample_events()
    ]
    judged = judge(records_of(values))

    assert judged.rejects.num_rows == 0
    assert judged.events.column_names == [*_NAMES, "flags", "kafka_partition", "kafka_offset"]
    for text, row in zip(sample_events(), judged.events.to_pylist(), strict=True):
        event = json.loads(text)
        for field in EVENT_FIELDS:
            stored = row[field.name]
            if field.type is FieldType.TIMESTAMP:
                stored = stored.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            elif field.type is FieldType.ITEMS and stored is not None:
                stored = json.loads(stored)
            assert stored == event.get(field.name), field.name


VERDICTS = {
    "white space around": (b"\n " + EVENT_TEXT + b"\t\r\n", None),
    "line ends within": (EVENT_TEXT.replace(b", ", b",\r\n"), None),
    "a field more": (changed(loyalty={"user_id": 5, "deep": [[[]]]}), None),
    "the last of two": (b'{"city": 5, ' + EVENT_TEXT[1:], None),
    "a name in escapes": (EVENT_TEXT.replace(b'"city"', b'"c\\u0069ty"'), None),
    "a pair of surrogates": (EVENT_TEXT.replace(b'"city": "', b'"city": "\\ud83d\\ude00'), None),
    "deeply nested": (EVENT_TEXT[:-1] + b',"z":' + b"[" * 500 + b"]" * 500 + b"}", None),
    "a number without end": (EVENT_TEXT[:-1] + b',"z":' + b"9" * 9_000 + b"}", None),
    "two objects": (EVENT_TEXT + EVENT_TEXT, ("not_json", "")),
    "something behind": (EVENT_TEXT + b" }", ("not_json", "")),
    "nested without end": (b'{"z":' + b"[" * 30_000 + b"]" * 30_000 + b"}", ("not_json", "")),
    "no number": (EVENT_TEXT[:-1] + b',"z":NaN}', ("not_json", "")),
    "single quotes": (EVENT_TEXT.replace(b'"', b"'"), ("not_json", "")),
    "half a pair": (EVENT_TEXT.replace(b'"city": "', b'"city": "\\ud83d'), ("bad_encoding", "")),
    "a fraction": (changed(shard=1.0), ("wrong_type", "")),
    "a power": (EVENT_TEXT.replace(b'"shard": 1', b'"shard": 1e0'), ("wrong_type", "")),
    "true": (changed(shard=True), ("wrong_type", "")),
    "a number in a text": (changed(city=5), ("wrong_type", "")),
    "a number in an id": (changed(event_id=5), ("wrong_type", "event_id")),
    "an id in capitals": (changed(event_id=str(uuid4()).upper()), ("wrong_type", "event_id")),
    "an id and a line end": (changed(event_id=f"{uuid4()}\n"), ("wrong_type", "event_id")),
    "no such day": (changed(sent_at="2026-02-29T00:00:00.000Z"), ("wrong_type", "sent_at")),
    "a blank in a time": (changed(sent_at="2026-02-27 00:00:00.000Z"), ("wrong_type", "sent_at")),
    "long ago": (changed(event_time="1999-12-31T23:59:59.999Z"), ("out_of_range", "event_time")),
    "too early": (changed(event_time="2026-09-21T14:20:05.001Z"), ("future_time", "event_time")),
    "just not": (changed(event_time="2026-09-21T14:20:05.000Z"), None),
    "256 letters": (changed(city="é" * 256), None),
    "257 letters": (changed(city="é" * 257), ("out_of_range", "city")),
    "no letters": (changed(city=""), ("out_of_range", "city")),
    "a wrong list": (changed("purchase", items={"a": 1}), ("wrong_type", "")),
    "no lines": (changed("purchase", items=[]), ("missing_field", "items")),
    "a line of nothing": (changed("purchase", items=[None]), ("missing_field", "items")),
    "a line of no pieces": (line(quantity=0), ("missing_field", "items")),
    "a line of too many": (line(quantity=10**6 + 1), ("missing_field", "items")),
    "a line of many": (line(quantity=10**6), None),
    "a line too dear": (line(price_minor=10**9 + 1), ("missing_field", "items")),
    "a line of a long name": (line(product_id="é" * 33), ("missing_field", "items")),
    "a line without a name": (line(product_id=""), ("missing_field", "items")),
    "a line twice": (
        changed("purchase", items=[PURCHASE["items"][0], PURCHASE["items"][0] | {"quantity": 9}]),
        ("missing_field", "items"),
    ),
    "worth too much": (changed(value_minor=10**12 + 1), ("out_of_range", "value_minor")),
    "worth much": (changed(value_minor=10**12), None),
    "NUL in a line": (
        changed("purchase", items=[PURCHASE["items"][0] | {"category": "a\x00"}]),
        ("bad_encoding", ""),
    ),
    "the first rule counts": (
        changed(user_id=None, price_minor=-1, event_id="x"),
        ("missing_field", "user_id"),
    ),
    "as large as can be": (EVENT_TEXT.ljust(MAX_EVENT_BYTES), None),
    "one byte too large": (EVENT_TEXT.ljust(MAX_EVENT_BYTES + 1), ("oversized", "")),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_is(case: str) -> None:
    """Each kind of text gets the reason and the field that it should, or none."""
    value, expected = VERDICTS[case]

    assert verdict(value) == expected


def test_a_ledger_record_is_complete_and_of_its_types() -> None:
    """What PostgreSQL would refuse of a ledger record is a reject, the rest comes through."""
    good: dict[str, Any] = {
        field.name: 1 if field.type in {FieldType.INTEGER, FieldType.BIGINT} else "minute"
        for field in LEDGER_FIELDS
    } | {"run_id": str(uuid4()), "minute": "2026-01-31T12:00:00.000Z"}
    cases = {
        "run_id": ({"run_id": "x"}, ("wrong_type", "run_id")),
        "minute": ({"minute": "2026"}, ("wrong_type", "minute")),
        "shard": ({"shard": None}, ("missing_field", "")),
        "simulation": ({"simulation": "a\x00"}, ("bad_encoding", "")),
        "events": ({"events": "many"}, ("wrong_type", "")),
    }
    judged = judge(records_of([json.dumps(good).encode()], LEDGER.name))

    assert [json.loads(text) for text in judged.ledger["ledger"].to_pylist()] == [good]
    for change, expected in cases.values():
        assert verdict(json.dumps(good | change).encode(), LEDGER.name) == expected


def test_all_that_is_odd_about_an_event_is_named() -> None:
    """Flags come in the order of the rules; an event without any has none."""
    odd = changed("purchase", event_time="2026-09-21T14:09:59.999Z", value_minor=0)
    large = changed(
        "add_to_cart", event_time="2026-09-21T14:10:00.000Z", quantity=101, price_minor=0
    )
    plain = changed(event_time="2026-09-21T14:20:00.000Z", sent_at="2026-09-21T14:20:05.001Z")
    fine = changed(event_time="2026-09-21T14:20:00.000Z")

    assert judge(records_of([odd, large, plain, fine])).events["flags"].to_pylist() == [
        "event_time.late,value_minor.zero",
        "quantity.large,price_minor.zero",
        "sent_at.clock_ahead",
        None,
    ]


@settings(deadline=None)
@given(
    st.lists(
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
            }
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda line: line["product_id"],
    )
)
def test_the_lines_of_an_order_are_stored_as_they_were_sent(lines: list[dict[str, Any]]) -> None:
    """Whatever texts and numbers they hold, and beside events without lines."""
    values = [changed("view_item"), changed("purchase", items=lines), changed("page_view")]
    stored = judge(records_of(values)).events["items"].to_pylist()

    assert stored[0] is None
    assert json.loads(stored[1]) == lines
    assert stored[2] is None


_FORM = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(text: str | None) -> int | None:
    """Return what Python's own parser says of a time, Unix microseconds."""
    if text is None or not re.fullmatch(_FORM, text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


@settings(deadline=None)
@given(
    st.lists(
        st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  given behind
            lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
        | st.from_regex(_FORM, fullmatch=True)
        | st.none()
    )
)
def test_times_are_what_pythons_own_parser_says(texts: list[str | None]) -> None:
    """A time of the form is read to the millisecond; all else is none."""
    found = moments(pa.array(texts, pa.string()))

    assert found.cast(pa.int64()).to_pylist() == [_microseconds(text) for text in texts]


def test_ids_are_of_one_form() -> None:
    """Also in a part of a column, and beside nulls and texts of another length."""
    right = str(uuid4())
    texts = ["", right, None, right.upper(), right[:-1], right + "0", right.replace("-", "0")]

    assert are_uuids(pa.array(texts, pa.string())).tolist() == [text == right for text in texts]
    assert are_uuids(pa.array(texts, pa.string()).slice(1, 2)).tolist() == [True, False]
