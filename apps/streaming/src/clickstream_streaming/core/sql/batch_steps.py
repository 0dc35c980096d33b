"""The statements about a batch itself: offsets, runs, shards, rejects, ledger and locks."""

from __future__ import annotations

from itertools import starmap

from clickstream_contract.ledger import GROWING_FIGURES, LEDGER_COLUMNS, MOST_REVISIONS
from clickstream_contract.run_truths import RUN_TRUTHS

from clickstream_streaming.core.sql.columns import listed, start_of
from clickstream_streaming.core.sql.ledger_by_shard import ADD_ENTRIES, CHANGES
from clickstream_streaming.core.sql.stages import REJECT_COLUMNS

__all__ = [
    "ADVANCE_WATERMARKS",
    "CLAIM_WRITER",
    "CLOSE_RUNS",
    "COUNT_BATCH",
    "COUNT_EXPIRED",
    "COUNT_SHARDS",
    "CURRENT_WRITER",
    "INSERT_RUNS",
    "INSERT_SHARDS",
    "KEPT_SINCE",
    "LEDGER_STEPS",
    "LOCK_DAYS",
    "LOCK_ROWS",
    "LOCK_ROWS_SHARED",
    "REJECT_STEPS",
    "STORED_AT",
    "STORED_END",
    "STORED_ENDS",
    "STORE_OFFSETS",
]

CLAIM_WRITER = """
SELECT set_config('clickstream.writer', number::text, true) FROM generate_series(0, 9999) AS number
WHERE pg_try_advisory_xact_lock(hashtext('clickstream.writer'), number) LIMIT 1
"""
"""Gives the transaction the lowest number that no other transaction has. So there are as many
numbers as transactions at the same time, however many partitions the topic has."""
CURRENT_WRITER = "(SELECT current_setting('clickstream.writer')::integer)"
"""The number of the transaction, as SQL."""

_LEDGER = tuple(field.name for field in LEDGER_COLUMNS)

INSERT_RUNS = """
INSERT INTO ops.runs (run_id, simulation)
SELECT run_id, any_value(simulation) FROM new_events GROUP BY run_id
UNION
SELECT (ledger ->> 'run_id')::uuid, ledger ->> 'simulation' FROM staged_ledger
WHERE ledger ->> 'kind' = 'run_start'
ORDER BY 1
ON CONFLICT DO NOTHING
"""
"""Events, the ledger's ``run_start`` and run records create a run. Other ledger records do not: an
invented ledger must not create runs."""


def _merged(parts: str) -> str:
    """Return the merge of a JSON array of run records as SQL.

    Revisions and rows of truth are sets. Of several starts the least counts, those without a
    document last. So neither the order of the ledger records nor a repeated one changes the result.
    """
    most = {"revisions": MOST_REVISIONS, **{kind: row.most for kind, row in RUN_TRUTHS.items()}}
    start = "part" + "".join(f" - '{name}'" for name in most)
    return f"""(
    WITH parts AS (
        SELECT jsonb_array_elements({parts}) AS part
    ), {", ".join(starmap(_kept, most.items()))}
    SELECT {start} || {" || ".join(f"{name}.member" for name in most)}
    FROM parts, {", ".join(most)}
    ORDER BY part -> 'document' = 'null', {start} LIMIT 1
)"""


def _kept(name: str, most: int) -> str:
    """Return a table expression for the first rows of a set in run records, as SQL.

    One more than ``most`` rows are kept: it says that there were others.
    """
    return f"""{name} AS (
        SELECT jsonb_build_object('{name}', coalesce(
            jsonb_agg(element ORDER BY element -> 'from_seconds', element), '[]')) AS member
        FROM (
            SELECT element FROM parts,
                jsonb_array_elements(coalesce(part -> '{name}', '[]')) AS element
            GROUP BY element ORDER BY element -> 'from_seconds', element LIMIT {most + 1}
        ) AS first_ones
    )"""


_STORE_RECORDS = f"""
INSERT INTO ops.runs AS known (run_id, simulation, started_at, record)
SELECT run_id, simulation, started_at, {_merged("given.parts")}
FROM (
    SELECT (ledger ->> 'run_id')::uuid AS run_id, min(ledger ->> 'simulation') AS simulation,
        min(to_timestamp((ledger -> 'run_record' ->> 'start_seconds')::float8)) AS started_at,
        jsonb_agg(ledger -> 'run_record') AS parts
    FROM staged_ledger
    WHERE ledger ->> 'kind' = 'revision' AND ledger ->> 'run_record' IS NOT NULL
    GROUP BY run_id
) AS given
ORDER BY run_id
ON CONFLICT (run_id) DO UPDATE SET
    started_at = least(known.started_at, excluded.started_at),
    record = {_merged("jsonb_build_array(excluded.record) || coalesce(known.record, '[]')")}
"""

