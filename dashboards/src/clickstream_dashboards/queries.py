"""The queries of panels: SQL of the reader, and PromQL over the contract's metrics.

Owns how a query names its data source, and the parts that all queries share. Variables with
several values enter SQL through Grafana's ``sqlstring``, which quotes each value. A metric that
is not in the contract is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from clickstream_contract.metrics import metric
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.models.dashboard import AnnotationTarget

__all__ = [
    "POSTGRES",
    "PROMETHEUS",
    "PromQuery",
    "Query",
    "SqlQuery",
    "annotation_target",
    "by_simulation",
    "chosen",
    "in_hours",
    "of",
    "targets",
]

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus_datasource}")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${postgres_datasource}")

in_hours = (
    "hour BETWEEN date_trunc('hour', $__timeFrom()::timestamptz) AND $__timeTo()::timestamptz"
)
"""The hours that overlap the dashboard's time range."""
chosen = (
    "simulation IN (${simulation:sqlstring}) AND country IN (${country:sqlstring})"
    " AND device IN (${device:sqlstring})"
)
"""The rows that the shop's variables choose."""


@dataclass(frozen=True)
class SqlQuery:
    """A query of PostgreSQL.

    Attributes:
        text: The statement; reads views and roll-ups, never raw.events.
        is_series: Whether its rows are points: a column ``time``, and optionally a text that
            names the series. Otherwise the rows are a table.
    """

    text: str
    is_series: bool = False


@dataclass(frozen=True)
class PromQuery:
    """A query of Prometheus.

    Attributes:
        expr: The expression.
        legend: The series' name; ``{{label}}`` is replaced by a label's value.
        is_instant: Whether it asks only for the end of the time range.
        is_heatmap: Whether its series are buckets.
    """

    expr: str
    legend: str = ""
    is_instant: bool = False
    is_heatmap: bool = False


Query = SqlQuery | PromQuery


def of(name: str, suffix: str = "", **labels: str) -> str:
    """Return the selector of a metric of the contract.

    Args:
        name: The metric, without ``clickstream_``.
        suffix: The suffix of a histogram: ``_bucket``, ``_sum`` or ``_count``.
        labels: The regular expressions that labels must match.

    Raises:
        KeyError: The contract has no such metric, or it has no such label.
    """
    row = metric(f"clickstream_{name}")
    for label in labels:
        if label not in row.labels:
            raise KeyError(f"{row.name} has no label {label}")
    matchers = {"job": "$job", "instance": "$instance", **labels}
    inside = ", ".join(f'{label}=~"{value}"' for label, value in matchers.items())
    return f"{row.name}{suffix}{{{inside}}}"


def by_simulation(expr: str, *labels: str) -> str:
    """Return the sum of a generator's metric per simulation and labels, of chosen simulations."""
    info = of("generator_simulation_info", simulation="$simulation")
    joined = f"({expr}) * on (job, instance) group_left (simulation) {info}"
    return f"sum by ({', '.join(('simulation', *labels))}) ({joined})"


class _Postgres(Dataquery):
    """PostgreSQL's query, for which the SDK has no model."""

    def __init__(self, query: SqlQuery, ref_id: str) -> None:
        self._json: dict[str, object] = {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": "time_series" if query.is_series else "table",
            "rawQuery": True,
            "rawSql": query.text,
            "refId": ref_id,
        }

    def to_json(self) -> dict[str, object]:
        return self._json


class _Built(Builder[Dataquery]):
    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def annotation_target(query: SqlQuery) -> Builder[AnnotationTarget]:
    """Return the query of annotations: columns ``time``, ``timeend``, ``text`` and ``tags``.

    https://grafana.com/docs/grafana/latest/datasources/postgres/annotations/
    """
    # The SDK's model has no query; Grafana accepts that of the data source.
    return cast("Builder[AnnotationTarget]", _Built(_Postgres(query, "Anno")))


def targets(queries: Sequence[Query]) -> list[Builder[Dataquery]]:
    """Return a panel's queries; all have one data source."""
    return [_target(query, chr(ord("A") + at)) for at, query in enumerate(queries)]


def _target(query: Query, ref_id: str) -> Builder[Dataquery]:
    if isinstance(query, SqlQuery):
        return _Built(_Postgres(query, ref_id))
    built = prometheus.Dataquery().expr(query.expr).ref_id(ref_id).datasource(PROMETHEUS)
    built = built.instant() if query.is_instant else built.range()
    if query.legend:
        built = built.legend_format(query.legend)
    if query.is_heatmap:
        built = built.format(PromQueryFormat.HEATMAP)
    elif query.is_instant and not query.legend:
        built = built.format(PromQueryFormat.TABLE)
    return _Built(built.build())
