"""Records of a topic: fields by their path, and what is no event."""

from __future__ import annotations

import json

import pytest
from clickstream_judge.core.topic_records import (
    field_names,
    record_fields,
    record_texts,
    split_header,
    split_indexes,
)
from hypothesis import given
from hypothesis import strategies as st

EVENT = {"type": "view", "payload": {"id": "a", "cents": 1999, "tags": ["x"]}, "a.b": True}


@given(st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5) | st.integers(-9, 9)))
def test_names_lead_to_values(fields: dict[str, object]) -> None:
    """Each path of a record leads to its value, with and without a registry's header."""
    value = json.dumps(fields).encode()
    there = record_fields(value, has_header=False)
    assert there == record_fields(b"\x00\x00\x00\x00\x07" + value, has_header=True)
    assert there == fields == record_fields(value, has_header=True)

    found = record_texts(fields, list(fields))
    assert found == [None if row is None else str(row) for row in fields.values()]


def test_nested_fields_by_path() -> None:
    """A path goes into objects; a name with a dot is found first; lists stay JSON."""
    paths = ["type", "payload.id", "payload.cents", "payload.tags", "a.b", "payload.no", "type.no"]

    found = record_texts(EVENT, paths)

    assert found == ["view", "a", "1999", '["x"]', "true", None, None]
    assert field_names(EVENT) == ["type", "payload.id", "payload.cents", "payload.tags", "a.b"]


@pytest.mark.parametrize("value", [None, b"", b"5", b"[1]", b"{", b"\xff", b'"a"', b"\x00\x00"])
def test_records_that_are_no_objects(value: bytes | None) -> None:
    """Anything but a JSON object has no fields."""
    assert record_fields(value, has_header=False) is None
    assert record_fields(value, has_header=True) is None


@pytest.mark.parametrize("levels", [300, 1_000])
def test_deep_record_is_read(levels: int) -> None:
    """A record with many levels is a wrong value, and does not end the judgement."""
    fields = record_fields(b'{"a":' * levels + b"1" + b"}" * levels, has_header=False)
    assert fields is not None

    assert record_texts(fields, ["a"]) == ["(nested too deeply)"]
    assert len(field_names(fields)) == 1


def test_names_are_limited() -> None:
    """A message about a record of many fields names the first 50."""
    fields = {f"field{place}": place for place in range(51)}

    assert field_names(fields) == list(fields)[:50]


@given(st.integers(0, 2**32 - 1), st.binary(max_size=9))
def test_header_has_a_number(number: int, rest: bytes) -> None:
    """A header is a zero and the schema's number; anything else is none."""
    assert split_header(b"\x00" + number.to_bytes(4) + rest) == (number, rest)
    assert split_header(b"\x01" + number.to_bytes(4) + rest) is None
    assert split_header(b"\x00" + rest[:3]) is None


def _zigzag(number: int) -> bytes:
    rest, found = number * 2, bytearray()
    while rest > 127:
        found.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*found, rest])


@given(st.lists(st.integers(0, 9_999), min_size=1, max_size=20), st.binary(max_size=9))
def test_indexes_find_a_message(indexes: list[int], rest: bytes) -> None:
    """The place of a message is read whole; a single zero is the first message."""
    written = b"".join(map(_zigzag, [len(indexes), *indexes]))

    assert split_indexes(written + rest) == (tuple(indexes), rest)
    assert split_indexes(b"\x00" + rest) == ((0,), rest)
    assert split_indexes(written[:-1]) is None
    assert split_indexes(b"\x01" + rest) is None  # a negative length
