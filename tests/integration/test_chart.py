"""The chart before a real API server with the operators' real definitions: it is all taken."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import documents, pods, rendered
from clickstream_bench.control_plane import ROOT, ControlPlane
from clickstream_bench.go_programs import go_program
from schemas import LOCATION, write_schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

GOLDEN = ROOT / "tests" / "golden" / "operator"
DEFINITIONS = ROOT.parent / "shared" / "crds"
_PLANTED: dict[str, tuple[str, Callable[[dict[str, Any]], object], str]] = {
    "a rule across fields": (
        "Kafka",
        lambda row: row["spec"]["kafka"].update(metricsConfig={"type": "jmxPrometheusExporter"}),
        "valueFrom property is required",
    ),
    "a field that is not there": (
        "Kafka",
        lambda row: row["spec"]["kafka"].update(replicas=3),
        "replicas",
    ),
    "a value that is not one": (
        "KafkaUser",
        lambda row: row["spec"]["authorization"]["acls"][0].update(operations=["Send"]),
        "operations",
    ),
    "a number out of bounds": (
        "Cluster",
        lambda row: row["spec"]["postgresql"]["synchronous"].update(number=0),
        "greater than zero",
    ),
    "what must be there": (
        "SparkApplication",
        lambda row: row["spec"].pop("sparkVersion"),
        "sparkVersion",
    ),
    "a form of its own": (
        "KafkaNodePool",
        lambda row: row["spec"].update(roles=["leader"]),
        "roles",
    ),
}


@pytest.fixture(scope="module")
def definitions() -> list[dict[str, Any]]:
    """Return the operators' definitions."""
    found = sorted(DEFINITIONS.rglob("*.yaml"))
    if not found:
        pytest.skip(f"NOT RUN: the operators' definitions are not in {DEFINITIONS}")
    rows = [row for path in found for row in yaml.safe_load_all(path.read_text("utf-8")) if row]
    return [*rows, yaml.safe_load((ROOT / "k8s" / "definition.yaml").read_text("utf-8"))]


@pytest.fixture(scope="module")
def plane(
    tmp_path_factory: pytest.TempPathFactory, definitions: list[dict[str, Any]]
) -> Iterator[ControlPlane]:
    """An API server that knows the operators' kinds, with a namespace that allows the least."""
    started = ControlPlane(tmp_path_factory.mktemp("chart-plane"))
    try:
        assert definitions
        started.serve(DEFINITIONS)
        started.kubectl("create", "namespace", "clickstream")
        started.kubectl(
            "label", "namespace", "clickstream", "pod-security.kubernetes.io/enforce=restricted"
        )
        yield started
    finally:
        started.stop()


def _distinct(ways: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the objects of all ways, each once, but for one: its definition is not at hand."""
    rows = {
        json.dumps(row, sort_keys=True): row
        for rows in ways.values()
        for row in rows
        if row["kind"] != "ObjectStore"
    }
    return copy.deepcopy(list(rows.values()))


def _apply(plane: ControlPlane, rows: list[dict[str, Any]], namespace: str = "clickstream") -> None:
    text = yaml.safe_dump_all(rows)
    plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-n", namespace,
        "-f", "-", text=text,
    )  # fmt: skip


def test_every_rendered_object_is_accepted(
    plane: ControlPlane, ways: dict[str, list[dict[str, Any]]]
) -> None:
    """Schemas, defaults and rules across fields: the API server has nothing to say."""
    _apply(plane, _distinct(ways))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_operator_objects_are_accepted(plane: ControlPlane, path: Path) -> None:
    """Of each golden scenario, PodMonitor and restricted pods among them."""
    rows = [row for row in yaml.safe_load_all(path.read_text("utf-8")) if row and "kind" in row]
    for row in rows:
        row["metadata"]["namespace"] = "clickstream"
    if rows:
        _apply(plane, rows)
    else:
        assert path.stem == "suspended"


@pytest.mark.parametrize("name", _PLANTED)
def test_a_planted_mistake_is_caught(
    plane: ControlPlane, helm: Callable[..., str], name: str
) -> None:
    """What the operators' definitions forbid does not pass."""
    kind, change, says = _PLANTED[name]
    way = "defaults/strimzi/cnpg/spark-operator"
    row = next(row for row in rendered(helm, way) if row["kind"] == kind)
    change(row)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _apply(plane, [row])

    assert says in refused.value.stderr


def test_every_pod_is_restricted(
    plane: ControlPlane, ways: dict[str, list[dict[str, Any]]]
) -> None:
    """Kubernetes' own admission takes each pod in a namespace that enforces the standard."""
    found = {
        json.dumps(pod["spec"], sort_keys=True): (place, pod)
        for rows in ways.values()
        for place, pod in pods(rows)
    }
    made: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{number}", "namespace": "clickstream"},
            "spec": {"restartPolicy": "Never", **copy.deepcopy(pod["spec"])},
        }
        for number, (_, pod) in enumerate(found.values())
    ]
    for row in made:
        # There are no accounts here; the plane does not ask for them.
        row["spec"].pop("serviceAccountName", None)
        row["spec"].pop("serviceAccount", None)
        if row["spec"]["restartPolicy"] == "OnFailure":
            row["spec"]["restartPolicy"] = "Never"
    _apply(plane, made)
    assert len(made) > 10

    made[0]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _apply(plane, made[:1])
    assert "violates PodSecurity" in refused.value.stderr


