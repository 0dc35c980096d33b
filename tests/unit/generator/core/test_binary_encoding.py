"""Binary encoding of columns: rare shapes of events. Usual ones: ``test_encodings.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_generator.core.binary_encoding import BinaryEncoder
from clickstream_generator.core.encoding import Encoder
from clickstream_generator.core.encodings import encoding_of
from clickstream_generator.core.events import MAX_CART_LINES, Events
from clickstream_generator.core.wire import AVRO, PROTOBUF
from simulations import RUN_ID
from worlds import event_rows, small_population, small_world

if TYPE_CHECKING:
    from clickstream_generator.core.wire import Wire


@pytest.mark.parametrize(("name", "wire"), [("avro", AVRO), ("protobuf", PROTOBUF)])
def test_large_numbers_are_encoded(name: str, wire: Wire) -> None:
    """Long sessions, high numbers, full and empty carts have the bytes of single events."""
    populations = {number: small_population(channel=2) for number in (2, 0)}
    source = Encoder(small_world(), populations, "shop", RUN_ID, 4)
    usual = {"shard": 2, "session_no": 5, "user": 6, "persona": 1, "event_time_ms": 10**13}
    rows = event_rows(
        {**usual, "name": "page_view", "shard_seq": 2**40, "session_seq": 70_000},
        {**usual, "name": "purchase", "order_row": 0, "value_minor": 10**12, "cart_quantity": 900},
        {**usual, "name": "view_cart", "value_minor": 0},
        {**usual, "shard": 0, "name": "session_start", "session_number": 300},
    )
    products = np.array([[0, 1, 2, 3, 0, 1, 2, 3]], dtype=np.int32)
    quantities = np.full((1, MAX_CART_LINES), 200, dtype=np.int32)
    events = Events(rows, products, quantities)

    found = BinaryEncoder(source, wire, b"#").encode(events, 1)
    encoding = encoding_of(name, source, b"#")
    assert found == [encoding.encode_one(value) for value in source.encode(events, 1).values]
