"""The dashboard Shop: the visitors' behaviour, and the revenue.

All panels read sums per hour, so that a month is as fast as a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_dashboards.frame import annotated, begin, row, with_postgres, with_shop
from clickstream_dashboards.panels import bars, figure, listing, series
from clickstream_dashboards.queries import SqlQuery, chosen, in_hours

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

__all__ = ["shop"]

_FROM = f"FROM mart.sessions_hour\nWHERE {in_hours}\n  AND {chosen}"
_TIME = "date_bin(${interval:sqlstring}::interval, hour, timestamptz '2020-01-06 00:00+00') AS time"
_BY_TIME = "GROUP BY 1 ORDER BY 1"
_CONVERSION = "100.0 * sum(converted_sessions) / nullif(sum(sessions), 0)"
_BOUNCE = "100.0 * sum(bounced_sessions) / nullif(sum(sessions), 0)"
_ABANDONMENT = "100.0 * sum(abandoned_sessions) / nullif(sum(cart_sessions), 0)"
_REVENUE = "sum(revenue_minor) / 100.0"
_ORDER_VALUE = "sum(revenue_minor) / 100.0 / nullif(sum(orders), 0)"
_MONEY = "short"
"""Grafana's units name one currency each; the variable of the dashboard names the one of these."""
_UNITS = {
    "revenue": _MONEY,
    "order value": _MONEY,
    "value left": _MONEY,
    "conversion": "percent",
    "bounce": "percent",
    "carts left": "percent",
    "view to cart": "percent",
    "cart to purchase": "percent",
}
_DAYS = (
    "day BETWEEN ($__timeFrom()::timestamptz AT TIME ZONE 'UTC')::date"
    " AND ($__timeTo()::timestamptz AT TIME ZONE 'UTC')::date\n"
    "  AND simulation IN (${simulation:sqlstring})"
)
_PRODUCTS = f"""
SELECT product.product_name AS product, product.category, hours.views, hours.carts, hours.orders,
    hours.pieces, hours.revenue_minor / 100.0 AS revenue,
    100.0 * hours.carts / nullif(hours.views, 0) AS "view to cart",
    100.0 * hours.orders / nullif(hours.carts, 0) AS "cart to purchase"
FROM (
    SELECT simulation, product_id, sum(view_item_events) AS views,
        sum(add_to_cart_events) AS carts, sum(orders) AS orders, sum(pieces) AS pieces,
        sum(revenue_minor) AS revenue_minor
    FROM mart.product_hour
    WHERE {in_hours}
      AND simulation IN (${{simulation:sqlstring}})
    GROUP BY simulation, product_id
    ORDER BY {{order}} LIMIT 25
) AS hours
INNER JOIN mart.dim_product AS product USING (simulation, product_id)
ORDER BY {{order}}"""
_INCIDENTS = (
    "FROM ops.incidents\nWHERE began_at <= $__timeTo()::timestamptz"
    " AND ended_at >= $__timeFrom()::timestamptz\n"
    "  AND simulation IN (${simulation:sqlstring})"
)
_ALARMS = (
    "FROM mart.order_alarms(greatest($__timeFrom()::timestamptz,"
    " $__timeTo()::timestamptz - interval '1 day'), $__timeTo()::timestamptz)\n"
    "WHERE simulation IN (${simulation:sqlstring})"
)


def _sum(expression: str) -> SqlQuery:
    return SqlQuery(f"SELECT {expression} AS value\n{_FROM}")


def _over_time(*columns: str) -> tuple[SqlQuery]:
    return (SqlQuery(f"SELECT {_TIME}, {', '.join(columns)}\n{_FROM}\n{_BY_TIME}", is_series=True),)


def _table(column: str, label: str) -> SqlQuery:
    return SqlQuery(
        f"SELECT {column} AS {label}, sum(sessions)::bigint AS sessions, sum(orders)::bigint AS"
        f' orders,\n    {_REVENUE} AS revenue, {_ORDER_VALUE} AS "order value",\n'
        f'    {_CONVERSION} AS conversion, {_BOUNCE} AS bounce, {_ABANDONMENT} AS "carts left"\n'
        f"{_FROM}\nGROUP BY 1 ORDER BY revenue DESC"
    )


