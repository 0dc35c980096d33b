"""The checks of the pipeline's own records: batches, runs, shards and rules.

Owns the SQL of these checks; each query returns one row per defect. The checks of events and marts
are in :mod:`clickstream_streaming.core.sql.checks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import DEVICES
from clickstream_contract.ledger import FAULT_NAMES, FAULT_REASONS
from clickstream_contract.quality import QUALITY_RULES
from clickstream_contract.topics import EVENTS, RejectReason

from clickstream_streaming.core.sql.check import Check, differing
from clickstream_streaming.core.sql.columns import COUNTERS, names
from clickstream_streaming.core.sql.ledger_by_shard import LEDGER_BY_SHARD

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BOOKKEEPING", "PLANTED_FAULTS", "REJECTS_BY_REASON"]

_COUNTS = ("stored_events", "known_events", "rejected_records", "ledger_records")


def _literal(value: object) -> str:
    """Return a trusted value as SQL; ``%`` is doubled, because the query has bound values."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''").replace("%", "%%") + "'"
    return str(value).lower()


def _given(table: str, columns: str, rows: Iterable[tuple[object, ...]]) -> str:
    """Return a query that compares a table with the contract's rows, unless the table is empty."""
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
    key, others = columns.split(", ", maxsplit=1)
    return f"""
WITH found AS (SELECT {columns} FROM {table}), wanted AS (
    SELECT * FROM (VALUES {values}) AS given ({columns})
    WHERE EXISTS (SELECT FROM {table})
){differing(f"concat_ws(' ', '{table}', {key})", key, others)}"""


_DATE_VALUES = "year, month, iso_week, iso_weekday, weekday, is_weekend"
_DATES = f"""
WITH found AS (TABLE mart.dim_date), wanted (day, {_DATE_VALUES}) AS (
    SELECT day::date, extract(year FROM day)::smallint, extract(month FROM day)::smallint,
        extract(week FROM day)::smallint, extract(isodow FROM day)::smallint,
        to_char(day, 'FMDay'), extract(isodow FROM day) > 5
    FROM generate_series(timestamp '2020-01-01', timestamp '2049-12-31', interval '1 day') AS day
){differing("concat_ws(' ', 'mart.dim_date', day)", "day", _DATE_VALUES)}"""

# Each offset of a batch belongs to a counted record, or has no committed record. Batches of older
# versions have nulls. The begin of a partition's first batch follows only from its counts.
_COUNTED = " + ".join((*_COUNTS, "skipped_offsets"))
_BATCH_SUMS = f"""
SELECT format('batch %%s of %%s/%%s read %%s offsets and accounts for %%s', batch_id, topic,
    kafka_partition, until_offset - from_offset, {_COUNTED})
FROM (
    SELECT *, lag(batch_id) OVER (
        PARTITION BY query, checkpoint_id, topic, kafka_partition ORDER BY batch_id
    ) IS NULL AS is_first
    FROM ops.batches
) AS tiles
WHERE until_offset - from_offset <> {_COUNTED} OR (from_offset IS NULL AND NOT is_first)
    OR num_nulls({", ".join(_COUNTS)}, late_events) NOT IN (0, {len(_COUNTS) + 1})
    OR skipped_offsets < 0
UNION ALL
SELECT format('%%s/%%s was read from %%s again, up to %%s all was read before', topic,
    kafka_partition, from_offset, ended)
FROM (
    SELECT topic, kafka_partition, from_offset, lag(until_offset) OVER (
        PARTITION BY query, topic, kafka_partition ORDER BY from_offset, until_offset
    ) AS ended
    FROM ops.batches WHERE from_offset < until_offset
) AS tiles WHERE from_offset < ended
UNION ALL
SELECT format('batch %%s of %%s/%%s counts %%s of %%s events late', batch_id, topic,
    kafka_partition, late_events, stored_events)
FROM ops.batches WHERE late_events NOT BETWEEN 0 AND stored_events + known_events
UNION ALL
SELECT format('the forgotten batches of %%s/%%s account for %%s offsets of %%s', topic,
    kafka_partition, {_COUNTED}, until_offset - from_offset)
FROM ops.forgotten_batches WHERE until_offset - from_offset <> {_COUNTED}
    OR late_events NOT BETWEEN 0 AND stored_events + known_events
UNION ALL
SELECT format('the forgotten batches of %%s/%%s do not fit those that are known', topic,
    kafka_partition)
FROM (
    SELECT DISTINCT ON (query, topic, kafka_partition) query, topic, kafka_partition,
        batch_id > 0 AND from_offset IS NOT NULL AS is_later
    FROM ops.batches ORDER BY query, topic, kafka_partition, from_offset NULLS FIRST, batch_id
) AS first
FULL JOIN ops.forgotten_batches AS known USING (query, topic, kafka_partition)
WHERE EXISTS (SELECT FROM ops.batches)
    AND (first.is_later IS NULL OR (first.is_later AND known.until_offset IS NULL))
"""

