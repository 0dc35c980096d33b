"""Solutions of the exercises from the events alone, and wrong ones as beginners write them.

Owns the queries. Each reads the events that ``clickstream generate`` wrote, and no truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

__all__ = ["RIGHT", "WRONG", "answer"]

_UTC = "SET TimeZone = 'UTC';"

_SESSIONS = """
WITH sessions AS (
    SELECT session_id, any_value(user_id) AS user_id, any_value(device) AS device,
        any_value(channel) AS channel, any_value(experiments) AS experiments,
        min(event_time) AS begun, max((event_name = 'purchase')::int) AS bought,
        count(*) FILTER (event_name = 'purchase') AS orders, count(*) AS events
    FROM events GROUP BY session_id
)
"""

_PER_DEVICE = (
    _SESSIONS
    + """,
rates AS (SELECT device, avg(bought) AS conversion, count(*) AS n FROM sessions GROUP BY device)
SELECT device, conversion, conversion - {quantile} * sqrt(conversion * (1 - conversion) / n) AS low,
    conversion + {quantile} * sqrt(conversion * (1 - conversion) / n) AS high
FROM rates
"""
)
_PER_EVENT = """
SELECT device, avg((event_name = 'purchase')::int) AS conversion, conversion - 0.01 AS low,
    conversion + 0.01 AS high
FROM events GROUP BY device
"""

_AGAINST = (
    _SESSIONS
    + """,
rates AS (SELECT channel, {measure} AS rate FROM sessions GROUP BY channel)
SELECT channel, rate / (SELECT rate FROM rates WHERE channel = 'organic_search') AS ratio
FROM rates WHERE channel <> 'organic_search'
"""
)

_FUNNEL = """
SELECT event_name AS step, {count} AS sessions FROM events
WHERE event_name IN ('session_start', 'view_item', 'add_to_cart', 'begin_checkout', 'purchase')
GROUP BY event_name
"""

_GAP = """
SELECT count(*) AS sessions FROM (
    SELECT event_time, lag(event_time) OVER (PARTITION BY user_id ORDER BY {order}) AS before
    FROM {source}
) WHERE before IS NULL OR event_time - before > INTERVAL {minutes} MINUTE
"""
_FIRSTS = (
    "(SELECT * FROM events QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY place) = 1)"
)
_COUNTS = """
SELECT {columns} count(*) AS events,
    count(*) FILTER (event_name = 'purchase') AS purchase_events
FROM {source} {group}
"""
_HOURS = {
    "columns": "strftime(date_trunc('hour', event_time), '%Y-%m-%d %H:%M:%S') AS \"window\",",
    "group": "GROUP BY 1",
}
_IN_TIME = f"""(
    SELECT * FROM {_FIRSTS}
    QUALIFY event_time >= max(event_time) OVER (ORDER BY place) - INTERVAL 10 MINUTE
)"""
"""The events that a stream with a watermark of ten minutes keeps."""
_REVENUE = "SELECT sum(value_minor) AS revenue_minor FROM {source} WHERE event_name = 'purchase'"

# The variance of a conversion over users, as docs/experiments.md has it.
_ARMS = (
    _SESSIONS
    + """,
placed AS (
    SELECT user_id, bought, unnest(string_split(experiments, ',')) AS arm FROM sessions
),
rates AS (SELECT arm, avg(bought) AS rate, sum(bought) AS bought FROM placed GROUP BY arm),
people AS (
    SELECT arm, user_id, sum(placed.bought) - count(*) * any_value(rate) AS residual
    FROM placed JOIN rates USING (arm) GROUP BY arm, user_id
),
found AS (
    SELECT split_part(arm, '=', 1) AS experiment, split_part(arm, '=', 2) AS arm, rate,
        (SELECT sum(residual ^ 2) FROM people WHERE people.arm = rates.arm) / bought ^ 2 AS variance
    FROM rates
),
lifts AS (
    SELECT experiment, other.arm AS arm, other.rate / control.rate AS ratio,
        exp(1.96 * sqrt(other.variance + control.variance)) AS factor
    FROM found AS other JOIN found AS control USING (experiment)
    WHERE control.arm = 'control' AND other.arm <> 'control'
)
"""
)
_LIFT = (
    _ARMS
    + """
SELECT arm, ratio - 1 AS lift, ratio / factor - 1 AS low, ratio * factor - 1 AS high
FROM lifts WHERE experiment = 'button'
"""
)
_EFFECT = (
    _ARMS
    + """
SELECT experiment, CASE WHEN ratio / factor > 1 OR ratio * factor < 1 THEN 'yes' ELSE 'no' END
    AS effect
FROM lifts
"""
)
_HALVES = (
    _SESSIONS
    + """
