"""What each mart is: how its rows follow from events or sessions.

Owns one definition per table, as SQL over a named source. A batch (its source is the new events), a
rebuild and the verification (their source is all of ``raw.events``) use the same definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clickstream_contract.events import EVENT_NAMES, ITEM_EVENTS

__all__ = [
    "COUNTS",
    "DIMENSIONS",
    "DIM_USER",
    "EVENT_COUNTS",
    "EVENT_MARTS",
    "MARTS",
    "ORDERS",
    "ORDER_ITEMS",
    "ORDER_MARTS",
    "PRODUCT_VERSIONS",
    "REVENUE",
    "TRAFFIC",
    "USER_DAY",
    "VISITORS_HOUR",
    "Mart",
    "is_kept",
    "is_whole",
    "source_of",
    "start_of",
]

DIMENSIONS = ("simulation", "country", "device", "channel")
COUNTS = tuple(f"{name}_events" for name in EVENT_NAMES)
EVENT_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE event_name = '{name}') AS {name}_events" for name in EVENT_NAMES
)
REVENUE = "coalesce(sum(value_minor) FILTER (WHERE event_name = 'purchase'), 0)"
_ITEM_EVENTS = ", ".join(f"'{name}'" for name in ITEM_EVENTS)
_LINE = "(product_id text, category text, quantity integer, price_minor bigint)"


@dataclass(frozen=True)
class Mart:
    """One table of ``mart``.

    Attributes:
        table: The name of the table.
        key: The primary key.
        values: The other columns of the definition.
        source: Which rows it follows from: events, orders, sessions, or days of visitors.
        select: The query for the rows; ``{source}`` is replaced by the source relation.
        time: The time that decides whether a row lies in a range, as SQL over a row ``one``; empty
            if a row follows from events of all times.
        is_sum: Whether the values are sums, to which batches add.
        kept_by: The time that decides whether a row can still be computed after retention has
            dropped days; empty if the row follows from tables that are kept for ever.
    """

    table: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    source: Literal["events", "orders", "sessions", "user_day"]
    select: str
    time: str
    is_sum: bool = False
    kept_by: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of key and values."""
        return self.key + self.values


def start_of(unit: str, moment: str) -> str:
    """Return the start of a timestamp's minute, hour or day in UTC, as SQL.

    The result equals ``date_trunc`` with a time zone, which looks the zone up for each row.
    """
    return f"date_bin('1 {unit}', {moment}, timestamptz '2000-01-01 00:00:00+00')"


def _traffic(unit: str) -> Mart:
    key = (unit, *DIMENSIONS)
    return Mart(
        f"mart.traffic_{unit}",
        key,
        ("events", *COUNTS, "revenue_minor"),
        "events",
        f"""
SELECT {start_of(unit, "event_time")} AS {unit}, {", ".join(DIMENSIONS)},
    count(*) AS events, {EVENT_COUNTS}, {REVENUE} AS revenue_minor
FROM {{source}} GROUP BY 1, {", ".join(DIMENSIONS)}
""",
        unit,
        is_sum=True,
        kept_by=unit,
    )


_PRODUCT_HOUR = Mart(
    "mart.product_hour",
    ("hour", "simulation", "product_id"),
    (
        "view_item_events", "add_to_cart_events", "remove_from_cart_events", "orders", "pieces",
        "revenue_minor",
    ),
    "events",
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
    FROM {{source}}, jsonb_to_recordset(items) AS line {_LINE}
    WHERE event_name = 'purchase'
) AS steps
GROUP BY hour, simulation, product_id
""",
    "hour",
    is_sum=True,
    kept_by="hour",
)  # fmt: skip

_PRODUCT_PAIRS = Mart(
    "mart.product_pairs",
    ("simulation", "product_a", "product_b"),
    ("orders",),
    "orders",
    f"""
SELECT simulation, one.product_id AS product_a, other.product_id AS product_b,
    sum(weight) AS orders
FROM {{source}}, jsonb_to_recordset(items) AS one {_LINE},
    jsonb_to_recordset(items) AS other {_LINE}
WHERE one.product_id < other.product_id
GROUP BY simulation, one.product_id, other.product_id
""",
    "",
    is_sum=True,
)

PRODUCT_VERSIONS = Mart(
    "mart.dim_product_versions",
    ("simulation", "product_id", "product_name", "brand", "category", "price_minor"),
    ("first_seen_at", "last_seen_at"),
    "events",
    f"""
SELECT simulation, product_id, product_name, brand, category, price_minor,
    min(event_time) AS first_seen_at, max(event_time) AS last_seen_at
FROM {{source}} WHERE event_name IN ({_ITEM_EVENTS})
GROUP BY simulation, product_id, product_name, brand, category, price_minor
""",
    "",
    kept_by="first_seen_at",
)

ORDERS = Mart(
    "mart.fact_orders",
    ("order_id",),
    (
        "simulation", "run_id", "session_id", "user_id", "country", "device", "channel",
        "ordered_at", "event_id", "pieces", "value_minor",
    ),
    "events",
    """
