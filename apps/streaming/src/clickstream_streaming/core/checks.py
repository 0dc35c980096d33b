"""The checks that compare all tables with the ledger and with each other.

Owns the SQL of the verification, made from the contract; each query returns its
defects. A check covers only the events that the ledger covers: those of a shard up to the last
number in its ledger.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from clickstream_contract.canonical import checksum_sql
from clickstream_contract.journey import EXIT, START, TRANSITIONS
from clickstream_contract.topics import EVENTS

from clickstream_streaming.core.bookkeeping import BOOKKEEPING, PLANTED_FAULTS, REJECTS_BY_SOURCE
from clickstream_streaming.core.check import Check, differing
from clickstream_streaming.core.sql.columns import COUNTERS, REVENUE, names, selected
from clickstream_streaming.core.sql.event_marts import PRODUCT_VERSIONS
from clickstream_streaming.core.sql.mart import is_kept, is_whole, source_of
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS

if TYPE_CHECKING:
    from uuid import UUID

    from clickstream_streaming.core.sql.mart import Mart

__all__ = [
    "ACKNOWLEDGED",
    "CHECKS",
    "LEDGER_TOTALS",
    "REJECTS",
    "UNDER_WAY",
    "Check",
    "mart_query",
    "run_prefix",
]

_CONTENT = f"sum({checksum_sql()})::bigint"
_LEGAL = ", ".join(
    f"('{step.source}', '{step.target}')"
    for step in TRANSITIONS
    if step.source != START and step.target != EXIT
)


def run_prefix(run_id: UUID) -> str:
    """Return the 15 characters with which every event id of the run begins."""
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

ACKNOWLEDGED = """
SELECT run_id::text, shard, sum(events)::bigint FROM ops.ledger GROUP BY run_id, shard
"""
"""Returns the number of acknowledged events by run and shard."""

UNDER_WAY = """
SELECT coalesce(sum(greatest(
    acknowledged - coalesce(stored_events + expired_events, 0), 0)), 0)::bigint
FROM unnest(%(run_ids)s::uuid[], %(shards)s::integer[], %(events)s::bigint[])
    AS wanted (run_id, shard, acknowledged)
LEFT JOIN ops.shards USING (run_id, shard)
"""
"""Returns how many acknowledged events the stream has not stored yet."""

# A faulty record keeps the key of its event, and the key names run and shard.
REJECTS = f"""
WITH runs AS (
    SELECT run_id, prefix FROM unnest(%(run_ids)s::uuid[], %(prefixes)s::text[])
        AS known (run_id, prefix)
), planted AS (
    SELECT prefix || lpad(to_hex(shard), 3, '0') AS source, reason, sum(faults) AS planted
    FROM ops.ledger INNER JOIN runs USING (run_id),
        LATERAL (VALUES {PLANTED_FAULTS}) AS fault (reason, faults)
    GROUP BY 1, 2
), found AS (
    SELECT source, reason, sum(records) AS rejected FROM ({REJECTS_BY_SOURCE}) AS one
    GROUP BY source, reason
)
SELECT reason, coalesce(sum(planted), 0)::bigint, coalesce(sum(rejected), 0)::bigint,
    coalesce(sum(least(planted, rejected)) FILTER (WHERE planted > 0 AND rejected > 0), 0)::bigint
