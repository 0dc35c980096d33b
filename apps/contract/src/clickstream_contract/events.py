"""The event: one flat JSON object for each action of a user.

Owns the table of the event's fields, from which the JSON Schema, the Spark schema, the PostgreSQL
columns, the documentation and the generator's encoder derive. Names are those of Google Analytics
4's recommended e-commerce events
(https://developers.google.com/analytics/devguides/collection/ga4/reference/events).
:mod:`clickstream_contract.journey` has the order of events.
"""

from __future__ import annotations

from clickstream_contract.currencies import CURRENCIES
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.naming import FULL_NAME, FULL_NAME_LENGTH

__all__ = [
    "CART_EVENTS",
    "DEVICES",
    "EVENT_FIELDS",
    "EVENT_NAMES",
    "HIGHEST_COUNT",
    "ITEM_EVENTS",
    "ITEM_FIELDS",
    "MAX_EVENT_BYTES",
    "MAX_ORDER_LINES",
    "MAX_SHARDS",
    "SCHEMA_VERSION",
    "field",
]

SCHEMA_VERSION = 2
"""The version that generators write. The stream reads every version: records may stay in Kafka."""

_MOST_PIECES = 1_000_000
_HIGHEST_PRICE_MINOR = 1_000_000_000
_HIGHEST_VALUE_MINOR = 1_000_000_000_000
"""Small enough that products, and sums over a day's events, fit into 64 bits."""

MAX_EVENT_BYTES = 65_536
"""A larger record is rejected; the generator's largest event has less than 4 KiB."""

MAX_ORDER_LINES = 50
"""Each pair of an order's products makes a row: 1,225 rows at most."""

MAX_SHARDS = 1_024
"""Most shards of a simulation; their numbers begin at 0."""

HIGHEST_COUNT = 1_000_000_000_000
"""Most events of a run, and so the highest event number; its sums fit into 64 bits."""

EVENT_NAMES = (
    "session_start",
    "page_view",
    "search",
    "view_item_list",
    "view_item",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
)
"""The event names; an event's position is its code in the generator and the weight tables."""

DEVICES = ("mobile", "desktop", "tablet")

ITEM_EVENTS = ("view_item", "add_to_cart", "remove_from_cart")
"""Events about one product."""

CART_EVENTS = (
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
)
"""Events with the content of the cart."""

_CHECKOUT_EVENTS = ("view_cart", "begin_checkout", "add_shipping_info", "add_payment_info")
"""Events about the whole cart."""
_VALUE_EVENTS = ("view_item", *CART_EVENTS)
_CATEGORY_EVENTS = ("view_item_list", *ITEM_EVENTS)

ITEM_FIELDS: tuple[Field, ...] = (
    Field("product_id", FieldType.TEXT, "The product.", max_length=32),
    Field("product_name", FieldType.TEXT, "Its name.", since=2),
    Field("brand", FieldType.TEXT, "Its brand.", max_length=64, since=2),
    Field("category", FieldType.TEXT, "The product's category.", max_length=64),
    Field(
        "quantity",
        FieldType.INTEGER,
        "How many are in the order or the cart.",
        unit="pieces",
        minimum=1,
        maximum=_MOST_PIECES,
    ),
    Field(
        "price_minor",
        FieldType.BIGINT,
        "Price of one.",
        unit="minor units",
        minimum=0,
        maximum=_HIGHEST_PRICE_MINOR,
    ),
)
"""The lines of an order or a cart."""

