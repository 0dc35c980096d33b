"""The chart's dashboards and alerts: as built, with the bounds that the values say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import documents
from clickstream_dashboards.build import DASHBOARDS, dashboard_json
from clickstream_dashboards.rules import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
_BOTH = ("--set", "monitoring.dashboards.enabled=true,monitoring.rules.enabled=true")
_OTHER_KINDS = ("kafka.strimzi.io/v1", "postgresql.cnpg.io/v1", "sparkoperator.k8s.io/v1beta2")


def _rendered(helm: Callable[..., str], *options: str) -> list[dict[str, Any]]:
    text = helm("template", "shop", "--namespace", "charts", *options)
    return documents(text)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def test_chart_ships_every_dashboard(helm: Callable[..., str]) -> None:
    """A ConfigMap each, with the label and the folder that the sidecar looks for."""
    rows = _rendered(helm, *_BOTH, "--set", "monitoring.dashboards.folder=My shops")
    found = [row for row in rows if "grafana_dashboard" in row["metadata"].get("labels", {})]

    shipped = {}
    for row in found:
        assert row["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert row["metadata"]["annotations"] == {"grafana_folder": "My shops"}
        ((name, text),) = row["data"].items()
        shipped[name] = json.loads(text)
    assert shipped == {f"clickstream-{name}.json": dashboard_json(name) for name in DASHBOARDS}


def test_rules_are_those_promtool_checks(helm: Callable[..., str]) -> None:
    """With the values as they are, the resource holds the committed file's groups."""
    (rule,) = (row for row in _rendered(helm, *_BOTH) if row["kind"] == "PrometheusRule")
    file = ROOT / "helm" / "clickstream" / "rules" / "clickstream.yaml"
    committed = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    thresholds, *others = rule["spec"]["groups"]

    assert others == committed[1:]
    found = {row["record"]: float(row["expr"][7:-1]) for row in thresholds["rules"]}
    assert found == {f"clickstream:threshold:{name}": value for name, value in THRESHOLDS.items()}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_bound_is_a_value(helm: Callable[..., str], name: str) -> None:
    """Each bound can be set, and what is no bound is refused by its path."""
    path = f"monitoring.rules.thresholds.{_camel(name)}"
    rows = _rendered(helm, *_BOTH, "--set", f"{path}=1")
    (rule,) = (row for row in rows if row["kind"] == "PrometheusRule")
    records = {row["record"]: row["expr"] for row in rule["spec"]["groups"][0]["rules"]}

    assert records[f"clickstream:threshold:{name}"] == "vector(1)"


@pytest.mark.parametrize(("bound", "says"), [("rateShare=95", "rateShare"), ("colour=1", "colour")])
def test_wrong_bound_is_refused_by_name(helm: Callable[..., str], bound: str, says: str) -> None:
    """A share above 1, a threshold that does not exist."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "shop", *_BOTH, "--set", f"monitoring.rules.thresholds.{bound}")

    assert says in refused.value.stderr


def test_missing_kind_is_named(helm: Callable[..., str]) -> None:
    """Alerts need the Prometheus operator, and the chart says it before the API server does."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "shop", *_BOTH, kinds=_OTHER_KINDS)

    says = "monitoring.rules.enabled needs the kinds of monitoring.coreos.com/v1"
    assert says in refused.value.stderr


def test_nothing_of_it_is_there_unasked(helm: Callable[..., str]) -> None:
    """Without Grafana and Prometheus there is nothing for them."""
    rows = _rendered(helm)

    assert not [row for row in rows if row["kind"] == "PrometheusRule"]
    assert not [row for row in rows if "grafana_dashboard" in row["metadata"].get("labels", {})]
