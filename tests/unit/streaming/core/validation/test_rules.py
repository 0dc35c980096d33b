"""Each rule of the contract finds the records that break it, and no others."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.quality import QUALITY_RULES, RECORD, FlagReason, Severity
from clickstream_contract.topics import RejectReason
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.validation.parsing import parse
from clickstream_streaming.core.validation.rules import (
    EVENT_RULES,
    FLAG_RULES,
    LEDGER_RULES,
    Columns,
    Rule,
)
from kafka_records import ARRIVED, changed, ledger_record, line, order_of

if TYPE_CHECKING:
    from clickstream_contract.fields import Field

GOOD = sample_event("view_item")
READING = {
    RejectReason.NO_VALUE,
    RejectReason.OVERSIZED,
    RejectReason.BAD_ENCODING,
    RejectReason.NOT_JSON,
    RejectReason.WRONG_TYPE,
}
"""Reject reasons of the parser, before any rule."""


def _columns(
    values: list[bytes],
    fields: tuple[Field, ...] = EVENT_FIELDS,
    *,
    may_hold_nul: bool = True,
    wrong_texts: list[bool] | None = None,
    kept_since: np.datetime64 | None = None,
) -> Columns:
    objects = parse(pa.array(values, pa.binary()), fields).objects
    assert objects.num_rows == len(values), "every record can be read"
    return Columns(
        objects,
        np.array([ARRIVED.replace(tzinfo=None)] * len(values), "datetime64[us]"),
        np.array(wrong_texts or [False] * len(values)),
        may_hold_nul=may_hold_nul,
        kept_since=kept_since,
    )


def _broken(rules: tuple[Rule, ...], columns: Columns) -> list[list[str]]:
    """Return the names of the rules that each record breaks."""
    found: list[list[str]] = [[] for _ in range(columns.objects.num_rows)]
    for rule in rules:
        mask = rule.broken(columns)
        if mask is not None:
            assert mask.dtype == bool
            for row in np.flatnonzero(mask).tolist():
                found[row].append(rule.name)
    return found


def _broken_by(value: bytes, rules: tuple[Rule, ...] = EVENT_RULES) -> list[str]:
    """Return the rules that one record breaks, whose neighbours break none."""
    other = changed("purchase", event_time="2026-09-21T14:20:00.000Z", value_minor=1)
    neighbours = (changed("page_view", event_time="2026-09-21T14:20:00.000Z"), other)
    if rules is LEDGER_RULES:
        columns = _columns([ledger_record(), value, ledger_record()], LEDGER_FIELDS)
    else:
        columns = _columns([neighbours[0], value, neighbours[1]])
    before, found, behind = _broken(rules, columns)
    assert before == behind == []
    return found


def test_every_contract_rule_has_condition() -> None:
    """Parser and rules have the names in the contract's table, and no other."""
    rejecting = {rule.name for rule in QUALITY_RULES if rule.severity is Severity.REJECT}
    flagging = {rule.name for rule in QUALITY_RULES if rule.severity is Severity.FLAG}

    reading = {f"{RECORD}.{reason.value}" for reason in READING}

    assert reading | {rule.name for rule in (*EVENT_RULES, *LEDGER_RULES)} == rejecting
    assert {rule.name for rule in FLAG_RULES} == flagging


def test_every_reason_has_rule() -> None:
    """Each reason of the contract can be given, and no rule has two rows in its table."""
    rules = (*EVENT_RULES, *LEDGER_RULES, *FLAG_RULES)
    names = [rule.name for rule in QUALITY_RULES]

    assert READING | {rule.reason for rule in rules} == {*RejectReason, *FlagReason}
    assert {rule.reason for rule in QUALITY_RULES} == {*RejectReason, *FlagReason}
    assert len(names) == len(set(names))


