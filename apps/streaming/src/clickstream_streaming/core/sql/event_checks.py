"""The checks that compare events with the ledger and with each other.

Each query returns its defects. A check covers only the events that the ledger covers: those of a
shard up to the last number in its ledger.
"""

from __future__ import annotations

from clickstream_contract.canonical import checksum_sql
from clickstream_contract.journey import EXIT, START, TRANSITIONS
from clickstream_contract.topics import EVENTS

from clickstream_streaming.core.sql.check import Check, differing
from clickstream_streaming.core.sql.columns import COUNTERS, REVENUE, names, selected, start_of
from clickstream_streaming.core.sql.mart import is_kept

__all__ = ["CONTENT_CHECKS", "JOURNEY_CHECKS", "NUMBER_CHECKS"]

_CONTENT = f"sum({checksum_sql()})::bigint"
_LEGAL = ", ".join(
    f"'{step.source}>{step.target}'"
    for step in TRANSITIONS
    if step.source != START and step.target != EXIT
)

_IN_LEDGER = """in_ledger AS (
    SELECT run_id, shard, max(shard_seq) AS shard_seq, sum(events) AS events,
        sum(lost_faults) AS planted, sum(late_faults) AS late, max(minute) AS minute,
        max(read_at) AS read_at
    FROM ops.ledger GROUP BY run_id, shard
)"""
# The ledger arrives seconds after its events, or a batch later. A generator that dies leaves events
# without a ledger; the stream reads them soon after, unless it is behind.
_GRACE, _PATIENCE = "interval '2 minutes'", "interval '1 hour'"
# Within a partition, a shard's events have ascending numbers, except late ones. All numbers up to
# the lowest of the partitions' last numbers have been read. A shard of few users has no event in
# some partitions, or its first one there is still under way: after an hour it has been read too.
_READ = f"""partitions AS (
    SELECT run_id, shard, count(*) AS partitions, min(shard_seq) AS shard_seq,
        min(event_time) AS event_time
    FROM (
        SELECT run_id, shard, kafka_partition, max(shard_seq) AS shard_seq,
            max(event_time) AS event_time
        FROM raw.events GROUP BY run_id, shard, kafka_partition
    ) AS parts
    GROUP BY run_id, shard
), read AS MATERIALIZED (
    SELECT run_id, shard, CASE WHEN has_all THEN known.shard_seq
            WHEN is_old THEN in_ledger.shard_seq ELSE 0 END AS shard_seq,
        CASE WHEN has_all THEN known.event_time
            WHEN is_old THEN 'infinity' ELSE '-infinity' END AS event_time
    FROM in_ledger LEFT JOIN partitions AS known USING (run_id, shard), LATERAL (
        SELECT in_ledger.read_at < clock_timestamp() - {_PATIENCE} AS is_old,
            known.partitions = (
                SELECT count(DISTINCT kafka_partition) FROM ops.batches
                WHERE topic = '{EVENTS.name}'
            ) AS has_all
    ) AS state
)"""

# A shard lacks events in three cases: they were stored and are gone; their numbers are below
# numbers that have been read; or the shard has ended and was stored completely, but its ledger has
# more events. A dropped number counts once, even if an event with this number is stored. Only
# numbers below the last dropped one are compared with the dropped ranges, because there may be
# many ranges.
_NUMBERS = f"""{_IN_LEDGER}, {_READ}, dropped AS MATERIALIZED (
    SELECT run_id, shard, dropped_numbers AS numbers, upper(dropped_numbers) AS until
    FROM ops.shards WHERE NOT isempty(dropped_numbers)
), counted AS (
    SELECT raw.run_id, raw.shard, raw.shard_seq, CASE WHEN raw.shard_seq < dropped.until
        THEN NOT raw.shard_seq <@ dropped.numbers ELSE true END AS is_kept
    FROM raw.events AS raw LEFT JOIN dropped USING (run_id, shard)
), stored AS (
    SELECT raw.run_id, raw.shard, count(*) AS events,
        count(DISTINCT raw.shard_seq) AS all_numbers,
        count(DISTINCT raw.shard_seq) FILTER (
            WHERE is_kept AND raw.shard_seq BETWEEN 1 AND in_ledger.shard_seq
        ) AS numbers,
        count(DISTINCT raw.shard_seq) FILTER (
            WHERE is_kept
                AND raw.shard_seq BETWEEN 1 AND least(in_ledger.shard_seq, read.shard_seq)
        ) AS read_numbers
    FROM counted AS raw
    LEFT JOIN in_ledger USING (run_id, shard)
    LEFT JOIN read USING (run_id, shard)
    GROUP BY raw.run_id, raw.shard
)"""
_LOST = """
SELECT format('run %%s shard %%s lacks %%s events', run_id, shard, missing), missing
FROM (
    SELECT run_id, shard, greatest(
        known.stored_events - coalesce(known.dropped_events, 0) - coalesce(stored.events, 0),
        least(in_ledger.shard_seq, read.shard_seq) - in_ledger.planted - in_ledger.late
            - coalesce(known.dropped_events + known.expired_events, 0)
            - coalesce(stored.read_numbers, 0),
        CASE WHEN known.end_shard_seq IS NOT NULL
                AND known.stored_events + known.expired_events >= in_ledger.events
            THEN in_ledger.events - known.dropped_events - known.expired_events
                - coalesce(stored.numbers, 0) END
    ) AS missing
    FROM ops.shards AS known
    FULL JOIN in_ledger USING (run_id, shard)
    LEFT JOIN stored USING (run_id, shard)
    LEFT JOIN read USING (run_id, shard)
) AS compared WHERE missing > 0
"""

