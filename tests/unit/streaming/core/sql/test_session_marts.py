"""A session has a counter for each event name, and a rule for each column that two rows merge."""

from __future__ import annotations

from clickstream_streaming.core.sql.columns import COUNTERS, names
from clickstream_streaming.core.sql.session_marts import ORDER_OF_FIRST, SESSIONS


def test_every_column_of_a_session_merges() -> None:
    """Each written column has a rule; sums are the events, their counters and values."""
    written = [column for column in SESSIONS.fields if not column.computed]

    assert all(column.merge for column in written)
    assert SESSIONS.merged("sum") == (
        "events", *names(COUNTERS), "added_minor", "removed_minor", "revenue_minor",
    )  # fmt: skip


def test_first_event_decides_in_one_order() -> None:
    """Each column of the first event is taken in one order, which the page leads.

    Of several last events the one with the greatest page is kept, so the order must end with it.
    """
    order = SESSIONS.select.split("ORDER BY session_seq, ")[1].split(")")[0]

    assert order.replace("page", "entry_page").split(", ") == list(ORDER_OF_FIRST)
    assert ORDER_OF_FIRST[0] == "entry_page"
    assert set(ORDER_OF_FIRST) == set(SESSIONS.merged("first"))
    assert SESSIONS.select.count(f"ORDER BY session_seq, {order})") == len(
        SESSIONS.merged("first", "last")
    )