def test_reasons_have_an_order() -> None:
    """Rules come by reason, the reason that is named first before the others."""
    assert [reason for reason, _ in groupby(rule.reason for rule in EVENT_RULES)] == [
        RejectReason.BAD_ENCODING,
        RejectReason.MISSING_FIELD,
        RejectReason.UNKNOWN_VERSION,
        RejectReason.WRONG_TYPE,
        RejectReason.UNKNOWN_VALUE,
        RejectReason.OUT_OF_RANGE,
        RejectReason.FUTURE_TIME,
        RejectReason.WRONG_TYPE,
        RejectReason.DAY_DROPPED,
    ]
    assert [rule.name for rule in LEDGER_RULES] == [
        "record.bad_encoding",
        "record.missing_field",
        "simulation.wrong_type",
        "run_id.wrong_type",
        "minute.wrong_type",
        "run_record.wrong_type",
        "kind.unknown_value",
        *(
            f"{field.name}.out_of_range"
            for field in LEDGER_FIELDS
            if field.name not in {"kind", "run_id"}
        ),
        "record.wrong_type",
    ]


def test_fields_have_an_order() -> None:
    """Among rules of one reason the contract's first field comes first."""
    missing = [rule.field for rule in EVENT_RULES if rule.reason is RejectReason.MISSING_FIELD]

    assert missing == [*(field.name for field in EVENT_FIELDS if field.required), "items"]


def test_rule_name_has_field_and_reason() -> None:
    """A rule about the whole record has the contract's word in the field's place."""

    def never(_: Columns) -> None:
        return None

    assert Rule("city", RejectReason.OUT_OF_RANGE, never).name == "city.out_of_range"
    assert Rule("", FlagReason.LATE, never).name == "record.late"


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_sample_breaks_no_rule(name: str) -> None:
    """A valid event of each name breaks none of the rules that reject."""
    assert _broken_by(changed(name)) == []


@pytest.mark.parametrize("field", EVENT_FIELDS, ids=lambda field: field.name)
def test_required_field_may_not_be_missing(field: Field) -> None:
    """A field is missed in just those events that must carry it."""
    carriers = field.events or EVENT_NAMES
    expected = [f"{field.name}.missing_field"] if field.required else []

    found = _broken(
        EVENT_RULES, _columns([changed(name, **{field.name: None}) for name in EVENT_NAMES])
    )

    assert dict(zip(EVENT_NAMES, found, strict=True)) == {
        name: expected if name in carriers else [] for name in EVENT_NAMES
    }


def test_nameless_event_misses_its_name_only() -> None:
    """Without a name it is unknown which fields an event must carry."""
    bare = {name: None for name, value in GOOD.items() if name not in sample_event("page_view")}

    assert _broken_by(changed(event_name=None, **bare)) == ["event_name.missing_field"]


def test_unknown_name_is_the_only_fault() -> None:
    """An event of an unknown name is rejected for it, whatever fields it has."""
    assert _broken_by(changed(event_name="teleport", product_id=None)) == [
        "event_name.unknown_value"
    ]


@pytest.mark.parametrize(
    "name", [field.name for field in EVENT_FIELDS if field.type is FieldType.UUID]
)
def test_ids_are_uuids(name: str) -> None:
    """An id that is no UUID in lower case is of the wrong type."""
    capitals = "0A1B2C3D-4E5F-4789-8ABC-DEF012345678"

    assert _broken_by(changed("purchase", **{name: capitals})) == [f"{name}.wrong_type"]
    assert _broken_by(changed("purchase", **{name: capitals.lower()})) == []
    assert _broken_by(changed("page_view", **{name: "x"})) == [f"{name}.wrong_type"]