FROM planted FULL JOIN found USING (source, reason)
GROUP BY reason HAVING coalesce(sum(planted), 0) + coalesce(sum(rejected), 0) > 0
ORDER BY reason
"""
"""Returns by reason: planted faults, rejected records, and matches by run and shard."""

_IN_LEDGER = """in_ledger AS (
    SELECT run_id, shard, max(shard_seq) AS shard_seq, sum(events) AS events,
        sum(lost_faults) AS planted, sum(late_faults) AS late, max(minute) AS minute,
        max(read_at) AS read_at
    FROM ops.ledger GROUP BY run_id, shard
)"""
# Within a partition, a shard's events have ascending numbers, except late ones. All numbers up to
# the lowest of the partitions' last numbers have been read.
_READ = f"""read AS (
    SELECT run_id, shard, min(shard_seq) AS shard_seq, min(event_time) AS event_time
    FROM (
        SELECT run_id, shard, kafka_partition, max(shard_seq) AS shard_seq,
            max(event_time) AS event_time
        FROM raw.events GROUP BY run_id, shard, kafka_partition
    ) AS parts
    GROUP BY run_id, shard
    HAVING count(*) = (
        SELECT count(DISTINCT kafka_partition) FROM ops.batches WHERE topic = '{EVENTS.name}'
    )
)"""

# A shard lacks events in three cases: they were stored and are gone; their numbers are below
# numbers that have been read; or the shard has ended and was stored completely, but its ledger has
# more events. A dropped number counts once, even if an event with this number is stored. Only
# numbers below the last dropped one are compared with the dropped ranges, because there may be
# many ranges.
_LOST = f"""
WITH {_IN_LEDGER}, {_READ}, dropped AS MATERIALIZED (
    SELECT run_id, shard, dropped_numbers AS numbers, upper(dropped_numbers) AS until
    FROM ops.shards WHERE NOT isempty(dropped_numbers)
), counted AS (
    SELECT raw.run_id, raw.shard, raw.shard_seq, CASE WHEN raw.shard_seq < dropped.until
        THEN NOT raw.shard_seq <@ dropped.numbers ELSE true END AS is_kept
    FROM raw.events AS raw LEFT JOIN dropped USING (run_id, shard)
), stored AS (
    SELECT raw.run_id, raw.shard, count(*) AS events,
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
)
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
    GROUP BY run_id, shard, shard_seq HAVING count(*) > 1
) AS doubled
"""

# The ledger arrives seconds after its events, or a batch later. A generator that dies leaves events
# without a ledger; the stream reads them soon after, unless it is behind.
_GRACE, _PATIENCE = "interval '2 minutes'", "interval '1 hour'"
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
        || regexp_replace(to_hex(raw.shard_seq | (1::bigint << 63)), '^(.{{4}})', '\\1-')
"""


def mart_query(mart: Mart) -> str:
    """Return a query that compares a mart with its definition over all stored events."""
    columns = ", ".join(mart.columns)
    key = ", ".join(mart.key)
    kept = is_kept(mart.kept_by) if mart.kept_by else "true"
    # A row whose sums are all 0 is equivalent to no row.
    sums = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    return f"""
WITH found AS (
    SELECT {columns} FROM {mart.table} AS one WHERE {kept} AND ({sums})
), wanted AS (
    SELECT {columns} FROM ({mart.select.format(source=source_of(mart))}) AS one
    WHERE {is_whole(mart)} AND ({sums})
){differing(f"concat_ws(' ', '{mart.table}', {key})", key)}"""


# Sessions begin in the ledger when their first event does, also on days that are dropped.
_SESSIONS_BEGUN = f"""
WITH closed AS (SELECT run_id FROM ops.runs WHERE closed_at IS NOT NULL), found AS (
    SELECT run_id, date_trunc('minute', started_at, 'UTC') AS minute, count(*) AS sessions
    FROM mart.sessions INNER JOIN closed USING (run_id) WHERE first_seq = 1 GROUP BY 1, 2
), wanted AS (
    SELECT run_id, minute, sum(sessions_begun) AS sessions
    FROM ops.ledger INNER JOIN closed USING (run_id)
    GROUP BY run_id, minute HAVING sum(sessions_begun) > 0
){differing("format('sessions begun of run %%s minute %%s', run_id, minute)", "run_id, minute")}"""

