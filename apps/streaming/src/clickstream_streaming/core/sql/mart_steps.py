"""The statements that add new events to the marts.

A writer adds to shared marts in separate rows. The other rows belong to a user, whose events are
in one partition; where they are not, one of two writers of a row is tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.batch_steps import CURRENT_WRITER, INSERT_RUNS, INSERT_SHARDS
from clickstream_streaming.core.sql.columns import listed, start_of
from clickstream_streaming.core.sql.event_marts import (
    ORDER_ITEMS,
    ORDERS,
    PRODUCT_VERSIONS,
    TRAFFIC,
    traffic_sums,
)
from clickstream_streaming.core.sql.marts import EVENT_MARTS, ORDER_MARTS, SESSION_MARTS
from clickstream_streaming.core.sql.session_marts import (
    DIM_USER,
    ORDER_OF_FIRST,
    SESSIONS,
    USER_DAY,
    VISITORS_HOUR,
)
from clickstream_streaming.core.sql.stages import SESSION_DELTA_COLUMNS, SHOWN

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.columns import Column
    from clickstream_streaming.core.sql.mart import Mart

__all__ = ["EVENT_STEPS", "SHARED_STEPS", "added", "upsert"]


def upsert(mart: Mart, rows: str, values: dict[str, str] | None = None, condition: str = "") -> str:
    """Return a statement that inserts rows into a mart, or updates existing rows.

    Args:
        mart: The mart.
        rows: A query for the columns of the mart.
        values: The new values of an existing row, as SQL; by the columns' rules if absent.
        condition: When to update an existing row; always if empty.
    """
    values = values or {
        column.name: _merged(column) for column in mart.fields if not column.computed
    }
    changes = ", ".join(f"{name} = {value}" for name, value in values.items())
    writer = f", {CURRENT_WRITER}" if mart.is_shared else ""
    return (
        f"INSERT INTO {mart.written_table} AS known"
        f" ({listed(mart.columns)}{', writer' * mart.is_shared})\n"
        f"SELECT {listed(mart.columns)}{writer} FROM ({rows}) AS given"
        f" ORDER BY {listed(mart.key)}\n"
        f"ON CONFLICT ({listed(mart.written_key)}) DO UPDATE SET {changes}"
        + (f"\nWHERE {condition}" if condition else "")
    )


def _merged(column: Column) -> str:
    """Return the value of an existing row of a shared mart after a new one; else the new one."""
    return {
        "sum": "known.{0} + excluded.{0}",
        "least": "least(known.{0}, excluded.{0})",
        "greatest": "greatest(known.{0}, excluded.{0})",
    }.get(column.merge, "excluded.{0}").format(column.name)


def merge(mart: Mart, rows: str, *updates: tuple[str, dict[str, str]], returning: str = "") -> str:
    """Return a statement that inserts rows into a mart of users, or updates existing rows.

    An upsert locks each row that it meets, and confirms each that it inserts. This does neither,
    because a user has one partition, so one writer. Another one would break the key, and be tried
    again.

    Args:
        mart: The mart.
        rows: A query for the columns of the mart.
        updates: When to update an existing row, and its new values, both as SQL; the first whose
            condition holds. An empty condition always holds.
        returning: What to return of each row that is inserted or updated, as SQL.
    """
    same = " AND ".join(f"known.{name} = excluded.{name}" for name in mart.key)
    updated = (
        f"WHEN MATCHED {condition and f'AND {condition} '}THEN UPDATE SET "
        + ", ".join(f"{name} = {value}" for name, value in values.items())
        for condition, values in updates
    )
    return "\n".join(
        (
            f"MERGE INTO {mart.table} AS known",
            f"USING ({rows}) AS excluded",
            f"ON {same}",
            *updated,
            f"WHEN NOT MATCHED THEN INSERT ({listed(mart.columns)})",
            f"    VALUES ({listed(mart.columns, 'excluded.')})",
            *((f"RETURNING {returning}",) if returning else ()),
        )
    )


def added(mart: Mart, source: str, select: str = "") -> str:
    """Return a statement that adds sums to a mart, without rows that change nothing."""
    rows = select or mart.select.format(source=source)
    changed = " OR ".join(f"{name} <> 0" for name in mart.values)
    return upsert(mart, f"SELECT * FROM ({rows}) AS sums WHERE {changed}")


def _merge_sessions() -> str:
    """Merge sessions, and add the change of each to the sums over sessions.

    What a session newly shows of a user, and what it no longer shows, goes to ``user_deltas``.
    """
    first, last = ("first_seq", *ORDER_OF_FIRST), ("last_seq", *SESSIONS.merged("last"))
    is_first = f"({listed(first, 'excluded.')}) < ({listed(first, 'known.')})"
    is_last = f"({listed(last, 'excluded.')}) > ({listed(last, 'known.')})"
    of_first = {name: f"excluded.{name}" for name in SESSIONS.merged("first")}
    kept = {
        name: f"CASE WHEN {is_last} THEN excluded.{name} ELSE known.{name} END"
        for name in SESSIONS.merged("last")
    }
    kept |= {
        name: f"{rule}(known.{name}, excluded.{name})"
        for rule in ("least", "greatest")
        for name in SESSIONS.merged(rule)
    }
    kept |= {name: f"known.{name} + excluded.{name}" for name in SESSIONS.merged("sum")}
    old = ", ".join(f"old.{name} AS old_{name}" for name in SESSION_DELTA_COLUMNS)
    user, shown = listed(DIM_USER.key), listed(("started_at", *SHOWN))
    old_user, old_shown = listed(DIM_USER.key, "old_"), listed(("started_at", *SHOWN), "old_")
    merged = merge(
        SESSIONS,
        SESSIONS.select.format(source="new_events"),
        (is_first, of_first | kept),
        ("", kept),
        returning=f"{listed(SESSION_DELTA_COLUMNS, 'new.')}, {old}",
    )
    # In one statement with the sums, so that the changes need no table.
    sums = "".join(
        f", {mart.table.partition('.')[2]} AS ({added(mart, 'session_deltas')})"
        for mart in SESSION_MARTS
    )
    return f"""
