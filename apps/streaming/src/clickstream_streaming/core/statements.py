"""The SQL statements that write a batch to the tables.

Owns the text of the statements, made from the contract and the definitions of the marts. Values are
never part of the text. A partition of a batch is one transaction. All of its rows follow from
``new_events``, the events that ``raw.events`` did not have, so a duplicate changes nothing. Rows
that several writers update come last and in the order of their keys: writers wait only briefly for
each other, and never in a circle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import GROWING_FIGURES, LEDGER_FIELDS

from clickstream_streaming.core.sql.columns import names, start_of
from clickstream_streaming.core.sql.event_marts import (
    ORDER_ITEMS,
    ORDERS,
    PRODUCT_VERSIONS,
    TRAFFIC,
)
from clickstream_streaming.core.sql.marts import EVENT_MARTS, ORDER_MARTS, SESSION_MARTS
from clickstream_streaming.core.sql.session_marts import (
    DIM_USER,
    SESSIONS,
    USER_DAY,
    VISITORS_HOUR,
)

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.mart import Mart

__all__ = [
    "ADVANCE_WATERMARKS",
    "CLEAR_STAGES",
    "CLOSE_RUNS",
    "COLUMN_TYPES",
    "COUNT_BATCH",
    "COUNT_EXPIRED",
    "COUNT_SHARDS",
    "CREATE_STAGES",
    "DELETE_KNOWN",
    "EVENT_STEPS",
    "FIND_KNOWN",
    "KEPT_SINCE",
    "LEDGER_STEPS",
    "LOCK_DAYS",
    "LOCK_ROWS",
    "LOCK_ROWS_SHARED",
    "NEW_EVENT_COLUMNS",
    "RAW_COLUMNS",
    "REJECT_COLUMNS",
    "REJECT_STEPS",
    "SHARED_STEPS",
    "STORED_AT",
    "STORED_END",
    "STORED_ENDS",
    "STORE_OFFSETS",
    "added",
    "upsert",
]

_NOT_STAGED = {
    "sent_at", "schema_version", "shard_seq", "user_agent", "search_term", "quantity",
    "currency", "shipping_tier", "payment_type",
}  # fmt: skip
_LEDGER = tuple(field.name for field in LEDGER_FIELDS if field.name != "kind")
_TYPES = {column.name: column.type for column in postgres_columns(EVENT_FIELDS)}

RAW_COLUMNS = (*_TYPES, "flags", "kafka_partition", "kafka_offset")
"""The columns of ``raw.events``."""
NEW_EVENT_COLUMNS = (*(name for name in _TYPES if name not in _NOT_STAGED), "flags", "number")
"""The columns of an event that the marts need, and its number in the batch."""
REJECT_COLUMNS = (
    "topic", "kafka_partition", "kafka_offset", "kafka_timestamp", "reason", "detail", "key",
    "key_bytes", "payload", "payload_bytes",
)  # fmt: skip
"""The columns of a rejected record."""
COLUMN_TYPES = _TYPES | {
    "flags": "text",
    "number": "integer",
    "kafka_partition": "integer",
    "kafka_offset": "bigint",
    "topic": "text",
    "kafka_timestamp": "timestamp with time zone",
    "reason": "text",
    "detail": "text",
    "key": "bytea",
    "key_bytes": "integer",
    "payload": "bytea",
    "payload_bytes": "integer",
    "ledger": "jsonb",
}
"""The types of all columns that a batch writes."""

_READ_OF_SESSIONS = re.findall(
    r"\w+", " ".join(mart.select for mart in (DIM_USER, *SESSION_MARTS))
)
_SESSION_DELTA_COLUMNS = (
    *SESSIONS.key,
    *(name for name in names(SESSIONS.fields) if name in _READ_OF_SESSIONS),
)
"""What the marts that follow from sessions read of a session."""
_SHOWN = tuple(name for name in DIM_USER.values if name != "first_seen_at")
"""What a user's first session shows of the user."""