# A session ends in the ledger with its last event; if that one is lost, it seems to end before.
_SESSIONS_ENDED = """
WITH ledger AS (
    SELECT run_id, minute, sum(sessions_ended) AS ended, sum(lost_faults) AS lost
    FROM ops.ledger INNER JOIN ops.runs USING (run_id) WHERE closed_at IS NOT NULL
    GROUP BY run_id, minute
), last AS (
    SELECT run_id, date_trunc('minute', last_event_at, 'UTC') AS minute, count(*) AS sessions
    FROM mart.sessions GROUP BY 1, 2
)
SELECT format('run %%s has ended more sessions than it has', run_id)
FROM ledger LEFT JOIN last USING (run_id, minute) GROUP BY run_id
HAVING sum(greatest(ended - coalesce(sessions, 0), 0)) > sum(lost)
"""


def _ledger(what: str, sums: tuple[str, ...], made: str) -> str:
    """Return a query that compares sums of the ledger with those of events, minute by minute.

    For an ended shard, every minute is compared. For a running shard, only the minutes before the
    last one that was read, without those whose events have just arrived or may still arrive late.

    Args:
        what: The compared value, for the text of a defect.
        sums: The columns of the ledger.
        made: The same columns as SQL over ``raw.events``.
    """
    columns = ", ".join(sums)
    return f"""
WITH {_IN_LEDGER}, {_READ}, checked AS (
    SELECT run_id, shard, in_ledger.read_at, known.end_shard_seq IS NULL AS is_open,
        CASE WHEN known.end_shard_seq IS NULL
            THEN least(date_trunc('minute', read.event_time, 'UTC'), in_ledger.minute)
            ELSE 'infinity' END AS until
    FROM in_ledger INNER JOIN ops.shards AS known USING (run_id, shard)
    LEFT JOIN read USING (run_id, shard)
    WHERE known.end_shard_seq IS NULL
        OR known.stored_events + known.expired_events >= in_ledger.events
), stored AS (
    SELECT run_id, shard, date_trunc('minute', event_time, 'UTC') AS minute, {made},
        bool_or(is_open AND ingested_at > read_at - {_GRACE}) AS is_new
    FROM raw.events INNER JOIN checked USING (run_id, shard)
    WHERE event_time < until AND {is_kept("event_time")} GROUP BY 1, 2, 3
), found AS (
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
        )
    }"""


_LEDGER = _ledger(
    "ledger",
    ("events", *names((*COUNTERS, REVENUE)), "sessions_begun"),
    f"count(*) AS events, {selected((*COUNTERS, REVENUE))},"
    " count(*) FILTER (WHERE session_seq = 1) AS sessions_begun",
)
_ALTERED = _ledger("content of", ("content_checksum",), f"{_CONTENT} AS content_checksum")
# The ledger does not cover sent_at. The two times come from different clocks, cut to milliseconds.
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

_REJECT_COUNTS = f"""
WITH found AS (
    SELECT minute, rule, records FROM ops.quality_minute
    INNER JOIN ops.quality_rules USING (rule) WHERE severity = 'reject'
), wanted AS (
    SELECT date_trunc('minute', kafka_timestamp, 'UTC') AS minute, rule, count(*) AS records
    FROM ops.rejected_events GROUP BY 1, 2
){differing("format('quality_minute %%s %%s', minute, rule)", "minute, rule")}"""

_FLAG_COUNTS = f"""
WITH found AS (
    SELECT minute, rule, records FROM ops.quality_minute
    INNER JOIN ops.quality_rules USING (rule)
    WHERE severity = 'flag' AND {is_kept("minute")}
), wanted AS (
    SELECT date_trunc('minute', event_time, 'UTC') AS minute, rule, count(*) AS records
    FROM raw.events, string_to_table(flags, ',') AS rule
    WHERE flags IS NOT NULL AND {is_kept("event_time")} GROUP BY 1, 2
){differing("format('quality_minute %%s %%s', minute, rule)", "minute, rule")}"""

