"""Bytes become columns, many records at a time or one by one, with the same result."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from clickstream_contract.events import EVENT_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.topics import RejectReason
from clickstream_streaming.core.validation import parsing
from clickstream_streaming.core.validation.parsing import Parsed, parse, parse_one_by_one
from clickstream_streaming.core.validation.record_parser import parse_record
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka_records import damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Read = Callable[[pa.BinaryArray, tuple[Field, ...]], Parsed]

FIELDS = (
    Field("name", FieldType.TEXT, ""),
    Field("id", FieldType.UUID, ""),
    Field("at", FieldType.TIMESTAMP, ""),
    Field("small", FieldType.INTEGER, ""),
    Field("large", FieldType.BIGINT, ""),
    Field("items", FieldType.ITEMS, ""),
)
ABSENT = dict.fromkeys(field.name for field in FIELDS)
WAYS = pytest.mark.parametrize("read", [parse, parse_one_by_one])
GOOD = b'{"name": "a"}'


def _values(*values: bytes | None) -> pa.BinaryArray:
    return pa.array(values, pa.binary())


def _same(one: Parsed, other: Parsed) -> bool:
    return (
        one.rows.tolist() == other.rows.tolist()
        and one.objects.equals(other.objects)
        and one.wrong_texts.tolist() == other.wrong_texts.tolist()
        and one.reasons == other.reasons
    )


@pytest.fixture
def read_singly(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """Count the records that are read one by one."""
    counts: Counter[bytes] = Counter()

    def counting(value: bytes, fields: Sequence[Field]) -> object:
        counts[value] += 1
        return parse_record(value, fields)

    monkeypatch.setattr(parsing, "parse_record", counting)
    return counts


@WAYS
def test_columns_have_the_fields_types(read: Read) -> None:
    """Ids and times stay text; numbers and order lines have the types of the contract."""
    value = (
        b'{"name": "n", "id": "i", "at": "t", "small": 1, "large": 4294967296,'
        b' "items": [{"product_id": "p", "category": "c", "quantity": 2, "price_minor": 3}]}'
    )

    objects = read(_values(value), FIELDS).objects

    lines = pa.list_(
        pa.struct(
            [
                ("product_id", pa.string()),
                ("product_name", pa.string()),
                ("brand", pa.string()),
                ("category", pa.string()),
                ("quantity", pa.int32()),
                ("price_minor", pa.int64()),
            ]
        )
    )
    types = [pa.string(), pa.string(), pa.string(), pa.int32(), pa.int64(), lines]
    assert objects.schema == pa.schema(list(zip(ABSENT, types, strict=True)))
    (wanted,) = [json.loads(value)]
    wanted["items"][0] |= {"product_name": None, "brand": None}
    assert objects.to_pylist() == [wanted]


@WAYS
def test_rows_keep_their_order(read: Read) -> None:
    """Objects are numbered as the records are, whichever way each of them is read."""
    values = _values(
        b"[]", GOOD, None, b'{"name": 5}', b'{"name": "b"}', b'{"name": "c", "z": NaN}'
    )

    parsed = read(values, FIELDS)

    assert parsed.rows.tolist() == [1, 3, 4]
    assert parsed.objects["name"].to_pylist() == ["a", "5", "b"]
    assert parsed.wrong_texts.tolist() == [False, True, False]
    assert parsed.reasons == {
        0: RejectReason.NOT_JSON,
        2: RejectReason.NO_VALUE,
        5: RejectReason.NOT_JSON,
    }


@WAYS
@pytest.mark.parametrize("values", [(), (None,), (b"5",)])
def test_nothing_readable_gives_no_rows(read: Read, values: tuple[bytes | None, ...]) -> None:
    """Without any object there are empty columns of the right names."""
    parsed = read(_values(*values), FIELDS)

    assert parsed.rows.tolist() == []
    assert parsed.objects.num_rows == 0
    assert parsed.objects.schema.names == list(ABSENT)
    assert parsed.wrong_texts.tolist() == []
    assert list(parsed.reasons) == list(range(len(values)))


UNREADABLE: dict[str, tuple[bytes | None, RejectReason]] = {
    "no value": (None, RejectReason.NO_VALUE),
    "empty": (b"", RejectReason.NOT_JSON),
    "cut off": (b"{", RejectReason.NOT_JSON),
    "two objects": (GOOD * 2, RejectReason.NOT_JSON),
    "more behind": (GOOD + b" }", RejectReason.NOT_JSON),
    "NaN": (b'{"name": "a", "z": NaN}', RejectReason.NOT_JSON),
    "Infinity": (b'{"name": "a", "z": Infinity}', RejectReason.NOT_JSON),
    "Inf": (b'{"name": "a", "z": -Inf}', RejectReason.NOT_JSON),
    "bad UTF-8 in a text": (b'{"name": "\xff"}', RejectReason.BAD_ENCODING),
    "bad UTF-8": (b"\xff", RejectReason.BAD_ENCODING),
    "half a surrogate pair": (b'{"name": "\\ud800"}', RejectReason.BAD_ENCODING),
    "text for a number": (b'{"small": "1"}', RejectReason.WRONG_TYPE),
    "too big a number": (b'{"small": 2147483648}', RejectReason.WRONG_TYPE),
    "an object for lines": (b'{"items": {}}', RejectReason.WRONG_TYPE),
    "nested without end": (b'{"z":' + b"[" * 30_000 + b"]" * 30_000 + b"}", RejectReason.NOT_JSON),
    "oversized": (b"\xff" * (MAX_EVENT_BYTES + 1), RejectReason.OVERSIZED),
}


@WAYS
@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_record_has_reason(read: Read, case: str) -> None:
    """A record that is no object has its reason, and its neighbours are objects."""
    value, reason = UNREADABLE[case]

    parsed = read(_values(GOOD, value, GOOD), FIELDS)

    assert parsed.rows.tolist() == [0, 2]
    assert parsed.reasons == {1: reason}


@WAYS
def test_largest_record_is_read(read: Read) -> None:
    """A record may have exactly the contract's most bytes, and one more is too many."""
    largest = GOOD.ljust(MAX_EVENT_BYTES)

    parsed = read(_values(largest, largest + b" "), FIELDS)

    assert parsed.rows.tolist() == [0]
    assert parsed.reasons == {1: RejectReason.OVERSIZED}


