"""The checks that set every table against the ledger and against each other.

Owns the SQL of the verification, made from the contract; each query returns one row per
defect. Only what the ledger has accounted for is judged: per shard, events up to the last
number it names. It does not know a connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from clickstream_contract.canonical import checksum_sql
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import EXIT, START, TRANSITIONS
from clickstream_contract.ledger import FAULT_REASONS

from clickstream_streaming.core.marts import COUNTS, MARTS, Mart, is_kept, is_whole, source_of

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["CHECKS", "LEDGER_TOTALS", "REJECTS", "Check", "run_prefix"]

_COUNTED = ", ".join(
    f"count(*) FILTER (WHERE event_name = '{name}') AS {name}_events" for name in EVENT_NAMES
)
_REVENUE = "coalesce(sum(value_minor) FILTER (WHERE event_name = 'purchase'), 0)"
_CONTENT = f"sum({checksum_sql()})::bigint"
_LEGAL = ", ".join(
    f"('{step.source}', '{step.target}')"
    for step in TRANSITIONS
    if step.source != START and step.target != EXIT
)


@dataclass(frozen=True)
class Check:
    """One check; its query gives one row per defect, a text that says where."""

    defect: str
    """The figure that it counts towards."""
    query: str


def run_prefix(run_id: UUID) -> str:
    """Return the first 15 characters that every event id of the run has."""
    digest = blake2b(run_id.bytes, digest_size=6).hexdigest()
    return f"{digest[:8]}-{digest[8:]}-8"


LEDGER_TOTALS = """
SELECT
    coalesce(sum(events), 0), coalesce(sum(records_sent), 0),
    coalesce(sum(records_acknowledged), 0), coalesce(sum(lost), 0)
FROM (
    SELECT sum(events) AS events, max(records_sent) AS records_sent,
        max(records_acknowledged) AS records_acknowledged, sum(lost_faults) AS lost
    FROM ops.ledger GROUP BY run_id, shard
) AS shard
"""

_PLANTED = ", ".join(
    "('{}', {})".format(
        reason.value,
        " + ".join(f"{name}_faults" for name, own in FAULT_REASONS.items() if own is reason),
    )
    for reason in dict.fromkeys(FAULT_REASONS.values())
)
# A faulty record keeps the key of the event it was made from, which tells run and shard.
REJECTS = f"""
WITH runs AS (
    SELECT run_id, prefix FROM unnest(%(run_ids)s::uuid[], %(prefixes)s::text[])
        AS known (run_id, prefix)
), planted AS (
    SELECT prefix || lpad(to_hex(shard), 3, '0') AS source, reason, sum(faults) AS planted
    FROM ops.ledger INNER JOIN runs USING (run_id),
        LATERAL (VALUES {_PLANTED}) AS fault (reason, faults)
    GROUP BY 1, 2
), found AS (
    SELECT encode(substring(key FROM 1 FOR 18), 'escape') AS source, reason, count(*) AS rejected
    FROM ops.rejected_events GROUP BY 1, 2
)
SELECT reason, coalesce(sum(planted), 0)::bigint, coalesce(sum(rejected), 0)::bigint,
    coalesce(sum(least(planted, rejected)) FILTER (WHERE planted > 0 AND rejected > 0), 0)::bigint
