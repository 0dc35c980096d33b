"""The operators' chart: pinned, switched, and each value where its operator's chart reads it.

The operators' own charts come from registries and are not looked at here: stand-ins print what
they are given.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import NOTES, documents, printing_copy

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).parents[3] / "helm" / "clickstream-operators"
DEPENDENCIES = yaml.safe_load((FOLDER / "Chart.yaml").read_text(encoding="utf-8"))["dependencies"]
NAMES = [row["name"] for row in DEPENDENCIES]
DEFAULTS = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the chart that prints its notes and what each dependency is given."""
    return printing_copy(FOLDER, tmp_path_factory.mktemp("operators"))


def _given(helm: Callable[..., str], chart: Path, *options: str) -> dict[str, dict[str, Any]]:
    """Return what each operator's chart is given, by its name."""
    text = helm("template", "operators", "--namespace", "operators", *options, chart=chart)
    rows = documents(text)
    return {
        row["metadata"]["name"]: yaml.safe_load(row["data"]["text"])
        for row in rows
        if row["metadata"]["name"] in NAMES
    }


def test_operators_are_pinned_and_switched() -> None:
    """An exact version, a repository, and a condition that a value answers."""
    for row in DEPENDENCIES:
        assert re.fullmatch(r"\d+\.\d+\.\d+", row["version"]), row
        assert row["repository"].startswith(("https://", "oci://"))
        assert row["condition"] == f"{row['name']}.enabled"
        assert isinstance(DEFAULTS[row["name"]]["enabled"], bool)
    assert set(DEFAULTS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_switch_leaves_out_one_operator(helm: Callable[..., str], chart: Path, name: str) -> None:
    """What is switched off is not there; all else that was on still is."""
    usual = {row for row in NAMES if DEFAULTS[row]["enabled"]}
    options = ["--api-versions", "cert-manager.io/v1"]
    if name == "cloudnative-pg":
        options += ["--set", "plugin-barman-cloud.enabled=false"]
    off = _given(helm, chart, *options, "--set", f"{name}.enabled=false")
    assert set(off) == usual - {name}
    if name != "plugin-barman-cloud":
        return
    assert set(_given(helm, chart, *options, "--set", f"{name}.enabled=true")) == usual | {name}


def test_values_match_operators_charts(helm: Callable[..., str], chart: Path) -> None:
    """Restricted operands, open selectors, dashboards from everywhere, Spark's webhook."""
    given = _given(helm, chart)
    strimzi, spark = given["strimzi-kafka-operator"], given["spark-operator"]
    assert {"name": "STRIMZI_POD_SECURITY_PROVIDER_CLASS", "value": "restricted"} in strimzi[
        "extraEnvs"
    ]
    assert spark["webhook"]["enable"] is True
    assert strimzi["watchNamespaces"] == spark["spark"]["jobNamespaces"] == ["clickstream"]
    stack = given["kube-prometheus-stack"]
    selectors = {
        key: value
        for key, value in stack["prometheus"]["prometheusSpec"].items()
        if key.endswith("SelectorNilUsesHelmValues")
    }
    assert len(selectors) == 5
    assert not any(selectors.values())
    dashboards = stack["grafana"]["sidecar"]["dashboards"]
    assert dashboards["enabled"] is True
    assert (dashboards["label"], dashboards["labelValue"]) == ("grafana_dashboard", "1")
    assert dashboards["searchNamespace"] == "ALL"
    assert stack["grafana"]["sidecar"]["datasources"]["uid"] == "prometheus"
    assert stack["nodeExporter"]["enabled"] is False


def test_in_production_no_webhook_is_alone(helm: Callable[..., str], chart: Path) -> None:
    """Two of each that others wait for, kept apart from drains; metrics have a disk."""
    given = _given(helm, chart, "-f", str(FOLDER / "values-production.yaml"))
    assert given["cloudnative-pg"]["replicaCount"] == 2
    for part in ("controller", "webhook"):
        assert given["spark-operator"][part]["replicas"] == 2
        assert given["spark-operator"][part]["podDisruptionBudget"]["enable"] is True
    prometheus = given["kube-prometheus-stack"]["prometheus"]["prometheusSpec"]
    assert prometheus["storageSpec"]["volumeClaimTemplate"]["spec"]["resources"]
    assert prometheus["ruleSelectorNilUsesHelmValues"] is False


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("colour=red", "colour"),
        ("cloudnative-pg.enabled=maybe", "/cloudnative-pg/enabled"),
        ("cloudnative-pg.replicaCount=0", "/cloudnative-pg/replicaCount"),
        ("strimzi-kafka-operator.watchNamespaces={A}", "/strimzi-kafka-operator/watchNamespaces"),
        ("strimzi-kafka-operator.extraEnvs={}", "/strimzi-kafka-operator/extraEnvs"),
        ("spark-operator.webhook.enable=false", "/spark-operator/webhook/enable"),
        ("spark-operator.spark.jobNamespaces={}", "/spark-operator/spark/jobNamespaces"),
        ("kube-prometheus-stack.grafana.enabled=1", "/kube-prometheus-stack/grafana/enabled"),
        ("plugin-barman-cloud.enabled=true", "helm install cert-manager"),
        ("plugin-barman-cloud.enabled=true,cloudnative-pg.enabled=false", "cloudnative-pg.enabled"),
        ("strimzi-kafka-operator.watchNamespaces={operators}", "where this release is"),
    ],
)
def test_wrong_value_is_refused_by_path(
    helm: Callable[..., str], chart: Path, value: str, says: str
) -> None:
    """The schema names where; what cannot work together is said in a sentence."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "operators", "--namespace", "operators", "--set", value, chart=chart)

    assert says in refused.value.stderr


def test_the_notes_say_what_there_is(helm: Callable[..., str], chart: Path) -> None:
    """The notes name each operator, whether it is installed, and the next step."""
    rows = documents(helm("template", "operators", chart=chart))
    (notes,) = (row["data"]["text"] for row in rows if row and row["metadata"]["name"] == NOTES)
    for name in NAMES:
        assert re.search(rf"{name} +{'yes' if DEFAULTS[name]['enabled'] else 'no'}\n", notes)
    assert "helm install clickstream helm/clickstream -n clickstream" in notes