SELECT DISTINCT ON (order_id) order_id, simulation, run_id, session_id, user_id, country, device,
    channel, event_time AS ordered_at, event_id, cart_quantity AS pieces, value_minor
FROM {source} WHERE event_name = 'purchase' ORDER BY order_id, event_time, event_id
""",
    "ordered_at",
    kept_by="ordered_at",
)  # fmt: skip

_ORDERED_AT = (
    "(SELECT known.ordered_at FROM mart.fact_orders AS known WHERE known.order_id = one.order_id)"
)
ORDER_ITEMS = Mart(
    "mart.fact_order_items",
    ("order_id", "product_id"),
    ("category", "quantity", "price_minor"),
    "events",
    f"""
SELECT bought.order_id, line.product_id, line.category, line.quantity, line.price_minor
FROM (
    SELECT DISTINCT ON (order_id) order_id, items FROM {{source}}
    WHERE event_name = 'purchase' ORDER BY order_id, event_time, event_id
) AS bought, jsonb_to_recordset(bought.items) AS line {_LINE}
""",
    _ORDERED_AT,
    kept_by=_ORDERED_AT,
)

SESSION_FIRST = (
    "entry_page", "user_id", "simulation", "run_id", "persona", "country", "city", "language",
    "device", "os", "browser", "channel",
)  # fmt: skip
"""What a session has of its first event. Of several with the lowest number, the least in this order
of columns counts, so that no order of arrival makes a difference."""
_FIELDS = tuple(name.replace("entry_page", "page") for name in SESSION_FIRST)
# One order for all, so that PostgreSQL sorts once; any_value() keeps the first value that it gets.
_IN_ORDER = f"ORDER BY session_seq, {', '.join(_FIELDS)}"
_OF_FIRST = ", ".join(
    f"any_value({field} {_IN_ORDER}) AS {name}"
    for field, name in zip(_FIELDS, SESSION_FIRST, strict=True)
)

SESSIONS = Mart(
    "mart.sessions",
    ("session_id",),
    (
        "simulation", "run_id", "user_id", "persona", "country", "city", "language", "device",
        "os", "browser", "channel", "campaign", "referrer", "session_number", "started_at",
        "last_event_at", "first_seq", "last_seq", "entry_page", "exit_page", "events", *COUNTS,
        "added_minor", "removed_minor", "revenue_minor",
    ),
    "events",
    f"""
SELECT session_id, {_OF_FIRST}, min(campaign) AS campaign, min(referrer) AS referrer,
    min(session_number) AS session_number, min(event_time) AS started_at,
    max(event_time) AS last_event_at, min(session_seq) AS first_seq,
    max(session_seq) AS last_seq, (array_agg(page {_IN_ORDER}))[count(*)] AS exit_page,
    count(*)::integer AS events, {EVENT_COUNTS.replace(" AS", "::integer AS")},
    coalesce(sum(value_minor) FILTER (WHERE event_name = 'add_to_cart'), 0)::bigint AS added_minor,
    coalesce(sum(value_minor) FILTER (WHERE event_name = 'remove_from_cart'), 0)::bigint
        AS removed_minor,
    {REVENUE}::bigint AS revenue_minor
FROM {{source}} GROUP BY session_id
""",
    "started_at",
    kept_by="started_at",
)  # fmt: skip

USER_DAY = Mart(
    "mart.user_day",
    ("day", "simulation", "user_id"),
    ("hours",),
    "events",
    """
SELECT (event_time AT TIME ZONE 'UTC')::date AS day, simulation, user_id,
    bit_or(1 << date_part('hour', event_time AT TIME ZONE 'UTC')::integer) AS hours
FROM {source} GROUP BY 1, simulation, user_id
""",
    "day",
    kept_by="day",
)

DIM_USER = Mart(
    "mart.dim_user",
    ("simulation", "user_id"),
    (
        "persona", "country", "city", "language", "device", "os", "browser", "channel",
        "first_seen_at",
    ),
    "sessions",
    """
SELECT DISTINCT ON (simulation, user_id) simulation, user_id, persona, country, city, language,
    device, os, browser, channel, started_at AS first_seen_at
FROM {source} WHERE weight = 1
ORDER BY simulation, user_id, started_at, persona, country, city, language, device, os, browser,
    channel
""",
    "",
)  # fmt: skip

_SESSIONS_HOUR = Mart(
    "mart.sessions_hour",
    ("hour", *DIMENSIONS),
    (
        "sessions", "bounced_sessions", "view_sessions", "cart_sessions", "checkout_sessions",
        "converted_sessions", "abandoned_sessions", "left_minor", "events", "pages",
        "duration_milliseconds", "orders", "revenue_minor",
    ),
    "sessions",
    f"""