FROM planted FULL JOIN found USING (source, reason)
GROUP BY reason HAVING coalesce(sum(planted), 0) + coalesce(sum(rejected), 0) > 0
ORDER BY reason
"""
"""By reason: faults planted, records rejected, and those that match by run and shard."""

_ACCOUNTED = """accounted AS (
    SELECT run_id, shard, max(shard_seq) AS shard_seq, sum(lost_faults) AS planted
    FROM ops.ledger GROUP BY run_id, shard
)"""

# Numbers that are there, below the last one acknowledged, and how many there should be. A number
# that was dropped counts once, also if an event with it is stored. Only numbers below the last
# dropped one are looked for among them: what is dropped in pieces may be large.
_LOST = f"""
WITH {_ACCOUNTED}, dropped AS MATERIALIZED (
    SELECT run_id, shard, dropped_numbers AS numbers, upper(dropped_numbers) AS until
    FROM ops.shards WHERE NOT isempty(dropped_numbers)
), stored AS (
    SELECT raw.run_id, raw.shard, count(DISTINCT raw.shard_seq) AS numbers
    FROM raw.events AS raw INNER JOIN accounted USING (run_id, shard)
    LEFT JOIN dropped USING (run_id, shard)
    WHERE raw.shard_seq BETWEEN 1 AND accounted.shard_seq
        AND CASE WHEN raw.shard_seq < dropped.until
            THEN NOT raw.shard_seq <@ dropped.numbers ELSE true END
    GROUP BY raw.run_id, raw.shard
)
SELECT format('run %%s shard %%s lacks %%s events', run_id, shard, missing)
FROM (
    SELECT run_id, shard,
        accounted.shard_seq - accounted.planted - coalesce(stored.numbers, 0)
            - coalesce(known.dropped_events + known.expired_events, 0) AS missing
    FROM accounted
    LEFT JOIN stored USING (run_id, shard)
    LEFT JOIN ops.shards AS known USING (run_id, shard)
) AS compared, generate_series(1, missing)
"""

_DUPLICATED = """
SELECT format('event %%s stands in %%s rows', shown, copies) FROM (
    SELECT min(event_id::text) AS shown, count(*) AS copies FROM raw.events
    GROUP BY run_id, shard, shard_seq HAVING count(*) > 1
) AS doubled, generate_series(2, copies)
"""

_PHANTOM = f"""
WITH {_ACCOUNTED}, ended AS (
    SELECT run_id, shard, end_shard_seq FROM ops.shards WHERE end_shard_seq IS NOT NULL
), runs AS (
    SELECT run_id, prefix FROM unnest(%(run_ids)s::uuid[], %(prefixes)s::text[])
        AS known (run_id, prefix)
)
SELECT format('event %%s was never sent', event_id)
FROM raw.events AS raw
LEFT JOIN runs USING (run_id)
LEFT JOIN accounted USING (run_id, shard)
LEFT JOIN ended USING (run_id, shard)
WHERE runs.run_id IS NULL
    OR (accounted.run_id IS NULL AND ended.run_id IS NOT NULL)
    OR raw.shard_seq < 1
    OR raw.shard_seq > ended.end_shard_seq
    OR event_id::text <> prefix || lpad(to_hex(raw.shard), 3, '0') || '-'
        || regexp_replace(to_hex(raw.shard_seq | (1::bigint << 63)), '^(.{{4}})', '\\1-')
"""


def _mart(mart: Mart) -> str:
    """Compare a mart with its definition over all that is stored, row by row."""
    columns = ", ".join(mart.columns)
    key = ", ".join(mart.key)
    kept = is_kept(mart.kept_by) if mart.kept_by else "true"
    # A sum may have come back to nothing; its row is as good as none.
    sums = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    return f"""
WITH found AS (
    SELECT {columns} FROM {mart.table} AS one WHERE {kept} AND ({sums})
), wanted AS (
    SELECT {columns} FROM ({mart.select.format(source=source_of(mart))}) AS one
    WHERE {is_whole(mart)}
)
SELECT concat_ws(' ', '{mart.table}', {key}) FROM (
    (SELECT * FROM found EXCEPT SELECT * FROM wanted)
    UNION ALL
    (SELECT * FROM wanted EXCEPT SELECT * FROM found)
) AS differing GROUP BY {key}
"""


def _ledger(what: str, sums: tuple[str, ...], made: str) -> str:
    """Return a query that compares sums of the ledger with those of events, minute by minute.

    Args:
        what: What differs, in words.
        sums: Columns of the ledger.
        made: The same columns, worked out from ``raw.events``.
    """
    columns = ", ".join(sums)
    return f"""
