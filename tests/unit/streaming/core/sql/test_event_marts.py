"""Traffic counts each event name in three units; lines have the time of their order."""

from __future__ import annotations

from clickstream_streaming.core.sql.columns import COUNTERS, DIMENSIONS, names, start_of
from clickstream_streaming.core.sql.event_marts import (
    ORDER_ITEMS,
    ORDERS,
    PRODUCT_HOUR,
    PRODUCT_PAIRS,
    PRODUCT_VERSIONS,
    TRAFFIC,
)


def test_traffic_differs_in_unit() -> None:
    """Minute, hour and day have the same values and dimensions, of another unit."""
    assert [mart.key for mart in TRAFFIC] == [
        (unit, *names(DIMENSIONS)) for unit in ("minute", "hour", "day")
    ]
    assert len({mart.values for mart in TRAFFIC}) == 1
    assert TRAFFIC[0].values == ("events", *names(COUNTERS), "revenue_minor")
    for mart in TRAFFIC:
        assert f"{start_of(mart.key[0], 'event_time')} AS {mart.key[0]}," in mart.select


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


def test_writers_add_to_shared_sums() -> None:
    """Several writers have events of one minute or product; an order is of one writer."""
    shared = (*TRAFFIC, PRODUCT_HOUR, PRODUCT_PAIRS, PRODUCT_VERSIONS)

    assert all(mart.is_shared for mart in shared)
    assert not any(mart.is_shared for mart in (ORDERS, ORDER_ITEMS))