SELECT {start_of("hour", "started_at")} AS hour, {", ".join(DIMENSIONS)},
    sum(weight) AS sessions, sum(weight * (events <= 2)::integer) AS bounced_sessions,
    sum(weight * (view_item_events > 0)::integer) AS view_sessions,
    sum(weight * (add_to_cart_events > 0)::integer) AS cart_sessions,
    sum(weight * (begin_checkout_events > 0)::integer) AS checkout_sessions,
    sum(weight * (purchase_events > 0)::integer) AS converted_sessions,
    sum(weight * (add_to_cart_events > 0 AND purchase_events = 0)::integer)
        AS abandoned_sessions,
    sum(weight * left_minor) AS left_minor, sum(weight * events) AS events,
    sum(weight * pages) AS pages,
    sum(weight * (date_part('epoch', last_event_at - started_at) * 1000)::bigint)
        AS duration_milliseconds,
    sum(weight * purchase_events) AS orders, sum(weight * revenue_minor) AS revenue_minor
FROM {{source}} GROUP BY 1, {", ".join(DIMENSIONS)}
""",
    "hour",
    is_sum=True,
)  # fmt: skip

_PAGES_DAY = Mart(
    "mart.pages_day",
    ("day", "simulation", "page"),
    ("entries", "exits", "bounces"),
    "sessions",
    """
SELECT day, simulation, page, sum(entry) AS entries, sum(leaving) AS exits, sum(bounce) AS bounces
FROM (
    SELECT (started_at AT TIME ZONE 'UTC')::date AS day, simulation, entry_page AS page,
        weight AS entry, 0 AS leaving, weight * (events <= 2)::integer AS bounce
    FROM {source}
    UNION ALL
    SELECT (started_at AT TIME ZONE 'UTC')::date, simulation, exit_page, 0, weight, 0
    FROM {source}
) AS ends
GROUP BY day, simulation, page
""",
    "day",
    is_sum=True,
)

VISITORS_HOUR = Mart(
    "mart.visitors_hour",
    ("hour", "simulation"),
    ("visitors",),
    "user_day",
    """
SELECT day::timestamp AT TIME ZONE 'UTC' + number * interval '1 hour' AS hour, simulation,
    count(*) AS visitors
FROM {source}, generate_series(0, 23) AS number
WHERE hours & (1 << number) <> 0
GROUP BY 1, simulation
""",
    "hour",
    is_sum=True,
)

TRAFFIC = (_traffic("minute"), _traffic("hour"), _traffic("day"))
"""The traffic counts by minute, hour and day."""

EVENT_MARTS = (_PRODUCT_HOUR,)
"""Other sums over events: a batch adds its new events."""

ORDER_MARTS = (_PRODUCT_PAIRS,)
"""Sums over orders: a batch subtracts the old items of an order and adds the new ones."""

SESSION_MARTS = (_SESSIONS_HOUR, _PAGES_DAY)
"""Sums over sessions: a session's former state is taken away, its present state added."""

MARTS = (
    SESSIONS, ORDERS, ORDER_ITEMS, PRODUCT_VERSIONS, USER_DAY, *EVENT_MARTS, *ORDER_MARTS, *TRAFFIC,
    DIM_USER, *SESSION_MARTS, VISITORS_HOUR,
)  # fmt: skip
"""All marts; each follows from ``raw.events`` or from a mart before it."""

_KEPT_SINCE = "(SELECT max_event_time FROM ops.progress WHERE query = 'retention')"


def is_kept(moment: str) -> str:
    """Return whether the events of a time are still stored, as SQL.

    Retention drops the table of a day as a whole.
    """
    return f"coalesce({moment} >= {_KEPT_SINCE}, true)"


def is_whole(mart: Mart) -> str:
    """Return whether a computed row ``one`` follows from all of its events, as SQL.

    Of a row that began before the first kept day, only a part of the events is left. The stored row
    of the mart shows when it began.
    """
    if not mart.kept_by:
        return "true"
    key, kept = ", ".join(mart.key), is_kept(mart.kept_by)
    return f"{kept} AND ({key}) NOT IN (SELECT {key} FROM {mart.table} AS one WHERE NOT {kept})"


_SOLD = """(
    SELECT bought.simulation, jsonb_agg(to_jsonb(line)) AS items, 1 AS weight
    FROM mart.fact_orders AS bought INNER JOIN mart.fact_order_items AS line USING (order_id)
    GROUP BY bought.order_id
)"""


def source_of(mart: Mart, events: str = "raw.events") -> str:
    """Return the relation from which a whole mart follows.

    Args:
        mart: The mart.
        events: The relation of the events, for a mart that follows from events.
    """
    return {
        "events": events,
        "orders": _SOLD,
        "sessions": "(SELECT *, 1 AS weight FROM mart.sessions)",
        "user_day": "mart.user_day",
    }[mart.source]