@pytest.mark.parametrize("name", ["event_time", "sent_at"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "wrong_type"),
        ("2026-02-29T00:00:00.000Z", "wrong_type"),
        ("1999-12-31T23:59:59.999Z", "out_of_range"),
        ("2000-01-01T00:00:00.000Z", None),
    ],
)
def test_times_begin_in_2000(name: str, text: str, reason: str | None) -> None:
    """A time has its form, and does not lie before the year 2000."""
    expected = [f"{name}.{reason}"] if reason else []

    assert _broken_by(changed(**{name: text})) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-21T14:20:05.000Z", []),
        ("2026-09-21T14:20:05.001Z", ["event_time.future_time"]),
    ],
)
def test_event_time_may_lead_slightly(text: str, expected: list[str]) -> None:
    """More than five seconds after Kafka got the record is the future."""
    assert _broken_by(changed(event_time=text)) == expected


def test_dropped_day_is_rejected() -> None:
    """An event before the first day that retention has kept is rejected, one of that day is not."""
    moments = ("2026-08-31T23:59:59.999Z", "2026-09-01T00:00:00.000Z")
    values = [changed(event_time=moment) for moment in moments]
    mark = np.datetime64("2026-09-01", "us")

    found = _broken(EVENT_RULES, _columns(values, kept_since=mark))

    assert found == [["event_time.day_dropped"], []]
    assert _broken(EVENT_RULES, _columns(values)) == [[], []]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("event_name", "teleport", "unknown_value"),
        ("device", "toaster", "unknown_value"),
        ("device", "", "unknown_value"),
        ("currency", "JPY", "unknown_value"),
        ("schema_version", 3, "unknown_version"),
        ("schema_version", 0, "unknown_version"),
    ],
)
def test_lists_of_values_are_closed(name: str, value: object, reason: str) -> None:
    """A value outside its field's list is unknown."""
    assert _broken_by(changed("purchase", **{name: value})) == [f"{name}.{reason}"]


@pytest.mark.parametrize("device", ["mobile", "desktop", "tablet"])
def test_listed_value_is_known(device: str) -> None:
    """Each value of a list is allowed."""
    assert _broken_by(changed(device=device)) == []


TEXTS = [
    row for row in EVENT_FIELDS if row.type is FieldType.TEXT and not row.values and not row.pattern
]


@pytest.mark.parametrize("field", TEXTS, ids=lambda field: field.name)
def test_texts_have_a_length(field: Field) -> None:
    """A text has at least one character and at most the contract's number, not bytes."""
    broken = [f"{field.name}.out_of_range"]

    longest = field.max_length
    texts = ["", "é", "é" * longest, "x" * longest, "x" * (longest + 1), "é" * (longest + 1)]

    found = _broken(EVENT_RULES, _columns([changed(**{field.name: text}) for text in texts]))

    assert found == [broken, [], [], [], broken, broken]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop", []),
        ("blue/shop", []),
        ("a" * 63, []),
        ("shop\n", ["simulation.wrong_type"]),
        ("1shop", ["simulation.wrong_type"]),
        ("Shop", ["simulation.wrong_type"]),
        ("a" * 64, ["simulation.wrong_type"]),
        ("é", ["simulation.wrong_type"]),
        ("", ["simulation.wrong_type", "simulation.out_of_range"]),
    ],
)
def test_simulation_has_full_name(name: str, expected: list[str]) -> None:
    """A simulation's name has the form of a resource's, so an invented one is no label."""
    assert _broken_by(changed(simulation=name)) == expected


NUMBERS = [row for row in EVENT_FIELDS if row.minimum is not None]


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_numbers_have_bounds(field: Field) -> None:
    """A number lies within the contract's bounds, both included."""
    broken = [f"{field.name}.out_of_range"]
    assert field.minimum is not None
    cases = {field.minimum - 1: broken, field.minimum: []}
    if field.maximum is not None:
        cases |= {field.maximum: [], field.maximum + 1: broken}

    found = _broken(EVENT_RULES, _columns([changed(**{field.name: number}) for number in cases]))

    assert found == list(cases.values())


