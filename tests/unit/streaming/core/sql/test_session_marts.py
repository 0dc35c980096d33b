"""A session has a counter for each event name, and a rule for each column that two rows merge."""

from __future__ import annotations

from clickstream_streaming.core.sql.columns import COUNTERS, names
from clickstream_streaming.core.sql.session_marts import (
    DIM_USER,
    ORDER_OF_FIRST,
    PAGES_DAY,
    SESSIONS,
    SESSIONS_HOUR,
    USER_DAY,
    VISITORS_HOUR,
)


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


def test_first_event_gives_its_columns() -> None:
    """A column of the first event has the event's value; the entry page is its page."""
    for name in ORDER_OF_FIRST:
        source = "page" if name == "entry_page" else name
        assert f"any_value({source} ORDER BY session_seq, " in SESSIONS.select
        assert f") AS {name}" in SESSIONS.select


def test_writers_add_to_hours_and_days() -> None:
    """Several writers have sessions of one hour or day; a session or user is of one writer."""
    assert all(mart.is_shared for mart in (SESSIONS_HOUR, PAGES_DAY, VISITORS_HOUR))
    assert not any(mart.is_shared for mart in (SESSIONS, USER_DAY, DIM_USER))