_UNKNOWN_RULES = """
SELECT format('quality_minute %%s counts the unknown rule %%s', minute, rule)
FROM ops.quality_minute LEFT JOIN ops.quality_rules USING (rule)
WHERE records < 1
    OR (quality_rules.rule IS NULL AND EXISTS (SELECT FROM ops.quality_rules))
"""

# A summary table is compared only if no batch came after its last computation.
_IS_COMPUTED = """
    (SELECT min(computed_at) FROM ops.summary_refreshes)
        > (SELECT max(committed_at) FROM ops.batches)
"""
_COHORTS = f"""
WITH found AS (SELECT simulation, cohort_day, day, visitors FROM mart.cohort_day),
wanted AS (SELECT simulation, cohort_day, day, visitors FROM ops.cohort_day_definition){
    differing(
        "concat_ws(' ', 'mart.cohort_day', simulation, cohort_day, day)",
        "simulation, cohort_day, day",
        _IS_COMPUTED,
    )
}"""
_SESSIONIZATION_COLUMNS = (
    "day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,"
    " true_converted, rule_converted"
)
_IS_COMPUTED_DAY = is_kept("(day - 1)::timestamp AT TIME ZONE 'UTC'")
_SESSIONIZATION = f"""
WITH found AS (
    SELECT {_SESSIONIZATION_COLUMNS} FROM mart.sessionization_day WHERE {_IS_COMPUTED_DAY}
), wanted AS (
    SELECT {_SESSIONIZATION_COLUMNS} FROM ops.sessionization_day_definition
    WHERE {_IS_COMPUTED_DAY}
){
    differing(
        "concat_ws(' ', 'mart.sessionization_day', simulation, day)",
        "simulation, day",
        _IS_COMPUTED,
    )
}UNION
SELECT concat_ws(' ', 'mart.sessionization_day', simulation, day)
FROM mart.sessionization_day
WHERE rule_sessions <> true_sessions - joined_boundaries + split_boundaries
    OR rule_converted > rule_sessions OR true_converted > true_sessions
"""

_SEALED = (
    *(mart.table for mart in MARTS if mart.kept_by),
    "mart.sessionization_day",
    "ops.ledger",
    "ops.quality_minute",
)
# Of a session that began on a dropped day, compare the columns that follow from its kept events.
_ACROSS_COLUMNS = (
    "session_id, simulation, run_id, user_id, persona, country, city, language, device, os,"
    " browser, channel, last_event_at, last_seq, exit_page"
)
_ACROSS = f"""
WITH kept AS (
    SELECT * FROM ({SESSIONS.select.format(source="raw.events")}) AS one
), across AS (
    SELECT known.* FROM mart.sessions AS known INNER JOIN kept USING (session_id)
    WHERE NOT {is_kept("known.started_at")}
), found AS (SELECT {_ACROSS_COLUMNS} FROM across), wanted AS (
    SELECT {_ACROSS_COLUMNS} FROM kept WHERE session_id IN (SELECT session_id FROM across)
){differing("format('session %%s after the dropped days', session_id)", "session_id")}"""

