"""The frame that all four dashboards share: variables, links, rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from clickstream_dashboards.queries import POSTGRES, PROMETHEUS, annotation_target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grafana_foundation_sdk.cog.builder import Builder

    from clickstream_dashboards.queries import SqlQuery

__all__ = ["TAG", "annotated", "begin", "row", "with_postgres", "with_prometheus", "with_shop"]

TAG = "clickstream"
_ALL = model.VariableOption(text=["All"], value=["$__all"], selected=True)


def begin(uid: str, title: str, description: str, since: str) -> dashboard.Dashboard:
    """Return an empty dashboard that links to the others."""
    return (
        dashboard.Dashboard(title)
        .uid(f"clickstream-{uid}")
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("utc")
        .time(since, "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Clickstream")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
    )


def row(
    built: dashboard.Dashboard, title: str, panels: Iterable[Builder[model.Panel]]
) -> dashboard.Dashboard:
    """Add a row of panels."""
    built = built.with_row(dashboard.Row(title))
    for panel in panels:
        built = built.with_panel(panel)
    return built


def annotated(
    built: dashboard.Dashboard, name: str, color: str, query: SqlQuery
) -> dashboard.Dashboard:
    """Mark the time ranges that a query returns in every panel.

    Args:
        built: The dashboard.
        name: The name of the switch that hides them.
        color: A color of Grafana's palette.
        query: Returns the columns ``time``, ``timeend``, ``text`` and ``tags``.
    """
    return built.annotation(
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(POSTGRES)
        .icon_color(color)
        .enable(enable=True)
        .target(annotation_target(query))
    )


def with_prometheus(built: dashboard.Dashboard) -> dashboard.Dashboard:
    """Add variables for the Prometheus data source and its targets."""
    return (
        built.with_variable(
            dashboard.DatasourceVariable("prometheus_datasource")
            .label("Prometheus data source")
            .type("prometheus")
        )
        .with_variable(_scraped("job", 'label_values({__name__=~"clickstream_.+"}, job)'))
        .with_variable(
            _scraped(
                "instance", 'label_values({__name__=~"clickstream_.+", job=~"$job"}, instance)'
            )
        )
    )


def with_postgres(
    built: dashboard.Dashboard, *, shops_of_one_currency: bool = False
) -> dashboard.Dashboard:
    """Add variables for the database and its simulations.

    Args:
        built: The dashboard.
        shops_of_one_currency: Only simulations of one chosen currency, so that panels can add
            their money.
    """
    built = built.with_variable(
        dashboard.DatasourceVariable("postgres_datasource")
        .label("Postgres data source")
        .type("postgres")  # the name that every version of Grafana accepts
    )
    if not shops_of_one_currency:
        return built.with_variable(_simulations("ops.runs"))
    return built.with_variable(
        _stored(
            "currency",
            "Currency",
            "SELECT DISTINCT currency FROM mart.dim_product_versions ORDER BY currency",
        )
        .multi(multi=False)
        .include_all(include_all=False)
        .current(model.VariableOption(text="", value=""))
    ).with_variable(
        _simulations(
            "mart.dim_product_versions\nWHERE currency IN (${currency:sqlstring})",
        )
    )


def _simulations(table: str) -> dashboard.QueryVariable:
    query = f"SELECT DISTINCT simulation FROM {table} ORDER BY simulation"
    return _stored("simulation", "Simulation", query)


def with_shop(built: dashboard.Dashboard) -> dashboard.Dashboard:
    """Add variables for groups of visitors, and for the width of a point."""
    return (
        built.with_variable(
            _stored(
                "country",
                "Country",
                "SELECT name AS __text, country AS __value FROM mart.dim_country ORDER BY name",
            )
        )
        .with_variable(
            _stored("device", "Device", "SELECT device FROM mart.dim_device ORDER BY device")
        )
        .with_variable(
            dashboard.IntervalVariable("interval")
            .label("Interval")
            .values("1h,3h,6h,12h,1d,7d")
            .current(model.VariableOption(text="1h", value="1h", selected=True))
        )
    )


def _stored(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return _choice(name, label, query).datasource(POSTGRES)


def _scraped(name: str, query: str) -> dashboard.QueryVariable:
    return _choice(name, name.title(), query).datasource(PROMETHEUS).all_value(".+")


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(_ALL)
    )
