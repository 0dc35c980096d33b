"""The marts of sessions and users, and the sums over them."""

from __future__ import annotations

from dataclasses import replace

from clickstream_streaming.core.sql.columns import (
    CHANNEL,
    COUNTRY,
    DEVICE,
    DIMENSIONS,
    RUN,
    SESSION,
    SIMULATION,
    USER,
    Column,
    counters,
    revenue,
    start_of,
)
from clickstream_streaming.core.sql.mart import Mart

__all__ = [
    "DIM_USER",
    "ORDER_OF_FIRST",
    "PAGES_DAY",
    "SESSIONS",
    "SESSIONS_HOUR",
    "USER_DAY",
    "VISITORS_HOUR",
]

_PERSONA = Column("persona", "text", "The kind of user.")
_CITY = Column("city", "text", "The user's city.")
_LANGUAGE = Column("language", "text", "The user's language, a BCP 47 tag.")
_OS = Column("os", "text", "Operating system of the device.")
_BROWSER = Column("browser", "text", "The user's browser.")
_ENTRY = Column("entry_page", "text", "Page of the first event.", "page")

_OF_FIRST = (
    SIMULATION, RUN, USER, _PERSONA, COUNTRY, _CITY, _LANGUAGE, DEVICE, _OS, _BROWSER, CHANNEL,
    _ENTRY,
)  # fmt: skip
"""What a session has of its first event."""
_ORDER = (_ENTRY, *_OF_FIRST[:-1])
"""Of several events with the lowest number, the least in this order of columns is the first, so no
order of arrival makes a difference. The page leads: of several events with the highest number, the
one with the greatest page is the last."""
ORDER_OF_FIRST = tuple(one.name for one in _ORDER)
# One order for all, so that PostgreSQL sorts once; any_value() keeps the first value that it gets.
_IN_ORDER = f"ORDER BY session_seq, {', '.join(one.value or one.name for one in _ORDER)}"


def _sum_of(name: str, event_name: str, comment: str) -> Column:
    value = f"coalesce(sum(value_minor) FILTER (WHERE event_name = '{event_name}'), 0)::bigint"
    return Column(name, "bigint", f"{comment} Unit: minor units.", value, merge="sum")


_IS_ABANDONED = "add_to_cart_events > 0 AND purchase_events = 0"

SESSIONS = Mart(
    "mart.sessions",
    "One row per session, from its first event on. Columns about the user are from the event with"
    " the lowest session_seq. mart.fact_sessions adds whether the session is over.",
    (SESSION,),
    (
        *(
            replace(one, value=f"any_value({one.value or one.name} {_IN_ORDER})", merge="first")
            for one in _OF_FIRST
        ),
        Column("exit_page", "text", "Page of the last event so far.",
               f"(array_agg(page {_IN_ORDER}))[count(*)]", "last"),
        Column("campaign", "text", "The campaign that led to this session.", "min(campaign)",
               "least", constraint=""),
        Column("referrer", "text", "The page that led to the shop; null for direct sessions.",
               "min(referrer)", "least", constraint=""),
        Column("session_number", "integer",
               "Number of the session among the user's sessions in this run; 1 is the first.",
               "min(session_number)", "least", constraint=""),
        Column("experiments", "text",
               "The arms in which the session is, as experiment=arm, separated by commas; null"
               " without one.",
               "min(experiments)", "least", constraint=""),
        Column("started_at", "timestamptz", "Time of the first event.", "min(event_time)",
               "least"),
        Column("last_event_at", "timestamptz", "Time of the last event so far.",
               "max(event_time)", "greatest"),
        Column("first_seq", "integer", "Lowest session_seq; 1 if nothing is missing.",
               "min(session_seq)", "least"),
        Column("last_seq", "integer", "Highest session_seq.", "max(session_seq)", "greatest"),
        Column("events", "integer", "Events of all names.", "count(*)::integer", "sum"),
        *counters("integer"),
        _sum_of("added_minor", "add_to_cart", "Value put into the cart."),
        _sum_of("removed_minor", "remove_from_cart", "Value taken out of it."),
        revenue("Value of the orders."),
        Column("duration_seconds", "numeric", "From the first event to the last.",
               computed="extract(epoch FROM last_event_at - started_at)"),
        Column("pages", "integer", "Pages seen: pages, searches, lists, items and carts.",
               computed="page_view_events + search_events + view_item_list_events"
               " + view_item_events\n+ view_cart_events"),
        Column("is_bounce", "boolean", "Whether the user saw one page at most.",
               computed="events <= 2"),
        Column("is_converted", "boolean", "Whether something was bought.",
               computed="purchase_events > 0"),
        Column("is_abandoned", "boolean",
               "Whether something was put into the cart and nothing bought.",
               computed=_IS_ABANDONED),
        Column("left_minor", "bigint",
               "Value left in a cart from which nothing was bought. Unit: minor units.",
               computed=f"CASE WHEN {_IS_ABANDONED}"
               "\n    THEN greatest(added_minor - removed_minor, 0) ELSE 0 END"),
    ),
    "events",
    "started_at",
    kept_by="started_at",
)  # fmt: skip

