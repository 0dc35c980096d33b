"""The questions that the API answers, as SQL over the views; values are always bound.

Owns every statement. A statement reads a view of ``mart`` or ``ops`` if there is one, so that the
console shows the same figures as a dashboard or a shell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from clickstream_console.core.parameters import Cursor

if TYPE_CHECKING:
    from clickstream_console.core.parameters import (
        LatencyAsked,
        OfSimulation,
        Paged,
        ProductsAsked,
        SessionsAsked,
        Since,
        TimelineAsked,
    )

__all__ = [
    "CHANNELS",
    "COUNTRIES",
    "DEVICES",
    "Question",
    "funnel",
    "hours",
    "known",
    "kpis",
    "latency",
    "minutes",
    "products",
    "pulse",
    "segments",
    "sessions",
    "shards",
    "simulations",
    "totals",
]

_PULSE_SECONDS = 15


@dataclass(frozen=True)
class Question:
    """A statement with its values; the answers to equal questions are cached for a while.

    Attributes:
        sql: The statement, with names such as ``%(limit)s`` for values.
        values: The values by name, as pairs.
    """

    sql: LiteralString
    values: tuple[tuple[str, Any], ...] = ()


def _question(sql: LiteralString, asked: OfSimulation | Paged, **more: object) -> Question:
    values = {**asked.model_dump(), **more}
    if "limit" in values:
        values["one_more"] = values["limit"] + 1
    return Question(sql, tuple(values.items()))


def simulations(asked: Paged) -> Question:
    """Simulations with their latest run, the latest first."""
    return _question(
        "SELECT simulation, runs, run_id, first_seen_at, closed_at,"
        " (SELECT currency FROM mart.dim_product_versions AS product"
        " WHERE product.simulation = latest.simulation LIMIT 1) AS currency FROM ("
        " SELECT DISTINCT ON (simulation) simulation, run_id, first_seen_at, closed_at,"
        " count(*) OVER (PARTITION BY simulation) AS runs"
        " FROM ops.runs ORDER BY simulation, first_seen_at DESC, run_id) AS latest"
        " ORDER BY first_seen_at DESC, simulation LIMIT %(one_more)s OFFSET %(offset)s",
        asked,
    )


def known(asked: OfSimulation) -> Question:
    """Return whether the simulation has a run: one row or none."""
    sql: LiteralString = "SELECT true FROM ops.runs WHERE simulation = %(simulation)s LIMIT 1"
    return Question(sql, (("simulation", asked.simulation),))


def kpis(asked: OfSimulation) -> Question:
    """The shop in one row."""
    return _question("SELECT * FROM mart.kpis WHERE simulation = %(simulation)s", asked)


def hours(asked: TimelineAsked) -> Question:
    """The shop hour by hour, the latest first."""
    return _question(
        "SELECT * FROM mart.kpis_hour WHERE simulation = %(simulation)s"
        " AND hour >= coalesce(%(since)s, '-infinity'::timestamptz)"
        " AND hour < coalesce(%(until)s, 'infinity'::timestamptz)"
        " ORDER BY hour DESC LIMIT %(one_more)s OFFSET %(offset)s",
        asked,
    )


def funnel(asked: OfSimulation) -> Question:
    """The steps on the way to an order."""
    return _question(
        "SELECT step, name, sessions, percent_of_all, percent_of_previous FROM mart.funnel"
        " WHERE simulation = %(simulation)s ORDER BY step",
        asked,
    )


def minutes(asked: TimelineAsked) -> Question:
    """Traffic minute by minute, the latest first."""
    return _question(
        "SELECT minute, sum(events)::bigint AS events,"
        " sum(session_start_events)::bigint AS sessions, sum(purchase_events)::bigint AS orders,"
        " (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue"
        " FROM mart.traffic_minute WHERE simulation = %(simulation)s"
        " AND minute >= coalesce(%(since)s, '-infinity'::timestamptz)"
        " AND minute < coalesce(%(until)s, 'infinity'::timestamptz)"
        " GROUP BY minute ORDER BY minute DESC LIMIT %(one_more)s OFFSET %(offset)s",
        asked,
    )


def products(asked: ProductsAsked) -> Question:
    """Products, sorted by a figure, the highest first."""
    return _question(
        "SELECT product_id, product_name, category, views, carts, orders, pieces, revenue,"
        " view_to_cart_percent, cart_to_purchase_percent FROM mart.top_products"
        " WHERE simulation = %(simulation)s"
        " AND (%(category)s::text IS NULL OR category = %(category)s)"
        " ORDER BY CASE %(sort)s WHEN 'revenue' THEN revenue WHEN 'orders' THEN orders"
        " WHEN 'pieces' THEN pieces WHEN 'carts' THEN carts ELSE views END DESC,"
        " views DESC, product_id LIMIT %(one_more)s OFFSET %(offset)s",
        asked,
    )


_SEGMENT: LiteralString = (
    "SELECT {key} AS key, {name} AS name, sum(sessions)::bigint AS sessions,"
    " sum(converted_sessions)::bigint AS converted_sessions,"
    " round(100.0 * sum(converted_sessions) / nullif(sum(sessions), 0), 2) AS conversion_percent,"
    " sum(orders)::bigint AS orders, (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue"
    " FROM mart.sessions_hour AS hours {join} WHERE simulation = %(simulation)s"
    " AND hour >= coalesce(%(since)s, '-infinity'::timestamptz)"
    " GROUP BY 1, 2 ORDER BY sessions DESC, key"
)
COUNTRIES: LiteralString = _SEGMENT.format(
    key="hours.country",
    name="coalesce(named.name, hours.country)",
    join="LEFT JOIN mart.dim_country AS named USING (country)",
)
DEVICES: LiteralString = _SEGMENT.format(key="device", name="initcap(device)", join="")
CHANNELS: LiteralString = _SEGMENT.format(
    key="channel", name="initcap(replace(channel, '_', ' '))", join=""
)


def segments(sql: LiteralString, asked: Since) -> Question:
    """Sessions by country, device or channel: the statement says which."""
    return _question(sql, asked)


def sessions(asked: SessionsAsked) -> Question:
    """Sessions, the latest first."""
    micros, session_id = Cursor.read(asked.cursor) if asked.cursor else (None, None)
    return _question(
        "SELECT session_id, user_id, persona, country, city, device, browser, channel,"
        " started_at, last_event_at, entry_page, exit_page, events, pages,"
        " purchase_events AS orders, (revenue_minor / 100.0)::numeric(18, 2) AS revenue,"
        " (left_minor / 100.0)::numeric(18, 2) AS value_left, duration_seconds,"
        " is_bounce, is_converted, is_abandoned, is_final"
        " FROM mart.fact_sessions WHERE simulation = %(simulation)s"
        " AND (started_at, session_id) < (coalesce("
        "'epoch'::timestamptz + %(micros)s::bigint * interval '1 microsecond', 'infinity'),"
        " coalesce(%(session_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))"
        " AND (%(country)s::text IS NULL OR country = %(country)s)"
        " AND (%(device)s::text IS NULL OR device = %(device)s)"
        " AND (%(channel)s::text IS NULL OR channel = %(channel)s)"
        " AND CASE %(outcome)s::text WHEN 'converted' THEN is_converted"
        " WHEN 'abandoned' THEN is_abandoned WHEN 'bounced' THEN is_bounce ELSE true END"
        " ORDER BY started_at DESC, session_id DESC LIMIT %(one_more)s",
        asked,
        micros=micros,
        session_id=session_id,
    )


def latency(asked: LatencyAsked) -> Question:
    """Latency from event time to the row: of each run as a whole, or of the last seconds."""
    if asked.window_seconds is None:
        return _question(
            "SELECT run_id, events, p50_seconds, p95_seconds, p99_seconds FROM ops.latency"
            " WHERE simulation = %(simulation)s ORDER BY run_id",
            asked,
        )
    return _question(
        "SELECT run_id, count(*) AS events,"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,"
        " percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds,"
        " percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) AS p99_seconds"
        " FROM (SELECT run_id, extract(epoch FROM ingested_at - event_time)::float8 AS seconds"
        " FROM raw.events WHERE simulation = %(simulation)s"
        " AND event_time > now() - %(window_seconds)s * interval '1 second') AS measured"
        " GROUP BY run_id ORDER BY run_id",
        asked,
    )


def shards(asked: OfSimulation) -> Question:
    """Sent and stored events per shard."""
    return _question(
        "SELECT run_id, shard, sent_events, planted_losses, stored_events, missing_events,"
        " unconfirmed_events FROM ops.integrity WHERE simulation = %(simulation)s"
        " ORDER BY run_id, shard",
        asked,
    )


def totals(asked: OfSimulation) -> Question:
    """Totals of events, orders and revenue by ledger, event and session; and the rejects."""
    return _question(
        "WITH counted AS ("
        " SELECT 1 AS by, coalesce(sum(events), 0) AS events,"
        " coalesce(sum(purchase_events), 0) AS orders,"
        " coalesce(sum(revenue_minor), 0) AS revenue_minor"
        " FROM ops.ledger_by_shard WHERE simulation = %(simulation)s UNION ALL"
        " SELECT 2, coalesce(sum(events), 0), coalesce(sum(purchase_events), 0),"
        " coalesce(sum(revenue_minor), 0)"
        " FROM mart.traffic_day WHERE simulation = %(simulation)s UNION ALL"
        " SELECT 3, coalesce(sum(events), 0), coalesce(sum(orders), 0),"
        " coalesce(sum(revenue_minor), 0)"
        " FROM mart.sessions_hour WHERE simulation = %(simulation)s)"
        " SELECT figure, max(value) FILTER (WHERE by = 1) AS ledger,"
        " max(value) FILTER (WHERE by = 2) AS traffic,"
        " max(value) FILTER (WHERE by = 3) AS sessions,"
        " (SELECT coalesce(sum(records), 0)::bigint FROM ops.quality_minute"
        " INNER JOIN ops.quality_rules USING (rule) WHERE severity = 'reject') AS rejected_records"
        " FROM counted CROSS JOIN LATERAL (VALUES (1, 'events', events), (2, 'orders', orders),"
        " (3, 'revenue', (revenue_minor / 100.0)::numeric(18, 2))) AS row (place, figure, value)"
        " GROUP BY place, figure ORDER BY place",
        asked,
    )


def pulse(asked: OfSimulation) -> Question:
    """The present figures of the latest run, from one snapshot: one row or none."""
    return _question(
        "WITH run AS (SELECT run_id, closed_at FROM ops.runs WHERE simulation = %(simulation)s"
        " ORDER BY first_seen_at DESC, run_id LIMIT 1),"
        " shard AS (SELECT stored_events AS stored, totals.shard_seq, totals.lost_faults,"
        " (SELECT target_milli_per_second FROM ops.ledger AS last"
        " WHERE (last.run_id, last.shard, last.minute)"
        " = (totals.run_id, totals.shard, totals.minute)) AS target_milli_per_second"
        " FROM ops.shards INNER JOIN run USING (run_id)"
        " LEFT JOIN ops.ledger_by_shard AS totals USING (run_id, shard))"
        " SELECT clock_timestamp() AS at, run.run_id, run.closed_at,"
        " (sum(target_milli_per_second) / 1000.0)::float8 AS target_per_second,"
        " coalesce(sum(stored), 0)::bigint AS stored_events,"
        " greatest(coalesce(sum(shard_seq - lost_faults), 0) - coalesce(sum(stored), 0),"
        " 0)::bigint AS waiting_events,"
        " (SELECT coalesce(sum(records), 0)::bigint FROM ops.quality_minute"
        " INNER JOIN ops.quality_rules USING (rule) WHERE severity = 'reject') AS rejected_records,"
        " (SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY"
        " extract(epoch FROM ingested_at - event_time)::float8) FROM raw.events"
        " WHERE run_id = run.run_id"
        " AND event_time > now() - %(seconds)s * interval '1 second') AS latencies"
        " FROM run LEFT JOIN shard ON true GROUP BY run.run_id, run.closed_at",
        asked,
        seconds=_PULSE_SECONDS,
    )
