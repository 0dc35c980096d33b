"""Finding and filling the dashboards' queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from clickstream_bench.queries import _queries, filled

_SINCE, _UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
_FROM, _TO = "'2026-01-01T00:00:00+00:00'", "'2026-01-02T00:00:00+00:00'"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$__timeFilter(hour)", f"hour BETWEEN {_FROM} AND {_TO}"),
        ("$__timeFrom() < $__timeTo()", f"{_FROM} < {_TO}"),
        ("'$__interval'::interval", "'5 minutes'::interval"),
        ("${interval:sqlstring}::interval", "'1h'::interval"),
        ("IN (${simulation:sqlstring})", "IN (SELECT DISTINCT simulation FROM ops.runs)"),
        ("IN (${country:sqlstring})", "IN (SELECT country FROM mart.dim_country)"),
        ("IN (${device:sqlstring})", "IN (SELECT device FROM mart.dim_device)"),
    ],
)
def test_variables_stand_for_all(query: str, expected: str) -> None:
    """Each macro and variable is filled as Grafana does, with all values chosen."""
    assert filled(query, _SINCE, _UNTIL) == expected


def test_nothing_is_left_to_fill() -> None:
    """A query with every variable holds none of them afterwards."""
    query = (
        "SELECT date_bin('$__interval'::interval, hour, now()) FROM mart.sessions_hour"
        " WHERE $__timeFilter(hour) AND hour < $__timeTo()::timestamptz"
        " AND simulation IN (${simulation:sqlstring}) AND country IN (${country:sqlstring})"
        " AND device IN (${device:sqlstring}) AND ${interval:sqlstring}::interval > $__timeFrom()"
    )

    assert "$" not in filled(query, _SINCE, _UNTIL)


def test_every_query_is_found() -> None:
    """Rows of panels are looked into, and only SQL is taken."""
    panels: list[dict[str, Any]] = [
        {"title": "row", "panels": [{"title": "inner", "targets": [{"rawSql": "SELECT 1"}]}]},
        {"title": "outer", "targets": [{"expr": "up"}, {"rawSql": ""}, {"rawSql": "SELECT 2"}]},
        {"targets": [{"rawSql": "SELECT 3"}]},
        {"title": "text"},
    ]

    assert list(_queries(panels)) == [
        ("inner", "SELECT 1"), ("outer", "SELECT 2"), ("?", "SELECT 3"),
    ]  # fmt: skip