def _list(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(prefix + name for name in names)


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {COLUMN_TYPES[name]}" for name in names)


CREATE_STAGES = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS new_events
    ({_columns(NEW_EVENT_COLUMNS)}) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS session_deltas ON COMMIT DELETE ROWS AS
    SELECT {_list(_SESSION_DELTA_COLUMNS)}, 1 AS weight, true AS begins, true AS leaves
    FROM mart.sessions WITH NO DATA;
CREATE TEMPORARY TABLE IF NOT EXISTS order_deltas (
    order_id uuid, simulation text, items jsonb, weight integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS user_hours (
    day date, simulation text, user_id text, hours integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS traffic_minutes
    (LIKE mart.traffic_minute) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_rejects
    ({_columns(REJECT_COLUMNS)}) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_ledger (ledger jsonb) ON COMMIT DELETE ROWS;
"""

CLEAR_STAGES = (
    "TRUNCATE new_events, session_deltas, order_deltas, user_hours, traffic_minutes,"
    " staged_rejects, staged_ledger"
)
"""Runs between two portions of a transaction."""

# LATERAL with a limit makes one index look-up per event; a plain join could read a whole day.
FIND_KNOWN = """
SELECT number FROM new_events, LATERAL (
    SELECT FROM raw.events AS stored
    WHERE stored.event_id = new_events.event_id AND stored.event_time = new_events.event_time
    LIMIT 1
) AS known
"""
"""Returns the numbers of the events that are already stored."""
DELETE_KNOWN = "DELETE FROM new_events WHERE number = ANY(%s)"


def upsert(mart: Mart, rows: str, values: dict[str, str] | None = None, condition: str = "") -> str:
    """Return a statement that inserts rows into a mart, or updates existing rows.

    Args:
        mart: The mart.
        rows: A query for the columns of the mart.
        values: The new values of an existing row, as SQL; those of the query if absent.
        condition: When to update an existing row; always if empty.
    """
    values = values or {name: f"excluded.{name}" for name in mart.values}
    changes = ", ".join(f"{name} = {value}" for name, value in values.items())
    return (
        f"INSERT INTO {mart.table} AS known ({_list(mart.columns)})\n"
        f"SELECT {_list(mart.columns)} FROM ({rows}) AS given ORDER BY {_list(mart.key)}\n"
        f"ON CONFLICT ({_list(mart.key)}) DO UPDATE SET {changes}"
        + (f"\nWHERE {condition}" if condition else "")
    )


def added(mart: Mart, source: str, select: str = "") -> str:
    """Return a statement that adds sums to a mart, without rows that change nothing."""
    rows = select or mart.select.format(source=source)
    changed = " OR ".join(f"{name} <> 0" for name in mart.values)
    return upsert(
        mart,
        f"SELECT * FROM ({rows}) AS sums WHERE {changed}",
        {name: f"known.{name} + excluded.{name}" for name in mart.values},
    )


def _merge_sessions() -> str:
    """Merge sessions; their former and their present state go to ``session_deltas``."""
    of_first, of_last = SESSIONS.merged("first"), SESSIONS.merged("last")
    first, last = ("first_seq", *of_first), ("last_seq", *of_last)
    is_first = f"({_list(first, 'excluded.')}) < ({_list(first, 'known.')})"
    is_last = f"({_list(last, 'excluded.')}) > ({_list(last, 'known.')})"
    kept = {
        name: f"CASE WHEN {condition} THEN excluded.{name} ELSE known.{name} END"
        for names_of, condition in ((of_first, is_first), (of_last, is_last))
        for name in names_of
    }
    kept |= {
        name: f"{rule}(known.{name}, excluded.{name})"
        for rule in ("least", "greatest")
        for name in SESSIONS.merged(rule)
    }
    kept |= {name: f"known.{name} + excluded.{name}" for name in SESSIONS.merged("sum")}
    changes = ", ".join(f"{name} = {value}" for name, value in kept.items())
    old = ", ".join(f"old.{name} AS old_{name}" for name in _SESSION_DELTA_COLUMNS)
    user, shown = ("simulation", "user_id"), ("started_at", *_SHOWN)
    before, after = _list((*user, *shown), "old_"), _list((*user, *shown))
    begins = f"old_session_id IS NULL OR ({before}) <> ({after})"
    leaves = (
        f"({_list(user, 'old_')}) <> ({_list(user)}) OR ({_list(shown, 'old_')}) < ({_list(shown)})"
    )
    # No upsert, which locks each row that it meets and confirms each that it inserts: a session has
    # one partition, so one writer. Another one would break the key, and be tried again.
    return f"""
WITH merged AS (
    MERGE INTO {SESSIONS.table} AS known
    USING ({SESSIONS.select.format(source="new_events")}) AS excluded
    ON known.session_id = excluded.session_id
    WHEN MATCHED THEN UPDATE SET {changes}
    WHEN NOT MATCHED THEN INSERT ({_list(SESSIONS.columns)})
        VALUES ({_list(SESSIONS.columns, "excluded.")})
    RETURNING {_list(_SESSION_DELTA_COLUMNS, "new.")}, {old}
)
INSERT INTO session_deltas
SELECT {_list(_SESSION_DELTA_COLUMNS)}, 1, {begins}, false FROM merged
UNION ALL
SELECT {_list(_SESSION_DELTA_COLUMNS, "old_")}, -1, false, {leaves}
FROM merged WHERE old_session_id IS NOT NULL
"""


# A session that turns out to be another user's, or less early, may have made a user's row: it is
# made again from the sessions that are left. Events that come in order never do that: then EXISTS,
# which PostgreSQL evaluates first and once, spares the look through all users and sessions.
_IS_LEFT = (
    "EXISTS (SELECT FROM session_deltas WHERE leaves)"
    " AND (simulation, user_id) IN (SELECT simulation, user_id FROM session_deltas WHERE leaves)"
)
_DELETE_USERS = f"DELETE FROM {DIM_USER.table} WHERE {_IS_LEFT}"
_SESSION_SHOWS = _list((*DIM_USER.key, *_SHOWN, "started_at"))
_SHOWS = ("first_seen_at", *_SHOWN)
_UPSERT_USERS = upsert(
    DIM_USER,
    DIM_USER.select.format(
        source=f"(SELECT {_SESSION_SHOWS}, 1 AS weight FROM session_deltas WHERE begins"
        f" UNION ALL SELECT {_SESSION_SHOWS}, 1 FROM {SESSIONS.table} WHERE {_IS_LEFT})"
    ),
    condition=f"({_list(_SHOWS, 'excluded.')}) < ({_list(_SHOWS, 'known.')})",
)

_MERGE_USER_HOURS = f"""
WITH merged AS (
    INSERT INTO {USER_DAY.table} AS known ({_list(USER_DAY.columns)})
    SELECT {_list(USER_DAY.columns)} FROM ({USER_DAY.select.format(source="new_events")}) AS given
    ORDER BY {_list(USER_DAY.key)}
    ON CONFLICT ({_list(USER_DAY.key)}) DO UPDATE SET hours = known.hours | excluded.hours
    WHERE known.hours | excluded.hours <> known.hours
    RETURNING new.day, new.simulation, new.user_id, new.hours & ~coalesce(old.hours, 0) AS hours
)
INSERT INTO user_hours SELECT day, simulation, user_id, hours FROM merged
"""


# Of several events with one order id, the earliest counts, whatever the order of arrival. Its items
# are read after the order's row is locked, because another writer may just have written them.
_EARLIEST = ("ordered_at", "event_id")
_UPSERT_ORDERS = f"""
WITH taken AS (
    {
    upsert(
        ORDERS,
        ORDERS.select.format(source="new_events"),
        condition=f"({_list(_EARLIEST, 'excluded.')}) < ({_list(_EARLIEST, 'known.')})",
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
    f"INSERT INTO {ORDER_ITEMS.table} ({_list(ORDER_ITEMS.columns)})\n"
    f"SELECT {_list(ORDER_ITEMS.columns)}"
    f" FROM ({ORDER_ITEMS.select.format(source=_NEW_ORDERS_AS_EVENTS)}) AS given"
)


_INSERT_RUNS = """
INSERT INTO ops.runs (run_id, simulation)
SELECT run_id, any_value(simulation) FROM new_events GROUP BY run_id
UNION
SELECT (ledger ->> 'run_id')::uuid, ledger ->> 'simulation' FROM staged_ledger
WHERE ledger ->> 'kind' = 'run_start'
ORDER BY 1
ON CONFLICT DO NOTHING
"""
"""Events and the ledger's ``run_start`` create a run. Other ledger records do not: an invented
ledger must not create runs."""

EVENT_STEPS = (_merge_sessions(), _UPSERT_ORDERS, _DELETE_OLD_ITEMS, _INSERT_ITEMS)
"""Statements for rows that follow from new events; they run before ``raw.events`` is written."""

_UPSERT_PRODUCTS = upsert(
    PRODUCT_VERSIONS,
    PRODUCT_VERSIONS.select.format(source="new_events"),
    {
        "first_seen_at": "least(known.first_seen_at, excluded.first_seen_at)",
        "last_seen_at": "greatest(known.last_seen_at, excluded.last_seen_at)",
    },
    "excluded.first_seen_at < known.first_seen_at OR excluded.last_seen_at > known.last_seen_at",
)

_SUMS = ", ".join(f"sum({name}) AS {name}" for name in TRAFFIC[0].values)
_ADD_TRAFFIC = (
    f"INSERT INTO traffic_minutes {TRAFFIC[0].select.format(source='new_events')}",
    *(
        added(
            mart,
            "traffic_minutes",
            f"SELECT {start_of(mart.key[0], 'minute')} AS {mart.key[0]},"
            f" {_list(mart.key[1:])}, {_SUMS}"
            f" FROM traffic_minutes GROUP BY 1, {_list(mart.key[1:])}",
        )
        for mart in TRAFFIC
    ),
)
"""Counts the minutes of a batch once; hours and days are sums of these minutes."""

_COUNT_LATENCIES = """
INSERT INTO ops.latency_buckets AS known (simulation, run_id, bucket, events)
SELECT min(simulation), run_id,
    round(50 * ln(greatest(date_part('epoch', statement_timestamp() - event_time), 0.001)))
        ::integer AS bucket,
    count(*)
FROM new_events GROUP BY run_id, bucket ORDER BY run_id, bucket
ON CONFLICT (run_id, bucket) DO UPDATE SET events = known.events + excluded.events
"""
"""Runs last, so that the measured time is close to the commit."""

_COUNT_QUALITY = f"""
INSERT INTO ops.quality_minute AS known (minute, rule, records)
SELECT {start_of("minute", "event_time")}, rule, count(*)
FROM new_events, string_to_table(flags, ',') AS rule WHERE flags IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (minute, rule) DO UPDATE SET records = known.records + excluded.records
"""

SHARED_STEPS = (
    _INSERT_RUNS,
    _DELETE_USERS,
    _UPSERT_USERS,
    _MERGE_USER_HOURS,
    _UPSERT_PRODUCTS,
    *(added(mart, "new_events") for mart in EVENT_MARTS),
    *(added(mart, "order_deltas") for mart in ORDER_MARTS),
    *_ADD_TRAFFIC,
    *(added(mart, "session_deltas") for mart in SESSION_MARTS),
    added(VISITORS_HOUR, "user_hours"),
    _COUNT_QUALITY,
    _COUNT_LATENCIES,
)
"""Statements that update rows shared by all writers: last, and in the order of the keys."""

STORED_AT = "SELECT ingested_at FROM raw.events WHERE event_id = %s AND event_time = %s"
"""Returns when an event was stored; all events of one COPY have the same time."""

COUNT_SHARDS = """
WITH counted AS (
    INSERT INTO ops.shards AS known (run_id, shard, simulation, stored_events, late_events,
        arrivals_checksum)
    SELECT run_id, shard, simulation, events, late_events, checksum
    FROM (
        SELECT run_id, shard, min(new_events.simulation) AS simulation, count(*) AS events,
            count(*) FILTER (WHERE event_time < former.watermark) AS late_events
        FROM new_events LEFT JOIN ops.shards AS former USING (run_id, shard)
        GROUP BY run_id, shard
    ) AS stored
    INNER JOIN unnest(%(run_ids)s::uuid[], %(shards)s::integer[], %(checksums)s::bigint[])
        AS arrived (run_id, shard, checksum) USING (run_id, shard)
    ORDER BY run_id, shard
    ON CONFLICT (run_id, shard) DO UPDATE SET
        stored_events = known.stored_events + excluded.stored_events,
        late_events = known.late_events + excluded.late_events,
        arrivals_checksum = known.arrivals_checksum + excluded.arrivals_checksum
    RETURNING new.late_events - coalesce(old.late_events, 0) AS late_events
)
SELECT sum(late_events)::bigint FROM counted
"""
"""Returns the number of late events: those before the watermark that their shard had after the
batch before. A shard without a watermark has no late event."""

REJECT_STEPS = (
    f"""
WITH stored AS (
    INSERT INTO ops.rejected_events ({_list(REJECT_COLUMNS)})
    SELECT {_list(REJECT_COLUMNS)} FROM staged_rejects
    ON CONFLICT DO NOTHING
    RETURNING {start_of("minute", "kafka_timestamp")} AS minute, rule
)
INSERT INTO ops.quality_minute AS known (minute, rule, records)
SELECT minute, rule, count(*) FROM stored GROUP BY minute, rule ORDER BY minute, rule
ON CONFLICT (minute, rule) DO UPDATE SET records = known.records + excluded.records
""",
)
"""Statements that store rejects."""

KEPT_SINCE = "SELECT max_event_time FROM ops.progress WHERE query = 'retention'"
"""Returns the first day that retention has kept; no row if it has kept all days."""

LOCK_DAYS = f"SELECT pg_advisory_xact_lock_shared(hashtext('raw.events.days')); {KEPT_SINCE}"
"""Keeps retention from dropping a day until the transaction ends. Runs after the offsets are
claimed, in the order of a rebuild."""

LOCK_ROWS_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtext('mart.rows'))"
"""For a transaction of one portion: it locks shared rows last and in one order, so several writers
can work at the same time."""
LOCK_ROWS = "SELECT pg_advisory_xact_lock(hashtext('mart.rows'))"
"""For a transaction of several portions: it would lock shared rows in another order, so it works
alone."""

COUNT_EXPIRED = """
WITH expired AS (
    SELECT * FROM unnest(%(run_id)s::uuid[], %(shard)s::integer[], %(simulation)s::text[],
        %(shard_seq)s::bigint[], %(event_id)s::uuid[], %(event_time)s::timestamptz[])
        AS expired (run_id, shard, simulation, number, event_id, event_time)
    WHERE (
        SELECT true FROM raw.events AS stored
        WHERE stored.event_id = expired.event_id AND stored.event_time = expired.event_time LIMIT 1
    ) IS NULL
), met AS (
    INSERT INTO ops.runs (run_id, simulation)
    SELECT run_id, min(simulation) FROM expired GROUP BY run_id ORDER BY run_id
    ON CONFLICT DO NOTHING
)
INSERT INTO ops.shards AS known (run_id, shard, simulation, dropped_numbers, expired_events)
SELECT run_id, shard, min(simulation), range_agg(int8range(number, number + 1)),
    count(DISTINCT number)
FROM expired
GROUP BY run_id, shard ORDER BY run_id, shard
ON CONFLICT (run_id, shard) DO UPDATE SET
    dropped_numbers = known.dropped_numbers + excluded.dropped_numbers,
    expired_events = known.expired_events
        + ops.count_numbers(excluded.dropped_numbers - known.dropped_numbers)
"""
"""Events that are stored, or that were stored before their day was dropped, do not count again."""


def _progress(row: str) -> str:
    """Return the progress of a ledger entry as SQL: of several entries the most advanced counts."""
    grown = " + ".join(f"{row}.{name}" for name in GROWING_FIGURES)
    return f"({grown}, {row}.records_acknowledged, {row}.shard_seq)"


_STORE_LEDGER = f"""
INSERT INTO ops.ledger AS known ({_list(_LEDGER)})
SELECT DISTINCT ON (row.run_id, row.shard, row.minute) {_list(_LEDGER, "row.")}
FROM staged_ledger, jsonb_populate_record(NULL::ops.ledger, ledger) AS row
WHERE ledger ->> 'kind' = 'minute'
ORDER BY row.run_id, row.shard, row.minute, {_progress("row")} DESC
ON CONFLICT (run_id, shard, minute) DO UPDATE SET
    {
    ", ".join(
        f"{name} = excluded.{name}"
        for name in (*_LEDGER, "read_at")
        if name not in {"run_id", "shard", "minute"}
    )
}
WHERE {_progress("excluded")} >= {_progress("known")}
"""

_END_SHARDS = """
INSERT INTO ops.shards AS known
    (run_id, shard, simulation, shards, end_shard_seq, records_sent, records_acknowledged)
SELECT DISTINCT ON (row.run_id, row.shard) row.run_id, row.shard, row.simulation, row.shards,
    row.shard_seq, row.records_sent, row.records_acknowledged
FROM staged_ledger, jsonb_to_record(ledger) AS row (run_id uuid, shard integer, simulation text,
    shards integer, shard_seq bigint, records_sent bigint, records_acknowledged bigint)
WHERE ledger ->> 'kind' = 'shard_end'
ORDER BY row.run_id, row.shard, row.records_acknowledged DESC, row.shard_seq DESC
ON CONFLICT (run_id, shard) DO UPDATE SET
    shards = excluded.shards,
    end_shard_seq = excluded.end_shard_seq,
    records_sent = excluded.records_sent,
    records_acknowledged = excluded.records_acknowledged
WHERE known.end_shard_seq IS NULL OR (excluded.records_acknowledged, excluded.end_shard_seq)
    >= (known.records_acknowledged, known.end_shard_seq)
"""

LEDGER_STEPS = (_INSERT_RUNS, _STORE_LEDGER, _END_SHARDS)
"""Statements that store ledger records."""

STORE_OFFSETS = """
INSERT INTO ops.batches (query, checkpoint_id, batch_id, topic, kafka_partition, from_offset,
    until_offset, topic_id, leader_epoch, stored_events, known_events, rejected_records,
    ledger_records, late_events, skipped_offsets)
SELECT %(query)s, %(checkpoint_id)s, %(batch_id)s, %(topic)s, %(partition)s, %(from_offset)s,
    %(until_offset)s, %(topic_id)s, %(leader_epoch)s, 0, 0, 0, 0, 0, %(skipped)s
WHERE %(from_offset)s IS NULL OR EXISTS (
    SELECT FROM ops.batches WHERE query = %(query)s AND topic = %(topic)s
        AND kafka_partition = %(partition)s AND until_offset = %(from_offset)s
)
"""
"""Runs once per partition and batch: a second writer gets an error. Inserts no row if the stored
offsets do not end where the batch begins, because the database has lost the batch before."""

COUNT_BATCH = """
UPDATE ops.batches SET stored_events = %(stored)s, known_events = %(duplicates)s,
    rejected_records = %(rejected)s, ledger_records = %(ledger)s, late_events = %(late)s,
    skipped_offsets = %(skipped)s
WHERE query = %(query)s AND checkpoint_id = %(checkpoint_id)s AND batch_id = %(batch_id)s
    AND topic = %(topic)s AND kafka_partition = %(partition)s
"""
"""Stores the counts of one partition of a batch."""

STORED_END = """
SELECT until_offset FROM ops.batches
WHERE query = %(query)s AND checkpoint_id = %(checkpoint_id)s AND batch_id = %(batch_id)s
    AND topic = %(topic)s AND kafka_partition = %(partition)s
"""
"""Returns the stored end of one partition of a batch."""

STORED_ENDS = """
SELECT topic, kafka_partition, until_offset FROM ops.batches
WHERE query = %(query)s AND checkpoint_id = %(checkpoint_id)s AND batch_id = %(batch_id)s
"""
"""Returns the stored ends of all partitions of a batch."""

ADVANCE_WATERMARKS = """
UPDATE ops.shards AS known SET watermark = given.watermark
FROM (
    SELECT run_id, shard, event_time - %(delay_seconds)s * interval '1 second' AS watermark
    FROM unnest(%(run_ids)s::uuid[], %(shards)s::integer[], %(event_times)s::timestamptz[])
        AS reached (run_id, shard, event_time)
) AS given
WHERE known.run_id = given.run_id AND known.shard = given.shard
    AND (known.watermark IS NULL OR known.watermark < given.watermark)
"""
"""Advances the watermarks of all shards of a batch; a watermark never goes back."""

CLOSE_RUNS = """
WITH ended AS (
    SELECT run_id
    FROM ops.shards AS shards INNER JOIN ops.runs AS runs USING (run_id)
    WHERE runs.closed_at IS NULL
    GROUP BY run_id
    HAVING count(*) = max(shards.shards) AND bool_and(shards.end_shard_seq IS NOT NULL)
), lost AS (
    SELECT ledger.run_id, ledger.shard, sum(ledger.lost_faults) AS events
    FROM ended INNER JOIN ops.ledger AS ledger USING (run_id)
    GROUP BY ledger.run_id, ledger.shard
), drained AS (
    SELECT run_id
    FROM ended INNER JOIN ops.shards AS shards USING (run_id) LEFT JOIN lost USING (run_id, shard)
    GROUP BY run_id
    HAVING bool_and(shards.end_shard_seq
        = shards.stored_events + shards.expired_events + coalesce(lost.events, 0))
)
UPDATE ops.runs SET closed_at = clock_timestamp()
FROM drained WHERE runs.run_id = drained.run_id
RETURNING runs.run_id
"""
