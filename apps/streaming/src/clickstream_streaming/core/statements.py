"""The SQL by which batches enter the tables.

Owns the text of the statements, made from the contract; values are never part of it. Each is
safe to run twice: what is new is decided by ``raw.events``, whose key knows every event that
was ever stored, and all sums follow from what is new. It does not know a connection.
"""

from __future__ import annotations

from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES
from clickstream_contract.ledger import LEDGER_FIELDS

from clickstream_streaming.core.traffic import TRAFFIC_DIMENSIONS

__all__ = [
    "BATCH_OFFSETS",
    "CLOSE_RUNS",
    "CREATE_EVENTS_STAGE",
    "CREATE_TRAFFIC_STAGE",
    "EVENT_STEPS",
    "FINISH_SESSIONS",
    "PARTITIONS_NEEDED",
    "TRAFFIC_STEPS",
    "event_stage_columns",
    "traffic_columns",
]

_EVENTS = tuple(field.name for field in EVENT_FIELDS)
_COUNTS = tuple(f"{name}_events" for name in EVENT_NAMES)
_LEDGER = tuple(field.name for field in LEDGER_FIELDS if field.name != "kind")
SESSION_GAP = "30 minutes"
"""After so long without an event a visit is over, as in web analytics generally."""


def event_stage_columns() -> tuple[str, ...]:
    """Return the columns in which a batch of records is handed over."""
    return ("topic", "kafka_partition", "kafka_offset", "kafka_timestamp", "reason", "detail",
            "key", "payload", "ledger", *_EVENTS)  # fmt: skip


def traffic_columns() -> tuple[str, ...]:
    """Return the columns in which minutes are handed over."""
    return ("minute", *TRAFFIC_DIMENSIONS, "events", *_COUNTS, "revenue_minor")


def _list(names: tuple[str, ...], prefix: str = "") -> str:
    return ", ".join(prefix + name for name in names)


_TYPES = {column.name: column.type for column in postgres_columns(EVENT_FIELDS)}

