"""All marts, in the order in which they follow from each other."""

from __future__ import annotations

from clickstream_streaming.core.sql.event_marts import (
    ORDER_ITEMS,
    ORDERS,
    PRODUCT_HOUR,
    PRODUCT_PAIRS,
    PRODUCT_VERSIONS,
    TRAFFIC,
)
from clickstream_streaming.core.sql.session_marts import (
    DIM_USER,
    PAGES_DAY,
    SESSIONS,
    SESSIONS_HOUR,
    USER_DAY,
    VISITORS_HOUR,
)

__all__ = ["EVENT_MARTS", "MARTS", "ORDER_MARTS", "SESSION_MARTS"]

EVENT_MARTS = (PRODUCT_HOUR,)
"""Sums over events: a batch adds its new events."""

ORDER_MARTS = (PRODUCT_PAIRS,)
"""Sums over orders: a batch subtracts the old items of an order and adds the new ones."""

SESSION_MARTS = (SESSIONS_HOUR, PAGES_DAY)
"""Sums over sessions: a session's former state is taken away, its present state added."""

MARTS = (
    SESSIONS, ORDERS, ORDER_ITEMS, PRODUCT_VERSIONS, USER_DAY, *EVENT_MARTS, *ORDER_MARTS, *TRAFFIC,
    DIM_USER, *SESSION_MARTS, VISITORS_HOUR,
)  # fmt: skip
"""All marts; each follows from ``raw.events`` or from a mart before it."""
