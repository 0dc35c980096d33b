"""Avro's and Protobuf's binary forms: a column has the bytes of its single values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.events import field
from clickstream_generator.core.byte_columns import pool
from clickstream_generator.core.wire import AVRO, PROTOBUF
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from clickstream_generator.core.wire import Wire

WIRES = pytest.mark.parametrize("wire", [AVRO, PROTOBUF], ids=["avro", "protobuf"])
LINE = {
    "product_id": "P1", "product_name": "Hät", "brand": "B", "category": "C", "quantity": 300,
    "price_minor": 129,
}  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "name", "value", "octets"),
    [
        (AVRO, "city", "Köln", b"\x0aK\xc3\xb6ln"),
        (AVRO, "shard", 64, b"\x80\x01"),
        (AVRO, "referrer", "x", b"\x02\x02x"),
        (AVRO, "referrer", None, b"\x00"),
        (AVRO, "event_name", "purchase", b"\x16"),
        (PROTOBUF, "city", "Köln", b"\x7a\x05K\xc3\xb6ln"),
        (PROTOBUF, "shard", 0, b"\x40\x00"),
        (PROTOBUF, "referrer", None, b""),
        (PROTOBUF, "event_name", "purchase", b"\x38\x0c"),
        (PROTOBUF, "sent_at", "1970-01-01T00:00:01.000Z", b"\xba\x02\x02\x08\x01"),
        (PROTOBUF, "sent_at", "1970-01-01T00:00:01.002Z", b"\xba\x02\x06\x08\x01\x10\x80\x89\x7a"),
    ],
)
def test_value_has_its_bytes(wire: Wire, name: str, value: object, octets: bytes) -> None:
    """Values have the bytes that the specifications give them."""
    assert wire.piece(field(name), value) == octets


@WIRES
@settings(max_examples=20)
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=9))
def test_numbers_are_single_values(wire: Wire, numbers: list[int]) -> None:
    """A column of numbers has the bytes of each number, in fields of both kinds."""
    for name in ("shard_seq", "value_minor"):
        row = field(name)
        found = wire.numbers(row, np.array(numbers, dtype=np.int64)).to_pylist()
        assert found == [wire.piece(row, number) for number in numbers]


@WIRES
@settings(max_examples=20)
@given(st.lists(st.integers(1_001, 2**42), min_size=1, max_size=9))
def test_times_are_single_values(wire: Wire, unix_ms: list[int]) -> None:
    """A column of times has the bytes of each time as text."""
    row = field("event_time")
    texts = [f"{np.datetime64(at, 'ms')}Z" for at in unix_ms]

    found = wire.times(row, np.array(unix_ms, dtype=np.int64)).to_pylist()
    assert found == [wire.piece(row, text) for text in texts]


@WIRES
def test_lines_are_single_values(wire: Wire) -> None:
    """Joined lines have the bytes of a list of lines; without lines the field is absent."""
    row = field("items")
    parts = [(name, wire.item_piece(field(name), value)) for name, value in LINE.items()]
    before = b"".join(piece for name, piece in parts[:4])
    line = wire.lines(pool([before]), np.array([300]), pool([parts[-1][1]]))[0].as_py()

    joined = pool([line * 2, b""])
    found = wire.line_list(np.array([2, 0]), joined).to_pylist()
    assert found == [wire.piece(row, [LINE, LINE]), wire.piece(row, None)]


@WIRES
@pytest.mark.parametrize("name", ["city", "referrer"])
def test_text_starts_with_its_length(wire: Wire, name: str) -> None:
    """The start of a text and its bytes are the text, however long it is."""
    for size in (1, 63, 64, 127, 128, 300):
        assert wire.text_start(field(name), size) + b"x" * size == wire.piece(
            field(name), "x" * size
        )