@pytest.mark.parametrize(("name", "value"), [("city", "x" * 256), ("city", "x"), ("shard", 0)])
def test_column_within_bounds_has_no_mask(name: str, value: object) -> None:
    """If the shortest and the longest text are valid, no record is checked alone."""
    (rule,) = (rule for rule in EVENT_RULES if rule.name == f"{name}.out_of_range")

    assert rule.broken(_columns([changed(**{name: value})])) is None


def _first_version(*lines: object) -> bytes:
    """Return a purchase of the event's first version, whose lines had no name and no brand."""
    return changed("purchase", schema_version=1, items=list(lines))


ORDERS = {
    "one line": (order_of(line()), False),
    "two lines": (order_of(line(), line(product_id="y")), False),
    "no line": (order_of(), True),
    "null": (order_of(None), True),
    "a line and null": (order_of(line(), None), True),
    "empty line": (order_of({}), True),
    "product twice": (order_of(line(), line(quantity=9)), True),
    "product twice apart": (order_of(line(), line(product_id="y"), line()), True),
    "no product": (order_of(line(product_id=None)), True),
    "empty product": (order_of(line(product_id="")), True),
    "long product": (order_of(line(product_id="é" * 32)), False),
    "too long product": (order_of(line(product_id="é" * 33)), True),
    "no name": (order_of(line(product_name=None)), True),
    "no name in version 1": (_first_version(line(product_name=None)), False),
    "empty name": (order_of(line(product_name="")), True),
    "empty name in version 1": (_first_version(line(product_name="")), True),
    "long name": (order_of(line(product_name="x" * 256)), False),
    "too long name": (order_of(line(product_name="x" * 257)), True),
    "no brand": (order_of(line(brand=None)), True),
    "no brand in version 1": (_first_version(line(brand=None)), False),
    "long brand": (order_of(line(brand="x" * 64)), False),
    "too long brand": (order_of(line(brand="x" * 65)), True),
    "a cart without names": (changed("view_cart", items=[line(brand=None)]), True),
    "no category in version 1": (_first_version(line(category=None)), True),
    "no category": (order_of(line(category=None)), True),
    "empty category": (order_of(line(category="")), True),
    "long category": (order_of(line(category="x" * 64)), False),
    "too long category": (order_of(line(category="x" * 65)), True),
    "no quantity": (order_of(line(quantity=None)), True),
    "no pieces": (order_of(line(quantity=0)), True),
    "many pieces": (order_of(line(quantity=10**6)), False),
    "too many pieces": (order_of(line(quantity=10**6 + 1)), True),
    "no price": (order_of(line(price_minor=None)), True),
    "negative price": (order_of(line(price_minor=-1)), True),
    "free": (order_of(line(price_minor=0)), False),
    "dear": (order_of(line(price_minor=10**9)), False),
    "too dear": (order_of(line(price_minor=10**9 + 1)), True),
    "bad line of another event": (changed(items=[line(quantity=0)]), True),
    "no line of another event": (changed(items=[]), False),
}


@pytest.mark.parametrize("case", ORDERS)
def test_orders_have_whole_lines(case: str) -> None:
    """An order has lines, each is complete and within bounds, and no product has two."""
    value, is_broken = ORDERS[case]

    assert _broken_by(value) == (["items.missing_field"] if is_broken else [])


def test_orders_have_few_lines() -> None:
    """An order with more lines than 50 is rejected: it would make a row for each pair of them."""
    lines = [line(product_id=f"p{number}") for number in range(51)]

    assert _broken_by(order_of(*lines)) == ["items.out_of_range"]
    assert _broken_by(changed(items=lines)) == ["items.out_of_range"]
    assert _broken_by(order_of(*lines[:50])) == []