# Ranges of offsets with counts: one for each batch, and one for all forgotten batches, unless
# ops.batches was emptied since: a topic that was created again has other records at these offsets.
_RANGES = f"""ranges AS (
    SELECT topic, kafka_partition, coalesce(from_offset, until_offset - ({_COUNTED}))
            AS from_offset, until_offset, {", ".join(_COUNTS)}, late_events
    FROM ops.batches WHERE {_COUNTED} > 0
    UNION ALL
    SELECT topic, kafka_partition, from_offset, until_offset, {", ".join(_COUNTS)}, late_events
    FROM ops.forgotten_batches AS known WHERE until_offset > from_offset AND EXISTS (
        SELECT FROM ops.batches AS next WHERE next.from_offset = known.until_offset
            AND (next.topic, next.kafka_partition) = (known.topic, known.kafka_partition)
    )
), bounds AS (
    SELECT topic, kafka_partition, array_agg(from_offset ORDER BY from_offset) AS starts,
        array_agg(until_offset ORDER BY from_offset) AS ends
    FROM ranges GROUP BY topic, kafka_partition
)"""

_REJECTS_READ = f"""
WITH {_RANGES}, found AS (
    SELECT topic, kafka_partition, starts[place] AS from_offset, count(*) AS records
    FROM (
        SELECT topic, kafka_partition, kafka_offset, starts, ends,
            width_bucket(kafka_offset, starts) AS place
        FROM ops.rejected_events INNER JOIN bounds USING (topic, kafka_partition)
    ) AS placed WHERE place > 0 AND kafka_offset < ends[place]
    GROUP BY 1, 2, 3
)
SELECT format('%%s rejects of %%s/%%s from offset %%s, and %%s rows', ranges.rejected_records,
    ranges.topic, ranges.kafka_partition, ranges.from_offset, coalesce(found.records, 0))
FROM ranges LEFT JOIN found USING (topic, kafka_partition, from_offset)
WHERE ranges.rejected_records > coalesce(found.records, 0) AND NOT EXISTS (
    SELECT FROM ops.forgotten_rejects AS gone WHERE gone.until_offset > ranges.from_offset
        AND (gone.topic, gone.kafka_partition) = (ranges.topic, ranges.kafka_partition)
)
UNION ALL
SELECT format('%%s rejects of %%s/%%s, %%s rows and %%s deleted ones', sums.records, topic,
    kafka_partition, coalesce(stored.records, 0), coalesce(gone.records, 0))
FROM (
    SELECT topic, kafka_partition, sum(rejected_records) AS records FROM ranges
    GROUP BY topic, kafka_partition
) AS sums
LEFT JOIN (
    SELECT topic, kafka_partition, sum(records) AS records FROM found GROUP BY 1, 2
) AS stored USING (topic, kafka_partition)
LEFT JOIN (
    SELECT topic, kafka_partition, sum(records) AS records FROM ops.forgotten_rejects GROUP BY 1, 2
) AS gone USING (topic, kafka_partition)
WHERE sums.records > coalesce(stored.records, 0) + coalesce(gone.records, 0)
UNION ALL
SELECT format('reject %%s of %%s/%%s was never read', kafka_offset, topic, kafka_partition)
FROM ops.rejected_events AS one
WHERE EXISTS (SELECT FROM ops.batches) AND NOT EXISTS (
    SELECT FROM ops.batches AS known
    WHERE (known.topic, known.kafka_partition) = (one.topic, one.kafka_partition)
)
"""

