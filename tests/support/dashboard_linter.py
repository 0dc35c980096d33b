"""The rules of Grafana's dashboard-linter, in Python.

Owns the seventeen rules of https://github.com/grafana/dashboard-linter, whose Go module cannot be
installed by its path, and their names there. Rules about PromQL and LogQL look at targets and
variables of such data sources, as the linter's do: SQL is judged by running it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import promql_parser
from grafana import panels
from grafana_foundation_sdk.models import units
from promql import ranges, selectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RULES", "findings"]

Board = dict[str, Any]
_JUDGED = ("stat", "table", "timeseries", "gauge", "bargauge", "heatmap")
_UNITS = {
    value
    for name in dir(units)
    if isinstance(value := getattr(units, name), str) and not name.startswith("_")
}
_RATE_INTERVAL_SECONDS = 241  # a range that is not written by hand
_QUERY = re.compile(r"([a-z_]+)\((.+)\)")
_FUNCTIONS = ("label_names", "label_values", "metrics", "query_result")


def findings(board: Board) -> list[tuple[str, str]]:
    """Return each finding: the rule's name, and what is wrong."""
    return [(name, text) for name, rule in RULES.items() for text in rule(board)]


def _variables(board: Board, kind: str) -> list[dict[str, Any]]:
    return [row for row in board["templating"]["list"] if row["type"] == kind]


def _kind(board: Board, source: dict[str, Any] | None) -> str:
    """Return what a reference to a data source refers to, by the variable that it names."""
    name = (source or {}).get("uid", "").strip("${}")
    return next(
        (row["query"] for row in _variables(board, "datasource") if row["name"] == name), ""
    )


def _targets(board: Board, kind: str) -> Iterator[tuple[str, str]]:
    """Return title of the panel and expression of each target of a kind."""
    for panel in panels(board):
        for target in panel.get("targets", []):
            source = target.get("datasource") or panel.get("datasource")
            if _kind(board, source) == kind:
                yield panel.get("title", ""), target.get("expr", "")


def _filled(expr: str) -> str:
    expr = expr.replace("$__rate_interval", f"{_RATE_INTERVAL_SECONDS}s")
    return re.sub(r"\$(\w+)", r"\1", expr)


def _parsed(expr: str) -> str | None:
    """Return the expression with variables filled in; ``None`` if it is no PromQL."""
    try:
        promql_parser.parse(_filled(expr))
    except ValueError:
        return None
    return _filled(expr)


def _template_datasource(board: Board) -> Iterator[str]:
    found = _variables(board, "datasource")
    if not found:
        yield "no data source is a variable"
    for row in found:
        kind = row["query"]
        names, labels = {f"{kind}_datasource"}, {f"{kind.title()} data source"}
        if len(found) == 1:
            names.add("datasource")
            labels.add("Data source")
        if row["name"] not in names or row.get("label") not in labels:
            yield f"the variable {row['name']} should be named {names} and labelled {labels}"


def _template(name: str) -> Callable[[Board], Iterator[str]]:
    def rule(board: Board) -> Iterator[str]:
        sources = _variables(board, "datasource")
        if not any(row["query"] == "prometheus" for row in sources):
            return
        found = next((row for row in board["templating"]["list"] if row["name"] == name), None)
        if found is None:
            yield f"there is no variable {name}"
            return
        wanted = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+"}
        for field, value in wanted.items():
            if found.get(field) != value:
                yield f"{field} of {name} should be {value}"
        if _kind(board, found.get("datasource")) != "prometheus":
            yield f"{name} should come from the chosen Prometheus"

    return rule


def _template_label_promql(board: Board) -> Iterator[str]:
    for row in _variables(board, "query"):
        if _kind(board, row.get("datasource")) != "prometheus":
            continue
        called = _QUERY.fullmatch(row["query"])
        if called is None or called[1] not in _FUNCTIONS:
            yield f"{row['name']} asks in no known way: {row['query']}"
        elif _parsed(called[2].rsplit(",", 1)[0]) is None:
            yield f"{row['name']} asks for no PromQL: {called[2]}"