WITH merged AS ({merged}), session_deltas AS NOT MATERIALIZED (
    SELECT {listed(SESSION_DELTA_COLUMNS)}, 1 AS weight FROM merged
    UNION ALL
    SELECT {listed(SESSION_DELTA_COLUMNS, "old_")}, -1 FROM merged WHERE old_session_id IS NOT NULL
){sums}
INSERT INTO user_deltas ({user}, {shown}, leaves)
SELECT {user}, {shown}, false FROM merged
WHERE old_session_id IS NULL OR ({old_user}, {old_shown}) <> ({user}, {shown})
UNION ALL
SELECT {old_user}, {old_shown}, true FROM merged
WHERE old_session_id IS NOT NULL AND (({old_user}) <> ({user}) OR ({old_shown}) < ({shown}))
"""


# A session that turns out to be another user's, or less early, may have made a user's row: it is
# made again from the sessions that are left. Events that come in order never do that: then EXISTS,
# which PostgreSQL evaluates first and once, spares the look through all users and sessions.
_IS_LEFT = (
    "EXISTS (SELECT FROM user_deltas WHERE leaves)"
    " AND (simulation, user_id) IN (SELECT simulation, user_id FROM user_deltas WHERE leaves)"
)
_DELETE_USERS = f"DELETE FROM {DIM_USER.table} WHERE {_IS_LEFT}"
_SESSION_SHOWS = listed((*DIM_USER.key, *SHOWN, "started_at"))
_SHOWS = ("first_seen_at", *SHOWN)
_MERGE_USERS = merge(
    DIM_USER,
    DIM_USER.select.format(
        source=f"(SELECT {_SESSION_SHOWS}, 1 AS weight FROM user_deltas WHERE NOT leaves"
        f" UNION ALL SELECT {_SESSION_SHOWS}, 1 FROM {SESSIONS.table} WHERE {_IS_LEFT})"
    ),
    (
        f"({listed(_SHOWS, 'excluded.')}) < ({listed(_SHOWS, 'known.')})",
        {name: f"excluded.{name}" for name in DIM_USER.values},
    ),
)

_HOURS = "known.hours | excluded.hours"
_NEW_HOURS = merge(
    USER_DAY,
    USER_DAY.select.format(source="new_events"),
    (f"{_HOURS} <> known.hours", {"hours": _HOURS}),
    returning="new.day, new.simulation, new.user_id, new.hours & ~coalesce(old.hours, 0) AS hours",
)
_MERGE_USER_HOURS = f"WITH user_hours AS ({_NEW_HOURS})\n{added(VISITORS_HOUR, 'user_hours')}"


# Of several events with one order id, the earliest counts, whatever the order of arrival. Its items
# are read after the order's row is locked, because another writer may just have written them.
_EARLIEST = ("ordered_at", "event_id")
_UPSERT_ORDERS = f"""
WITH taken AS (
    {
    upsert(
        ORDERS,
        ORDERS.select.format(source="new_events"),
        condition=f"({listed(_EARLIEST, 'excluded.')}) < ({listed(_EARLIEST, 'known.')})",
    )
}
    RETURNING new.order_id, new.simulation, new.event_id, new.ordered_at,
        old.simulation AS old_simulation
)
INSERT INTO order_deltas
SELECT taken.order_id, taken.simulation, new_events.items, 1
FROM taken INNER JOIN new_events
    ON new_events.event_id = taken.event_id AND new_events.event_time = taken.ordered_at
    AND new_events.event_name = 'purchase'