def shop() -> Dashboard:
    """Return the dashboard."""
    built = begin(
        "shop",
        "Clickstream / Shop",
        "Sessions, funnel, revenue, products, carts and cohorts of the simulated shop.",
        "now-24h",
    )
    built = with_shop(with_postgres(built, shops_of_one_currency=True))
    built = annotated(built, "Incidents", "red", _incident_marks())
    built = annotated(built, "Alarms", "orange", _alarm_marks())
    built = row(built, "At a glance", _glance())
    built = row(built, "Traffic and revenue", _traffic())
    built = row(built, "Funnel", _funnel())
    built = row(built, "Products", _products())
    built = row(built, "Carts left behind", _carts())
    built = row(built, "Sessions and visitors", [*_sessions(), *_visitors()])
    return row(built, "Incidents", _incidents())


def _incident_marks() -> SqlQuery:
    return SqlQuery(
        "SELECT began_at AS time, ended_at AS timeend,\n"
        "    incident || ': ' || kind || ', ' || scope AS text, 'incident' AS tags\n"
        f"{_INCIDENTS}\nORDER BY began_at"
    )


def _alarm_marks() -> SqlQuery:
    return SqlQuery(
        "SELECT began_at AS time, ended_at AS timeend,\n"
        "    orders || ' orders instead of ' || expected_orders || ', devices: ' || device AS text,\n"
        f"    'alarm' AS tags\n{_ALARMS}\nORDER BY began_at"
    )


def _incidents() -> list[Builder[Panel]]:
    rows = SqlQuery(
        "SELECT began_at AS begin, ended_at AS end, incident, kind, scope,\n"
        '    lost_orders AS "lost orders", orders_tolerance AS "give or take",\n'
        '    lost_revenue_minor / 100.0 AS "lost revenue"\n'
        f"{_INCIDENTS}\nORDER BY began_at DESC"
    )
    return [
        listing(
            "Incidents and their true loss",
            "The difference to the same run without the incident, computed and not sampled; all countries and devices.",
            rows,
            {"lost revenue": _MONEY},
            width=24,
            height=7,
        ),
    ]


def _glance() -> list[Builder[Panel]]:
    return [
        figure(
            "Sessions",
            "Sessions that began in the time range.",
            _sum("sum(sessions)"),
            "short",
            width=3,
        ),
        figure("Orders", "Orders in these sessions.", _sum("sum(orders)"), "short", width=3),
        figure("Revenue, $currency", "Value of these orders.", _sum(_REVENUE), _MONEY, width=3),
        figure(
            "Order value, $currency",
            "Revenue per order.",
            _sum(_ORDER_VALUE),
            _MONEY,
            decimals=2,
            width=3,
        ),
        figure(
            "Conversion",
            "Share of sessions with an order.",
            _sum(_CONVERSION),
            "percent",
            decimals=2,
            width=3,
        ),
        figure(
            "Bounce",
            "Share of sessions with at most one page.",
            _sum(_BOUNCE),
            "percent",
            decimals=2,
            width=3,
        ),
        figure(
            "Carts left",
            "Share of the filled carts without a purchase.",
            _sum(_ABANDONMENT),
            "percent",
            decimals=2,
            width=3,
        ),
        figure(
            "New visitors",
            "Visitors whose first session was in the time range.",
            SqlQuery(
                "SELECT count(*) AS value FROM mart.dim_user\nWHERE $__timeFilter(first_seen_at)\n  AND "
                + chosen
            ),
            "short",
            width=3,
        ),
    ]