def _template_on_time_change_reload(board: Board) -> Iterator[str]:
    for row in _variables(board, "query"):
        if row.get("refresh") != 2:
            yield f"{row['name']} is not asked again when the time range changes"


def _panel_datasource(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if not _kind(board, panel.get("datasource")):
            yield f"{panel.get('title')} has a data source of its own"


def _panel_title_description(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel.get('id')} lacks title or description"


def _panel_units(board: Board) -> Iterator[str]:
    for panel in panels(board):
        config = panel.get("fieldConfig", {})
        own = [
            row["value"]
            for override in config.get("overrides", [])
            for row in override["properties"]
            if row["id"] == "unit"
        ]
        for unit in [config.get("defaults", {}).get("unit", ""), *own]:
            if panel["type"] in _JUDGED and unit not in _UNITS:
                yield f"{panel.get('title')} has no unit of Grafana's: {unit!r}"


def _panel_no_targets(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if panel["type"] in _JUDGED and not panel.get("targets"):
            yield f"{panel.get('title')} asks nothing"


def _target_logql(board: Board) -> Iterator[str]:
    # Nothing here can judge LogQL, so there may be none.
    for title, expr in _targets(board, "loki"):
        yield f"{title} asks Loki: {expr}"


def _target_logql_auto(board: Board) -> Iterator[str]:
    for title, expr in _targets(board, "loki"):
        if re.search(r"\[(?!\$__auto\])", expr):
            yield f"{title} should use $__auto: {expr}"


def _target_promql(board: Board) -> Iterator[str]:
    for title, expr in _targets(board, "prometheus"):
        if _parsed(expr) is None:
            yield f"{title} asks for no PromQL: {expr}"


def _target_rate_interval(board: Board) -> Iterator[str]:
    for title, expr in _targets(board, "prometheus"):
        for function, seconds in ranges(_parsed(expr) or "1"):
            if function in {"rate", "irate"} and seconds != _RATE_INTERVAL_SECONDS:
                yield f"{title} should use $__rate_interval: {expr}"


def _target_matcher(label: str) -> Callable[[Board], Iterator[str]]:
    def rule(board: Board) -> Iterator[str]:
        wanted = (promql_parser.MatchOp.Re, label)
        for title, expr in _targets(board, "prometheus"):
            for selector in selectors(_parsed(expr) or "1"):
                if selector.matchers.get(label) != wanted:
                    yield f'{title} lacks {label}=~"${label}": {expr}'

    return rule


def _target_counter_agg(board: Board) -> Iterator[str]:
    for title, expr in _targets(board, "prometheus"):
        for selector in selectors(_parsed(expr) or "1"):
            is_counter = selector.name.endswith("_total")
            if is_counter and selector.function not in {"rate", "irate", "increase"}:
                yield f"{title} shows a counter as it is: {expr}"


def _uneditable_dashboard(board: Board) -> Iterator[str]:
    if board.get("editable", True):
        yield "it can be edited"


RULES: dict[str, Callable[[Board], Iterator[str]]] = {
    "template-datasource-rule": _template_datasource,
    "template-job-rule": _template("job"),
    "template-instance-rule": _template("instance"),
    "template-label-promql-rule": _template_label_promql,
    "template-on-time-change-reload-rule": _template_on_time_change_reload,
    "panel-datasource-rule": _panel_datasource,
    "panel-title-description-rule": _panel_title_description,
    "panel-units-rule": _panel_units,
    "panel-no-targets-rule": _panel_no_targets,
    "target-logql-rule": _target_logql,
    "target-logql-auto-rule": _target_logql_auto,
    "target-promql-rule": _target_promql,
    "target-rate-interval-rule": _target_rate_interval,
    "target-job-rule": _target_matcher("job"),
    "target-instance-rule": _target_matcher("instance"),
    "target-counter-agg-rule": _target_counter_agg,
    "uneditable-dashboard-rule": _uneditable_dashboard,
}
"""The rules by the linter's names."""