WITH ended AS (
    SELECT run_id, shard FROM ops.shards WHERE end_shard_seq IS NOT NULL
), found AS (
    SELECT run_id, shard, date_trunc('minute', event_time, 'UTC') AS minute, {made}
    FROM raw.events INNER JOIN ended USING (run_id, shard)
    WHERE {is_kept("event_time")} GROUP BY 1, 2, 3
), wanted AS (
    SELECT run_id, shard, minute, {columns}
    FROM ops.ledger INNER JOIN ended USING (run_id, shard)
    WHERE events > 0 AND {is_kept("minute")}
)
SELECT format('{what} run %%s shard %%s minute %%s', run_id, shard, minute) FROM (
    (SELECT * FROM found EXCEPT SELECT * FROM wanted)
    UNION ALL
    (SELECT * FROM wanted EXCEPT SELECT * FROM found)
) AS differing GROUP BY run_id, shard, minute
"""


_LEDGER = _ledger(
    "ledger",
    ("events", *COUNTS, "revenue_minor", "sessions_begun"),
    f"count(*) AS events, {_COUNTED}, {_REVENUE} AS revenue_minor,"
    " count(*) FILTER (WHERE session_seq = 1) AS sessions_begun",
)
_ALTERED = _ledger("content of", ("content_checksum",), f"{_CONTENT} AS content_checksum")
# The ledger does not cover sent_at. Times have milliseconds, cut off from different clocks' ticks.
_SENT_EARLY = """
SELECT format('event %%s was sent before it happened', event_id)
FROM raw.events WHERE sent_at < event_time - interval '1 second'
"""

_ORDER_SUMS = """
SELECT format('order %%s is not the sum of its lines', order_id)
FROM mart.fact_orders AS bought
LEFT JOIN (
    SELECT order_id, sum(quantity * price_minor)::bigint AS value_minor
    FROM mart.fact_order_items GROUP BY order_id
) AS lines USING (order_id)
WHERE lines.value_minor IS DISTINCT FROM bought.value_minor
"""

_REJECT_COUNTS = """
WITH found AS (
    SELECT minute, rule, records FROM ops.quality_minute
    INNER JOIN ops.quality_rules USING (rule) WHERE severity = 'reject'
), wanted AS (
    SELECT date_trunc('minute', kafka_timestamp, 'UTC') AS minute, rule, count(*) AS records
    FROM ops.rejected_events GROUP BY 1, 2
)
SELECT format('quality_minute %%s %%s', minute, rule) FROM (
    (SELECT * FROM found EXCEPT SELECT * FROM wanted)
    UNION ALL
    (SELECT * FROM wanted EXCEPT SELECT * FROM found)
) AS differing GROUP BY minute, rule
"""

# Each batch begins where the one before has ended.
_OFFSETS = """
SELECT format('batch %%s of %%s/%%s begins at %%s, not at %%s', batch_id, topic,
    kafka_partition, from_offset, ended)
FROM (
    SELECT batch_id, topic, kafka_partition, from_offset, lag(until_offset) OVER (
        PARTITION BY query, checkpoint_id, topic, kafka_partition ORDER BY batch_id
    ) AS ended
    FROM ops.batches
) AS tiles
WHERE from_offset <> ended
"""

# A step that a planted loss has cut is no step: only neighbours by number are judged.
_ILLEGAL = f"""
SELECT format('session %%s: %%s after %%s', session_id, event_name, coalesce(before, 'nothing'))
FROM (
    SELECT session_id, session_seq, event_name,
        lag(event_name) OVER visit AS before, lag(session_seq) OVER visit AS seq_before
    FROM raw.events
    WINDOW visit AS (PARTITION BY session_id ORDER BY session_seq)
) AS steps
WHERE (session_seq = 1 AND event_name <> 'session_start')
    OR (seq_before = session_seq - 1 AND (before, event_name) NOT IN ({_LEGAL}))
    OR (seq_before < session_seq - 1 AND NOT EXISTS (
        SELECT FROM ops.ledger WHERE lost_faults > 0))
UNION ALL
SELECT format('purchase %%s is not the sum of its items', event_id)
FROM raw.events
WHERE event_name = 'purchase' AND value_minor <> (
    SELECT sum(quantity * price_minor)
    FROM jsonb_to_recordset(items) AS line (quantity integer, price_minor bigint))
"""

CHECKS: tuple[Check, ...] = (
    Check("lost", _LOST),
    Check("duplicated", _DUPLICATED),
    Check("phantom", _PHANTOM),
    Check("lost", _OFFSETS),
    *(
        Check(
            "session_mismatches" if mart.table == "mart.visits" else "aggregate_mismatches",
            _mart(mart),
        )
        for mart in MARTS
    ),
    Check("altered", _ALTERED),
    Check("altered", _SENT_EARLY),
    Check("aggregate_mismatches", _LEDGER),
    Check("aggregate_mismatches", _ORDER_SUMS),
    Check("aggregate_mismatches", _REJECT_COUNTS),
    Check("illegal_transitions", _ILLEGAL),
)
"""All checks; the figures of the same defect are added up."""
