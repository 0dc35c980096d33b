"""Each mart has one definition, and what is decided about it in Python fits it."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_streaming.core.marts import (
    COUNTS,
    DIM_USER,
    DIMENSIONS,
    EVENT_MARTS,
    MARTS,
    ORDER_ITEMS,
    ORDER_MARTS,
    ORDERS,
    PRODUCT_VERSIONS,
    SESSION_MARTS,
    SESSIONS,
    TRAFFIC,
    USER_DAY,
    VISITORS_HOUR,
    Mart,
    is_kept,
    is_whole,
    source_of,
    start_of,
)

EACH = pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
RETENTION = "(SELECT max_event_time FROM ops.progress WHERE query = 'retention')"


def _mart(table: str) -> Mart:
    (found,) = (mart for mart in MARTS if mart.table == table)
    return found


@EACH
def test_columns_are_key_and_values(mart: Mart) -> None:
    """The columns are the key's and then the values', each of them once."""
    assert mart.columns == (*mart.key, *mart.values)
    assert len(set(mart.columns)) == len(mart.columns)
    assert mart.key
    assert mart.values


@EACH
def test_definition_gives_every_column(mart: Mart) -> None:
    """Each column's name is in the definition."""
    words = set(re.findall(r"\w+", mart.select))

    assert set(mart.columns) <= words


@EACH
def test_definition_has_one_blank(mart: Mart) -> None:
    """A definition is complete once its source is filled in."""
    assert "{source}" in mart.select

    text = mart.select.format(source="some_relation")

    assert "some_relation" in text
    assert not {"{", "}", "%"} & set(text)


def test_tables_are_all_marts() -> None:
    """Every definition is in the list once, and its table is in the schema ``mart``."""
    known = [
        SESSIONS, ORDERS, ORDER_ITEMS, PRODUCT_VERSIONS, USER_DAY, DIM_USER, VISITORS_HOUR,
        *EVENT_MARTS, *ORDER_MARTS, *TRAFFIC, *SESSION_MARTS,
    ]  # fmt: skip
    tables = [mart.table for mart in MARTS]

    assert len(set(tables)) == len(tables)
    assert set(tables) == {mart.table for mart in known}
    assert all(re.fullmatch(r"mart\.[a-z_]+", table) for table in tables)


def test_sources_come_before_marts() -> None:
    """A mart comes after the one from which it follows, so a rebuild can go in order."""
    places = {mart.table: place for place, mart in enumerate(MARTS)}
    needs = {"sessions": "mart.sessions", "user_day": "mart.user_day"}

    for mart in MARTS:
        if mart.source in needs:
            assert places[mart.table] > places[needs[mart.source]], mart.table
    assert places["mart.fact_order_items"] > places["mart.fact_orders"]


@pytest.mark.parametrize(
    ("table", "key", "time", "kept_by", "is_sum"),
    [
        ("mart.sessions", "session_id", "started_at", "started_at", False),
        ("mart.fact_orders", "order_id", "ordered_at", "ordered_at", False),
        ("mart.dim_product_versions",
         "simulation product_id product_name brand category price_minor", "", "first_seen_at",
         False),
        ("mart.user_day", "day simulation user_id", "day", "day", False),
        ("mart.dim_user", "simulation user_id", "", "", False),
        ("mart.product_hour", "hour simulation product_id", "hour", "hour", True),
        ("mart.product_pairs", "simulation product_a product_b", "", "", True),
        ("mart.traffic_minute", "minute simulation country device channel", "minute", "minute",
         True),
        ("mart.traffic_hour", "hour simulation country device channel", "hour", "hour", True),
        ("mart.traffic_day", "day simulation country device channel", "day", "day", True),
        ("mart.sessions_hour", "hour simulation country device channel", "hour", "", True),
        ("mart.pages_day", "day simulation page", "day", "", True),
        ("mart.visitors_hour", "hour simulation", "hour", "", True),
    ],
)  # fmt: skip
def test_mart_has_key_and_times(
    table: str,
    key: str,
    time: str,
    kept_by: str,
    is_sum: bool,  # noqa: FBT001  a case
) -> None:
    """Each mart has its key, the moment of a row, and whether batches add to it."""
    mart = _mart(table)

    assert " ".join(mart.key) == key
    assert (mart.time, mart.kept_by, mart.is_sum) == (time, kept_by, is_sum)


def test_order_items_have_their_orders_time() -> None:
    """A line has no time: that of its order counts, in the range and for what is kept."""
    expected = (
        "(SELECT known.ordered_at FROM mart.fact_orders AS known"
        " WHERE known.order_id = one.order_id)"
    )

    assert ORDER_ITEMS.key == ("order_id", "product_id")
    assert (ORDER_ITEMS.time, ORDER_ITEMS.kept_by, ORDER_ITEMS.is_sum) == (
        expected, expected, False,
    )  # fmt: skip


def test_every_event_name_is_counted() -> None:
    """Traffic and sessions have a count for each event name, in the contract's order."""
    assert tuple(f"{name}_events" for name in EVENT_NAMES) == COUNTS
    for mart in (*TRAFFIC, SESSIONS):
        counts = tuple(name for name in mart.values if name in COUNTS)
        assert counts == COUNTS
        for name in EVENT_NAMES:
            assert f"FILTER (WHERE event_name = '{name}')" in mart.select


def test_traffic_differs_in_unit() -> None:
    """Minute, hour and day have the same values and dimensions, of another unit."""
    assert [mart.key for mart in TRAFFIC] == [
        (unit, *DIMENSIONS) for unit in ("minute", "hour", "day")
    ]
    assert len({mart.values for mart in TRAFFIC}) == 1
    assert TRAFFIC[0].values == ("events", *COUNTS, "revenue_minor")
    for mart in TRAFFIC:
        assert f"{start_of(mart.key[0], 'event_time')} AS {mart.key[0]}," in mart.select


@pytest.mark.parametrize("unit", ["minute", "hour", "day"])
def test_start_is_utc(unit: str) -> None:
    """A moment's unit begins at a whole number of units since 2000, UTC."""
    assert start_of(unit, "at") == (
        f"date_bin('1 {unit}', at, timestamptz '2000-01-01 00:00:00+00')"
    )


def test_kept_moment_is_after_retention() -> None:
    """Without retention everything is kept; else what is not before its day."""
    assert is_kept("minute") == f"coalesce(minute >= {RETENTION}, true)"


def test_row_of_dropped_days_is_not_whole() -> None:
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
