"""A definition gives columns, a query, and what retention leaves of its rows."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from clickstream_streaming.core.sql.columns import Column
from clickstream_streaming.core.sql.mart import Mart, is_kept, is_whole, source_of
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS, USER_DAY

EACH = pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
RETENTION = "(SELECT max_event_time FROM ops.progress WHERE query = 'retention')"
_DAYS = Mart(
    "mart.days",
    "Days.",
    (Column("day", "date", "Day.", "at::date"), Column("shop", "text", "Shop.")),
    (
        Column("n", "bigint", "Number.", "count(*)", merge="sum"),
        Column("last", "text", "Last.", "max(name)", merge="greatest"),
        Column("is_many", "boolean", "Many.", computed="n > 9"),
    ),
    "events",
    "day",
)


def _mart(table: str) -> Mart:
    (found,) = (mart for mart in MARTS if mart.table == table)
    return found


def test_query_follows_from_columns() -> None:
    """The values are grouped by the key; what PostgreSQL computes is not selected."""
    assert re.sub(r"\s+", " ", _DAYS.select).strip() == (
        "SELECT at::date AS day, shop, count(*) AS n, max(name) AS last FROM {source} GROUP BY 1, 2"
    )
    assert (_DAYS.key, _DAYS.values) == (("day", "shop"), ("n", "last"))


def test_query_may_be_given() -> None:
    """A query that is given counts, and the columns keep their names."""
    assert replace(_DAYS, query="TABLE {source}").select == "TABLE {source}"


def test_columns_merge_by_their_rules() -> None:
    """The names of columns are found by the rule with which they merge."""
    assert _DAYS.merged("sum") == ("n",)
    assert _DAYS.merged("sum", "greatest") == ("n", "last")
    assert _DAYS.merged("first") == ()


def test_view_puts_writers_together() -> None:
    """A shared mart has a table by writer; the view groups its rows by the mart's key."""
    shared = replace(_DAYS, fields=_DAYS.fields[:2], is_shared=True)

    assert (shared.written_table, shared.written_key) == (
        "mart.days_by_writer", ("day", "shop", "writer"),
    )  # fmt: skip
    assert re.sub(r"\s+", " ", shared.view) == (
        "SELECT day, shop, sum(n)::bigint AS n, max(last) AS last"
        " FROM mart.days_by_writer GROUP BY day, shop"
    )
    assert (_DAYS.written_table, _DAYS.written_key) == (_DAYS.table, _DAYS.key)


def test_only_sums_are_sums() -> None:
    """A shared mart with another value than sums, such as the latest time, is no sum."""
    sums = replace(_DAYS, fields=_DAYS.fields[:1], is_shared=True)

    assert sums.is_sum
    assert not replace(sums, fields=_DAYS.fields[:2]).is_sum
    assert not replace(sums, is_shared=False).is_sum


def test_kept_moment_is_after_retention() -> None:
    """Without retention everything is kept; else what is not before its day."""
    assert is_kept("minute") == f"coalesce(minute >= {RETENTION}, true)"


def test_rows_of_dropped_days_are_partial() -> None:
    """A row whose table says that it began before the kept days is left out by its key."""
    kept = is_kept("started_at")

    assert is_whole(SESSIONS) == (
        f"{kept} AND (session_id) NOT IN"  # noqa: S608  compared only
        f" (SELECT session_id FROM mart.sessions AS one WHERE NOT {kept})"
    )


def test_whole_key_is_compared() -> None:
    """A key of several columns is compared as a whole."""
    assert "AND (day, simulation, user_id) NOT IN (SELECT day, simulation, user_id FROM" in (
        is_whole(USER_DAY)
    )


@EACH
def test_mart_without_retention_is_whole(mart: Mart) -> None:
    """A mart that follows from what is kept for good is always whole."""
    assert (is_whole(mart) == "true") == (not mart.kept_by)


@EACH
def test_source_is_by_kind(mart: Mart) -> None:
    """Each mart follows from events, sessions or days of visitors."""
    expected = {
        "events": "some_events",
        "sessions": "(SELECT *, 1 AS weight FROM mart.sessions)",
        "user_day": "mart.user_day",
    }
    if mart.table != "mart.product_pairs":
        assert source_of(mart, "some_events") == expected[mart.source]


def test_all_events_are_the_default() -> None:
    """Without a relation a mart follows from every stored event."""
    assert source_of(SESSIONS) == "raw.events"


def test_pairs_follow_from_orders() -> None:
    """Pairs have no time, so they follow from orders, which are kept longer than events."""
    pairs = _mart("mart.product_pairs")

    for source in (source_of(pairs), source_of(pairs, "some_events")):
        assert "mart.fact_orders" in source
        assert "mart.fact_order_items" in source
        assert "events" not in source
