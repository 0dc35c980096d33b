"""The marts of events, products and orders."""

from __future__ import annotations

from dataclasses import replace

from clickstream_contract.events import ITEM_EVENTS

from clickstream_streaming.core.sql.columns import (
    CHANNEL,
    COUNTERS,
    COUNTRY,
    DEVICE,
    DIMENSIONS,
    REVENUE,
    RUN,
    SESSION,
    SIMULATION,
    USER,
    Column,
    listed,
    start_of,
)
from clickstream_streaming.core.sql.mart import LINE, Mart

__all__ = [
    "ORDERS",
    "ORDER_ITEMS",
    "PRODUCT_HOUR",
    "PRODUCT_PAIRS",
    "PRODUCT_VERSIONS",
    "TRAFFIC",
    "traffic_sums",
]


def _traffic(unit: str) -> Mart:
    start = Column(unit, "timestamptz", f"Start of the {unit}, UTC.", start_of(unit, "event_time"))
    return Mart(
        f"mart.traffic_{unit}",
        f"Events and revenue per {unit} of event time.",
        (start, *DIMENSIONS),
        (
            Column("events", "bigint", "Events of all names.", "count(*)", merge="sum"),
            *COUNTERS,
            REVENUE,
        ),
        "events",
        unit,
        is_shared=True,
        kept_by=unit,
    )


TRAFFIC = (_traffic("minute"), _traffic("hour"), _traffic("day"))
"""The traffic counts by minute, hour and day."""


def traffic_sums(mart: Mart, minutes: str) -> str:
    """Return the query for the rows of a traffic mart, as sums of minutes.

    Args:
        mart: One of :data:`TRAFFIC`.
        minutes: A relation with the columns of the first of them.
    """
    sums = ", ".join(f"sum({name}) AS {name}" for name in mart.values)
    return (
        f"SELECT {start_of(mart.key[0], 'minute')} AS {mart.key[0]}, {listed(mart.key[1:])}, {sums}"
        f" FROM {minutes} GROUP BY 1, {listed(mart.key[1:])}"
    )


_PRODUCT = Column("product_id", "text", "The product.")
_CATEGORY = Column("category", "text", "Its category.")
_PRICE = Column("price_minor", "bigint", "Price of one. Unit: minor units.")
_CURRENCY = Column("currency", "text", "ISO 4217 code.")

PRODUCT_HOUR = Mart(
    "mart.product_hour",
    "What was looked at, put into carts and bought, per product and hour.",
    (Column("hour", "timestamptz", "Start of the hour, UTC."), SIMULATION, _PRODUCT),
    (
        Column("view_item_events", "bigint", "How often it was looked at.", merge="sum"),
        Column("add_to_cart_events", "bigint", "How often it was put into a cart.", merge="sum"),
        Column("remove_from_cart_events", "bigint", "How often it was taken out.", merge="sum"),
        Column("orders", "bigint", "Orders with it.", merge="sum"),
        Column("pieces", "bigint", "How many were bought. Unit: pieces.", merge="sum"),
        Column("revenue_minor", "bigint", "Value of these. Unit: minor units.", merge="sum"),
    ),
    "events",
    "hour",
    f"""
SELECT hour, simulation, product_id, sum(viewed) AS view_item_events,
    sum(added) AS add_to_cart_events, sum(removed) AS remove_from_cart_events,
    sum(orders) AS orders, sum(pieces) AS pieces, sum(value_minor) AS revenue_minor
FROM (
    SELECT {start_of("hour", "event_time")} AS hour, simulation, product_id,
        (event_name = 'view_item')::integer AS viewed,
        (event_name = 'add_to_cart')::integer AS added,
        (event_name = 'remove_from_cart')::integer AS removed,
        0 AS orders, 0 AS pieces, 0::bigint AS value_minor
    FROM {{source}} WHERE product_id IS NOT NULL
    UNION ALL
    SELECT {start_of("hour", "event_time")}, simulation, line.product_id, 0, 0, 0, 1,
        line.quantity, line.quantity * line.price_minor
    FROM {{source}}, jsonb_to_recordset(items) AS line {LINE}
    WHERE event_name = 'purchase'
) AS steps
GROUP BY hour, simulation, product_id
""",
    is_shared=True,
    kept_by="hour",
)

