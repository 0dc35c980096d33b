"""Figures of views are read from columns that their mart has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sql.columns import Column, names
from clickstream_streaming.core.sql.event_marts import PRODUCT_HOUR
from clickstream_streaming.core.sql.kpis import KPIS, PRODUCT_KPIS
from clickstream_streaming.core.sql.session_marts import SESSIONS_HOUR

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.mart import Mart


@pytest.mark.parametrize(
    ("figures", "mart"), [(KPIS, SESSIONS_HOUR), (PRODUCT_KPIS, PRODUCT_HOUR)],
    ids=["shop", "products"],
)  # fmt: skip
def test_figures_are_read_from_mart(figures: tuple[Column, ...], mart: Mart) -> None:
    """Each figure sums columns of its mart, and has a name of its own."""
    for figure in figures:
        assert {*re.findall(r"sum\((\w+)\)", figure.value)} <= {*mart.values}, figure.name
        assert "sum(" in figure.value
    assert len(set(names(figures))) == len(figures)


@pytest.mark.parametrize("figure", [*KPIS, *PRODUCT_KPIS], ids=lambda figure: figure.name)
def test_division_by_nothing_is_null(figure: Column) -> None:
    """A share of nothing is null, and no error."""
    assert figure.value.count("nullif(") == len(re.findall(r"/ (?!100|1000)", figure.value))


def test_money_is_in_units() -> None:
    """Revenue is in units of the currency, with cents; its mean is over the orders."""
    values = {figure.name: figure.value for figure in KPIS}

    assert values["revenue"] == "(sum(revenue_minor) / 100.0)::numeric(18, 2)"
    assert values["average_order_value"] == (
        "(sum(revenue_minor) / 100.0 / nullif(sum(orders), 0))::numeric(18, 2)"
    )