UNION ALL
SELECT order_id, old_simulation, NULL, -1 FROM taken WHERE old_simulation IS NOT NULL
"""
_DELETE_OLD_ITEMS = f"""
WITH former AS (
    DELETE FROM {ORDER_ITEMS.table} AS line
    WHERE EXISTS (SELECT FROM order_deltas WHERE weight < 0)
        AND order_id IN (SELECT order_id FROM order_deltas WHERE weight < 0)
    RETURNING order_id, to_jsonb(line) AS line
), bundled AS (SELECT order_id, jsonb_agg(line) AS items FROM former GROUP BY order_id)
UPDATE order_deltas SET items = bundled.items FROM bundled
WHERE order_deltas.order_id = bundled.order_id AND weight < 0
"""
_NEW_ORDERS_AS_EVENTS = (
    "(SELECT order_id, items, 'purchase' AS event_name, NULL AS event_time, NULL AS event_id"
    " FROM order_deltas WHERE weight > 0)"
)
_INSERT_ITEMS = (
    f"INSERT INTO {ORDER_ITEMS.table} ({listed(ORDER_ITEMS.columns)})\n"
    f"SELECT {listed(ORDER_ITEMS.columns)}"
    f" FROM ({ORDER_ITEMS.select.format(source=_NEW_ORDERS_AS_EVENTS)}) AS given"
)


EVENT_STEPS = (_merge_sessions(), _UPSERT_ORDERS, _DELETE_OLD_ITEMS, _INSERT_ITEMS)
"""Statements for rows that follow from new events; they run before ``raw.events`` is written."""

_UPSERT_PRODUCTS = upsert(
    PRODUCT_VERSIONS,
    PRODUCT_VERSIONS.select.format(source="new_events"),
    condition="excluded.first_seen_at < known.first_seen_at"
    " OR excluded.last_seen_at > known.last_seen_at",
)

_ADD_TRAFFIC = (
    f"INSERT INTO traffic_minutes {TRAFFIC[0].select.format(source='new_events')}",
    *(added(mart, "traffic_minutes", traffic_sums(mart, "traffic_minutes")) for mart in TRAFFIC),
)
"""Counts the minutes of a batch once; hours and days are sums of these minutes."""

_COUNT_LATENCIES = f"""
INSERT INTO ops.latency_buckets_by_writer AS known (simulation, run_id, bucket, events, writer)
SELECT min(simulation), run_id,
    round(50 * ln(greatest(date_part('epoch', statement_timestamp() - event_time), 0.001)))
        ::integer AS bucket,
    count(*), {CURRENT_WRITER}
FROM new_events GROUP BY run_id, bucket ORDER BY run_id, bucket
ON CONFLICT (run_id, bucket, writer) DO UPDATE SET events = known.events + excluded.events
"""
"""Runs last, so that the measured time is close to the commit."""

_COUNT_QUALITY = f"""
INSERT INTO ops.quality_minute_by_writer AS known (minute, rule, records, writer)
SELECT {start_of("minute", "event_time")}, rule, count(*), {CURRENT_WRITER}
FROM new_events, string_to_table(flags, ',') AS rule WHERE flags IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (minute, rule, writer) DO UPDATE SET records = known.records + excluded.records
"""

SHARED_STEPS = (
    _DELETE_USERS,
    _MERGE_USERS,
    _MERGE_USER_HOURS,
    _UPSERT_PRODUCTS,
    *(added(mart, "new_events") for mart in EVENT_MARTS),
    *(added(mart, "order_deltas") for mart in ORDER_MARTS),
    *_ADD_TRAFFIC,
    _COUNT_QUALITY,
    INSERT_RUNS,
    INSERT_SHARDS,
    _COUNT_LATENCIES,
)
"""Statements for rows of users and of the writer. A new run or shard comes at the end: another
writer that meets it too waits until this transaction ends."""