STORED_AT = "SELECT ingested_at FROM raw.events WHERE event_id = %s AND event_time = %s"
"""Returns when an event was stored; all events of one COPY have the same time."""

INSERT_SHARDS = """
INSERT INTO ops.shard_states (run_id, shard, simulation)
SELECT run_id, shard, min(simulation) FROM new_events GROUP BY run_id, shard ORDER BY run_id, shard
ON CONFLICT DO NOTHING
"""

COUNT_SHARDS = f"""
WITH arrived AS (
    SELECT * FROM unnest(%(run_ids)s::uuid[], %(shards)s::integer[], %(checksums)s::bigint[])
        AS arrived (run_id, shard, checksum)
), stored AS (
    SELECT run_id, shard, count(*) AS events,
        count(*) FILTER (WHERE event_time < former.watermark) AS late_events
    FROM new_events LEFT JOIN ops.shard_states AS former USING (run_id, shard)
    GROUP BY run_id, shard
), counted AS (
    INSERT INTO ops.shard_events_by_writer AS known (run_id, shard, stored_events, late_events,
        arrivals_checksum, writer)
    SELECT run_id, shard, events, late_events, checksum, {CURRENT_WRITER}
    FROM stored INNER JOIN arrived USING (run_id, shard)
    ORDER BY run_id, shard
    ON CONFLICT (run_id, shard, writer) DO UPDATE SET
        stored_events = known.stored_events + excluded.stored_events,
        late_events = known.late_events + excluded.late_events,
        arrivals_checksum = known.arrivals_checksum + excluded.arrivals_checksum
)
SELECT sum(late_events)::bigint FROM stored
"""
"""Returns the number of late events: those before the watermark that their shard had after the
batch before. A shard without a watermark has no late event."""

REJECT_STEPS = (
    f"""
WITH stored AS (
    INSERT INTO ops.rejected_events ({listed(REJECT_COLUMNS)})
    SELECT {listed(REJECT_COLUMNS)} FROM staged_rejects
    ON CONFLICT DO NOTHING
    RETURNING {start_of("minute", "kafka_timestamp")} AS minute, rule
)
INSERT INTO ops.quality_minute_by_writer AS known (minute, rule, records, writer)
SELECT minute, rule, count(*), {CURRENT_WRITER} FROM stored
GROUP BY minute, rule ORDER BY minute, rule
ON CONFLICT (minute, rule, writer) DO UPDATE SET records = known.records + excluded.records
""",
)
"""Statements that store rejects."""

KEPT_SINCE = "SELECT max_event_time FROM ops.progress WHERE query = 'retention'"
"""Returns the first day that retention has kept; no row if it has kept all days."""

LOCK_DAYS = f"SELECT pg_advisory_xact_lock_shared(hashtext('raw.events.days')); {KEPT_SINCE}"
"""Keeps retention from dropping a day until the transaction ends. Runs after the offsets are
claimed."""

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
INSERT INTO ops.shard_states AS known (run_id, shard, simulation, dropped_numbers, expired_events)
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
WITH stored AS (
    INSERT INTO ops.ledger AS known ({listed(_LEDGER)})
    SELECT DISTINCT ON (row.run_id, row.shard, row.minute) {listed(_LEDGER, "row.")}
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
    RETURNING {CHANGES}
){ADD_ENTRIES}"""

_END_SHARDS = """
INSERT INTO ops.shard_states AS known
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

LEDGER_STEPS = (INSERT_RUNS, _STORE_RECORDS, _STORE_LEDGER, _END_SHARDS)
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
UPDATE ops.shard_states AS known SET watermark = given.watermark
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
    FROM ops.shard_states AS shards INNER JOIN ops.runs AS runs USING (run_id)
    WHERE runs.run_id = ANY(%(run_ids)s::uuid[]) AND runs.closed_at IS NULL
    GROUP BY run_id
    HAVING count(*) = max(shards.shards) AND bool_and(shards.end_shard_seq IS NOT NULL)
), drained AS (
    SELECT run_id, max(ledger.minute) + interval '1 min' AS ended_at
    FROM ended INNER JOIN ops.shards AS shards USING (run_id)
    LEFT JOIN ops.ledger_by_shard AS ledger USING (run_id, shard)
    GROUP BY run_id
    HAVING bool_and(shards.end_shard_seq = shards.stored_events + shards.expired_events
        + coalesce(ledger.lost_faults, 0))
)
UPDATE ops.runs SET closed_at = clock_timestamp(), ended_at = drained.ended_at
FROM drained WHERE runs.run_id = drained.run_id
RETURNING runs.run_id
"""
"""Closes those of a batch's runs whose every event is stored; other runs cannot have changed."""