# A dropped day may take events of any range: then only the sum shows how many are missing.
_EVENTS_READ = f"""
WITH {_RANGES}, dropped AS (
    SELECT coalesce(sum(dropped_events), 0) AS events FROM ops.shards
), found AS (
    SELECT kafka_partition, starts[place] AS from_offset, count(*) AS events
    FROM (
        SELECT events.kafka_partition, kafka_offset, starts, ends,
            width_bucket(kafka_offset, starts) AS place
        FROM raw.events AS events INNER JOIN bounds
            ON bounds.topic = '{EVENTS.name}' AND bounds.kafka_partition = events.kafka_partition
    ) AS placed WHERE place > 0 AND kafka_offset < ends[place]
    GROUP BY 1, 2
), compared AS (
    SELECT kafka_partition, from_offset, stored_events, coalesce(found.events, 0) AS events
    FROM ranges LEFT JOIN found USING (kafka_partition, from_offset)
    WHERE ranges.topic = '{EVENTS.name}'
)
SELECT format('%%s events of partition %%s from offset %%s, and %%s rows', stored_events,
    kafka_partition, from_offset, compared.events)
FROM compared, dropped WHERE compared.events < stored_events AND dropped.events = 0
UNION ALL
SELECT format('%%s events, %%s rows and %%s of dropped days', stored, stored_rows, events)
FROM (
    SELECT sum(stored_events) AS stored, sum(events) AS stored_rows FROM compared
) AS summed, dropped
WHERE stored > stored_rows + dropped.events
"""

# A record's key is a user, which names no run: planted faults are compared with all rejects of
# their reason. A generator that was killed may have sent a faulty record twice.
PLANTED_FAULTS = ", ".join(
    "('{}', {})".format(
        reason.value,
        " + ".join(f"{name}_faults" for name, own in FAULT_REASONS.items() if own is reason),
    )
    for reason in dict.fromkeys(FAULT_REASONS.values())
)
REJECTS_BY_REASON = """
    SELECT reason, count(*) AS records FROM ops.rejected_events GROUP BY reason
    UNION ALL
    SELECT reason, records FROM ops.forgotten_rejects
"""
"""Rejects by reason, including deleted ones; a reason may have several rows."""
_FAULTS_REJECTED = f"""
WITH wanted AS (
    SELECT reason, sum(faults) AS records
    FROM ops.ledger INNER JOIN ops.runs AS known USING (run_id),
        LATERAL (VALUES {PLANTED_FAULTS}) AS fault (reason, faults)
    WHERE known.closed_at IS NOT NULL
    GROUP BY reason
    UNION ALL
    SELECT '{RejectReason.DAY_DROPPED.value}', sum(expired_events) FROM ops.shards
), found AS (
    SELECT reason, sum(records) AS records FROM ({REJECTS_BY_REASON}) AS one GROUP BY reason
)
SELECT format('%%s records had to be rejected for %%s, and %%s were', wanted.records, reason,
    coalesce(found.records, 0))
FROM wanted LEFT JOIN found USING (reason)
WHERE wanted.records > coalesce(found.records, 0)
"""

