"""The figures of the shop that several views have, as columns over the sums of a mart.

Owns their formulas: a view has the same figures by hour, by day and in all.
"""

from __future__ import annotations

from clickstream_streaming.core.sql.columns import Column

__all__ = ["KPIS", "PRODUCT_KPIS"]


def _total(name: str, comment: str, column: str = "") -> Column:
    return Column(name, "", comment, f"sum({column or name})::bigint")


def _money(name: str, comment: str, per: str = "") -> Column:
    part = f" / nullif(sum({per}), 0)" if per else ""
    return Column(
        name,
        "",
        f"{comment} In the currency of the simulation.",
        f"(sum(revenue_minor) / 100.0{part})::numeric(18, 2)",
    )


def _percent(name: str, comment: str, part: str, whole: str) -> Column:
    return Column(name, "", comment, f"round(100.0 * sum({part}) / nullif(sum({whole}), 0), 2)")


KPIS = (
    _total("sessions", "Sessions."),
    _total("converted_sessions", "Sessions with an order."),
    _percent("conversion_percent", "Share of sessions with an order.", "converted_sessions",
             "sessions"),
    _total("orders", "Orders."),
    _money("revenue", "Value of the orders."),
    _money("average_order_value", "Revenue per order.", per="orders"),
    _percent("bounce_percent", "Share of sessions that saw one page at most.", "bounced_sessions",
             "sessions"),
    _percent("abandonment_percent", "Share of the filled carts from which nothing was bought.",
             "abandoned_sessions", "cart_sessions"),
    Column("events_per_session", "", "Mean number of events of a session.",
           "round(sum(events)::numeric / nullif(sum(sessions), 0), 2)"),
    Column("average_duration_seconds", "", "Mean time from first to last event.",
           "round(sum(duration_milliseconds) / 1000.0 / nullif(sum(sessions), 0), 1)"),
)  # fmt: skip
"""Figures over ``mart.sessions_hour``."""

PRODUCT_KPIS = (
    _total("views", "How often it was looked at.", "view_item_events"),
    _total("carts", "How often it was put into a cart.", "add_to_cart_events"),
    _total("orders", "Orders with it."),
    _total("pieces", "How many were bought."),
    _money("revenue", "Value of what was bought."),
    _percent("view_to_cart_percent", "Times put into a cart per 100 looks.", "add_to_cart_events",
             "view_item_events"),
    _percent("cart_to_purchase_percent", "Orders with it per 100 times put into a cart.", "orders",
             "add_to_cart_events"),
)  # fmt: skip
"""Figures over ``mart.product_hour``."""