def test_orders_do_not_share_lines() -> None:
    """Two orders may hold the same product, and only the order with a bad line is rejected."""
    values = [
        order_of(line(), line(product_id="y")),
        changed("page_view"),
        order_of(line(product_id="y"), line()),
        order_of(line(quantity=0), line(product_id="y")),
        order_of(line()),
        order_of(line(product_id="z"), line(product_id="z")),
    ]

    assert _broken(EVENT_RULES, _columns(values)) == [
        [], [], [], ["items.missing_field"], [], ["items.missing_field"],
    ]  # fmt: skip


def test_first_line_of_product_counts() -> None:
    """Products are compared within an order, however many there are in all."""
    orders = [
        order_of(*(line(product_id=f"p{number}") for number in range(start, start + 5)))
        for start in range(20)
    ]

    assert _broken(EVENT_RULES, _columns(orders)) == [[]] * 20


@pytest.mark.parametrize("name", [field.name for field in TEXTS])
def test_nul_in_text_is_found(name: str) -> None:
    """The character NUL in a text is refused, since PostgreSQL refuses it."""
    assert _broken_by(changed(**{name: "\0" * 1})) == ["record.bad_encoding"]


@pytest.mark.parametrize("name", ["product_id", "category"])
def test_nul_in_order_line_is_found(name: str) -> None:
    """NUL in a text of any order line is found at its order."""
    bad = order_of(line(product_id="y"), line(**{name: "a\0"}))

    assert _broken_by(bad) == ["record.bad_encoding"]


def test_nul_is_sought_where_possible() -> None:
    """Without NUL in the bytes no text is searched."""
    columns = _columns([changed(city="a\0")], may_hold_nul=False)

    assert _broken(EVENT_RULES, columns) == [[]]


def test_wrong_text_is_named_last() -> None:
    """A text field of another type is rejected for the record, after every other rule."""
    values = [changed(), changed(), changed(city="")]
    columns = _columns(values, wrong_texts=[False, True, True])

    assert _broken(EVENT_RULES, columns) == [
        [],
        ["record.wrong_type"],
        ["city.out_of_range", "record.wrong_type"],
    ]


@pytest.mark.parametrize(
    "field", [row for row in LEDGER_FIELDS if row.required], ids=lambda field: field.name
)
def test_ledger_record_is_complete(field: Field) -> None:
    """A ledger record without one of its fields is rejected."""
    assert _broken_by(ledger_record(**{field.name: None}), LEDGER_RULES) == ["record.missing_field"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"run_id": "x"}, ["run_id.wrong_type"]),
        ({"minute": "2026"}, ["minute.wrong_type"]),
        ({"minute": "1999-01-01T00:00:00.000Z"}, ["minute.out_of_range"]),
        ({"minute": "0000-01-01T00:00:00.000Z"}, ["minute.out_of_range"]),
        ({"kind": "second"}, ["kind.unknown_value"]),
        ({"simulation": "Shop 1"}, ["simulation.wrong_type"]),
        ({"shard": 1_024, "shards": 1_025}, ["shard.out_of_range", "shards.out_of_range"]),
        ({"shard_seq": 10**12 + 1}, ["shard_seq.out_of_range"]),
        ({"simulation": "a\0"}, ["record.bad_encoding", "simulation.wrong_type"]),
        ({"events": -1}, ["events.out_of_range"]),
        ({"run_record": '{"start_seconds":1e9,"revisions":[]}'}, []),
        ({"run_record": "{}"}, ["run_record.wrong_type"]),
        ({"run_record": ""}, ["run_record.wrong_type", "run_record.out_of_range"]),
    ],
)
def test_ledger_record_keeps_contract(changes: dict[str, object], expected: list[str]) -> None:
    """Each field of a ledger record keeps the contract's bounds, so no value is too large a sum."""
    assert _broken_by(ledger_record(**changes), LEDGER_RULES) == expected


def test_wrong_text_breaks_ledger_record() -> None:
    """A text field of another type rejects a ledger record, too."""
    columns = _columns([ledger_record()], LEDGER_FIELDS, wrong_texts=[True])

    assert _broken(LEDGER_RULES, columns) == [["record.wrong_type"]]


