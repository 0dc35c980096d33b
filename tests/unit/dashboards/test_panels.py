"""The kinds of panel: what all of one kind share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_dashboards.panels import bars, buckets, figure, listing, series
from clickstream_dashboards.queries import PromQuery, SqlQuery
from grafana_foundation_sdk.cog.encoder import JSONEncoder

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

_SQL, _PROM = SqlQuery("SELECT 1"), PromQuery("up")


def _built(panel: Builder[Panel]) -> dict[str, Any]:
    """Return a panel as Grafana reads it."""
    read: dict[str, Any] = json.loads(JSONEncoder().encode(panel.build()))
    return read


def _thresholds(panel: Builder[Panel]) -> list[tuple[object, str]]:
    steps = _built(panel)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(step["value"], step["color"]) for step in steps]


@pytest.mark.parametrize(
    ("panel", "kind", "place"),
    [
        (figure("T", "D", _SQL, "short"), "stat", (4, 4)),
        (figure("T", "D", _SQL, "short", width=8), "stat", (8, 4)),
        (series("T", "D", [_SQL], "short"), "timeseries", (12, 8)),
        (bars("T", "D", _SQL, "short"), "bargauge", (8, 8)),
        (bars("T", "D", _SQL, "short", width=5, height=6), "bargauge", (5, 6)),
        (listing("T", "D", _SQL), "table", (12, 9)),
        (listing("T", "D", _SQL, width=3, height=4), "table", (3, 4)),
        (buckets("T", "D", _SQL, "short"), "heatmap", (12, 8)),
    ],
)
def test_panels_say_what_they_are(panel: Builder[Panel], kind: str, place: tuple[int, int]) -> None:
    """Every kind has a title, a description, a unit, a size and a text for no data."""
    built = _built(panel)

    assert (built["type"], built["title"], built["description"]) == (kind, "T", "D")
    assert (built["gridPos"]["w"], built["gridPos"]["h"]) == place
    assert built["fieldConfig"]["defaults"]["unit"] in {"short", "none"}
    assert built["fieldConfig"]["defaults"]["noValue"].startswith("Nothing is stored")
    assert len(built["targets"]) == 1


def test_sources_follow_the_query() -> None:
    """A panel's source and its text for no data are those of its first query."""
    stored, scraped = _built(figure("T", "D", _SQL, "s")), _built(figure("T", "D", _PROM, "s"))

    assert stored["datasource"]["uid"] == "${postgres_datasource}"
    assert scraped["datasource"]["uid"] == "${prometheus_datasource}"
    assert scraped["fieldConfig"]["defaults"]["noValue"].startswith("No process shows")


def test_bounds_colour_a_figure() -> None:
    """A figure is red from a bound on, or below one; without a bound it has no colour."""
    assert _thresholds(figure("T", "D", _SQL, "s", red_from=1)) == [(None, "green"), (1, "red")]
    assert _thresholds(figure("T", "D", _SQL, "s", red_below=9)) == [(None, "red"), (9, "green")]
    assert _thresholds(figure("T", "D", _SQL, "s", red_below=0)) == [(None, "red"), (0, "green")]
    assert _thresholds(figure("T", "D", _SQL, "s")) == [(None, "green")]


@pytest.mark.parametrize(
    ("panel", "mode"),
    [
        (figure("T", "D", _SQL, "s"), "none"),
        (figure("T", "D", _SQL, "s", red_from=0), "value"),
        (figure("T", "D", _SQL, "s", red_below=0), "value"),
    ],
)
def test_plain_figures_have_no_colour(panel: Builder[Panel], mode: str) -> None:
    """Only a figure with a bound is coloured."""
    assert _built(panel)["options"]["colorMode"] == mode


def test_decimals_are_optional() -> None:
    """Grafana chooses the decimals unless they are given, zero included."""
    assert "decimals" not in _built(figure("T", "D", _SQL, "s"))["fieldConfig"]["defaults"]
    with_none = _built(figure("T", "D", _SQL, "s", decimals=0))
    assert with_none["fieldConfig"]["defaults"]["decimals"] == 0


@pytest.mark.parametrize(("is_bars", "style", "opacity"), [(True, "bars", 70), (False, "line", 10)])
def test_series_are_lines_or_bars(style: str, opacity: int, *, is_bars: bool) -> None:
    """Figures over time are thin lines, or bars that are filled."""
    custom = _built(series("T", "D", [_SQL], "s", is_bars=is_bars))["fieldConfig"]["defaults"][
        "custom"
    ]

    assert (custom["drawStyle"], custom["fillOpacity"]) == (style, opacity)


def test_series_may_be_stacked() -> None:
    """Figures lie on top of each other only where that is asked for."""

    def stacking(*, is_stacked: bool) -> object:
        panel = _built(series("T", "D", [_SQL], "s", is_stacked=is_stacked))
        return panel["fieldConfig"]["defaults"]["custom"].get("stacking")

    assert stacking(is_stacked=False) is None
    assert stacking(is_stacked=True) == {"mode": "normal", "group": "A"}


def test_columns_have_their_units() -> None:
    """A named column has a separate unit."""
    panel = _built(listing("T", "D", _SQL, {"revenue": "currencyEUR"}))

    assert panel["fieldConfig"]["overrides"] == [
        {
            "matcher": {"id": "byName", "options": "revenue"},
            "properties": [{"id": "unit", "value": "currencyEUR"}],
        }
    ]


def test_listing_may_be_a_matrix() -> None:
    """Three columns become rows, columns and values of a matrix."""
    panel = _built(listing("T", "D", _SQL, matrix=("from", "to", "share")))

    assert panel["transformations"] == [
        {
            "id": "groupingToMatrix",
            "options": {"rowField": "from", "columnField": "to", "valueField": "share"},
        }
    ]
    assert "transformations" not in _built(listing("T", "D", _SQL))