USER_DAY = Mart(
    "mart.user_day",
    "Users with events on a day, and the hours of these events.",
    (
        Column("day", "date", "The day, UTC.", "(event_time AT TIME ZONE 'UTC')::date"),
        SIMULATION,
        USER,
    ),
    (
        Column("hours", "integer", "One bit per hour with an event: bit 0 is midnight to one.",
               "bit_or(1 << date_part('hour', event_time AT TIME ZONE 'UTC')::integer)"),
    ),
    "events",
    "day",
    kept_by="day",
)  # fmt: skip

DIM_USER = Mart(
    "mart.dim_user",
    "Users, as their first session shows them.",
    (SIMULATION, USER),
    (
        _PERSONA, COUNTRY, _CITY, _LANGUAGE, DEVICE, _OS, _BROWSER, CHANNEL,
        Column("first_seen_at", "timestamptz", "Time of the first event."),
    ),
    "sessions",
    "",
    """
SELECT DISTINCT ON (simulation, user_id) simulation, user_id, persona, country, city, language,
    device, os, browser, channel, started_at AS first_seen_at
FROM {source} WHERE weight = 1
ORDER BY simulation, user_id, started_at, persona, country, city, language, device, os, browser,
    channel
""",
)  # fmt: skip


def _sessions_if(name: str, condition: str, comment: str) -> Column:
    return Column(name, "bigint", comment, f"sum(weight * ({condition})::integer)", merge="sum")


def _sum(name: str, value: str, comment: str) -> Column:
    return Column(name, "bigint", comment, f"sum(weight * {value})", merge="sum")


SESSIONS_HOUR = Mart(
    "mart.sessions_hour",
    "Sessions by the hour in which they began, and their results.",
    (
        Column("hour", "timestamptz", "Start of the hour, UTC.", start_of("hour", "started_at")),
        *DIMENSIONS,
    ),
    (
        Column("sessions", "bigint", "Sessions.", "sum(weight)", merge="sum"),
        _sessions_if("bounced_sessions", "is_bounce", "Sessions that saw one page at most."),
        _sessions_if("view_sessions", "view_item_events > 0", "Sessions that looked at an item."),
        _sessions_if("cart_sessions", "add_to_cart_events > 0",
                     "Sessions that put something into the cart."),
        _sessions_if("checkout_sessions", "begin_checkout_events > 0",
                     "Sessions that began to check out."),
        _sessions_if("converted_sessions", "is_converted", "Sessions with an order."),
        _sessions_if("abandoned_sessions", "is_abandoned",
                     "Sessions that left something in the cart and bought nothing."),
        _sum("left_minor", "left_minor", "Value left in these carts. Unit: minor units."),
        _sum("events", "events", "Events."),
        _sum("pages", "pages", "Pages seen."),
        _sum("duration_milliseconds",
             "(date_part('epoch', last_event_at - started_at) * 1000)::bigint",
             "From first to last event, summed."),
        _sum("orders", "purchase_events", "Orders."),
        _sum("revenue_minor", "revenue_minor", "Their value. Unit: minor units."),
    ),
    "sessions",
    "hour",
    is_shared=True,
)  # fmt: skip

PAGES_DAY = Mart(
    "mart.pages_day",
    "Where sessions began and ended, by the day in which they began.",
    (
        Column("day", "date", "The day, UTC."),
        SIMULATION,
        Column("page", "text", "Path of the page."),
    ),
    (
        Column("entries", "bigint", "Sessions that began there.", merge="sum"),
        Column(
            "exits",
            "bigint",
            "Sessions that ended there, or whose last event so far is there.",
            merge="sum",
        ),
        Column(
            "bounces", "bigint", "Sessions that began there and saw one page at most.", merge="sum"
        ),
    ),
    "sessions",
    "day",
    """
SELECT day, simulation, page, sum(entry) AS entries, sum(leaving) AS exits, sum(bounce) AS bounces
FROM (
    SELECT (started_at AT TIME ZONE 'UTC')::date AS day, simulation, entry_page AS page,
        weight AS entry, 0 AS leaving, weight * is_bounce::integer AS bounce
    FROM {source}
    UNION ALL
    SELECT (started_at AT TIME ZONE 'UTC')::date, simulation, exit_page, 0, weight, 0
    FROM {source}
) AS ends
GROUP BY day, simulation, page
""",
    is_shared=True,
)

VISITORS_HOUR = Mart(
    "mart.visitors_hour",
    "Different visitors per hour.",
    (Column("hour", "timestamptz", "Start of the hour, UTC."), SIMULATION),
    (Column("visitors", "bigint", "Different visitors with an event.", merge="sum"),),
    "user_day",
    "hour",
    """
SELECT day::timestamp AT TIME ZONE 'UTC' + number * interval '1 hour' AS hour, simulation,
    count(*) AS visitors
FROM {source}, generate_series(0, 23) AS number
WHERE hours & (1 << number) <> 0
GROUP BY 1, simulation
""",
    is_shared=True,
)
