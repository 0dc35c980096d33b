"""Events as columns: parts of them, and joining them with their orders."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from clickstream_contract.events import EVENT_NAMES, MAX_ORDER_LINES
from clickstream_generator.core.events import (
    CODE,
    EVENT_DTYPE,
    MAX_CART_LINES,
    Events,
    by_name,
    concatenate,
)


def _events(*order_rows: int, orders: int) -> Events:
    rows = np.zeros(len(order_rows), dtype=EVENT_DTYPE)
    rows["order_row"] = order_rows
    lines = np.arange(orders * MAX_CART_LINES, dtype=np.int32).reshape(orders, MAX_CART_LINES)
    return Events(rows, lines, lines + 1)


def test_code_is_place_in_contract() -> None:
    """An event's code is the place of its name in the contract."""
    assert [CODE[name] for name in EVENT_NAMES] == list(range(12))
    assert MAX_CART_LINES == 8


def test_part_shares_its_arrays() -> None:
    """A part has the events from its start to before its stop, and the same orders."""
    events = _events(-1, 0, 1, orders=2)

    part = events.part(1, 2)

    assert (len(events), len(part)) == (3, 1)
    assert part.rows["order_row"].tolist() == [0]
    assert np.shares_memory(part.rows, events.rows)
    assert part.line_products is events.line_products


def test_lines_are_those_of_rows() -> None:
    """Each row has the lines of its order, the first order's too; a row without one has none."""
    events = _events(0, -1, 1, orders=2)
    events.line_products[0, 2:] = -1

    counts, products, quantities = events.lines(events.rows)

    assert counts.tolist() == [2, 0, MAX_CART_LINES]
    assert products.tolist() == [0, 1, *range(MAX_CART_LINES, 2 * MAX_CART_LINES)]
    assert quantities.tolist() == [1, 2, *range(MAX_CART_LINES + 1, 2 * MAX_CART_LINES + 1)]


def test_columns_are_made_by_name() -> None:
    """Each name's events come together, of the last name too, and return to their order."""
    rows = np.zeros(5, dtype=EVENT_DTYPE)
    rows["code"] = [CODE["purchase"], 0, len(EVENT_NAMES) - 1, 0, CODE["purchase"]]
    rows["shard_seq"] = [1, 2, 3, 4, 5]
    seen: dict[str, list[int]] = {}

    def encode(name: str, some: np.ndarray) -> pa.Array:
        seen[name] = some["shard_seq"].tolist()
        return pa.array([f"{name} {number}" for number in seen[name]])

    column = by_name(rows, encode)

    expected: dict[str, list[int]] = {}
    for row in rows:
        expected.setdefault(EVENT_NAMES[row["code"]], []).append(int(row["shard_seq"]))
    assert seen == expected
    assert column.to_pylist() == [f"{EVENT_NAMES[row['code']]} {row['shard_seq']}" for row in rows]


def test_joined_orders_keep_their_lines() -> None:
    """After joining, each purchase still points to the lines of its order."""
    first, empty, last = (
        _events(-1, 0, 1, orders=2), _events(orders=0), _events(1, -1, 0, orders=2),
    )  # fmt: skip

    joined = concatenate([first, empty, last])

    assert joined.rows["order_row"].tolist() == [-1, 0, 1, 3, -1, 2]
    assert joined.line_products.tolist() == [
        *first.line_products.tolist(),
        *last.line_products.tolist(),
    ]
    assert joined.line_quantities.tolist() == [
        *first.line_quantities.tolist(),
        *last.line_quantities.tolist(),
    ]


def test_joining_copies() -> None:
    """The parts are left as they are."""
    part = _events(0, orders=1)

    concatenate([part, part])

    assert part.rows["order_row"].tolist() == [0]


def test_nothing_joined_is_empty() -> None:
    """Without parts there are no events and no orders, in arrays of the right shape."""
    joined = concatenate([])

    assert len(joined) == 0
    assert joined.rows.dtype == EVENT_DTYPE
    assert joined.line_products.shape == joined.line_quantities.shape == (0, MAX_CART_LINES)


def test_carts_stay_below_the_bound() -> None:
    """A cart of the generator has fewer lines than an order of the contract may have."""
    assert 0 < MAX_CART_LINES < MAX_ORDER_LINES