SELECT 'green' AS arm, avg(bought) FILTER (hash(user_id) % 2 = 0)
    / avg(bought) FILTER (hash(user_id) % 2 = 1) - 1 AS lift, lift - 0.1 AS low, lift + 0.1 AS high
FROM sessions
"""
)
_ANY_DIFFERENCE = (
    _ARMS
    + """
SELECT experiment, CASE WHEN ratio > 1.001 OR ratio < 0.999 THEN 'yes' ELSE 'no' END AS effect
FROM lifts
"""
)

# Sessions of windows of four minutes buy less often than those of the run, by a binomial test.
# Sessions of the last minutes are not over.
_DETECTED = (
    _SESSIONS
    + """,
windows AS (
    SELECT time_bucket(INTERVAL 4 MINUTE, begun) AS begins, count(*) AS n, sum(bought) AS bought
    FROM sessions WHERE begun < (SELECT max(begun) FROM sessions) - INTERVAL 8 MINUTE
    GROUP BY 1
),
rates AS (SELECT *, median(bought / n) OVER () AS usual FROM windows)
SELECT strftime(begins, '%Y-%m-%dT%H:%M:%SZ') AS "from",
    strftime(begins + INTERVAL 4 MINUTE, '%Y-%m-%dT%H:%M:%SZ') AS "until"
FROM rates WHERE bought < n * usual - 3.5 * sqrt(n * usual * (1 - usual))
"""
)
_WHOLE_RUN = """
SELECT strftime(min(event_time), '%Y-%m-%dT%H:%M:%SZ') AS "from",
    strftime(max(event_time), '%Y-%m-%dT%H:%M:%SZ') AS "until"
FROM events
"""
_PER_USER = """
SELECT n AS sessions, count(*) AS users FROM (
    SELECT user_id, {count} AS n FROM events WHERE event_name = 'session_start' GROUP BY user_id
) GROUP BY n
"""

RIGHT: Mapping[str, str] = {
    "01-conversion-per-device": _PER_DEVICE.format(quantile=1.96),
    "02-channels-against-search": _AGAINST.format(measure="avg(bought)"),
    "03-funnel": _FUNNEL.format(count="count(DISTINCT session_id)"),
    "04-sessions-by-gap": _GAP.format(order="event_time", source=_FIRSTS, minutes=30),
    "05-duplicates": _COUNTS.format(columns="", source=_FIRSTS, group=""),
    "06-late-events": _COUNTS.format(source=_FIRSTS, **_HOURS),
    "07-revenue": _REVENUE.format(source=_FIRSTS),
    "08-ab-lift": _LIFT,
    "09-aa-test": _EFFECT,
    "10-incidents": _DETECTED,
    "11-sessions-per-user": _PER_USER.format(count="count(*)"),
}
"""A solution of each exercise."""

WRONG: Mapping[str, tuple[str, ...]] = {
    # Orders per event; an interval of 68 %.
    "01-conversion-per-device": (_PER_EVENT, _PER_DEVICE.format(quantile=1)),
    # Orders of the channel instead of their share.
    "02-channels-against-search": (_AGAINST.format(measure="sum(bought)"),),
    # Events instead of sessions.
    "03-funnel": (_FUNNEL.format(count="count(*)"),),
    # A gap of five minutes; the order of arrival.
    "04-sessions-by-gap": (
        _GAP.format(order="event_time", source=_FIRSTS, minutes=5),
        _GAP.format(order="place", source=_FIRSTS, minutes=30),
    ),
    # Records instead of events; only equal records are duplicates.
    "05-duplicates": (
        _COUNTS.format(columns="", source="events", group=""),
        _COUNTS.format(
            columns="", group="", source="(SELECT DISTINCT event_id, event_name, city FROM events)"
        ),
    ),
    # Without the events behind a watermark.
    "06-late-events": (_COUNTS.format(source=_IN_TIME, **_HOURS),),
    # With duplicates; the value of every event.
    "07-revenue": (
        _REVENUE.format(source="events"),
        f"SELECT sum(value_minor) AS revenue_minor FROM {_FIRSTS}",
    ),
    # Users divided without regard to the arm.
    "08-ab-lift": (_HALVES,),
    # Every difference is an effect.
    "09-aa-test": (_ANY_DIFFERENCE,),
    # One interval over the whole run.
    "10-incidents": (_WHOLE_RUN,),
    # Users who came once are left out.
    "11-sessions-per-user": (
        f"SELECT * FROM ({_PER_USER.format(count='count(*)')}) WHERE sessions > 1",
    ),
}
"""Wrong solutions of each exercise."""


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Return the result of a query as CSV.

    Args:
        connection: A connection with the view ``events``.
        query: The query.
    """
    result = connection.execute(_UTC + query)
    names = [column[0] for column in result.description or ()]
    lines = [names, *([str(value) for value in row] for row in result.fetchall())]
    return "\n".join(",".join(line) for line in lines) + "\n"
