"""The checks that compare marts with their definitions and with each other.

Each query returns its defects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.check import Check, differing
from clickstream_streaming.core.sql.columns import start_of
from clickstream_streaming.core.sql.event_marts import PRODUCT_VERSIONS, TRAFFIC, traffic_sums
from clickstream_streaming.core.sql.mart import is_kept, is_whole, source_of
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.mart import Mart

__all__ = ["DEFINITION_CHECKS", "SUM_CHECKS", "definition_check"]


def definition_check(mart: Mart) -> Check:
    """Return the check that compares a mart with its definition over all stored events."""
    is_traffic = mart in TRAFFIC
    if mart is TRAFFIC[0]:
        definition = "TABLE minutes"
    elif is_traffic:
        definition = traffic_sums(mart, "minutes")
    else:
        definition = mart.select.format(source=source_of(mart))
    return Check(
        f"{mart.table} by its definition",
        "session_mismatches" if mart is SESSIONS else "aggregate_mismatches",
        _mart_query(mart, definition),
        basis=_MINUTES if is_traffic else "",
        is_hashed=is_traffic,
    )


# Hours and days are sums of minutes, so the events are counted once.
_MINUTES = f"minutes AS ({TRAFFIC[0].select.format(source='raw.events')})"


def _mart_query(mart: Mart, definition: str) -> str:
    """Return a query that compares a mart with the rows of its definition."""
    columns = ", ".join(mart.columns)
    key = ", ".join(mart.key)
    kept = is_kept(mart.kept_by) if mart.kept_by else "true"
    # A row whose sums are all 0 is equivalent to no row.
    sums = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    return f"""
WITH found AS (
    SELECT {columns} FROM {mart.table} AS one WHERE {kept} AND ({sums})
), wanted AS (
    SELECT {columns} FROM ({definition}) AS one
    WHERE {is_whole(mart)} AND ({sums})
){differing(f"concat_ws(' ', '{mart.table}', {key})", key, ", ".join(mart.values))}"""


# Sessions begin in the ledger when their first event does, also on days that are dropped.
_SESSIONS_BEGUN = f"""
WITH closed AS (SELECT run_id FROM ops.runs WHERE closed_at IS NOT NULL), found AS (
    SELECT run_id, date_trunc('minute', started_at, 'UTC') AS minute, count(*) AS sessions
    FROM mart.sessions INNER JOIN closed USING (run_id) WHERE first_seq = 1 GROUP BY 1, 2
), wanted AS (
    SELECT run_id, minute, sum(sessions_begun) AS sessions
    FROM ops.ledger INNER JOIN closed USING (run_id)
    GROUP BY run_id, minute HAVING sum(sessions_begun) > 0
){
    differing(
        "format('sessions begun of run %%s minute %%s', run_id, minute)",
        "run_id, minute",
        "sessions",
    )
}"""

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
){differing("format('quality_minute %%s %%s', minute, rule)", "minute, rule", "records")}"""

_FLAG_COUNTS = f"""
WITH found AS (
    SELECT minute, rule, records FROM ops.quality_minute
    INNER JOIN ops.quality_rules USING (rule)
    WHERE severity = 'flag' AND {is_kept("minute")}
), wanted AS (
    SELECT {start_of("minute", "event_time")} AS minute, rule, count(*) AS records
    FROM raw.events, string_to_table(flags, ',') AS rule
    WHERE flags IS NOT NULL AND {is_kept("event_time")} GROUP BY 1, 2
){differing("format('quality_minute %%s %%s', minute, rule)", "minute, rule", "records")}"""

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
        "visitors",
        _IS_COMPUTED,
    )
}"""
_SESSIONIZATION_VALUES = (
    "true_sessions, rule_sessions, joined_boundaries, split_boundaries,"
    " true_converted, rule_converted"
)
_SESSIONIZATION_COLUMNS = f"day, simulation, {_SESSIONIZATION_VALUES}"
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
        _SESSIONIZATION_VALUES,
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
_ACROSS_VALUES = (
    "simulation, run_id, user_id, persona, country, city, language, device, os,"
    " browser, channel, last_event_at, last_seq, exit_page"
)
_BEGAN_BEFORE = f"SELECT session_id FROM {SESSIONS.table} WHERE NOT {is_kept('started_at')}"
_ACROSS_EVENTS = f"(SELECT * FROM raw.events WHERE session_id IN ({_BEGAN_BEFORE}))"
_ACROSS = f"""
WITH kept AS (
    SELECT * FROM ({SESSIONS.select.format(source=_ACROSS_EVENTS)}) AS one
), found AS (
    SELECT session_id, {_ACROSS_VALUES} FROM {SESSIONS.table}
    WHERE session_id IN (SELECT session_id FROM kept)
), wanted AS (SELECT session_id, {_ACROSS_VALUES} FROM kept){
    differing(
        "format('session %%s after the dropped days', session_id)", "session_id", _ACROSS_VALUES
    )
}"""

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
    USING (simulation, product_id, product_name, brand, category, price_minor, currency)
WHERE known.last_seen_at >= (SELECT max_event_time FROM ops.progress WHERE query = 'retention')
    AND known.last_seen_at IS DISTINCT FROM seen.last_seen_at
""".replace("%", "%%").replace("{tables}", f"ARRAY{list(_SEALED)}")
_SEALS = f"WITH seen AS ({PRODUCT_VERSIONS.select.format(source='raw.events')}) {_SEALS}"

DEFINITION_CHECKS: tuple[Check, ...] = tuple(map(definition_check, MARTS))
"""A check for each mart."""

SUM_CHECKS: tuple[Check, ...] = (
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
)
"""The checks of marts with each other, and of days whose events are dropped."""