@pytest.fixture(scope="module")
def conform(
    plane: ControlPlane,
    definitions: list[dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """Run kubeconform, strictly, on objects; return its findings."""
    folder = tmp_path_factory.mktemp("schemas")
    program = str(go_program("kubeconform"))
    write_schemas(plane, definitions, folder)

    def run(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [program, "-strict", "-output=json", "-verbose", "-n=2",
             f"-schema-location={folder}/{LOCATION}"],
            input=yaml.safe_dump_all(rows), capture_output=True, text=True, check=False,
        )  # fmt: skip
        found: list[dict[str, Any]] = json.loads(done.stdout)["resources"]
        assert len(found) == len(rows)
        return [row for row in found if row["status"] != "statusValid"]

    return run


def test_kubeconform_has_no_finding(
    conform: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    ways: dict[str, list[dict[str, Any]]],
) -> None:
    """No field that a kind does not name, no value of another type, in any way to install."""
    definition = "CustomResourceDefinition"  # whose schema refers to itself without an end
    rows = [row for row in _distinct(ways) if row["kind"] != definition]
    assert conform(rows) == []

    for row in rows:
        if row["kind"] in {"Deployment", "Kafka"}:
            row["spec"]["replicsa"] = 1
    assert {row["kind"] for row in conform(rows)} == {"Deployment", "Kafka"}


def test_example_application_is_accepted(
    plane: ControlPlane, conform: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    """The example's SparkApplication, in a namespace that enforces the restricted standard."""
    file = ROOT / "examples" / "pipelines" / "spark-windows" / "spark-application.yaml"
    rows = documents(file.read_text(encoding="utf-8"))
    made: list[dict[str, Any]] = [
        {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"windows-{number}"},
            "spec": {"restartPolicy": "Never", **copy.deepcopy(pod["spec"])},
        }
        for number, (_, pod) in enumerate(pods(rows))
    ]  # fmt: skip
    for pod in made:
        (container,) = pod["spec"]["containers"]
        container["image"] = "registry.example/spark-windows:1"
    _apply(plane, rows)
    _apply(plane, made)
    assert conform(rows) == []

    application = next(row for row in rows if row["kind"] == "SparkApplication")
    application["spec"]["driver"]["coreRequests"] = "1"
    assert [row["name"] for row in conform([application])] == ["spark-windows"]


def test_plain_manifests_are_accepted(plane: ControlPlane) -> None:
    """The kustomization, Kafka's topics and users, and every simulation."""
    for path in ("kafka", "simulations"):
        folder: Path = ROOT / "k8s" / path
        plane.kubectl(
            "apply", "--server-side", "--dry-run=server", "-n", "clickstream", "-f", str(folder)
        )
    plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-k", str(ROOT / "k8s")
    )
