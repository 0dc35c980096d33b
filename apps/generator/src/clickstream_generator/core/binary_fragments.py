"""Binary fragments of events, built once per run from the JSON fragments.

JSON is the only source of what an event says: each fragment here is a JSON fragment, read and
encoded again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS

from clickstream_generator.core.byte_columns import join, pool, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from clickstream_generator.core.encoding import Encoder
    from clickstream_generator.core.wire import Wire

__all__ = ["BinaryFragments", "build_binary_fragments"]

_PLACE = {row.name: place for place, row in enumerate(EVENT_FIELDS)}
_FIRST, _LAST = "page", "currency"
"""The fields from the first to the last one that depend on the event's name."""


@dataclass(frozen=True)
class BinaryFragments:
    """Pools of fields as bytes; those that an event does not have are included.

    Attributes:
        openings: From ``schema_version`` to ``shard``, as in the JSON encoder.
        persona_channels, cities, technologies: As in the JSON fragments.
        arrivals: From ``page`` to ``campaign``.
        user_agents: ``user_agent``.
        after_session_number: From ``experiments`` to ``currency``; by the session's arms.
        whole: By event name, from ``page`` to ``currency``; by the event's subject or choice.
        products: From ``page`` to ``price_minor``.
        after_quantity: From ``shipping_tier`` to ``items``.
        cart_pages: By event name, from ``page`` to ``payment_type``; by the event's choice, or one
            for all.
        no_order: ``order_id`` of an event without an order.
        lines_before, lines_after: A line's fields before and after its quantity, by product number.
        currency: ``currency``.
    """

    openings: pa.Array
    persona_channels: pa.Array
    cities: pa.Array
    technologies: pa.Array
    arrivals: pa.Array
    user_agents: pa.Array
    after_session_number: pa.Array
    whole: Mapping[str, pa.Array]
    products: pa.Array
    after_quantity: bytes
    cart_pages: Mapping[str, pa.Array]
    no_order: bytes
    lines_before: pa.Array
    lines_after: pa.Array
    currency: bytes


def build_binary_fragments(source: Encoder, wire: Wire) -> BinaryFragments:
    """Return the fragments of a run in a binary form.

    Args:
        source: The run's JSON encoder.
        wire: The binary form.
    """
    json_of = source.fragments

    def encode(first: str, last: str, values: Mapping[str, Any] | None = None) -> bytes:
        known = values or {}
        fields = EVENT_FIELDS[_PLACE[first] : _PLACE[last] + 1]
        return b"".join(wire.piece(row, known.get(row.name)) for row in fields)

    def encoded(first: str, last: str, members: pa.Array) -> pa.Array:
        return pool([encode(first, last, values) for values in _read(members)])

    def cart_page(name: str, page: str) -> pa.Array:
        extra = {
            "add_shipping_info": json_of.shipping,
            "add_payment_info": json_of.payments,
        }.get(name, texts([""]))
        joined = [",".join(filter(None, (page, one))) for one in extra.to_pylist()]
        return encoded(_FIRST, "payment_type", texts(joined))

    pages = dict(zip(EVENT_NAMES, json_of.cart_pages.to_pylist(), strict=True))
    before, after = _lines(source, wire)
    return BinaryFragments(
        openings=encoded("schema_version", "shard", join(source.openings, "0")),
        persona_channels=encoded("persona", "channel", json_of.persona_channels),
        cities=encoded("country", "language", json_of.cities),
        technologies=encoded("device", "browser", json_of.technologies),
        arrivals=encoded(_FIRST, "campaign", json_of.arrivals),
        user_agents=encoded("user_agent", "user_agent", json_of.user_agents),
        after_session_number=encoded("experiments", _LAST, json_of.exposures),
        whole={
            "page_view": encoded(_FIRST, _LAST, json_of.pages),
            "search": encoded(_FIRST, _LAST, json_of.terms),
            "view_item_list": encoded(_FIRST, _LAST, json_of.categories),
            "view_item": encoded(_FIRST, _LAST, json_of.viewed_products),
        },
        products=encoded(_FIRST, "price_minor", json_of.products),
        after_quantity=encode("shipping_tier", "items"),
        cart_pages={name: cart_page(name, page) for name, page in pages.items() if page},
        no_order=encode("order_id", "order_id"),
        lines_before=before,
        lines_after=after,
        currency=encode(_LAST, _LAST, json.loads(f"{{{json_of.currency}}}")),
    )


def _read(members: pa.Array) -> list[dict[str, Any]]:
    """Return JSON members as objects."""
    found: list[dict[str, Any]] = json.loads(
        "[" + ",".join(f"{{{text.removeprefix(',')}}}" for text in members.to_pylist()) + "]"
    )
    return found


def _lines(source: Encoder, wire: Wire) -> tuple[pa.Array, pa.Array]:
    """Return each product's fields of an order line, before and after the quantity."""
    json_of = source.fragments
    joined = join(json_of.lines_before, "0", json_of.lines_after)
    lines = json.loads("[" + ",".join(joined.to_pylist()) + "]")
    place = next(at for at, row in enumerate(ITEM_FIELDS) if row.name == "quantity")
    before, after = (
        pool([b"".join(wire.item_piece(row, line[row.name]) for row in rows) for line in lines])
        for rows in (ITEM_FIELDS[:place], ITEM_FIELDS[place + 1 :])
    )
    return before, after
