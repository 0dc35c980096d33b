"""What panels ask: SQL of the reader, and PromQL over the contract's metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickstream_dashboards.queries import (
    PromQuery,
    Query,
    SqlQuery,
    by_simulation,
    chosen,
    in_hours,
    of,
    targets,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder

_PROMETHEUS = {"type": "prometheus", "uid": "${prometheus_datasource}"}
_POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "${postgres_datasource}"}


def _built(*queries: Query) -> list[dict[str, Any]]:
    """Return targets as Grafana reads them."""
    return [json.loads(JSONEncoder().encode(row.build())) for row in targets(queries)]


def test_selector_has_the_choice() -> None:
    """A metric is selected by the job and instance that are chosen, and by its labels."""
    assert of("streaming_lag_records") == (
        'clickstream_streaming_lag_records{job=~"$job", instance=~"$instance"}'
    )
    assert of("streaming_event_latency_seconds", "_bucket") == (
        'clickstream_streaming_event_latency_seconds_bucket{job=~"$job", instance=~"$instance"}'
    )
    assert of("generator_simulation_info", simulation="$simulation") == (
        'clickstream_generator_simulation_info{job=~"$job", instance=~"$instance",'
        ' simulation=~"$simulation"}'
    )


def test_unknown_names_are_errors() -> None:
    """The contract's table is the only source of metrics and labels."""
    with pytest.raises(KeyError):
        of("streaming_magic_total")
    with pytest.raises(KeyError, match="clickstream_streaming_lag_records has no label colour"):
        of("streaming_lag_records", colour="red")


def test_figures_join_their_simulation() -> None:
    """A generator's figure is summed by the simulation that its process runs."""
    info = of("generator_simulation_info", simulation="$simulation")

    assert by_simulation("up", "instance") == (
        f"sum by (simulation, instance) ((up) * on (job, instance) group_left (simulation) {info})"
    )
    assert by_simulation("up").startswith("sum by (simulation) ((up)")


def test_fragments_quote_their_variables() -> None:
    """A variable with several values enters SQL only quoted."""
    assert chosen.count(":sqlstring}") == chosen.count("$") == 3
    assert "$__timeFrom()" in in_hours


@pytest.mark.parametrize(("is_series", "form"), [(True, "time_series"), (False, "table")])
def test_sql_is_sent_raw(form: str, *, is_series: bool) -> None:
    """A query of PostgreSQL is its text, as points or as a table."""
    assert _built(SqlQuery("SELECT 1", is_series=is_series)) == [
        {
            "datasource": _POSTGRES, "editorMode": "code", "format": form, "rawQuery": True,
            "rawSql": "SELECT 1", "refId": "A",
        }
    ]  # fmt: skip


def test_queries_are_lettered() -> None:
    """The queries of a panel are called A, B, C."""
    rows = _built(PromQuery("a"), PromQuery("b"), PromQuery("c"))

    assert [(row["refId"], row["expr"]) for row in rows] == [("A", "a"), ("B", "b"), ("C", "c")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (PromQuery("up"), {"range": True}),
        (PromQuery("up", "{{x}}"), {"range": True, "legendFormat": "{{x}}"}),
        (PromQuery("up", is_instant=True), {"instant": True, "format": "table"}),
        (PromQuery("up", "l", is_instant=True), {"instant": True, "legendFormat": "l"}),
        (PromQuery("up", is_heatmap=True), {"range": True, "format": "heatmap"}),
        (
            PromQuery("up", is_heatmap=True, is_instant=True),
            {"instant": True, "format": "heatmap"},
        ),
    ],
)
def test_promql_has_its_form(query: PromQuery, expected: dict[str, Any]) -> None:
    """A query of Prometheus is of a moment or a range, with the form that its panel needs."""
    (row,) = _built(query)

    shown = {key: value for key, value in row.items() if value not in (None, False, "")}
    assert shown == {"expr": "up", "refId": "A", "datasource": _PROMETHEUS, **expected}
