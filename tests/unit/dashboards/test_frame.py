"""The frame of a dashboard: variables, links, rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clickstream_dashboards.frame import TAG, begin, row, with_postgres, with_prometheus, with_shop
from clickstream_dashboards.panels import figure
from clickstream_dashboards.queries import PromQuery
from grafana_foundation_sdk.cog.encoder import JSONEncoder

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard


def _begun() -> Dashboard:
    return begin("shop", "Shop", "What is sold.", "now-6h")


def _built(board: Dashboard) -> dict[str, Any]:
    """Return a dashboard as Grafana reads it."""
    read: dict[str, Any] = json.loads(JSONEncoder().encode(board.build()))
    return read


def _variables(board: Dashboard) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _built(board)["templating"]["list"]
    return rows


def test_dashboards_begin_alike() -> None:
    """A dashboard has a fixed identity, UTC, a range, and cannot be edited."""
    board = _built(_begun())

    assert (board["uid"], board["title"]) == ("clickstream-shop", "Shop")
    assert board["description"] == "What is sold."
    assert board["tags"] == [TAG] == ["clickstream"]
    assert board["editable"] is False
    assert board["timezone"] == "utc"
    assert board["time"] == {"from": "now-6h", "to": "now"}
    assert board["refresh"] == "30s"


def test_links_keep_the_choice() -> None:
    """One link leads to all dashboards and keeps variables and time."""
    (link,) = _built(_begun())["links"]

    assert (link["title"], link["type"], link["tags"]) == ("Clickstream", "dashboards", [TAG])
    assert (link["includeVars"], link["keepTime"]) == (True, True)


def test_rows_hold_their_panels() -> None:
    """A row's title comes before its panels, in their order."""
    panels = [figure(title, "x", PromQuery("up"), "short") for title in ("a", "b")]

    board = _built(row(row(_begun(), "First", panels[:1]), "Second", panels[1:]))

    titles = [(panel["type"], panel["title"]) for panel in board["panels"]]
    assert titles == [("row", "First"), ("stat", "a"), ("row", "Second"), ("stat", "b")]


def test_prometheus_is_chosen() -> None:
    """A Prometheus, jobs and instances can be chosen; all of them at first."""
    source, job, instance = _variables(with_prometheus(_begun()))

    assert (source["name"], source["type"], source["query"]) == (
        "prometheus_datasource", "datasource", "prometheus",
    )  # fmt: skip
    assert [row["name"] for row in (job, instance)] == ["job", "instance"]
    assert 'job=~"$job"' in instance["query"]
    for variable in (job, instance):
        assert (variable["multi"], variable["includeAll"]) == (True, True)
        assert variable["allValue"] == ".+"
        assert variable["current"]["value"] == ["$__all"]
        assert variable["datasource"]["uid"] == "${prometheus_datasource}"


def test_postgres_is_chosen() -> None:
    """A database, and simulations in it, can be chosen."""
    source, simulation = _variables(with_postgres(_begun()))

    assert (source["name"], source["query"]) == ("postgres_datasource", "postgres")
    assert simulation["name"] == "simulation"
    assert simulation["datasource"]["uid"] == "${postgres_datasource}"
    assert "ops.runs" in simulation["query"]


def test_one_currency_is_chosen() -> None:
    """A dashboard that adds money shows simulations of one currency, and one at a time."""
    _, currency, simulation = _variables(with_postgres(_begun(), shops_of_one_currency=True))

    assert (currency["name"], currency["multi"], currency["includeAll"]) == (
        "currency", False, False,
    )  # fmt: skip
    assert currency["current"]["value"] == ""
    assert "currency IN (${currency:sqlstring})" in simulation["query"]


def test_visitors_are_chosen() -> None:
    """Country, device and the width of a point can be chosen."""
    country, device, interval = _variables(with_shop(_begun()))

    assert [row["name"] for row in (country, device, interval)] == [
        "country", "device", "interval",
    ]  # fmt: skip
    assert "AS __value" in country["query"]
    assert interval["query"] == "1h,3h,6h,12h,1d,7d"
    assert interval["current"]["value"] == "1h"