_DUPLICATED = """
SELECT format('event %%s is stored in %%s rows', shown, copies), copies - 1 FROM (
    SELECT min(event_id::text) AS shown, count(*) AS copies FROM raw.events
    WHERE (run_id, shard) IN (SELECT run_id, shard FROM stored WHERE events > all_numbers)
    GROUP BY run_id, shard, shard_seq HAVING count(*) > 1
) AS doubled
"""

_PHANTOM = f"""
WITH {_IN_LEDGER}, runs AS (
    SELECT run_id, prefix, shards FROM unnest(%(run_ids)s::uuid[], %(prefixes)s::text[])
        AS known (run_id, prefix)
    INNER JOIN (SELECT run_id, max(shards) AS shards FROM ops.ledger GROUP BY run_id) AS counted
        USING (run_id)
)
SELECT format('event %%s was never sent', event_id)
FROM raw.events AS raw
LEFT JOIN runs USING (run_id)
LEFT JOIN in_ledger USING (run_id, shard)
LEFT JOIN ops.shards AS ended USING (run_id, shard)
WHERE (in_ledger.run_id IS NULL AND raw.ingested_at < clock_timestamp() - {_GRACE})
    OR raw.shard NOT BETWEEN 0 AND runs.shards - 1
    OR raw.shard_seq < 1
    OR raw.shard_seq > ended.end_shard_seq
    OR (raw.shard_seq > in_ledger.shard_seq
        AND raw.ingested_at NOT BETWEEN in_ledger.read_at - {_GRACE}
            AND in_ledger.read_at + {_PATIENCE})
    OR event_id::text <> prefix || lpad(to_hex(raw.shard), 3, '0') || '-'
        || overlay(to_hex(raw.shard_seq | (1::bigint << 63)) PLACING '-' FROM 5 FOR 0)
"""


# For an ended shard, every minute is compared. For a running shard, only the minutes before the
# last one that was read, without those whose events have just arrived or may still arrive late.
_SUMS = ("events", *names((*COUNTERS, REVENUE)), "sessions_begun")
_STORED = f"""{_IN_LEDGER}, {_READ}, checked AS (
    SELECT run_id, shard, in_ledger.read_at, known.end_shard_seq IS NULL AS is_open,
        CASE WHEN known.end_shard_seq IS NULL
            THEN least(date_trunc('minute', read.event_time, 'UTC'), in_ledger.minute)
            ELSE 'infinity' END AS until
    FROM in_ledger INNER JOIN ops.shards AS known USING (run_id, shard)
    LEFT JOIN read USING (run_id, shard)
    WHERE known.end_shard_seq IS NULL
        OR known.stored_events + known.expired_events >= in_ledger.events
), counted AS (
    SELECT run_id, shard, {start_of("minute", "event_time")} AS minute,
        count(*) AS events, {selected((*COUNTERS, REVENUE))},
        count(*) FILTER (WHERE session_seq = 1) AS sessions_begun,
        {_CONTENT} AS content_checksum, max(ingested_at) AS ingested_at
    FROM raw.events WHERE {is_kept("event_time")} GROUP BY 1, 2, 3
), stored AS (
    SELECT counted.*, is_open AND ingested_at > read_at - {_GRACE} AS is_new
    FROM counted INNER JOIN checked USING (run_id, shard) WHERE minute < until
)"""


def _ledger(what: str, sums: tuple[str, ...]) -> str:
    """Return a query that compares sums of the ledger with those of events, minute by minute.

    Args:
        what: The compared value, for the text of a defect.
        sums: The columns of the ledger, and of ``stored`` in the basis.
    """
    columns = ", ".join(sums)
    return f"""
WITH found AS (
    SELECT run_id, shard, minute, {columns} FROM stored AS one
    WHERE NOT is_new AND NOT EXISTS (
        SELECT FROM ops.ledger AS entry INNER JOIN checked USING (run_id, shard)
        WHERE (entry.run_id, entry.shard, entry.minute) = (one.run_id, one.shard, one.minute)
            AND is_open AND late_faults > 0
    )
), wanted AS (
    SELECT run_id, shard, minute, {columns}
    FROM ops.ledger AS one INNER JOIN checked USING (run_id, shard)
    WHERE events > 0 AND {is_kept("minute")} AND minute < until
        AND NOT (is_open AND late_faults > 0) AND NOT EXISTS (
            SELECT FROM stored WHERE is_new AND (stored.run_id, stored.shard, stored.minute)
                = (one.run_id, one.shard, one.minute)
        )
){
        differing(
            f"format('{what} run %%s shard %%s minute %%s', run_id, shard, minute)",
            "run_id, shard, minute",
            columns,
        )
    }"""


