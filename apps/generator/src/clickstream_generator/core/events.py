"""Events as columns, before they are encoded.

Owns the layout of events between simulation, encoder and ledger: one structured array, so that
sorting, slicing and joining is one operation for all fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from clickstream_contract.events import EVENT_NAMES

from clickstream_generator.core.byte_columns import column

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CODE", "EVENT_DTYPE", "MAX_CART_LINES", "Events", "by_name", "concatenate"]

CODE = {name: code for code, name in enumerate(EVENT_NAMES)}
"""The code of each event name in columns and tables."""

MAX_CART_LINES = 8
"""The most different products in a cart; it bounds the state of a session."""

EVENT_DTYPE = np.dtype(
    [
        ("time_seconds", "f8"),  # simulated time, until the event is scheduled
        ("event_time_ms", "i8"),  # Unix time
        ("shard_seq", "i8"),
        ("session_no", "i8"),
        ("value_minor", "i8"),
        ("user", "i4"),  # number within the shard
        ("session_seq", "i4"),
        ("subject", "i4"),  # arms, product, category or search term, by event name
        ("cart_quantity", "i4"),
        ("session_number", "i4"),
        ("order_row", "i4"),  # row of the order's or cart's lines; -1 for none
        ("shard", "i2"),
        ("quantity", "i2"),
        ("choice", "u2"),  # arrival, page, delivery or payment, by event name
        ("code", "u1"),
        ("persona", "u1"),
        ("is_last", "?"),  # the session ends with it
        ("faults", "u2", 3),  # chances to be lost, late and sent twice, in permille, by overlays
    ]
)


@dataclass(frozen=True)
class Events:
    """Events in order, with the lines of their orders and carts.

    Attributes:
        rows: Shape (events,), of :data:`EVENT_DTYPE`.
        line_products: Shape (orders and carts, lines); -1 for an unused line.
        line_quantities: Same shape; number of pieces.
    """

    rows: np.ndarray
    line_products: np.ndarray
    line_quantities: np.ndarray

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.rows)

    def lines(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the lines of some of the events' orders and carts.

        Args:
            rows: Shape (events,); some rows of these events.

        Returns:
            Number of lines of each row; then product and pieces of each line, all lines in order.
        """
        products = np.full((len(rows), MAX_CART_LINES), -1, dtype=np.int32)
        quantities = np.zeros_like(products)
        has_lines = rows["order_row"] >= 0
        products[has_lines] = self.line_products[rows["order_row"][has_lines]]
        quantities[has_lines] = self.line_quantities[rows["order_row"][has_lines]]
        there = products >= 0
        return there.sum(axis=1), products[there], quantities[there]

    def part(self, start: int, stop: int) -> Events:
        """Return the events from ``start`` up to ``stop``; the arrays are shared."""
        return Events(self.rows[start:stop], self.line_products, self.line_quantities)


def by_name(rows: np.ndarray, encode: Callable[[str, np.ndarray], pa.Array]) -> pa.Array:
    """Return a column that is made for all events of one name at a time, in the events' order.

    Args:
        rows: Shape (events,), of :data:`EVENT_DTYPE`; at least one.
        encode: Returns the column of events that all have the same name.
    """
    order = np.argsort(rows["code"], kind="stable")
    bounds = np.searchsorted(rows["code"][order], np.arange(len(EVENT_NAMES) + 1))
    parts = []
    for code, name in enumerate(EVENT_NAMES):
        at = order[bounds[code] : bounds[code + 1]]
        if len(at):
            parts.append(encode(name, rows[at]))
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows))
    return pa.concat_arrays(parts).take(column(place))


def concatenate(parts: list[Events]) -> Events:
    """Return all events of ``parts`` in order, in new arrays."""
    rows = (
        np.concatenate([part.rows for part in parts]) if parts else np.empty(0, dtype=EVENT_DTYPE)
    )
    at = offset = 0
    for part in parts:
        purchases = rows["order_row"][at : at + len(part)]
        purchases[purchases >= 0] += offset
        at += len(part)
        offset += len(part.line_products)
    empty = np.empty((0, MAX_CART_LINES), dtype=np.int32)
    return Events(
        rows,
        np.concatenate([part.line_products for part in parts] or [empty]),
        np.concatenate([part.line_quantities for part in parts] or [empty]),
    )