# Rows without stored events must be as they were when their events were dropped.
_SEALS = """
SELECT format('%s is not as it was when days before %s were dropped', relation, until)
FROM ops.seals, LATERAL ops.sealed_rows(relation, columns, since, until) AS now
WHERE (now.rows, now.checksum) IS DISTINCT FROM (seals.rows, seals.checksum)
UNION ALL
SELECT format('the seals of %s are not those of the days that were dropped', relation)
FROM (SELECT max_event_time FROM ops.progress WHERE query = 'retention') AS dropped
CROSS JOIN unnest({tables}) AS relation
LEFT JOIN LATERAL (
    SELECT min(since) AS since, max(until) AS until, count(*) AS ranges FROM ops.seals
    WHERE seals.relation = relation.relation
) AS known ON true
WHERE (known.since, known.until, known.ranges) IS DISTINCT FROM (
    timestamptz '-infinity', max_event_time, (SELECT count(DISTINCT since) FROM ops.seals)
)
UNION ALL
SELECT format('ops.seals has %s of days that are not dropped', relation) FROM ops.seals
WHERE NOT EXISTS (SELECT FROM ops.progress WHERE query = 'retention' AND max_event_time >= until)
    OR relation <> ALL ({tables})
UNION ALL
SELECT format('product %s was last seen at another time', known.product_id)
FROM mart.dim_product_versions AS known LEFT JOIN seen
    USING (simulation, product_id, product_name, brand, category, price_minor)
WHERE known.last_seen_at >= (SELECT max_event_time FROM ops.progress WHERE query = 'retention')
    AND known.last_seen_at IS DISTINCT FROM seen.last_seen_at
""".replace("%", "%%").replace("{tables}", f"ARRAY{list(_SEALED)}")
_SEALS = f"WITH seen AS ({PRODUCT_VERSIONS.select.format(source='raw.events')}) {_SEALS}"

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
# sessions of a shard lack at most the planted losses and the events that may still arrive late.
_ILLEGAL = f"""
WITH steps AS (
    SELECT run_id, shard, session_id, session_seq, event_name,
        lag(event_name) OVER session AS before, lag(session_seq) OVER session AS seq_before
    FROM raw.events
    WINDOW session AS (PARTITION BY session_id ORDER BY session_seq)
), gaps AS (
    SELECT run_id, shard, sum(session_seq - seq_before - 1) AS events
    FROM steps WHERE session_seq > seq_before + 1 GROUP BY run_id, shard
), allowed AS (
    SELECT run_id, shard, sum(lost_faults) + CASE WHEN bool_and(end_shard_seq IS NULL)
        THEN sum(late_faults) ELSE 0 END AS events
    FROM ops.ledger LEFT JOIN ops.shards USING (run_id, shard) GROUP BY run_id, shard
)
SELECT format('session %%s: %%s after %%s', session_id, event_name, coalesce(before, 'nothing'))
FROM steps
WHERE (session_seq = 1 AND event_name <> 'session_start')
    OR (seq_before = session_seq - 1 AND (before, event_name) NOT IN ({_LEGAL}))
    OR seq_before = session_seq
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

CHECKS: tuple[Check, ...] = (
    Check("numbers that are there", "lost", _LOST, has_counts=True),
    Check("numbers that are there once", "duplicated", _DUPLICATED, has_counts=True),
    Check("numbers that were sent", "phantom", _PHANTOM),
    Check("offsets without a gap", "lost", _OFFSETS),
    *(
        Check(
            f"{mart.table} by its definition",
            "session_mismatches" if mart.table == "mart.sessions" else "aggregate_mismatches",
            mart_query(mart),
        )
        for mart in MARTS
    ),
    Check("content of events", "altered", _ALTERED),
    Check("events sent after they happened", "altered", _SENT_EARLY),
    Check("ledger by events", "aggregate_mismatches", _LEDGER),
    Check("sessions begun", "aggregate_mismatches", _SESSIONS_BEGUN),
    Check("sessions ended", "aggregate_mismatches", _SESSIONS_ENDED),
    Check("orders by their lines", "aggregate_mismatches", _ORDER_SUMS),
    Check("counts of rejects", "aggregate_mismatches", _REJECT_COUNTS),
    Check("counts of flags", "aggregate_mismatches", _FLAG_COUNTS),
    Check("rules that are counted", "aggregate_mismatches", _UNKNOWN_RULES),
    Check("mart.cohort_day by its definition", "aggregate_mismatches", _COHORTS),
    Check("mart.sessionization_day by its definition", "aggregate_mismatches", _SESSIONIZATION),
    Check("sessions across dropped days", "session_mismatches", _ACROSS),
    Check("seals of dropped days", "aggregate_mismatches", _SEALS),
    *BOOKKEEPING,
    Check("steps of the journey", "illegal_transitions", _ILLEGAL),
)
"""All checks; checks of the same defect are added."""