# The ledger does not cover sent_at. The two times come from different clocks, cut to milliseconds.
_SENT_EARLY = """
SELECT format('event %%s was sent before it happened', event_id)
FROM raw.events WHERE sent_at < event_time - interval '1 second'
"""

# Each batch begins where the batch before ended, in the same log.
_OFFSETS = """
SELECT format('batch %%s of %%s/%%s begins at %%s of %%s, not at %%s of %%s', batch_id, topic,
    kafka_partition, from_offset, topic_id, ended, topic_id_before)
FROM (
    SELECT batch_id, topic, kafka_partition, from_offset, topic_id,
        lag(until_offset) OVER batches AS ended, lag(topic_id) OVER batches AS topic_id_before
    FROM ops.batches WINDOW batches AS (
        PARTITION BY query, checkpoint_id, topic, kafka_partition ORDER BY batch_id
    )
) AS tiles
WHERE from_offset <> ended OR topic_id <> topic_id_before
"""

# Only events with consecutive numbers form a step, because a planted loss leaves a gap. The
# sessions of a shard lack at most the planted losses and the events that may still arrive late. Two
# names and > are one text, because PostgreSQL looks a text up in a list by its hash.
_ILLEGAL = f"""
WITH steps AS (
    SELECT run_id, shard, session_id, session_seq, event_name,
        lag(event_name) OVER session AS before, lag(session_seq) OVER session AS seq_before
    FROM raw.events
    WINDOW session AS (PARTITION BY session_id ORDER BY session_seq)
), odd AS MATERIALIZED (
    SELECT *, session_seq > seq_before + 1 AS is_gap FROM steps
    WHERE (session_seq = 1 AND event_name <> 'session_start')
        OR (seq_before = session_seq - 1 AND before || '>' || event_name NOT IN ({_LEGAL}))
        OR seq_before = session_seq OR session_seq > seq_before + 1
), gaps AS (
    SELECT run_id, shard, sum(session_seq - seq_before - 1) AS events
    FROM odd WHERE is_gap GROUP BY run_id, shard
), allowed AS (
    SELECT run_id, shard, sum(lost_faults) + CASE WHEN bool_and(end_shard_seq IS NULL)
        THEN sum(late_faults) ELSE 0 END AS events
    FROM ops.ledger LEFT JOIN ops.shards USING (run_id, shard) GROUP BY run_id, shard
)
SELECT format('session %%s: %%s after %%s', session_id, event_name, coalesce(before, 'nothing'))
FROM odd WHERE is_gap IS NOT TRUE
UNION ALL
SELECT format('sessions of run %%s shard %%s lack %%s events', run_id, shard, gaps.events)
FROM gaps LEFT JOIN allowed USING (run_id, shard)
WHERE gaps.events > coalesce(allowed.events, 0)
UNION ALL
SELECT format('purchase %%s is not the sum of its items', event_id)
FROM raw.events
WHERE event_name = 'purchase' AND value_minor <> (
    SELECT sum(quantity * price_minor)
    FROM jsonb_to_recordset(items) AS line (quantity integer, price_minor bigint))
"""

NUMBER_CHECKS: tuple[Check, ...] = (
    Check("numbers that are there", "lost", _LOST, has_counts=True, basis=_NUMBERS),
    Check(
        "numbers that are there once", "duplicated", _DUPLICATED, has_counts=True, basis=_NUMBERS
    ),
    Check("numbers that were sent", "phantom", _PHANTOM),
    Check("offsets without a gap", "lost", _OFFSETS),
)
"""The checks of numbers and offsets."""

CONTENT_CHECKS: tuple[Check, ...] = (
    Check(
        "content of events",
        "altered",
        _ledger("content of", ("content_checksum",)),
        basis=_STORED,
        is_hashed=True,
    ),
    Check("events sent after they happened", "altered", _SENT_EARLY),
    Check(
        "ledger by events",
        "aggregate_mismatches",
        _ledger("ledger", _SUMS),
        basis=_STORED,
        is_hashed=True,
    ),
)
"""The checks of what events hold."""

JOURNEY_CHECKS = (Check("steps of the journey", "illegal_transitions", _ILLEGAL),)
"""The checks of the order of events."""
