"""Each mart is compared with its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sql.checks import (
    CHECKS,
)
from clickstream_streaming.core.sql.event_marts import TRAFFIC
from clickstream_streaming.core.sql.mart import Mart, is_whole, source_of
from clickstream_streaming.core.sql.marts import MARTS

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.check import Check

VALUES = {"run_ids": "RUNS", "prefixes": "PREFIXES"}


def _of(mart: Mart) -> Check:
    """Return the check that compares a mart with its definition."""
    (found,) = (check for check in CHECKS if f"concat_ws(' ', '{mart.table}'," in check.query)
    return found


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_every_mart_is_compared(mart: Mart) -> None:
    """Each mart is compared with its definition over all kept events, in both directions."""
    check = _of(mart)

    is_sessions = mart.table == "mart.sessions"
    assert check.defect == ("session_mismatches" if is_sessions else "aggregate_mismatches")
    columns = ", ".join(mart.columns)
    assert f"SELECT {columns} FROM {mart.table} AS one" in check.query  # noqa: S608  compared only
    first = TRAFFIC[0]
    assert (first if mart in TRAFFIC else mart).select.format(source=source_of(mart)) in check.query
    sums = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    assert f"WHERE {is_whole(mart)} AND ({sums})\n" in check.query
    assert f"FROM found FULL JOIN wanted USING ({', '.join(mart.key)})" in check.query
    compared = ", ".join(f"wanted.{name}" for name in mart.columns)
    assert f"IS DISTINCT FROM ({compared})\n" in check.query


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_empty_sum_is_no_row(mart: Mart) -> None:
    """A sum that has come back to 0 is left out; rows of other marts all count."""
    query = _of(mart).query

    sums = " OR ".join(f"{name} <> 0" for name in mart.values)
    assert (f"AND ({sums})\n" in query) == mart.is_sum
    assert ("AND (true)\n" in query) != mart.is_sum


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_dropped_days_are_not_compared(mart: Mart) -> None:
    """Rows that can no longer be computed are left out of a mart that needs the days."""
    query = _of(mart).query

    assert ("WHERE true AND (" in query) == (not mart.kept_by)
    assert ("ops.progress WHERE query = 'retention'" in query) == bool(mart.kept_by)
