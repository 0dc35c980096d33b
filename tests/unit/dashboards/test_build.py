"""All dashboards as they are built: what Grafana's linter finds, and what they share."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_dashboards.build import DASHBOARDS, built_files, dashboard_json
from dashboard_linter import RULES, findings
from grafana import NAMES, dashboard, panels

if TYPE_CHECKING:
    from collections.abc import Callable

_LOKI = {"type": "loki", "uid": "${loki_datasource}"}


@pytest.mark.parametrize("name", NAMES)
def test_linter_finds_nothing(name: str) -> None:
    """No rule of the dashboard-linter is broken."""
    assert findings(dashboard(name)) == []


def _variable(board: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in board["templating"]["list"] if row["name"] == name)


def _asked(expr: str) -> Callable[[dict[str, Any]], None]:
    def plant(board: dict[str, Any]) -> None:
        _first(board)["targets"][0]["expr"] = expr

    return plant


def _first(board: dict[str, Any]) -> dict[str, Any]:
    return panels(board)[0]


def _ask_loki(expr: str) -> Callable[[dict[str, Any]], None]:
    def plant(board: dict[str, Any]) -> None:
        board["templating"]["list"].append(
            {
                "type": "datasource",
                "name": "loki_datasource",
                "query": "loki",
                "label": "Loki data source",
            }
        )
        _first(board)["targets"][0] |= {"expr": expr, "datasource": _LOKI}

    return plant


_MATCHERS = '{job=~"$job", instance=~"$instance"}'
PLANTED: dict[str, Callable[[dict[str, Any]], None]] = {
    "template-datasource-rule": lambda board: _variable(board, "prometheus_datasource").update(
        label="Metrics"
    ),
    "template-job-rule": lambda board: _variable(board, "job").update(allValue=".*"),
    "template-instance-rule": lambda board: _variable(board, "instance").update(multi=False),
    "template-label-promql-rule": lambda board: _variable(board, "job").update(
        query="label_values(up{, job)"
    ),
    "template-on-time-change-reload-rule": lambda board: _variable(board, "simulation").update(
        refresh=1
    ),
    "panel-datasource-rule": lambda board: _first(board).update(
        datasource={"type": "prometheus", "uid": "mine"}
    ),
    "panel-title-description-rule": lambda board: _first(board).update(description=""),
    "panel-units-rule": lambda board: _first(board)["fieldConfig"]["defaults"].update(
        unit="events"
    ),
    "panel-no-targets-rule": lambda board: _first(board).update(targets=[]),
    "target-logql-rule": _ask_loki('rate({app="x"}[$__auto])'),
    "target-logql-auto-rule": _ask_loki('rate({app="x"}[5m])'),
    "target-promql-rule": _asked("sum(("),
    "target-rate-interval-rule": _asked(f"sum(rate(clickstream_x_total{_MATCHERS}[5m]))"),
    "target-job-rule": _asked('clickstream_x{instance=~"$instance"}'),
    "target-instance-rule": _asked('clickstream_x{job=~"$job", instance="$instance"}'),
    "target-counter-agg-rule": _asked(f"sum(clickstream_x_total{_MATCHERS})"),
    "uneditable-dashboard-rule": lambda board: board.update(editable=True),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_its_fault(rule: str) -> None:
    """A fault planted into a real dashboard is found, by the rule that it breaks."""
    board = copy.deepcopy(dashboard("pipeline"))
    PLANTED[rule](board)

    assert rule in {name for name, _ in findings(board)}


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_its_place(name: str) -> None:
    """Each panel has a text for no data, and a separate place on the grid."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(name)["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels(dashboard(name)):
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


def test_dashboards_link_each_other() -> None:
    """Each has another identity, and a link to all of them that keeps choice and time."""
    boards = [dashboard(name) for name in NAMES]

    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == 4
    for board in boards:
        (link,) = board["links"]
        assert set(link["tags"]) <= set(board["tags"])
        assert link["includeVars"]
        assert link["keepTime"]


def test_every_variable_is_used() -> None:
    """No variable is offered that no query of its dashboard names."""
    for name in NAMES:
        board = dashboard(name)
        text = repr(board["panels"]) + repr(board["templating"])
        for row in board["templating"]["list"]:
            assert f"${row['name']}" in text or f"${{{row['name']}" in text, (name, row["name"])


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_numbered(name: str) -> None:
    """Panels are numbered from one on in their order, and every build gives the same."""
    built = dashboard_json(name)

    assert [panel["id"] for panel in built["panels"]] == [*range(1, len(built["panels"]) + 1)]
    assert built == dashboard_json(name) == dashboard(name)


def test_files_are_named() -> None:
    """Each dashboard and the rules are one file in the chart."""
    files = built_files()

    assert set(files) == {
        "helm/clickstream/rules/clickstream.yaml",
        *(f"helm/clickstream/dashboards/{name}.json" for name in NAMES),
    }
    for name in NAMES:
        assert files[f"helm/clickstream/dashboards/{name}.json"].endswith("}\n")
    assert tuple(DASHBOARDS) == NAMES
