"""The kinds of panel, and what all panels of one kind share.

Every panel has a title, a description, a unit, and a text for the case without data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import bargauge, common, dashboard, heatmap, stat, table
from grafana_foundation_sdk.builders import timeseries as series_panel
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from clickstream_dashboards.queries import POSTGRES, PROMETHEUS, Query, SqlQuery, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.cog.builder import Builder

__all__ = ["bars", "buckets", "figure", "listing", "series"]

_NOTHING_STORED = "Nothing is stored for this choice and time range."
_NOTHING_SCRAPED = "No process shows this for this choice and time range."
_GREEN, _RED = "green", "red"


def _empty(queries: Sequence[Query]) -> str:
    return _NOTHING_STORED if isinstance(queries[0], SqlQuery) else _NOTHING_SCRAPED


def _source(queries: Sequence[Query]) -> model.DataSourceRef:
    return POSTGRES if isinstance(queries[0], SqlQuery) else PROMETHEUS


def _steps(red_from: float | None, red_below: float | None) -> Builder[model.ThresholdsConfig]:
    first, other = (_RED, _GREEN) if red_below is not None else (_GREEN, _RED)
    steps = [model.Threshold(value=None, color=first)]
    bound = red_below if red_below is not None else red_from
    if bound is not None:
        steps.append(model.Threshold(value=bound, color=other))
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def figure(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    decimals: int | None = None,
    width: int = 4,
    red_from: float | None = None,
    red_below: float | None = None,
) -> Builder[model.Panel]:
    """Return one number, red above or below a bound."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(_source([query]))
        .targets(targets([query]))
        .unit(unit)
        .no_value(_empty([query]))
        .height(4)
        .span(width)
        .graph_mode(looks.BigValueGraphMode.NONE)
        .thresholds(_steps(red_from, red_below))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if red_from is None and red_below is None:
        panel = panel.color_mode(looks.BigValueColorMode.NONE)
    return panel if decimals is None else panel.decimals(decimals)


def series(
    title: str,
    description: str,
    queries: Sequence[Query],
    unit: str,
    *,
    width: int = 12,
    is_bars: bool = False,
    is_stacked: bool = False,
) -> Builder[model.Panel]:
    """Return figures over time."""
    panel = (
        series_panel.Panel()
        .title(title)
        .description(description)
        .datasource(_source(queries))
        .targets(targets(queries))
        .unit(unit)
        .no_value(_empty(queries))
        .height(8)
        .span(width)
        .min(0)
        .line_width(1)
        .fill_opacity(70 if is_bars else 10)
        .draw_style(looks.GraphDrawStyle.BARS if is_bars else looks.GraphDrawStyle.LINE)
        .show_points(looks.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .display_mode(looks.LegendDisplayMode.TABLE)
            .placement(looks.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
    )
    if is_stacked:
        panel = panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    return panel


def bars(
    title: str, description: str, query: Query, unit: str, *, width: int = 8, height: int = 8
) -> Builder[model.Panel]:
    """Return one bar per row, with its text and its number."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(_source([query]))
        .targets(targets([query]))
        .unit(unit)
        .no_value(_empty([query]))
        .height(height)
        .span(width)
        .min(0)
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
        .reduce_options(common.ReduceDataOptions().values(values=True).calcs([]).limit(25))
    )


def listing(
    title: str,
    description: str,
    query: Query,
    units: dict[str, str] | None = None,
    *,
    width: int = 12,
    height: int = 9,
    matrix: tuple[str, str, str] | None = None,
    unit: str = "none",
) -> Builder[model.Panel]:
    """Return a table, or a matrix.

    ``units`` has the units of columns. ``matrix`` names the columns that become rows, columns and
    values of a matrix.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(_source([query]))
        .targets(targets([query]))
        .unit(unit)
        .no_value(_empty([query]))
        .height(height)
        .span(width)
        .filterable(filterable=True)
    )
    for column, own in (units or {}).items():
        panel = panel.override_by_name(column, [model.DynamicConfigValue(id_val="unit", value=own)])
    if matrix is not None:
        row, column, value = matrix
        options = {"rowField": row, "columnField": column, "valueField": value}
        panel = panel.with_transformation(
            model.DataTransformerConfig(id_val="groupingToMatrix", options=options)
        )
    return panel


def buckets(
    title: str, description: str, query: Query, unit: str, *, width: int = 12
) -> Builder[model.Panel]:
    """Return a histogram over time."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(_source([query]))
        .targets(targets([query]))
        .unit(unit)
        .no_value(_empty([query]))
        .height(8)
        .span(width)
        .color(
            heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(unit))
    )
