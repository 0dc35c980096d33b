"""What the measurements make of what they see."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from clickstream_bench import queries, soak

if TYPE_CHECKING:
    from pathlib import Path


def test_the_slope_is_that_of_the_settled_part() -> None:
    """What is taken while caches fill is no leak; what grows afterwards is."""
    filling = [(minute / 10, 100.0 * minute) for minute in range(25)]
    leaking = [(minute / 10, 3_000.0 + 0.7 * minute / 10) for minute in range(25, 100)]

    assert soak._slope(filling + leaking) == pytest.approx(0.7)


def test_every_query_of_a_dashboard_is_found_and_filled(tmp_path: Path) -> None:
    """Rows of panels are looked into, and nothing that Grafana would fill in is left."""
    query = (
        "SELECT date_bin('$__interval'::interval, hour, now()) FROM mart.sessions_hour"
        " WHERE $__timeFilter(hour) AND hour < $__timeTo()::timestamptz"
        " AND simulation IN (${simulation:sqlstring}) AND country IN (${country:sqlstring})"
        " AND device IN (${device:sqlstring}) AND ${interval:sqlstring}::interval > $__timeFrom()"
    )
    row = {"title": "row", "panels": [{"title": "inner", "targets": [{"rawSql": query}]}]}
    prometheus = {"title": "outer", "targets": [{"expr": "up"}]}
    (tmp_path / "shop.json").write_text(json.dumps({"panels": [row, prometheus]}))
    found = list(queries._queries(json.loads((tmp_path / "shop.json").read_text())["panels"]))
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)

    assert [title for title, _ in found] == ["inner"]
    assert "$" not in queries.filled(found[0][1], since, until)