_SHARD_COUNTS = """
WITH ledger AS (
    SELECT DISTINCT ON (run_id, shard) run_id, shard, shards, shard_seq, records_sent,
        records_acknowledged, simulation
    FROM ops.ledger ORDER BY run_id, shard, records_acknowledged DESC, shard_seq DESC, minute DESC
), stored AS (
    SELECT run_id, shard, count(*) AS events, min(simulation) AS simulation,
        max(simulation) AS other, max(event_time) AS latest,
        sum(ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_partition, kafka_offset))
            AS arrivals
    FROM raw.events GROUP BY run_id, shard
)
SELECT format('shard %%s of run %%s: ', shard, run_id) || problem
FROM ops.shards AS known
FULL JOIN ledger USING (run_id, shard)
FULL JOIN stored USING (run_id, shard)
LEFT JOIN ops.runs AS runs USING (run_id),
    LATERAL (VALUES
        (known.run_id IS NULL AND stored.run_id IS NOT NULL, 'it is not in ops.shards'),
        (runs.run_id IS NULL AND known.stored_events + known.expired_events > 0,
            'its run is not in ops.runs'),
        (known.stored_events <> coalesce(stored.events, 0) + known.dropped_events,
            format('%%s events stored, %%s rows and %%s of dropped days', known.stored_events,
                coalesce(stored.events, 0), known.dropped_events)),
        (known.stored_events = coalesce(stored.events, 0) + known.dropped_events
                AND known.arrivals_checksum <> coalesce(stored.arrivals, 0),
            'time or place of arrival of an event is not as it was stored'),
        (NOT (known.simulation = runs.simulation
                AND coalesce(ledger.simulation, runs.simulation) = runs.simulation
                AND coalesce(stored.simulation, runs.simulation) = runs.simulation
                AND coalesce(stored.other, runs.simulation) = runs.simulation),
            'its simulation has several names'),
        (ops.count_numbers(known.dropped_numbers) > known.dropped_events + known.expired_events,
            'it has dropped more numbers than events'),
        (known.late_events NOT BETWEEN 0 AND known.stored_events, 'more is late than is stored'),
        (known.watermark >= coalesce(stored.latest,
                (SELECT max_event_time FROM ops.progress WHERE query = 'retention'), '-infinity'),
            'its watermark is ahead of its events'),
        (known.shard >= coalesce(ledger.shards, known.shards), 'the run does not have it'),
        (known.shards <> ledger.shards OR known.end_shard_seq <> ledger.shard_seq
                OR known.records_sent <> ledger.records_sent
                OR known.records_acknowledged <> ledger.records_acknowledged,
            'its end is not that of its ledger'),
        (num_nulls(known.shards, known.end_shard_seq, known.records_sent,
                known.records_acknowledged) NOT IN (0, 4), 'it has ended in part'),
        (known.records_sent <> known.records_acknowledged, 'it ended before its acknowledgements')
    ) AS found (is_wrong, problem)
WHERE found.is_wrong
"""

_RUNS = """
WITH lost AS (
    SELECT run_id, shard, sum(lost_faults) AS events, max(minute) AS last_minute
    FROM ops.ledger GROUP BY run_id, shard
), states AS (
    SELECT run_id, count(*) = max(shards.shards) AND bool_and(
        shards.end_shard_seq IS NOT NULL
        AND shards.end_shard_seq
            = shards.stored_events + shards.expired_events + coalesce(lost.events, 0)
    ) IS TRUE AS is_over,
        sum(shards.stored_events + shards.expired_events) > 0 AS has_events,
        max(lost.last_minute) + interval '1 min' AS ended_at
    FROM ops.shards AS shards LEFT JOIN lost USING (run_id, shard) GROUP BY run_id
)
SELECT format('run %s: ', coalesce(runs.run_id, states.run_id)) || problem
FROM ops.runs AS runs FULL JOIN states USING (run_id),
    LATERAL (VALUES
        (runs.run_id IS NULL AND states.has_events, 'it is not in ops.runs'),
        (states.run_id IS NULL AND runs.closed_at IS NOT NULL, 'it has no shard'),
        (runs.closed_at IS NOT NULL AND NOT states.is_over, 'it is closed before its end'),
        (runs.closed_at IS NULL AND states.is_over
            AND (SELECT max(committed_at) FROM ops.batches) < clock_timestamp() - interval '1 min',
            'it is over and not closed'),
        (runs.ended_at <> states.ended_at, 'its end is not that of its ledger'),
        (runs.closed_at IS NULL AND runs.ended_at IS NOT NULL, 'it has ended and is not closed'),
        (runs.closed_at < runs.first_seen_at OR runs.closed_at > clock_timestamp(),
            'its closing time is not within the run')
    ) AS found (is_wrong, problem)
WHERE found.is_wrong
""".replace("%", "%%")

