"""Events as columns, before they are text.

Owns the layout in which the simulation hands events to the encoder and the ledger: one
structured array, so that sorting, cutting and joining is one operation for all fields. It
does not know how an event is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from clickstream_contract.events import EVENT_NAMES

__all__ = ["CODE", "EVENT_DTYPE", "MAX_CART_LINES", "Events", "concatenate"]

CODE = {name: code for code, name in enumerate(EVENT_NAMES)}
"""The number that stands for an event's name in columns and tables."""

MAX_CART_LINES = 8
"""Different products that a cart holds at most; bounds the state of a session."""

EVENT_DTYPE = np.dtype(
    [
        ("time_seconds", "f8"),  # of the simulation's own clock until it is scheduled
        ("event_time_ms", "i8"),  # Unix time
        ("shard_seq", "i8"),
        ("session_no", "i8"),
        ("value_minor", "i8"),
        ("user", "i4"),  # number within the shard
        ("session_seq", "i4"),
        ("subject", "i4"),  # product, category or search term, as the event's name says
        ("cart_quantity", "i4"),
        ("visit_number", "i4"),
        ("order_row", "i4"),  # row of the lines of order or cart; -1 without any
        ("shard", "i2"),
        ("quantity", "i2"),
        ("choice", "u2"),  # arrival, page, delivery or payment, as the event's name says
        ("code", "u1"),
        ("persona", "u1"),
        ("is_last", "?"),  # the user leaves after it
    ]
)


@dataclass(frozen=True)
class Events:
    """Some events in order, and the lines of the orders and carts that they are about.

    Attributes:
        rows: Shape (events,), of :data:`EVENT_DTYPE`.
        line_products: Shape (orders and carts, lines); -1 where there is no such line.
        line_quantities: Same shape; pieces.
    """

    rows: np.ndarray
    line_products: np.ndarray
    line_quantities: np.ndarray

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.rows)

    def part(self, start: int, stop: int) -> Events:
        """Return the events from ``start`` to before ``stop``; the arrays are shared."""
        return Events(self.rows[start:stop], self.line_products, self.line_quantities)


def concatenate(parts: list[Events]) -> Events:
    """Return all events of ``parts``, in their order, in new arrays."""
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