@WAYS
def test_slice_is_read_by_itself(read: Read) -> None:
    """A slice of a column is numbered from its first record."""
    parsed = read(_values(None, b"5", GOOD, b'{"name": "b"}', b"{").slice(1, 3), FIELDS)

    assert parsed.rows.tolist() == [1, 2]
    assert parsed.objects["name"].to_pylist() == ["a", "b"]
    assert parsed.reasons == {0: RejectReason.NOT_JSON}


@settings(max_examples=120)
@given(st.lists(damaged(), max_size=12))
def test_both_ways_agree(values: list[bytes | None]) -> None:
    """Whatever happened to records, they are the same read together or one by one."""
    assert _same(
        parse(_values(*values), EVENT_FIELDS), parse_one_by_one(_values(*values), EVENT_FIELDS)
    )


def test_good_records_are_read_together(read_singly: Counter[bytes]) -> None:
    """Arrow parses a chunk in which every record is plain."""
    parsed = parse(_values(*[GOOD] * 1_000), FIELDS)

    assert parsed.objects.num_rows == 1_000
    assert not read_singly


def test_slow_way_parses_each(read_singly: Counter[bytes]) -> None:
    """The slow way parses every record alone."""
    parse_one_by_one(_values(*[GOOD] * 5, None), FIELDS)

    assert read_singly == {GOOD: 5}


SUSPECT = {
    "blank before": b" " + GOOD,
    "line end behind": GOOD + b"\n",
    "NaN": b'{"z": "NaN"}',
    "Inf": b'{"z": "Inf"}',
    "deeply nested": b'{"z": ' + b"[" * 399 + b"]" * 399 + b', "p": "' + b"x" * 1_000 + b'"}',
    "many braces": b'{"z": "' + b"{" * 399 + b'", "p": "' + b"x" * 1_000 + b'"}',
    "brackets in 1,001 bytes": b'{"z": "' + b"[" * (1_001 - len(b'{"z": ""}')) + b'"}',
}
PLAIN = {
    "few braces": b'{"z": "' + b"{" * 398 + b'", "p": "' + b"x" * 1_000 + b'"}',
    "brackets in 1,000 bytes": b'{"z": "' + b"[" * (1_000 - len(b'{"z": ""}')) + b'"}',
}


@pytest.mark.parametrize("case", SUSPECT)
def test_suspect_record_is_read_singly(case: str, read_singly: Counter[bytes]) -> None:
    """A record that Arrow may parse differently is parsed alone; its neighbours in bulk."""
    parsed = parse(_values(GOOD, SUSPECT[case], GOOD), FIELDS)

    assert parsed.rows.tolist() == [0, 1, 2]
    assert read_singly == {SUSPECT[case]: 1}


@pytest.mark.parametrize("case", PLAIN)
def test_plain_record_is_read_together(case: str, read_singly: Counter[bytes]) -> None:
    """A record with few brackets, or with many in a short text, is parsed in bulk."""
    parsed = parse(_values(GOOD, PLAIN[case]), FIELDS)

    assert parsed.rows.tolist() == [0, 1]
    assert not read_singly


@pytest.mark.parametrize(
    ("size", "read"),
    [(256, 256), (257, 33), (2_048, 256), (2_056, 33), (4_096, 64)],
)
def test_bad_record_slows_few(size: int, read: int, read_singly: Counter[bytes]) -> None:
    """Only the smallest part around a record that Arrow rejects is parsed one by one."""
    bad = b'{"small": "x"}'

    parsed = parse(_values(bad, *[GOOD] * (size - 1)), FIELDS)

    assert parsed.reasons == {0: RejectReason.WRONG_TYPE}
    assert parsed.rows.tolist() == list(range(1, size))
    assert read_singly == {bad: 1, GOOD: read - 1}