_NAMES = " + ".join(names(COUNTERS))
# Losses and late events send no additional record.
_COPIES = " + ".join(f"{name}_faults" for name in FAULT_NAMES if name not in {"late", "lost"})
_LEDGER_SUMS = f"""
WITH last AS (
    SELECT run_id, shard, max(records_acknowledged) AS records_acknowledged,
        max(shard_seq) AS shard_seq, sum(events + {_COPIES}) AS records, sum(events) AS events,
        sum(lost_faults) AS lost
    FROM ops.ledger GROUP BY run_id, shard
), sizes AS (SELECT run_id, min(shards) AS shards FROM ops.ledger GROUP BY run_id)
SELECT format('ledger run %%s shard %%s minute %%s: ', run_id, shard, minute) || problem
FROM ops.ledger AS one INNER JOIN last USING (run_id, shard)
INNER JOIN sizes USING (run_id)
LEFT JOIN ops.shards AS known USING (run_id, shard)
LEFT JOIN ops.runs AS runs USING (run_id),
    LATERAL (VALUES
        (one.events <> {_NAMES}, 'its events are not the sum of their names'),
        (one.records_sent < one.records_acknowledged, 'more is acknowledged than was sent'),
        (one.simulation <> runs.simulation, 'its simulation is not the run''s'),
        (one.shard >= one.shards OR one.minute <> date_trunc('minute', one.minute, 'UTC'),
            'there is no such shard or minute'),
        (one.shards <> sizes.shards, 'the run has another number of shards'),
        (one.events > 0 AND one.shard_seq < one.events, 'it names fewer numbers than events'),
        (known.end_shard_seq <> last.events + last.lost,
            'the shard''s numbers are not its events and its planted losses'),
        (last.records_acknowledged < last.records,
            'less is acknowledged than the minutes have')
    ) AS found (is_wrong, problem)
WHERE found.is_wrong
"""

# Some batches may be unknown, but not if the known ones cover all stored events.
_LATE = f"""
WITH {_RANGES}, batches AS (
    SELECT coalesce(sum(stored_events), 0) AS stored, coalesce(sum(late_events), 0) AS late
    FROM ranges
), shards AS (
    SELECT coalesce(sum(stored_events), 0) AS stored, coalesce(sum(late_events), 0) AS late
    FROM ops.shards
)
SELECT format('%%s events of shards were late, and %%s of batches', shards.late, batches.late)
FROM shards, batches
WHERE shards.late < batches.late OR (shards.late > batches.late AND shards.stored = batches.stored)
"""

_PROGRESS = """
SELECT format('ops.progress has the unknown query %s', query) FROM ops.progress
WHERE query <> 'retention'
UNION ALL
SELECT format('retention dropped days before %s, which is not the start of a day', max_event_time)
FROM ops.progress WHERE max_event_time <> date_trunc('day', max_event_time, 'UTC')
    OR max_event_time > clock_timestamp()
""".replace("%", "%%")

# There are no latencies of days that were dropped before latencies were counted, nor of a closed
# run that retention has dropped as a whole.
_LATENCIES = """
WITH stored AS (
    SELECT run_id, simulation, sum(stored_events) AS events, sum(dropped_events) AS dropped
    FROM ops.shards GROUP BY run_id, simulation HAVING sum(stored_events) > 0
), measured AS (
    SELECT run_id, simulation, sum(events) AS events FROM ops.latency_buckets
    GROUP BY run_id, simulation
)
SELECT format('latencies of run %%s: %%s of %%s events', run_id, coalesce(measured.events, 0),
    coalesce(stored.events, 0))
FROM stored FULL JOIN measured USING (run_id, simulation)
WHERE coalesce(measured.events, 0)
    NOT BETWEEN coalesce(stored.events - stored.dropped, 0) AND coalesce(stored.events, 0)
"""

