"""Encoding of event columns as binary records, many events at a time.

Ids, numbers and times are computed as columns; Arrow joins them with prepared fragments. There is
no loop over single events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickstream_contract.events import field

from clickstream_generator.core.binary_fragments import build_binary_fragments
from clickstream_generator.core.byte_columns import (
    column,
    digits,
    fixed,
    join,
    lengths,
    listed,
    pool,
    scalar,
)
from clickstream_generator.core.events import by_name
from clickstream_generator.core.identifiers import TAIL_BYTES, write_tails
from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    from clickstream_generator.core.encoding import Encoder
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.wire import Wire

__all__ = ["BinaryEncoder"]

_MOST_DIGITS = 20


class BinaryEncoder:
    """The encoder of one run's events in a binary form.

    Args:
        source: The run's JSON encoder.
        wire: The binary form.
        header: Bytes in front of every record.
    """

    def __init__(self, source: Encoder, wire: Wire, header: bytes = b"") -> None:
        self._source = source
        self._wire = wire
        self._fragments = build_binary_fragments(source, wire)
        tail = b"0" * TAIL_BYTES
        event, session, self._order = (
            wire.text_start(field(name), len(source.id_prefix) + TAIL_BYTES) + source.id_prefix
            for name in ("event_id", "session_id", "order_id")
        )
        self._form = np.frombuffer(header + event + tail + session + tail, dtype=np.uint8)
        self._event_end = len(header) + len(event) + TAIL_BYTES
        user = field("user_id")
        self._users = pool([wire.text_start(user, 1 + n) + b"u" for n in range(_MOST_DIGITS)])

    def encode(self, events: Events, sent_at_ms: int) -> list[bytes]:
        """Return events as records, in the same order.

        Args:
            events: The events.
            sent_at_ms: The ``sent_at`` of every record, Unix milliseconds.
        """
        rows = events.rows
        if not len(rows):
            return []
        known, wire = self._fragments, self._wire
        city, technology, channel = self._source.traits(rows)
        opening = self._source.first_opening[rows["shard"]] + rows["code"]
        persona_channel = rows["persona"].astype(np.int32) * len(CHANNELS) + channel
        user = digits(rows["user"].astype(np.int64) * self._source.shards + rows["shard"])
        values: list[bytes] = join(
            self._ids(rows),
            wire.times(field("event_time"), rows["event_time_ms"]),
            known.openings.take(column(opening)),
            wire.numbers(field("shard_seq"), rows["shard_seq"]),
            wire.numbers(field("session_seq"), rows["session_seq"]),
            self._users.take(column(lengths(user))),
            user,
            known.persona_channels.take(column(persona_channel)),
            known.cities.take(column(city)),
            known.technologies.take(column(technology)),
            by_name(rows, lambda name, some: self._details(name, some, events)),
            wire.times(field("sent_at"), np.array([sent_at_ms]))[0].as_py(),
        ).to_pylist()
        return values

    def _ids(self, rows: np.ndarray) -> pa.Array:
        """Return the header and the ids of event and session, which have a fixed length."""
        octets = np.tile(self._form, (len(rows), 1))
        shard = rows["shard"].astype(np.int64)
        end = self._event_end
        write_tails(octets[:, end - TAIL_BYTES : end], shard, rows["shard_seq"])
        write_tails(octets[:, -TAIL_BYTES:], shard, rows["session_no"])
        return fixed(octets)

    def _details(self, name: str, rows: np.ndarray, events: Events) -> pa.Array:
        """Return the fields from ``page`` to ``currency`` of events that have the same name."""
        known, wire = self._fragments, self._wire
        subject, choice = column(rows["subject"]), column(rows["choice"])
        if name == "session_start":
            agent = known.user_agents.take(column(self._source.traits(rows)[1]))
            number = wire.numbers(field("session_number"), rows["session_number"])
            after = known.after_session_number.take(subject)
            return join(known.arrivals.take(choice), agent, number, after)
        if name in known.whole:
            return known.whole[name].take(choice if name == "page_view" else subject)
        if name in known.cart_pages:
            pages = known.cart_pages[name]
            page = pages[0].as_py() if len(pages) == 1 else pages.take(choice)
            order = self._order_ids(rows) if name == "purchase" else known.no_order
            parts = [page, order, self._items(rows, events)]
        else:
            quantity = wire.numbers(field("quantity"), rows["quantity"])
            parts = [known.products.take(subject), quantity, known.after_quantity]
        cart = wire.numbers(field("cart_quantity"), rows["cart_quantity"])
        value = wire.numbers(field("value_minor"), rows["value_minor"])
        return join(*parts, cart, value, known.currency)

    def _order_ids(self, rows: np.ndarray) -> pa.Array:
        """Return the orders' ids: the event ids of the purchases."""
        form = np.frombuffer(self._order + b"0" * TAIL_BYTES, dtype=np.uint8)
        octets = np.tile(form, (len(rows), 1))
        write_tails(octets[:, -TAIL_BYTES:], rows["shard"].astype(np.int64), rows["shard_seq"])
        return fixed(octets)

    def _items(self, rows: np.ndarray, events: Events) -> pa.Array:
        """Return the lines of orders and carts."""
        counts, products, quantities = events.lines(rows)
        product = column(products)
        lines = self._wire.lines(
            self._fragments.lines_before.take(product),
            quantities,
            self._fragments.lines_after.take(product),
        )
        return self._wire.line_list(counts, pc.binary_join(listed(lines, counts), scalar(b"")))
