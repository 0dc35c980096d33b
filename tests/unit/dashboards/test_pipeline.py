"""The dashboard Pipeline."""

from __future__ import annotations

import promql_parser
import pytest
from built_boards import asked, rows_of
from grafana import fill_promql


def test_rows_are_in_order() -> None:
    """The figures come first, then rate, latency, rejects, state and each component."""
    assert list(rows_of("pipeline")) == [
        "At a glance", "Rate and lag", "Latency and batches", "Rejects", "State",
        "Rate, errors and duration per component",
    ]  # fmt: skip


def test_components_show_alike() -> None:
    """Each component has its rate and its errors."""
    titles = rows_of("pipeline")["Rate, errors and duration per component"]

    for component in ("Generator", "Stream", "Operator", "Console"):
        assert {f"{component}: rate", f"{component}: errors"} <= set(titles)


@pytest.mark.parametrize(("title", "expr"), asked("pipeline", "expr"))
def test_expressions_are_promql(title: str, expr: str) -> None:
    """Every expression is PromQL over the contract's metrics of the chosen processes."""
    assert promql_parser.parse(fill_promql(expr)), title
    assert "clickstream_" in expr
    assert 'job=~"$job", instance=~"$instance"' in expr


@pytest.mark.parametrize(
    ("title", "expr"),
    [(title, expr) for title, expr in asked("pipeline", "expr") if "_bucket" in expr],
)
def test_quantiles_keep_their_buckets(title: str, expr: str) -> None:
    """A histogram is summed by its buckets' bounds, over what came in a range."""
    assert "le" in expr.partition("sum by (")[2].partition(")")[0], title
    assert "rate(" in expr or "increase(" in expr