_SUMMARY_REFRESHES = """
SELECT format('ops.summary_refreshes %s', summary_table) FROM ops.summary_refreshes
WHERE computed_at > clock_timestamp() OR NOT seconds BETWEEN 0 AND 86400
    OR summary_table NOT IN ('mart.cohort_day', 'mart.sessionization_day')
UNION ALL
SELECT 'ops.summary_refreshes lacks one' FROM ops.summary_refreshes HAVING count(*) NOT IN (0, 2)
""".replace("%", "%%")

_SEALED = {
    "ops.batches": "query, batch_id, topic, kafka_partition",
    "ops.forgotten_rejects": "topic, kafka_partition, reason",
    "ops.latency_buckets_by_writer": "run_id, bucket, writer",
    "ops.ledger": "run_id, shard, minute",
    "ops.rejected_events": "topic, kafka_partition, kafka_offset",
    "ops.runs": "run_id",
    "ops.shard_events_by_writer": "run_id, shard, writer",
    "ops.shard_states": "run_id, shard",
    "ops.summary_refreshes": "summary_table",
    "ops.verifications": "verified_at",
}
"""Tables whose rows have a seal, with the columns of their keys."""

_SEALS = " UNION ALL ".join(
    f"SELECT concat_ws(' ', '{table}', {key}, 'is not as it was written')"
    f" FROM {table} AS one WHERE seal <> ops.seal_of(one)"
    for table, key in _SEALED.items()
)

_HISTORIES = f"""
WITH found AS (SELECT relation, rows, seals FROM ops.histories), wanted AS (
    SELECT 'ops.verifications' AS relation, count(*) AS rows, coalesce(bit_xor(seal), 0) AS seals
    FROM ops.verifications
){
    differing(
        "format('%%s does not have the rows that were added to it', relation)",
        "relation",
        "rows, seals",
    )
}"""

BOOKKEEPING: tuple[Check, ...] = (
    Check(
        "countries of the contract",
        "aggregate_mismatches",
        _given(
            "mart.dim_country",
            "country, name, utc_offset_minutes, language",
            [
                (row.code, row.name, row.utc_offset_minutes, row.language)
                for row in COUNTRIES.values()
            ],
        ),
    ),
    Check(
        "devices of the contract",
        "aggregate_mismatches",
        _given(
            "mart.dim_device",
            "device, is_handheld",
            [(device, device != "desktop") for device in DEVICES],
        ),
    ),
    Check("days of the calendar", "aggregate_mismatches", _DATES),
    Check(
        "rules of the contract",
        "aggregate_mismatches",
        _given(
            "ops.quality_rules",
            "rule, field, severity, reason, doc",
            [
                (rule.name, rule.field, rule.severity.value, rule.reason.value, rule.doc)
                for rule in QUALITY_RULES
            ],
        ),
    ),
    Check("records that a batch read", "lost", _BATCH_SUMS),
    Check("rejects that were read", "lost", _REJECTS_READ),
    Check("events that were read", "lost", _EVENTS_READ),
    Check("faults that call for rejection", "aggregate_mismatches", _FAULTS_REJECTED),
    Check("counts of shards", "aggregate_mismatches", _SHARD_COUNTS),
    Check("ends of runs", "aggregate_mismatches", _RUNS),
    Check("sums of the ledger", "aggregate_mismatches", _LEDGER_SUMS),
    LEDGER_BY_SHARD,
    Check("late events by batches", "aggregate_mismatches", _LATE),
    Check("mark of retention", "aggregate_mismatches", _PROGRESS),
    Check("latencies by shards", "aggregate_mismatches", _LATENCIES),
    Check("times of summary tables", "aggregate_mismatches", _SUMMARY_REFRESHES),
    Check("seals of rows", "aggregate_mismatches", _SEALS),
    Check("rows of histories", "aggregate_mismatches", _HISTORIES),
)
"""All checks of the pipeline's own records."""