def _traffic() -> list[Builder[Panel]]:
    minute = SqlQuery(
        "SELECT minute AS time, sum(events) AS events, sum(purchase_events) AS purchases\n"
        "FROM mart.traffic_minute\n"
        "WHERE minute BETWEEN greatest($__timeFrom()::timestamptz,"
        " $__timeTo()::timestamptz - interval '3 hours') AND $__timeTo()::timestamptz\n"
        f"  AND {chosen}\n{_BY_TIME}",
        is_series=True,
    )
    country = SqlQuery(
        f"SELECT country.name AS country, {_REVENUE} AS revenue\n"
        "FROM mart.sessions_hour INNER JOIN mart.dim_country AS country USING (country)\n"
        f"WHERE {in_hours}\n  AND {chosen}\nGROUP BY 1 ORDER BY revenue DESC"
    )
    return [
        series(
            "Revenue over time, $currency",
            "Value of the orders, by the hour in which their session began.",
            _over_time(f"{_REVENUE} AS revenue"),
            _MONEY,
            is_bars=True,
        ),
        series(
            "Sessions and orders",
            "Sessions by the hour in which they began, and their orders.",
            _over_time("sum(sessions) AS sessions", "sum(orders) AS orders"),
            "short",
        ),
        series(
            "Events by minute",
            "Events per minute of event time: the last three hours of the time range.",
            [minute],
            "short",
            width=12,
        ),
        bars(
            "Revenue by country, $currency",
            "Value of the orders by the visitors' country.",
            country,
            _MONEY,
            width=12,
        ),
        listing(
            "By device",
            "How devices compare.",
            _table("device", "device"),
            _UNITS,
            width=12,
            height=7,
        ),
        listing(
            "By channel",
            "The channels of first visits, and their revenue.",
            _table("channel", "channel"),
            _UNITS,
            width=12,
            height=7,
        ),
    ]


def _funnel() -> list[Builder[Panel]]:
    steps = SqlQuery(
        "SELECT name, sum(sessions)::bigint AS sessions\nFROM mart.funnel_hour\n"
        f"WHERE {in_hours}\n  AND {chosen}\nGROUP BY step, name ORDER BY step"
    )
    rates = _over_time(
        '100.0 * sum(view_sessions) / nullif(sum(sessions), 0) AS "looked at an item"',
        '100.0 * sum(cart_sessions) / nullif(sum(view_sessions), 0) AS "of these, filled a cart"',
        '100.0 * sum(checkout_sessions) / nullif(sum(cart_sessions), 0) AS "of these, began to check out"',
        '100.0 * sum(converted_sessions) / nullif(sum(checkout_sessions), 0) AS "of these, bought"',
    )
    channel = SqlQuery(
        "SELECT channel, device, sum(sessions)::bigint AS sessions, sum(view_sessions)::bigint AS viewed,\n"
        "    sum(cart_sessions)::bigint AS carts, sum(checkout_sessions)::bigint AS checkouts,\n"
        f"    sum(converted_sessions)::bigint AS bought, {_CONVERSION} AS conversion\n"
        f"{_FROM}\nGROUP BY 1, 2 ORDER BY conversion DESC NULLS LAST"
    )
    return [
        bars(
            "Funnel",
            "Number of sessions that reached each step to an order.",
            steps,
            "short",
            width=8,
        ),
        series(
            "Steps over time",
            "Share of the sessions of the step before that continued.",
            rates,
            "percent",
            width=8,
        ),
        listing(
            "Funnel by channel and device",
            "Sessions at each step, and the share with an order.",
            channel,
            _UNITS,
            width=8,
            height=8,
        ),
    ]


def _products() -> list[Builder[Panel]]:
    unbought = _PRODUCTS.replace("{order}", "views DESC").replace(
        "GROUP BY simulation, product_id\n",
        "GROUP BY simulation, product_id\n    HAVING sum(orders) = 0\n",
    )
    categories = SqlQuery(
        "SELECT product.category, sum(hours.revenue_minor) / 100.0 AS revenue\n"
        "FROM (\n    SELECT simulation, product_id, sum(revenue_minor) AS revenue_minor\n"
        f"    FROM mart.product_hour\n    WHERE {in_hours}\n"
        "      AND simulation IN (${simulation:sqlstring})\n    GROUP BY simulation, product_id\n"
        ") AS hours INNER JOIN mart.dim_product AS product USING (simulation, product_id)\n"
        "GROUP BY 1 ORDER BY revenue DESC LIMIT 15"
    )
    pairs = SqlQuery(
        'SELECT one.product_name AS product, other.product_name AS "bought with", pairs.orders\n'
        "FROM (\n    SELECT simulation, product_a, product_b, orders FROM mart.product_pairs\n"
        "    WHERE simulation IN (${simulation:sqlstring})\n    ORDER BY orders DESC LIMIT 25\n) AS pairs\n"
        "INNER JOIN mart.dim_product AS one\n"
        "    ON one.simulation = pairs.simulation AND one.product_id = pairs.product_a\n"
        "INNER JOIN mart.dim_product AS other\n"
        "    ON other.simulation = pairs.simulation AND other.product_id = pairs.product_b\n"
        "ORDER BY pairs.orders DESC"
    )
    return [
        listing(
            "Best sellers",
            "Products by revenue, with the share of views with a cart, and of carts with an order; all countries and devices.",
            SqlQuery(_PRODUCTS.replace("{order}", "revenue_minor DESC")),
            _UNITS,
            width=12,
        ),
        listing(
            "Looked at, not bought",
            "The products with most views of those without an order; all countries and devices.",
            SqlQuery(unbought),
            _UNITS,
            width=12,
        ),
        bars(
            "Revenue by category, $currency",
            "The 15 categories with most revenue; all countries and devices.",
            categories,
            _MONEY,
            width=12,
        ),
        listing(
            "Bought together",
            "Pairs of products in the same orders; over all time, countries and devices.",
            pairs,
            width=12,
            height=8,
        ),
    ]