PRODUCT_PAIRS = Mart(
    "mart.product_pairs",
    "Bought together: pairs of products in one order.",
    (
        SIMULATION,
        Column("product_a", "text", "One product; the lesser by name."),
        Column("product_b", "text", "The other."),
    ),
    (Column("orders", "bigint", "Orders with both.", merge="sum"),),
    "orders",
    "",
    f"""
SELECT simulation, one.product_id AS product_a, other.product_id AS product_b,
    sum(weight) AS orders
FROM {{source}}, jsonb_to_recordset(items) AS one {LINE},
    jsonb_to_recordset(items) AS other {LINE}
WHERE one.product_id < other.product_id
GROUP BY simulation, one.product_id, other.product_id
""",
    is_shared=True,
)

_ITEM_EVENTS = ", ".join(f"'{name}'" for name in ITEM_EVENTS)
PRODUCT_VERSIONS = Mart(
    "mart.dim_product_versions",
    "Products as they were offered: one row per state of name, brand, category and price.",
    (
        SIMULATION,
        _PRODUCT,
        Column("product_name", "text", "Its name."),
        Column("brand", "text", "Its brand."),
        _CATEGORY,
        _PRICE,
        _CURRENCY,
    ),
    (
        Column("first_seen_at", "timestamptz", "When this state was first seen.", merge="least"),
        Column("last_seen_at", "timestamptz", "When this state was last seen.", merge="greatest"),
    ),
    "events",
    "",
    f"""
SELECT simulation, product_id, product_name, brand, category, price_minor, currency,
    min(event_time) AS first_seen_at, max(event_time) AS last_seen_at
FROM {{source}} WHERE event_name IN ({_ITEM_EVENTS})
GROUP BY simulation, product_id, product_name, brand, category, price_minor, currency
""",
    kept_by="first_seen_at",
    is_shared=True,
)

_ORDER = Column("order_id", "uuid", "The order.")

ORDERS = Mart(
    "mart.fact_orders",
    "One row per order.",
    (_ORDER,),
    (
        SIMULATION, RUN, SESSION, USER, COUNTRY, DEVICE, CHANNEL,
        Column("ordered_at", "timestamptz",
               "Time of the order; of several events with one order, the earliest."),
        Column("event_id", "uuid",
               "The event that the row is from: the earliest of those with this order."),
        Column("pieces", "integer", "How many pieces."),
        Column("value_minor", "bigint", "Its value. Unit: minor units."),
        _CURRENCY,
    ),
    "events",
    "ordered_at",
    """
SELECT DISTINCT ON (order_id) order_id, simulation, run_id, session_id, user_id, country, device,
    channel, event_time AS ordered_at, event_id, cart_quantity AS pieces, value_minor,
    currency
FROM {source} WHERE event_name = 'purchase' ORDER BY order_id, event_time, event_id
""",
    kept_by="ordered_at",
)  # fmt: skip

_ORDERED_AT = (
    "(SELECT known.ordered_at FROM mart.fact_orders AS known WHERE known.order_id = one.order_id)"
)
_ITS_ORDER = "NOT NULL REFERENCES mart.fact_orders ON DELETE CASCADE"
ORDER_ITEMS = Mart(
    "mart.fact_order_items",
    "One row per line of an order.",
    (replace(_ORDER, constraint=_ITS_ORDER), _PRODUCT),
    (
        _CATEGORY,
        Column("quantity", "integer", "How many were bought. Unit: pieces."),
        _PRICE,
    ),
    "events",
    _ORDERED_AT,
    f"""
SELECT bought.order_id, line.product_id, line.category, line.quantity, line.price_minor
FROM (
    SELECT DISTINCT ON (order_id) order_id, items FROM {{source}}
    WHERE event_name = 'purchase' ORDER BY order_id, event_time, event_id
) AS bought, jsonb_to_recordset(bought.items) AS line {LINE}
""",
    kept_by=_ORDERED_AT,
)