CREATE_EVENTS_STAGE = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS stage (
    topic text, kafka_partition integer, kafka_offset bigint, kafka_timestamp timestamptz,
    reason text, detail text, key bytea, payload bytea, ledger jsonb,
    {", ".join(f"{name} {kind}" for name, kind in _TYPES.items())}
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS fresh (LIKE stage) ON COMMIT DELETE ROWS;
"""

PARTITIONS_NEEDED = """
SELECT ops.ensure_event_partitions(
    (min(event_time) AT TIME ZONE 'UTC')::date, (max(event_time) AT TIME ZONE 'UTC')::date
)
FROM stage HAVING count(event_time) > 0
"""

# Of two records with the same id the one that Kafka got first counts, always and everywhere.
_STORE_EVENTS = f"""
WITH stored AS (
    INSERT INTO raw.events ({_list(_EVENTS)}, kafka_partition, kafka_offset)
    SELECT {_list(_EVENTS)}, kafka_partition, kafka_offset
    FROM stage
    WHERE event_id IS NOT NULL
    ORDER BY kafka_partition, kafka_offset
    ON CONFLICT (event_id, event_time) DO NOTHING
    RETURNING {_list(_EVENTS)}
)
INSERT INTO fresh ({_list(_EVENTS)}) SELECT {_list(_EVENTS)} FROM stored
"""  # noqa: S608  names from the contract

_STORE_REJECTS = """
INSERT INTO ops.rejected_events
    (topic, kafka_partition, kafka_offset, kafka_timestamp, reason, detail, key, payload)
SELECT topic, kafka_partition, kafka_offset, kafka_timestamp, reason, detail, key, payload
FROM stage WHERE reason IS NOT NULL
ON CONFLICT DO NOTHING
"""

_COUNTS_BY_NAME = ", ".join(
    f"count(*) FILTER (WHERE event_name = '{name}') AS {name}_events" for name in EVENT_NAMES
)

_MERGE_SESSIONS = f"""
INSERT INTO mart.fact_sessions AS known (
    session_id, simulation, run_id, user_id, persona, country, city, device, browser, channel,
    campaign, visit_number, started_at, last_event_at, first_seq, last_seq, entry_page,
    exit_page, events, {_list(_COUNTS)}, added_minor, removed_minor, revenue_minor
)
SELECT
    session_id, min(simulation), min(run_id::text)::uuid, min(user_id), min(persona),
    min(country), min(city), min(device), min(browser), min(channel), min(campaign),
    min(visit_number), min(event_time), max(event_time), min(session_seq), max(session_seq),
    (array_agg(page ORDER BY session_seq))[1], (array_agg(page ORDER BY session_seq DESC))[1],
    count(*), {_COUNTS_BY_NAME},
    coalesce(sum(value_minor) FILTER (WHERE event_name = 'add_to_cart'), 0),
    coalesce(sum(value_minor) FILTER (WHERE event_name = 'remove_from_cart'), 0),
    coalesce(sum(value_minor) FILTER (WHERE event_name = 'purchase'), 0)
FROM fresh
GROUP BY session_id
ORDER BY session_id
ON CONFLICT (session_id) DO UPDATE SET
    campaign = coalesce(known.campaign, excluded.campaign),
    visit_number = coalesce(known.visit_number, excluded.visit_number),
    started_at = least(known.started_at, excluded.started_at),
    last_event_at = greatest(known.last_event_at, excluded.last_event_at),
    entry_page = CASE WHEN excluded.first_seq < known.first_seq
        THEN excluded.entry_page ELSE known.entry_page END,
    exit_page = CASE WHEN excluded.last_seq > known.last_seq
        THEN excluded.exit_page ELSE known.exit_page END,
    first_seq = least(known.first_seq, excluded.first_seq),
    last_seq = greatest(known.last_seq, excluded.last_seq),
    events = known.events + excluded.events,
    {", ".join(f"{name} = known.{name} + excluded.{name}" for name in _COUNTS)},
    added_minor = known.added_minor + excluded.added_minor,
    removed_minor = known.removed_minor + excluded.removed_minor,
    revenue_minor = known.revenue_minor + excluded.revenue_minor
"""  # noqa: S608  names from the contract

_STORE_ORDERS = """
INSERT INTO mart.fact_orders (order_id, simulation, run_id, session_id, user_id, country,
    device, channel, ordered_at, pieces, value_minor)
SELECT order_id, simulation, run_id, session_id, user_id, country, device, channel, event_time,
    cart_quantity, value_minor
FROM fresh WHERE event_name = 'purchase'
ON CONFLICT DO NOTHING
"""

_STORE_ITEMS = """
INSERT INTO mart.fact_order_items (order_id, product_id, category, quantity, price_minor)
SELECT fresh.order_id, line.product_id, line.category, line.quantity, line.price_minor
FROM fresh, jsonb_to_recordset(fresh.items) AS line
    (product_id text, category text, quantity integer, price_minor bigint)
WHERE fresh.event_name = 'purchase'
ON CONFLICT DO NOTHING
"""

_MERGE_PRODUCTS = """
INSERT INTO mart.product_hour AS known (hour, simulation, product_id, product_name, brand,
    category, view_item_events, add_to_cart_events, remove_from_cart_events)
SELECT date_trunc('hour', event_time, 'UTC'), simulation, product_id, min(product_name),
    min(brand), min(category),
    count(*) FILTER (WHERE event_name = 'view_item'),
    count(*) FILTER (WHERE event_name = 'add_to_cart'),
    count(*) FILTER (WHERE event_name = 'remove_from_cart')
FROM fresh WHERE product_id IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
ON CONFLICT (hour, simulation, product_id) DO UPDATE SET
    view_item_events = known.view_item_events + excluded.view_item_events,
    add_to_cart_events = known.add_to_cart_events + excluded.add_to_cart_events,
    remove_from_cart_events = known.remove_from_cart_events + excluded.remove_from_cart_events
"""

_STORE_LEDGER = f"""
INSERT INTO ops.ledger AS known ({_list(_LEDGER)})
SELECT DISTINCT ON (row.run_id, row.shard, row.minute) {_list(_LEDGER, "row.")}
FROM stage, jsonb_populate_record(NULL::ops.ledger, ledger) AS row
WHERE ledger ->> 'kind' = 'minute'
ORDER BY row.run_id, row.shard, row.minute, row.records_acknowledged DESC
ON CONFLICT (run_id, shard, minute) DO UPDATE SET
    {
    ", ".join(
        f"{name} = excluded.{name}" for name in _LEDGER if name not in {"run_id", "shard", "minute"}
    )
}
WHERE excluded.records_acknowledged >= known.records_acknowledged
"""  # noqa: S608  names from the contract

_MEET_RUNS = """
INSERT INTO ops.runs (run_id, simulation)
SELECT DISTINCT run_id, simulation FROM fresh
UNION
SELECT (ledger ->> 'run_id')::uuid, ledger ->> 'simulation'
FROM stage WHERE ledger IS NOT NULL
ON CONFLICT DO NOTHING
"""

_COUNT_SHARDS = """
INSERT INTO ops.shards AS known (run_id, shard, simulation, stored_events)
SELECT run_id, shard, min(simulation), count(*) FROM fresh
GROUP BY run_id, shard ORDER BY run_id, shard
ON CONFLICT (run_id, shard) DO UPDATE SET
    stored_events = known.stored_events + excluded.stored_events
"""

_END_SHARDS = """
INSERT INTO ops.shards AS known
    (run_id, shard, simulation, shards, end_shard_seq, records_sent, records_acknowledged)
SELECT row.run_id, row.shard, row.simulation, row.shards, row.shard_seq, row.records_sent,
    row.records_acknowledged
FROM stage, jsonb_to_record(ledger) AS row (run_id uuid, shard integer, simulation text,
    shards integer, shard_seq bigint, records_sent bigint, records_acknowledged bigint)
WHERE ledger ->> 'kind' = 'shard_end'
ORDER BY row.run_id, row.shard
ON CONFLICT (run_id, shard) DO UPDATE SET
    shards = excluded.shards,
    end_shard_seq = excluded.end_shard_seq,
    records_sent = excluded.records_sent,
    records_acknowledged = excluded.records_acknowledged
"""

_NOTE_PROGRESS = """
INSERT INTO ops.progress AS known (query, max_event_time)
SELECT 'events', max(event_time) FROM fresh HAVING count(*) > 0
ON CONFLICT (query) DO UPDATE SET
    max_event_time = greatest(known.max_event_time, excluded.max_event_time)
"""

EVENT_STEPS = (
    _STORE_EVENTS, _STORE_REJECTS, _MERGE_SESSIONS, _STORE_ORDERS, _STORE_ITEMS,
    _MERGE_PRODUCTS, _STORE_LEDGER, _MEET_RUNS, _COUNT_SHARDS, _END_SHARDS, _NOTE_PROGRESS,
)  # fmt: skip
"""What happens to a batch of records, in order; the first decides what is new."""

FINISH_SESSIONS = f"""
WITH line AS (
    SELECT max_event_time - %(watermark_seconds)s * interval '1 second'
        - interval '{SESSION_GAP}' AS passed
    FROM ops.progress WHERE query = 'events'
)
UPDATE mart.fact_sessions AS visit SET is_final = true
FROM line
WHERE NOT visit.is_final AND visit.started_at < line.passed AND visit.last_event_at < line.passed
"""  # noqa: S608  a constant

CLOSE_RUNS = """
WITH lost AS (
    SELECT run_id, shard, sum(lost_faults) AS events FROM ops.ledger GROUP BY run_id, shard
), drained AS (
    SELECT shards.run_id
    FROM ops.shards AS shards
    INNER JOIN ops.runs AS runs USING (run_id)
    LEFT JOIN lost USING (run_id, shard)
    WHERE runs.closed_at IS NULL
    GROUP BY shards.run_id
    HAVING count(*) = max(shards.shards)
        AND bool_and(shards.end_shard_seq IS NOT DISTINCT FROM
            shards.stored_events + coalesce(lost.events, 0))
), closed AS (
    UPDATE ops.runs SET closed_at = clock_timestamp()
    FROM drained WHERE runs.run_id = drained.run_id
    RETURNING runs.run_id
)
UPDATE mart.fact_sessions AS visit SET is_final = true
FROM closed WHERE NOT visit.is_final AND visit.run_id = closed.run_id
"""

BATCH_OFFSETS = """
INSERT INTO ops.batches (query, checkpoint_id, batch_id, topic, kafka_partition, until_offset)
VALUES %s
ON CONFLICT (query, checkpoint_id, batch_id, topic, kafka_partition) DO UPDATE SET
    until_offset = excluded.until_offset, committed_at = clock_timestamp()
"""

CREATE_TRAFFIC_STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS stage (LIKE mart.traffic_minute) ON COMMIT DELETE ROWS
"""

_SET_MINUTES = f"""
INSERT INTO mart.traffic_minute ({_list(traffic_columns())})
SELECT {_list(traffic_columns())} FROM stage
WHERE minute >= %(trusted_from)s
ORDER BY minute, {_list(TRAFFIC_DIMENSIONS)}
ON CONFLICT (minute, {_list(TRAFFIC_DIMENSIONS)}) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in ("events", *_COUNTS, "revenue_minor"))}
"""  # noqa: S608  names from the contract

_SET_HOURS = f"""
INSERT INTO mart.traffic_hour (hour, {_list(traffic_columns()[1:])})
SELECT date_trunc('hour', minute, 'UTC') AS hour, {_list(TRAFFIC_DIMENSIONS)},
    {", ".join(f"sum({name})" for name in ("events", *_COUNTS, "revenue_minor"))}
FROM mart.traffic_minute
WHERE minute >= (SELECT date_trunc('hour', min(minute), 'UTC') FROM stage)
    AND date_trunc('hour', minute, 'UTC') IN (
        SELECT date_trunc('hour', minute, 'UTC') FROM stage)
GROUP BY 1, {_list(TRAFFIC_DIMENSIONS)}
ORDER BY 1, {_list(TRAFFIC_DIMENSIONS)}
ON CONFLICT (hour, {_list(TRAFFIC_DIMENSIONS)}) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in ("events", *_COUNTS, "revenue_minor"))}
"""  # noqa: S608  names from the contract

TRAFFIC_STEPS = (_SET_MINUTES, _SET_HOURS)
"""What happens to a batch of minutes: whole values, so a second time changes nothing."""
