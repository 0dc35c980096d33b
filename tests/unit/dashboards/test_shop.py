"""The dashboard Shop."""

from __future__ import annotations

import re

import pytest
from built_boards import asked, rows_of
from clickstream_dashboards.build import dashboard_json


def test_rows_are_in_order() -> None:
    """The figures come first, then traffic, the way to an order, products and sessions."""
    assert list(rows_of("shop")) == [
        "At a glance", "Traffic and revenue", "Funnel", "Products", "Carts left behind",
        "Sessions and visitors", "Incidents",
    ]  # fmt: skip
    assert all(rows_of("shop").values())


def test_everything_is_stored() -> None:
    """The shop needs no Prometheus."""
    assert asked("shop", "expr") == []
    names = {row["name"] for row in dashboard_json("shop")["templating"]["list"]}
    assert names == {
        "postgres_datasource",
        "currency",
        "simulation",
        "country",
        "device",
        "interval",
    }


@pytest.mark.parametrize(("title", "text"), asked("shop", "rawSql"))
def test_queries_read_roll_ups(title: str, text: str) -> None:
    """A month is as quick as a day: no query reads single events or sessions."""
    tables = set(re.findall(r"(?:FROM|JOIN)\s+((?:raw|mart|ops)\.\w+)", text))

    assert tables, title
    assert not tables & {"raw.events", "mart.fact_events", "mart.fact_sessions"}
    assert "${simulation:sqlstring}" in text


@pytest.mark.parametrize(("title", "text"), asked("shop", "rawSql"))
def test_shares_divide_by_no_zero(title: str, text: str) -> None:
    """A share of nothing is null: every division is by a constant or guarded."""
    divisors = re.findall(r" / (\S+)", text)

    assert [row for row in divisors if not re.match(r"nullif\(|[1-9]", row)] == [], title
