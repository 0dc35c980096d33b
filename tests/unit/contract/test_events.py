"""The event's table: fields, the events that carry them, and their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.currencies import CURRENCIES
from clickstream_contract.events import (
    CART_EVENTS,
    DEVICES,
    EVENT_FIELDS,
    EVENT_NAMES,
    ITEM_EVENTS,
    ITEM_FIELDS,
    MAX_EVENT_BYTES,
    MAX_ORDER_LINES,
    SCHEMA_VERSION,
    field,
)
from clickstream_contract.fields import FieldType

if TYPE_CHECKING:
    from clickstream_contract.fields import Field

OF_VALUE = ("view_item", *CART_EVENTS)
OF_QUANTITY = ("add_to_cart", "remove_from_cart")
BOUNDS = {
    "shard": (0, 1_023),
    "shard_seq": (1, 1_000_000_000_000),
    "session_seq": (1, None),
    "session_number": (1, None),
    "price_minor": (0, 1_000_000_000),
    "quantity": (1, 1_000_000),
    "cart_quantity": (0, None),
    "value_minor": (0, 1_000_000_000_000),
}
CARRIED = {
    "referrer": ("session_start",),
    "campaign": ("session_start",),
    "user_agent": ("session_start",),
    "session_number": ("session_start",),
    "experiments": ("session_start",),
    "search_term": ("search",),
    "category": ("view_item_list", *ITEM_EVENTS),
    "product_id": ITEM_EVENTS,
    "product_name": ITEM_EVENTS,
    "brand": ITEM_EVENTS,
    "price_minor": ITEM_EVENTS,
    "quantity": OF_QUANTITY,
    "cart_quantity": CART_EVENTS,
    "value_minor": OF_VALUE,
    "currency": OF_VALUE,
    "shipping_tier": ("add_shipping_info",),
    "payment_type": ("add_payment_info",),
    "order_id": ("purchase",),
    "items": ("purchase",),
}


@pytest.mark.parametrize("fields", [EVENT_FIELDS, ITEM_FIELDS], ids=["event", "item"])
def test_each_field_comes_once(fields: tuple[Field, ...]) -> None:
    """No name comes twice, and each field has its meaning in a sentence."""
    assert len({row.name for row in fields}) == len(fields)
    assert all(row.doc.endswith(".") for row in fields)


def test_fields_name_known_events() -> None:
    """A field belongs to all events or to known ones."""
    for row in EVENT_FIELDS:
        assert set(row.events) <= set(EVENT_NAMES), row.name


def test_field_belongs_to_its_events() -> None:
    """Only the events that are about a thing carry its fields."""
    assert {row.name: row.events for row in EVENT_FIELDS if row.events} == CARRIED


def test_numbers_have_bounds() -> None:
    """Counters begin at their first number; prices and values fit sums of 64 bits."""
    found = {
        row.name: (row.minimum, row.maximum) for row in EVENT_FIELDS if row.minimum is not None
    }

    assert found == BOUNDS


def test_items_have_the_same_bounds() -> None:
    """An order's line keeps the bounds that price and quantity have in the cart."""
    found = {row.name: (row.minimum, row.maximum) for row in ITEM_FIELDS if row.minimum is not None}

    assert [row.name for row in ITEM_FIELDS] == [
        "product_id", "product_name", "brand", "category", "quantity", "price_minor",
    ]  # fmt: skip
    assert [row.name for row in ITEM_FIELDS if row.since == 2] == ["product_name", "brand"]
    assert found == {"quantity": (1, 1_000_000), "price_minor": (0, 1_000_000_000)}


def test_only_arrival_is_optional() -> None:
    """All fields are required except referrer, campaign and arms, which some sessions lack."""
    found = [row.name for row in EVENT_FIELDS if not row.required]

    assert found == ["referrer", "campaign", "experiments"]


def test_texts_have_lengths() -> None:
    """Ids and codes are short, pages and agents long."""
    texts = [row for row in EVENT_FIELDS if row.type is FieldType.TEXT]
    lengths = {row.name: row.max_length for row in texts if row.max_length != 256}

    assert lengths == {
        "simulation": 127, "user_id": 32, "persona": 63, "country": 2, "language": 16, "os": 64,
        "browser": 64, "channel": 64, "page": 512, "referrer": 512, "campaign": 64,
        "user_agent": 512, "category": 64, "product_id": 32, "brand": 64, "shipping_tier": 32,
        "payment_type": 32,
    }  # fmt: skip
    assert {row.name: row.max_length for row in ITEM_FIELDS if row.max_length != 256} == {
        "product_id": 32,
        "brand": 64,
        "category": 64,
    }


def test_orders_have_few_lines() -> None:
    """An order has at most 50 lines, since it makes a row for each pair of them."""
    assert field("items").max_length == MAX_ORDER_LINES == 50


def test_choices_are_listed() -> None:
    """Event name, version, device and currency have a list of allowed values."""
    assert {row.name: row.values for row in EVENT_FIELDS if row.values} == {
        "event_name": EVENT_NAMES,
        "schema_version": ("1", str(SCHEMA_VERSION)),
        "device": DEVICES,
        "currency": tuple(CURRENCIES),
    }
    assert (SCHEMA_VERSION, DEVICES) == (2, ("mobile", "desktop", "tablet"))


def test_carts_may_have_lines() -> None:
    """A purchase has lines; events about a whole cart may have them."""
    cart = CART_EVENTS[CART_EVENTS.index("view_cart") : -1]

    assert (field("items").events, field("items").optional_events) == (("purchase",), cart)
    assert [row.name for row in EVENT_FIELDS if row.optional_events] == ["items"]


def test_event_order_is_their_code() -> None:
    """The events' order is stored as their code, so it never changes."""
    assert EVENT_NAMES == (
        "session_start", "page_view", "search", "view_item_list", "view_item", "add_to_cart",
        "remove_from_cart", "view_cart", "begin_checkout", "add_shipping_info",
        "add_payment_info", "purchase",
    )  # fmt: skip
    assert EVENT_NAMES[5:] == CART_EVENTS
    assert ("view_item", *OF_QUANTITY) == ITEM_EVENTS


def test_money_is_in_minor_units() -> None:
    """Money is in minor units, quantities in pieces."""
    units = {row.name: row.unit for row in (*EVENT_FIELDS, *ITEM_FIELDS) if row.unit}

    assert units == {
        "price_minor": "minor units",
        "value_minor": "minor units",
        "quantity": "pieces",
        "cart_quantity": "pieces",
    }


def test_field_is_found_by_name() -> None:
    """A field is found by its name; an unknown name is a KeyError."""
    assert all(field(row.name) is row for row in EVENT_FIELDS)
    with pytest.raises(KeyError, match="sessions"):
        field("sessions")


def test_event_has_at_most_64_kib() -> None:
    """A record of more than 64 KiB is no event."""
    assert MAX_EVENT_BYTES == 64 * 1024
