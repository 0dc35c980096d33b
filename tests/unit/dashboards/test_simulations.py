"""The dashboard Simulations."""

from __future__ import annotations

import promql_parser
import pytest
from built_boards import asked, rows_of
from clickstream_contract.ledger import FAULT_NAMES
from grafana import fill_promql


def test_rows_are_in_order() -> None:
    """The figures come first, then rates, workers, and planted faults."""
    assert list(rows_of("simulations")) == [
        "At a glance", "Target against achieved", "Workers and shards", "Faults planted",
    ]  # fmt: skip


@pytest.mark.parametrize(("title", "expr"), asked("simulations", "expr"))
def test_expressions_are_promql(title: str, expr: str) -> None:
    """Every expression is PromQL over the contract's metrics."""
    assert promql_parser.parse(fill_promql(expr)), title
    assert "clickstream_" in expr


def test_rates_are_of_the_chosen() -> None:
    """Target and achieved rate are those of the simulations that are chosen."""
    found = dict(asked("simulations", "expr"))

    for title in ("Target", "Achieved"):
        assert 'simulation=~"$simulation"' in found[title]


@pytest.mark.parametrize("name", FAULT_NAMES)
def test_every_fault_is_shown(name: str) -> None:
    """Each kind of fault that the ledger counts is in the figures."""
    assert any(f"{name}_faults" in text for _, text in asked("simulations", "rawSql"))


@pytest.mark.parametrize(("title", "text"), asked("simulations", "rawSql"))
def test_ledger_is_read_by_choice(title: str, text: str) -> None:
    """What is stored is read from the ledger, for the chosen simulations only."""
    assert "raw.events" not in text, title
    assert "${simulation:sqlstring}" in text
