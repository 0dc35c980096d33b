"""Encoding: columns become the JSON that the contract describes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS, field
from clickstream_contract.fields import FieldType
from clickstream_contract.identifiers import run_prefix
from clickstream_generator.core.encoding import Encoder
from clickstream_generator.core.events import MAX_CART_LINES, Events
from hypothesis import given
from hypothesis import strategies as st
from simulations import RUN_ID, START_SECONDS, simulator
from worlds import event_rows, small_population, small_world

SENT_MS = 1_764_000_000_123
USUAL: dict[str, int | str | float] = {
    "shard": 2, "shard_seq": 9, "session_no": 5, "session_seq": 4, "user": 6, "persona": 1,
    "event_time_ms": 1_764_000_059_007,
}  # fmt: skip
CART = {"cart_quantity": 3, "value_minor": 900}
ALWAYS = {
    "event_id": f"{run_prefix(RUN_ID)}002-8000-000000000009",
    "session_id": f"{run_prefix(RUN_ID)}002-8000-000000000005",
    "event_time": "2025-11-24T16:00:59.007Z",
    "sent_at": "2025-11-24T16:00:00.123Z",
    "schema_version": 2,
    "simulation": "shop",
    "run_id": str(RUN_ID),
    "shard": 2,
    "shard_seq": 9,
    "session_seq": 4,
    "user_id": "u26",
    "persona": "Bot",
    "channel": "paid_search",
    "country": "US",
    "city": "US 1",
    "language": "en-US",
    "device": "desktop",
    "os": "Linux",
    "browser": "Crawler",
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """Return an encoder of two shards of four."""
    populations = {number: small_population(channel=2) for number in (2, 0)}
    return Encoder(small_world(), populations, "shop", RUN_ID, 4)


@pytest.mark.parametrize("name", field("currency").events)
def test_money_is_in_shops_currency(name: str) -> None:
    """Every event with a value has the currency of the catalog."""
    world = small_world()
    shop = replace(world, catalog=replace(world.catalog, currency="SEK"))
    encoder = Encoder(shop, {0: small_population()}, "shop", RUN_ID, 1)

    (value,) = encoder.encode(_events({"name": name, "shard_seq": 1}), SENT_MS).values

    assert json.loads(value)["currency"] == "SEK"


def _events(*rows: dict[str, Any], orders: int = 0) -> Events:
    lines = np.full((orders, MAX_CART_LINES), -1, dtype=np.int32)
    return Events(event_rows(*rows), lines, lines.copy())


def _encoded(encoder: Encoder, name: str, **fields: int) -> dict[str, Any]:
    """Return what one event says beyond that which all say."""
    (value,) = encoder.encode(_events({**USUAL, "name": name, **fields}), SENT_MS).values
    found = json.loads(value)
    assert found.pop("event_name") == name
    assert {key: found.pop(key) for key in ALWAYS} == ALWAYS
    assert isinstance(found, dict)
    return found


PRODUCT = {
    "page": "/p/P000003", "category": "Kids Hat", "product_id": "P000003",
    "product_name": "Pro Red Hat", "brand": "Wood", "price_minor": 300,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        (
            "session_start",
            {"choice": 4, "session_number": 12},
            {
                "page": "/paid_search/0",
                "referrer": "https://www.google.com/aclk",
                "campaign": "spring-x",
                "user_agent": "agent of a bot",
                "session_number": 12,
            },
        ),
        ("page_view", {"choice": 1}, {"page": "/sale"}),
        ("search", {"subject": 9}, {"page": "/search", "search_term": "hat 1"}),
        ("view_item_list", {"subject": 1}, {"page": "/c/kids-hat", "category": "Kids Hat"}),
        ("view_item", {"subject": 2}, {**PRODUCT, "value_minor": 300, "currency": "EUR"}),
        (
            "add_to_cart",
            {"subject": 2, "quantity": 2, **CART},
            {**PRODUCT, "quantity": 2, **CART, "currency": "EUR"},
        ),
        (
            "remove_from_cart",
            {"subject": 2, "quantity": 1, **CART},
            {**PRODUCT, "quantity": 1, **CART, "currency": "EUR"},
        ),
        ("view_cart", CART, {"page": "/cart", **CART, "currency": "EUR"}),
        ("begin_checkout", CART, {"page": "/checkout", **CART, "currency": "EUR"}),
        (
            "add_shipping_info",
            {"choice": 3, **CART},
            {
                "page": "/checkout/shipping",
                "shipping_tier": "express",
                **CART,
                "currency": "EUR",
            },
        ),
        (
            "add_payment_info",
            {"choice": 5, **CART},
            {"page": "/checkout/payment", "payment_type": "invoice", **CART, "currency": "EUR"},
        ),
    ],
)
def test_event_has_its_details(
    encoder: Encoder, name: str, fields: dict[str, int], said: dict[str, object]
) -> None:
    """Each event has what all have, and what its name calls for."""
    assert _encoded(encoder, name, **fields) == said


def test_order_has_its_lines(encoder: Encoder) -> None:
    """A purchase has its event's id and the lines of its order, in any order of events."""
    events = _events(
        {**USUAL, "name": "purchase", "order_row": 1, **CART},
        {**USUAL, "name": "page_view"},
        {**USUAL, "name": "purchase", "order_row": 0, "shard": 0, "shard_seq": 10},
        orders=2,
    )
    events.line_products[0, 0], events.line_quantities[0, 0] = 3, 1
    events.line_products[1, :2], events.line_quantities[1, :2] = [0, 2], [1, 2]

    first, page, second = map(json.loads, encoder.encode(events, SENT_MS).values)

    def line(number: int, quantity: int) -> dict[str, object]:
        return {
            "product_id": f"P{number + 1:06d}",
            "product_name": small_world().catalog.product_names[number],
            "brand": ("Wood", "Stone", "Wood", "Sand")[number],
            "category": ("Lamp", "Kids Hat")[number // 2],
            "price_minor": 100 * (number + 1),
            "quantity": quantity,
        }

    assert first["items"] == [line(0, 1), line(2, 2)]
    assert second["items"] == [line(3, 1)]
    assert first["order_id"] == first["event_id"]
    assert second["order_id"] == f"{run_prefix(RUN_ID)}000-8000-00000000000a"
    assert first["page"] == "/checkout/thanks"
    assert (first["cart_quantity"], first["value_minor"]) == (3, 900)
    assert page["event_name"] == "page_view"


def test_cart_has_its_lines(encoder: Encoder) -> None:
    """An event about a whole cart has the cart's lines after the event's fields."""
    events = _events(
        {**USUAL, "name": "add_shipping_info", "choice": 3, "order_row": 0, **CART},
        {**USUAL, "name": "view_cart", "order_row": -1, **CART},
        orders=1,
    )
    events.line_products[0, 0], events.line_quantities[0, 0] = 3, 2

    shipping, empty = map(json.loads, encoder.encode(events, SENT_MS).values)

    assert [(row["product_id"], row["quantity"]) for row in shipping["items"]] == [("P000004", 2)]
    names = list(shipping)
    assert names[names.index("shipping_tier") + 1] == "items"
    assert "items" not in empty


def test_key_is_the_user(encoder: Encoder) -> None:
    """The key of a record is its user's id."""
    rows = [{**USUAL, "name": name} for name in ("page_view", "search")]
    rows[1] |= {"shard": 0, "user": 7}

    encoded = encoder.encode(_events(*rows), SENT_MS)

    users = [json.loads(value)["user_id"] for value in encoded.values]
    assert len(set(users)) == 2
    assert encoded.keys == [user.encode() for user in users]


def test_user_number_is_unique(encoder: Encoder) -> None:
    """A user's number in its shard and the shard make a number of all users."""
    rows = [{**USUAL, "name": "search", "shard": shard, "user": 1} for shard in (0, 2)]

    found = [json.loads(value) for value in encoder.encode(_events(*rows), SENT_MS).values]

    assert [(row["user_id"], row["shard"]) for row in found] == [("u4", 0), ("u6", 2)]
    assert [row["persona"] for row in found] == ["Bot", "Bot"]
    assert [row["city"] for row in found] == ["DE 0", "DE 0"]


@pytest.mark.parametrize("steps", [1, 255, 256, 70_000])
def test_long_session_is_numbered(encoder: Encoder, steps: int) -> None:
    """The step number is encoded for any length of a session."""
    (value,) = encoder.encode(
        _events({**USUAL, "name": "search", "session_seq": steps}), SENT_MS
    ).values

    assert json.loads(value)["session_seq"] == steps


def test_nothing_encoded_is_empty(encoder: Encoder) -> None:
    """Without events there are no records."""
    encoded = encoder.encode(_events(), SENT_MS)

    assert (encoded.values, encoded.keys) == ([], [])


@given(st.integers(0, 4_102_444_800_000))
def test_moments_are_written_exactly(unix_ms: int) -> None:
    """Event time and sending time are UTC with milliseconds."""
    encoder = Encoder(small_world(), {0: small_population()}, "shop", RUN_ID, 1)
    row = {"name": "search", "event_time_ms": unix_ms}

    (value,) = encoder.encode(_events(row), unix_ms).values

    moment = datetime.fromtimestamp(unix_ms // 1_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    wanted = f"{moment}.{unix_ms % 1_000:03d}Z"
    assert (json.loads(value)["event_time"], json.loads(value)["sent_at"]) == (wanted, wanted)


def test_stamp_changes_only_sending_time(encoder: Encoder) -> None:
    """A record sent later has another sending time, and no other byte changes."""
    events = _events({**USUAL, "name": "page_view"})
    (value,) = encoder.encode(events, SENT_MS).values

    assert (
        encoder.stamped(value, SENT_MS + 60_000)
        == (encoder.encode(events, SENT_MS + 60_000).values[0])
    )


def test_encoded_events_keep_the_contract() -> None:
    """Each event has the fields of its name, all of them, in the types of the contract."""
    source = simulator("{eventsPerSecond: 200}")
    encoded = source.encoder.encode(source.take_due(START_SECONDS + 150, 10**9), SENT_MS)

    seen = set()
    for text, key in list(zip(encoded.values, encoded.keys, strict=True))[::5]:
        event = json.loads(text)
        name = event["event_name"]
        seen.add(name)
        allowed = {row.name for row in EVENT_FIELDS if row.may_be_in(name)}
        needed = {
            row.name for row in EVENT_FIELDS
            if row.required and (not row.events or name in row.events)
        }  # fmt: skip
        assert needed <= event.keys() <= allowed
        assert key.decode() == event["user_id"]
        assert event["sent_at"] == "2025-11-24T16:00:00.123Z"
        for row in EVENT_FIELDS:
            if row.name in event:
                _check_type(row.type, event[row.name])
        for line in event.get("items", []):
            assert line.keys() == {row.name for row in ITEM_FIELDS}
    assert seen == set(EVENT_NAMES)


def _check_type(kind: FieldType, value: object) -> None:
    if kind in {FieldType.INTEGER, FieldType.BIGINT}:
        assert type(value) is int
    elif kind is FieldType.UUID:
        assert str(UUID(str(value))) == value
    elif kind is FieldType.ITEMS:
        assert isinstance(value, list)
    else:
        assert isinstance(value, str)