ON_TIME = "2026-09-21T14:20:00.000Z"
FLAGS: dict[str, tuple[dict[str, object], list[str]]] = {
    "on time": ({"event_time": "2026-09-21T14:10:00.000Z"}, []),
    "late": ({"event_time": "2026-09-21T14:09:59.999Z"}, ["event_time.late"]),
    "clock ahead": ({"sent_at": "2026-09-21T14:20:05.001Z"}, ["sent_at.clock_ahead"]),
    "clock right": ({"sent_at": "2026-09-21T14:20:05.000Z"}, []),
    "clock behind": ({"sent_at": "2020-01-01T00:00:00.000Z"}, []),
    "many": ({"event_name": "add_to_cart", "quantity": 101}, ["quantity.large"]),
    "some": ({"event_name": "add_to_cart", "quantity": 100}, []),
    "free": ({"price_minor": 0}, ["price_minor.zero"]),
    "cheap": ({"price_minor": 1}, []),
    "huge order": ({"event_name": "purchase", "value_minor": 10**7 + 1}, ["value_minor.large"]),
    "large order": ({"event_name": "purchase", "value_minor": 10**7}, []),
    "huge cart": ({"event_name": "view_cart", "value_minor": 10**7 + 1}, []),
    "huge order elsewhere": (
        {"event_name": "purchase", "value_minor": 12 * 10**7 + 1, "currency": "SEK"},
        ["value_minor.large"],
    ),
    "large order elsewhere": (
        {"event_name": "purchase", "value_minor": 12 * 10**7, "currency": "SEK"},
        [],
    ),
    "free order": ({"event_name": "purchase", "value_minor": 0}, ["value_minor.zero"]),
    "cheap order": ({"event_name": "purchase", "value_minor": 1}, []),
    "empty cart": ({"event_name": "view_cart", "value_minor": 0}, []),
}


@pytest.mark.parametrize("case", FLAGS)
def test_odd_event_is_flagged(case: str) -> None:
    """An event is flagged above the contract's threshold, not at it."""
    changes, expected = FLAGS[case]

    assert _broken_by(changed(**({"event_time": ON_TIME, **changes})), FLAG_RULES) == expected


def test_columns_give_field_values() -> None:
    """A column has a field's values; its mask of missing ones is absent if there is none."""
    columns = _columns([changed(city="a"), changed(city=None)])

    assert columns["city"].to_pylist() == ["a", None]
    missing = columns.missing("city")
    assert missing is not None
    assert missing.tolist() == [False, True]
    assert columns.missing("country") is None


def test_columns_give_times() -> None:
    """Timestamps are parsed once; a text that is none gives null."""
    columns = _columns([changed(sent_at="2026-01-31T12:00:00.001Z"), changed(sent_at="never")])

    assert columns.timestamps("sent_at") is columns.timestamps("sent_at")
    assert columns.timestamps("sent_at").is_valid().to_pylist() == [True, False]
    times = columns.times("sent_at")
    assert times[0] == np.datetime64("2026-01-31T12:00:00.001", "us")
    assert np.isnat(times[1])


def test_columns_give_event_names() -> None:
    """A name is its place in the contract; an unknown and a missing one lie behind the last."""
    names = [*EVENT_NAMES, "teleport", None]
    columns = _columns([json.dumps(GOOD | {"event_name": name}).encode() for name in names])

    assert columns.names.tolist() == [*range(len(EVENT_NAMES)), 12, 12]
    assert columns.is_purchase.tolist() == [name == "purchase" for name in names]


def test_every_item_field_is_bounded() -> None:
    """The cases above have a missing and an unfit value for each field of an order line."""
    assert {field.name for field in ITEM_FIELDS} == {
        "product_id", "product_name", "brand", "category", "quantity", "price_minor",
    }  # fmt: skip
