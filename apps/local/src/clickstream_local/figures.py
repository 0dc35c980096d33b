"""Figures of a pipeline, from the database and the metrics.

Owns the queries and scrapes behind the live view and the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from clickstream_local.web import open_url

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

__all__ = [
    "FunnelStep",
    "LiveFigures",
    "RunFigures",
    "is_drained",
    "read_live",
    "read_run",
    "scrape",
]

_LIVE_SECONDS = 15
_FUNNEL = (
    "SELECT name, sessions, percent_of_all FROM mart.funnel WHERE simulation = %s ORDER BY step"
)


@dataclass(frozen=True)
class FunnelStep:
    """One step of the funnel."""

    name: str
    sessions: int
    percent: float


@dataclass(frozen=True)
class LiveFigures:
    """The current figures of a running pipeline."""

    target_per_second: float
    achieved_per_second: float
    acknowledged: int
    stored: int
    rejected: int
    p50_seconds: float | None
    p95_seconds: float | None
    funnel: tuple[FunnelStep, ...]

    @property
    def lag_events(self) -> int:
        """Number of records in Kafka that the tables do not have."""
        return max(0, self.acknowledged - self.stored - self.rejected)


@dataclass(frozen=True)
class RunFigures:
    """The results of a run that is over."""

    kpis: dict[str, Any]
    funnel: tuple[FunnelStep, ...]
    top_products: tuple[tuple[str, str, int, int, Any], ...]
    p50_seconds: float
    p95_seconds: float
    first_row_at: float
    last_row_at: float
    achieved_per_second: float
    duplicates: int


def scrape(url: str) -> dict[str, float]:
    """Return a process's metrics, summed over labels; empty if the process does not answer."""
    try:
        with open_url(url, 2) as response:
            text = response.read().decode()
    except OSError:
        return {}
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def read_live(connection: Connection, simulation: str, generator_url: str) -> LiveFigures:
    """Return the current figures."""
    shown = scrape(generator_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(stored_events), 0) FROM ops.shards WHERE run_id IN"
            " (SELECT run_id FROM ops.runs WHERE simulation = %s"
            " ORDER BY first_seen_at DESC LIMIT 1)",
            (simulation,),
        )
        (stored,) = cursor.fetchone() or (0,)
        cursor.execute("SELECT count(*) FROM ops.rejected_events")
        (rejected,) = cursor.fetchone() or (0,)
        cursor.execute(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),"
            " percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds)"
            " FROM (SELECT extract(epoch FROM ingested_at - event_time)::float8 AS seconds"
            " FROM raw.events WHERE event_time > now() - %s * interval '1 second') AS recent",
            (_LIVE_SECONDS,),
        )
        p50, p95 = cursor.fetchone() or (None, None)
        cursor.execute(_FUNNEL, (simulation,))
        funnel = _steps(cursor.fetchall())
    return LiveFigures(
        target_per_second=shown.get("clickstream_generator_target_events_per_second", 0.0),
        achieved_per_second=shown.get("clickstream_generator_achieved_events_per_second", 0.0),
        acknowledged=int(shown.get("clickstream_generator_records_acknowledged_total", 0)),
        stored=int(stored),
        rejected=int(rejected),
        p50_seconds=p50,
        p95_seconds=p95,
        funnel=funnel,
    )


def is_drained(connection: Connection, run_id: UUID, ends: dict[tuple[str, int], int]) -> bool:
    """Return whether the run is closed and the stream has read all records in Kafka.

    Args:
        connection: The database.
        run_id: The run.
        ends: The offset after the last record, by topic and partition.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT closed_at IS NOT NULL FROM ops.runs WHERE run_id = %s", (str(run_id),)
        )
        closed = cursor.fetchone()
        cursor.execute(
            "SELECT topic, kafka_partition, max(until_offset) FROM ops.batches"
            " GROUP BY topic, kafka_partition"
        )
        read = {(topic, number): until for topic, number, until in cursor.fetchall()}
    return bool(closed and closed[0]) and all(read.get(at, 0) >= end for at, end in ends.items())


def read_run(connection: Connection, simulation: str, run_id: UUID) -> RunFigures:
    """Return the results of the run."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM mart.kpis WHERE simulation = %s", (simulation,))
        names = [column.name for column in cursor.description or ()]
        kpis = dict(zip(names, cursor.fetchone() or (), strict=False))
        cursor.execute(_FUNNEL, (simulation,))
        funnel = _steps(cursor.fetchall())
        cursor.execute(
            "SELECT product_name, category, views, pieces, revenue FROM mart.top_products"
            " WHERE simulation = %s ORDER BY revenue DESC, views DESC LIMIT 5",
            (simulation,),
        )
        top = tuple(cursor.fetchall())
        cursor.execute(
            "SELECT p50_seconds, p95_seconds FROM ops.latency WHERE run_id = %s", (str(run_id),)
        )
        p50, p95 = cursor.fetchone() or (0.0, 0.0)
        cursor.execute(
            "SELECT extract(epoch FROM min(ingested_at))::float8,"
            " extract(epoch FROM max(ingested_at))::float8,"
            " count(*) / nullif(extract(epoch FROM max(sent_at) - min(event_time)), 0)::float8"
            " FROM raw.events WHERE run_id = %s",
            (str(run_id),),
        )
        first, last, achieved = cursor.fetchone() or (0.0, 0.0, 0.0)
        cursor.execute(
            "SELECT coalesce(sum(duplicate_exact_faults + duplicate_conflicting_faults), 0)"
            " FROM ops.ledger WHERE run_id = %s",
            (str(run_id),),
        )
        (duplicates,) = cursor.fetchone() or (0,)
    return RunFigures(
        kpis, funnel, top, p50, p95, first or 0.0, last or 0.0, achieved or 0.0, int(duplicates)
    )


def _steps(rows: list[tuple[Any, ...]]) -> tuple[FunnelStep, ...]:
    return tuple(FunnelStep(name, sessions, float(percent)) for name, sessions, percent in rows)