def _carts() -> list[Builder[Panel]]:
    where = SqlQuery(
        "SELECT country, device, sum(cart_sessions)::bigint AS carts,\n"
        f'    sum(abandoned_sessions)::bigint AS "left behind", {_ABANDONMENT} AS "carts left",\n'
        '    sum(left_minor) / 100.0 AS "value left"\n'
        f'{_FROM}\nGROUP BY 1, 2 HAVING sum(cart_sessions) > 0 ORDER BY "value left" DESC'
    )
    return [
        series(
            "Carts left",
            "Share of the filled carts without a purchase.",
            _over_time(f'{_ABANDONMENT} AS "carts left"'),
            "percent",
            width=8,
        ),
        series(
            "Value left in carts, $currency",
            "Value of the abandoned carts.",
            _over_time('sum(left_minor) / 100.0 AS "value left"'),
            _MONEY,
            width=8,
            is_bars=True,
        ),
        listing("Where carts are left", "By country and device.", where, _UNITS, width=8, height=8),
    ]


def _sessions() -> list[Builder[Panel]]:
    return [
        series(
            "Length of a session",
            "Mean time from the first to the last event of a session.",
            _over_time(
                "sum(duration_milliseconds) / 1000.0 / nullif(sum(sessions), 0) AS duration"
            ),
            "s",
            width=8,
        ),
        series(
            "Pages of a session",
            "Mean number of pages, and of events.",
            _over_time(
                "sum(pages)::float8 / nullif(sum(sessions), 0) AS pages",
                "sum(events)::float8 / nullif(sum(sessions), 0) AS events",
            ),
            "short",
            width=8,
        ),
    ]


def _visitors() -> list[Builder[Panel]]:
    pages = SqlQuery(
        "SELECT page, sum(entries)::bigint AS entries, sum(exits)::bigint AS exits,\n"
        "    100.0 * sum(bounces) / nullif(sum(entries), 0) AS bounce\n"
        f"FROM mart.pages_day\nWHERE {_DAYS}\nGROUP BY page ORDER BY entries DESC LIMIT 25"
    )
    cohorts = SqlQuery(
        'SELECT to_char(cohort_day, \'YYYY-MM-DD\') AS "first session", days_later AS "days later",\n'
        "    sum(visitors)::bigint AS visitors\nFROM mart.cohorts\n"
        f"WHERE {_DAYS.replace('day BETWEEN', 'cohort_day BETWEEN')}\nGROUP BY 1, 2 ORDER BY 1, 2"
    )
    returning = SqlQuery(
        "SELECT day::timestamptz AS time, sum(visitors) FILTER (WHERE cohort_day = day) AS new,\n"
        "    sum(visitors) FILTER (WHERE cohort_day < day) AS returning\n"
        f"FROM mart.cohort_day\nWHERE {_DAYS}\nGROUP BY 1 ORDER BY 1",
        is_series=True,
    )
    return [
        series(
            "New and returning visitors",
            "Visitors by day: new, or returning; all countries and devices. Computed at most every minute.",
            [returning],
            "short",
            width=8,
            is_bars=True,
            is_stacked=True,
        ),
        listing(
            "Entry and exit pages",
            "First and last pages of sessions, by day; all countries and devices.",
            pages,
            _UNITS,
            width=12,
        ),
        listing(
            "Cohorts",
            "Of the visitors of each first day, the share that returned after so many days; all countries and devices.",
            cohorts,
            width=12,
            matrix=("first session", "days later", "visitors"),
            unit="short",
        ),
    ]