EVENT_FIELDS: tuple[Field, ...] = (
    Field(
        "event_id",
        FieldType.UUID,
        "Identity of the event: RFC 9562 version 8, made of run, shard and shard_seq, so a"
        " record sent twice has it twice.",
    ),
    Field("session_id", FieldType.UUID, "The session."),
    Field("event_time", FieldType.TIMESTAMP, "When the user did it."),
    Field("schema_version", FieldType.INTEGER, "Version of this table.", values=("1", "2")),
    Field(
        "simulation",
        FieldType.TEXT,
        "Full name of the simulation: namespace/name, or its name if it has no namespace.",
        max_length=FULL_NAME_LENGTH,
        pattern=FULL_NAME,
    ),
    Field("run_id", FieldType.UUID, "The run of that simulation."),
    Field("event_name", FieldType.TEXT, "What the user did.", values=EVENT_NAMES),
    Field(
        "shard", FieldType.INTEGER, "Logical shard that made it.", minimum=0, maximum=MAX_SHARDS - 1
    ),
    Field(
        "shard_seq",
        FieldType.BIGINT,
        "Its number within run and shard: 1, 2, 3 and so on without a gap.",
        minimum=1,
        maximum=HIGHEST_COUNT,
    ),
    Field(
        "session_seq",
        FieldType.INTEGER,
        "Its number within the session: 1, 2, 3 and so on without a gap.",
        minimum=1,
    ),
    Field(
        "user_id",
        FieldType.TEXT,
        "The user, the same in every session; also the key of the Kafka record.",
        max_length=32,
    ),
    Field(
        "persona",
        FieldType.TEXT,
        "The kind of user: the truth, which a real stream does not contain.",
        max_length=63,
    ),
    Field("channel", FieldType.TEXT, "How the user first found the shop.", max_length=64),
    Field("country", FieldType.TEXT, "ISO 3166-1 alpha-2 code.", max_length=2),
    Field("city", FieldType.TEXT, "The user's city."),
    Field("language", FieldType.TEXT, "BCP 47 tag, such as de-DE.", max_length=16),
    Field("device", FieldType.TEXT, "The user's device.", values=DEVICES),
    Field("os", FieldType.TEXT, "Operating system of the device.", max_length=64),
    Field("browser", FieldType.TEXT, "Browser, without its version.", max_length=64),
    Field("page", FieldType.TEXT, "Path of the page.", max_length=512),
    Field(
        "referrer",
        FieldType.TEXT,
        "The page that led to the shop; absent for direct sessions.",
        required=False,
        events=("session_start",),
        max_length=512,
    ),
    Field(
        "campaign",
        FieldType.TEXT,
        "The campaign that led to the shop; absent without one.",
        required=False,
        events=("session_start",),
        max_length=64,
    ),
    Field(
        "user_agent",
        FieldType.TEXT,
        "The browser's own name.",
        events=("session_start",),
        max_length=512,
    ),
    Field(
        "session_number",
        FieldType.INTEGER,
        "Number of the session among the user's sessions in this run; 1 is the first.",
        events=("session_start",),
        minimum=1,
    ),
    Field(
        "experiments",
        FieldType.TEXT,
        "The arms in which the session is, as experiment=arm, separated by commas; absent without"
        " one.",
        required=False,
        events=("session_start",),
    ),
    Field("search_term", FieldType.TEXT, "What was searched for.", events=("search",)),
    Field(
        "category",
        FieldType.TEXT,
        "Category of list or item.",
        events=_CATEGORY_EVENTS,
        max_length=64,
    ),
    Field("product_id", FieldType.TEXT, "The product.", events=ITEM_EVENTS, max_length=32),
    Field("product_name", FieldType.TEXT, "Its name.", events=ITEM_EVENTS),
    Field("brand", FieldType.TEXT, "Its brand.", events=ITEM_EVENTS, max_length=64),
    Field(
        "price_minor",
        FieldType.BIGINT,
        "Price of one.",
        events=ITEM_EVENTS,
        unit="minor units",
        minimum=0,
        maximum=_HIGHEST_PRICE_MINOR,
    ),
    Field(
        "quantity",
        FieldType.INTEGER,
        "How many were put in or taken out.",
        events=("add_to_cart", "remove_from_cart"),
        unit="pieces",
        minimum=1,
        maximum=_MOST_PIECES,
    ),
    Field(
        "shipping_tier",
        FieldType.TEXT,
        "Kind of delivery.",
        events=("add_shipping_info",),
        max_length=32,
    ),
    Field(
        "payment_type",
        FieldType.TEXT,
        "Means of payment.",
        events=("add_payment_info",),
        max_length=32,
    ),
    Field("order_id", FieldType.UUID, "The order.", events=("purchase",)),
    Field(
        "items",
        FieldType.ITEMS,
        "The lines of the order; since version 2 also those of the cart, unless it is empty.",
        events=("purchase",),
        optional_events=_CHECKOUT_EVENTS,
        max_length=MAX_ORDER_LINES,
    ),
    Field(
        "cart_quantity",
        FieldType.INTEGER,
        "How many pieces the cart holds after the event; before it for a purchase.",
        events=CART_EVENTS,
        unit="pieces",
        minimum=0,
    ),
    Field(
        "value_minor",
        FieldType.BIGINT,
        "Value of what the event is about: the item viewed, the pieces put in or taken out,"
        " the cart at checkout, the order.",
        events=_VALUE_EVENTS,
        unit="minor units",
        minimum=0,
        maximum=_HIGHEST_VALUE_MINOR,
    ),
    Field(
        "currency",
        FieldType.TEXT,
        "ISO 4217 code of the shop's currency.",
        events=_VALUE_EVENTS,
        values=tuple(CURRENCIES),
    ),
    Field("sent_at", FieldType.TIMESTAMP, "When the generator handed it to Kafka."),
)
"""Every field of an event, in the order of the generator's JSON and of the documentation."""

_BY_NAME = {entry.name: entry for entry in EVENT_FIELDS}


def field(name: str) -> Field:
    """Return the field called ``name``; a ``KeyError`` names one that does not exist."""
    return _BY_NAME[name]
