"""The operator against a real API server: what it writes, how often, and that it heals."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest
import yaml
from clickstream_bench.control_plane import ControlPlane, OperatorProcess
from clickstream_operator.core.kinds import SIMULATION
from clickstream_operator.shell.api import Api
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

_MANY = 200
_MANY_SECONDS = 180.0


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server for all tests of this module."""
    started = ControlPlane(tmp_path_factory.mktemp("plane"))
    yield started
    started.stop()


@pytest.fixture
def namespace(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, empty again afterwards."""
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    plane.kubectl("create", "namespace", name)
    yield name
    plane.kubectl("delete", "css", "--all", "-n", name, "--wait=true", "--timeout=60s")
    wait_until(lambda: not _children(plane, name), "everything is gone")


@pytest.fixture
def operate(plane: ControlPlane, tmp_path: Path) -> Iterator[Callable[..., OperatorProcess]]:
    """Start operators that end with the test."""
    running: list[OperatorProcess] = []

    def start(*, user: str = "operator", **settings: object) -> OperatorProcess:
        running.append(OperatorProcess(plane, tmp_path, user, **settings))
        return running[-1]

    yield start
    for operator in running:
        operator.process.stop()


def _simulation(name: str = "shop", **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "clickstream.dev/v1alpha1",
        "kind": "ClickstreamSimulation",
        "metadata": {"name": name},
        "spec": {
            "seed": 1,
            "rate": {"eventsPerSecond": 10},
            "userMix": [{"persona": "Buyer", "weight": 1}],
            **spec,
        },
    }


def _children(plane: ControlPlane, namespace: str) -> list[str]:
    kinds = "configmaps,deployments,jobs,services,networkpolicies,poddisruptionbudgets,pods"
    selector = "app.kubernetes.io/managed-by=clickstream-operator"
    found = plane.kubectl("get", kinds, "-n", namespace, "-l", selector, "-o", "name")
    return sorted(found.split())


def _ready(plane: ControlPlane, namespace: str, name: str = "shop") -> tuple[str, str]:
    status = plane.get("css", name, "-n", namespace).get("status", {})
    rows = [row for row in status.get("conditions", []) if row["type"] == "Ready"]
    return (rows[0]["reason"], rows[0]["message"]) if rows else ("", "")


def _apply(plane: ControlPlane, namespace: str, *simulations: dict[str, Any]) -> None:
    rows = {"apiVersion": "v1", "kind": "List", "items": list(simulations)}
    plane.kubectl("apply", "-n", namespace, "-f", "-", given=rows)


def test_many_simulations_come_to_rest(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """Two hundred are made, although the operator is killed meanwhile; then it writes nothing."""
    first = operate()
    _apply(plane, namespace, *(_simulation(f"s{number}") for number in range(_MANY)))
    wait_until(lambda: first.metric("api_writes_total") > _MANY, "it is in the midst of it")
    first.kill()
    second = operate()
    wait_until(lambda: _are_made(plane, namespace), "all are made", _MANY_SECONDS)
    wait_until(lambda: _at_rest(plane, second, 1), "it comes to rest")

    assert _at_rest(plane, second, 3), "three reconciles of each write nothing"
    assert second.metric("simulations") == 3 * _MANY
    stored = plane.get("css", "-n", namespace)["items"]
    assert all("finalizers" not in row["metadata"] for row in stored)
    assert all("annotations" in row["metadata"] for row in stored)  # kubectl's own, and no other
    assert {key for row in stored for key in row["metadata"]["annotations"]} == {
        "kubectl.kubernetes.io/last-applied-configuration"
    }
    assert second.stop() == 0


def _are_made(plane: ControlPlane, namespace: str) -> bool:
    """Return whether each simulation has a status, a file, a worker, a service and a policy."""
    children = [row for row in _children(plane, namespace) if "pod/" not in row]
    simulations = plane.get("css", "-n", namespace)["items"]
    return len(children) == 4 * _MANY and all(
        row.get("status", {}).get("observedGeneration") == 1 for row in simulations
    )


def _at_rest(plane: ControlPlane, operator: OperatorProcess, rounds: int) -> bool:
    """Return whether so many reconciles of each simulation pass without a write."""
    before = plane.writes()
    looks = operator.metric("reconciles_total")
    wait_until(
        lambda: operator.metric("reconciles_total") > looks + rounds * _MANY,
        "it has looked at each",
        180,
    )
    return plane.writes() == before


def test_deletion_needs_no_operator(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """Owner references delete the children; nothing blocks the deletion."""
    operator = operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: len(_children(plane, namespace)) == 5, "it is made, with its pod")
    operator.kill()
    plane.kubectl("delete", "css", "shop", "-n", namespace, "--timeout=30s")

    wait_until(lambda: not _children(plane, namespace), "everything is gone")


def test_drift_is_repaired(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """A child that is deleted or edited comes back; what others add stays."""
    operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: len(_children(plane, namespace)) == 5, "it is made")
    plane.kubectl("delete", "service", "shop-workers", "-n", namespace)
    plane.kubectl("label", "deployment", "shop-worker-0", "-n", namespace, "team=blue")
    patch = json.dumps({"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}})
    plane.kubectl("patch", "deployment", "shop-worker-0", "-n", namespace, "-p", patch)

    def is_mended() -> bool:
        deployment = plane.get("deployment", "shop-worker-0", "-n", namespace)
        spec = deployment["spec"]["template"]["spec"]
        return (
            spec["automountServiceAccountToken"] is False
            and deployment["metadata"]["labels"]["team"] == "blue"
            and "service/shop-workers" in _children(plane, namespace)
        )

    wait_until(is_mended, "both are as wanted")


def test_removed_label_comes_back(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """A watch by label also sends DELETED when an object only loses the label."""
    operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: len(_children(plane, namespace)) == 5, "it is made")
    label = "app.kubernetes.io/managed-by"
    plane.kubectl("label", "deployment", "shop-worker-0", "-n", namespace, f"{label}-")

    def is_labelled() -> bool:
        deployment = plane.get("deployment", "shop-worker-0", "-n", namespace)
        return label in deployment["metadata"]["labels"]

    wait_until(is_labelled, "the label is back")
    plane.kubectl(
        "patch", "css", "shop", "-n", namespace, "--type=merge", "-p", '{"spec":{"suspend":true}}'
    )
    wait_until(lambda: not _children(plane, namespace), "it is suspended")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_api_lists_uids_and_kinds(plane: ControlPlane, namespace: str) -> None:
    """The API server's own words, for what a watch may have missed."""
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(
        str(plane.kubeconfig("admin")), client_configuration=configuration
    )
    api = Api(configuration, "test", 1)
    before, _ = api.list_uids(SIMULATION, namespace, "")
    _apply(plane, namespace, _simulation())
    version, uids = api.list_uids(SIMULATION, "", "")
    made = plane.get("css", "shop", "-n", namespace)["metadata"]

    assert before < int(made["resourceVersion"]) <= version
    assert made["uid"] in uids
    assert api.list_uids(SIMULATION, namespace, "team=nobody")[1] == frozenset()
    assert api.has_kind(SIMULATION)
    plane.kubectl("create", "secret", "generic", "user", "-n", namespace, "--from-literal=a=b")
    assert api.secret_labels(namespace, "user") == {}
    plane.kubectl("label", "secret", "user", "-n", namespace, "team=blue")
    assert api.secret_labels(namespace, "user") == {"team": "blue"}
    assert api.secret_labels(namespace, "nobody") is None
    assert not api.has_kind(replace(SIMULATION, plural="nothings"))


def test_kubectl_scales_and_suspends(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """The usual commands do what they say."""
    operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: len(_children(plane, namespace)) == 5, "it is made")
    plane.kubectl("scale", "css", "shop", "-n", namespace, "--replicas=3")
    wait_until(
        lambda: "deployment.apps/shop-worker-2" in _children(plane, namespace), "it is scaled"
    )
    columns = plane.kubectl("get", "css", "-n", namespace).splitlines()
    assert columns[0].split() == [
        "NAME",
        "READY",
        "RATE",
        "ACHIEVED",
        "WORKERS",
        "VERIFIED",
        "AGE",
    ]
    assert columns[1].split()[:5] == ["shop", "False", "10", "0", "3"]

    rate = '{"spec":{"rate":{"eventsPerSecond":20}}}'
    plane.kubectl("patch", "css", "shop", "-n", namespace, "--type=merge", "-p", rate)
    wait_until(
        lambda: len(plane.get("css", "shop", "-n", namespace)["status"]["revisions"]) == 2,
        "the revision is kept",
    )
    suspend = '{"spec":{"suspend":true}}'
    plane.kubectl("patch", "css", "shop", "-n", namespace, "--type=merge", "-p", suspend)
    wait_until(lambda: not _children(plane, namespace), "the workers are gone")
    assert _ready(plane, namespace)[0] == "Suspended"
    reasons = [row["reason"] for row in plane.get("events", "-n", namespace)["items"]]
    assert {"WorkersStarting", "Scaled", "Suspended"} <= set(reasons)


def test_exceeded_quota_is_named(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """Whether pods or other children are refused: the reason is there, and goes with its cause."""
    plane.kubectl("create", "quota", "small", "-n", namespace, "--hard=pods=0,count/services=0")
    wait_until(
        lambda: "hard" in plane.get("quota", "small", "-n", namespace).get("status", {}),
        "the quota holds",
    )
    operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: _ready(plane, namespace)[0] == "QuotaExceeded", "it is named")
    assert "small" in _ready(plane, namespace)[1]
    plane.kubectl("delete", "quota", "small", "-n", namespace)

    wait_until(lambda: len(_children(plane, namespace)) == 5, "all is made")
    wait_until(lambda: _ready(plane, namespace)[0] == "WorkersStarting", "the reason is gone")


def test_secret_needs_its_owner(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """A simulation that names any secret gets no worker; with its owner's label it gets one."""
    plane.kubectl("create", "secret", "generic", "any", "-n", namespace, "--from-literal=a=b")
    operate(sasl_without_tls="true")
    kafka = {"bootstrapServers": "kafka:9092", "credentialsSecretRef": {"name": "any"}}
    _apply(plane, namespace, _simulation(kafka=kafka))
    _apply(plane, namespace, _simulation("away", kafka={"bootstrapServers": "attacker:9092"}))
    wait_until(lambda: _ready(plane, namespace)[0] == "CredentialsRefused", "it is named")
    wait_until(lambda: _ready(plane, namespace, "away")[0] == "ServersRefused", "so is this")
    assert not _children(plane, namespace)
    plane.kubectl("label", "secret", "any", "-n", namespace, "clickstream.dev/credentials=true")

    wait_until(lambda: len(_children(plane, namespace)) == 5, "it is made, with its pod")


def test_refused_policy_blocks_workers(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """While the API server takes no policy there is no Deployment; then all is made."""
    plane.kubectl("create", "quota", "none", "-n", namespace,
                  "--hard=count/networkpolicies.networking.k8s.io=0")  # fmt: skip
    wait_until(
        lambda: "hard" in plane.get("quota", "none", "-n", namespace).get("status", {}),
        "the quota holds",
    )
    operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: _ready(plane, namespace)[0] == "PolicyRefused", "it is named")
    assert not plane.get("deployments", "-n", namespace)["items"]
    plane.kubectl("delete", "quota", "none", "-n", namespace)

    wait_until(lambda: len(_children(plane, namespace)) == 5, "all is made")


def test_verification_is_a_job(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """A Job is made once with the operator's rights; what its pod says is condition and column."""
    own = json.dumps({"host": "own", "name": "clickstream", "secret": "reader"})
    operator = operate(database=own)
    _apply(plane, namespace, _simulation(verification={"every": "1h"}))
    wait_until(lambda: _ready(plane, namespace)[0] != "", "it has a status")
    early = {"status": {"startTime": "2026-01-01T00:00:00Z"}}
    _patch(plane, namespace, "css", "shop", early)
    wait_until(lambda: len(_verifications(plane, namespace)) == 1, "a pod of the Job")
    (pod,) = _verifications(plane, namespace)
    job = plane.get("jobs", "-n", namespace)["items"][0]
    assert job["spec"]["backoffLimit"] == 0

    result = {
        "events": 9, "rows": 8, "minutes": 2, "until": None, "differences": 1,
        "firstDifference": "2026-01-01T00:07:00Z", "text": "1 lost, first at 2026-01-01T00:07:00Z",
    }  # fmt: skip
    ended = {"exitCode": 1, "message": json.dumps(result)}
    judge = {
        "name": "judge", "image": "i", "imageID": "", "ready": False, "restartCount": 0,
        "state": {"terminated": ended},
    }  # fmt: skip
    name = pod["metadata"]["name"]
    status = {"status": {"phase": "Failed", "containerStatuses": [judge]}}
    _patch(plane, namespace, "pod", name, status)

    def shown() -> dict[str, str]:
        head, row = plane.kubectl("get", "css", "shop", "-n", namespace).splitlines()
        return dict(zip(head.split(), row.split(), strict=True))

    wait_until(lambda: shown()["VERIFIED"] == "False", "the difference is shown")
    found = plane.get("css", "shop", "-n", namespace)["status"]
    (verified,) = (row for row in found["conditions"] if row["type"] == "Verified")
    assert (verified["reason"], verified["message"]) == ("Differs", result["text"])
    assert found["verification"]["firstDifference"] == "2026-01-01T00:07:00Z"
    assert "until" not in found["verification"]
    assert operator.metric("verification_differences") == 1
    writes, looks = operator.metric("api_writes_total"), operator.metric("reconciles_total")
    wait_until(lambda: operator.metric("reconciles_total") > looks + 3, "it has looked again")
    assert operator.metric("api_writes_total") == writes
    assert len(plane.get("jobs", "-n", namespace)["items"]) == 1


def _verifications(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    component = "app.kubernetes.io/component=verification"
    rows: list[dict[str, Any]] = plane.get("pods", "-n", namespace, "-l", component)["items"]
    return rows


def _patch(plane: ControlPlane, namespace: str, kind: str, name: str, body: dict[str, Any]) -> None:
    """Change the status of an object, as a kubelet or another operator would."""
    plane.kubectl(
        "patch", kind, name, "-n", namespace, "--subresource=status", "--type=merge",
        "-p", json.dumps(body),
    )  # fmt: skip


def test_foreign_object_is_kept(
    plane: ControlPlane, namespace: str, operate: Callable[..., OperatorProcess]
) -> None:
    """It is named, all else is made; once it is gone the simulation is whole."""
    plane.kubectl(
        "create", "configmap", "shop-simulation", "-n", namespace, "--from-literal=mine=yes"
    )
    operate()
    _apply(plane, namespace, _simulation())
    wait_until(lambda: _ready(plane, namespace)[0] == "ChildRefused", "it is named")
    assert f"ConfigMap {namespace}/shop-simulation exists" in _ready(plane, namespace)[1]
    found = plane.get("configmap", "shop-simulation", "-n", namespace)
    assert found["data"] == {"mine": "yes"}
    assert "ownerReferences" not in found["metadata"]
    wait_until(lambda: len(_children(plane, namespace)) == 4, "all else is made")
    plane.kubectl("delete", "configmap", "shop-simulation", "-n", namespace)

    wait_until(lambda: len(_children(plane, namespace)) == 5, "all is made")
    wait_until(lambda: _ready(plane, namespace)[0] == "WorkersStarting", "the reason is gone")


def test_operator_keeps_to_its_namespaces(
    plane: ControlPlane,
    namespace: str,
    operate: Callable[..., OperatorProcess],
    helm: Callable[..., str],
) -> None:
    """With rights in one namespace only it works there, and is asked to nowhere else."""
    plane.kubectl("create", "namespace", "charts")
    modes = ("--set", "kafka.mode=external,postgres.mode=none,spark.mode=none")
    for options in ((), ("--set", f"operator.namespaces={{{namespace}}}")):
        rendered = helm("template", "shop", "--namespace", "charts", *modes, *options)
        plane.kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-",
                      text=rendered)  # fmt: skip
    rights = [row for row in yaml.safe_load_all(rendered) if row and "Role" in row["kind"]]
    assert {row["kind"] for row in rights} == {"Role", "RoleBinding"}
    plane.kubectl("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(rights))
    operate(user="namespaced", namespaces=namespace)
    _apply(plane, namespace, _simulation())
    _apply(plane, "charts", _simulation())

    wait_until(lambda: len(_children(plane, namespace)) == 5, "it is made")
    assert not _children(plane, "charts")
    plane.kubectl("delete", "namespace", "charts", "--timeout=60s")


def test_operator_has_no_more_rights(plane: ControlPlane) -> None:
    """No list of secrets, no wildcards, nothing that would let it become another account."""
    rules = plane.get("clusterrole", "clickstream-operator")["rules"]
    assert all(
        "*" not in rule[part] for rule in rules for part in ("apiGroups", "resources", "verbs")
    )
    assert plane.kubectl("auth", "can-i", "patch", "deployments", "-A", user="operator") == "yes\n"
    for verb, kind in (
        ("list", "secrets"), ("watch", "secrets"), ("patch", "secrets"), ("create", "pods"),
        ("create", "pods/exec"), ("patch", "clusterroles"),
        ("create", "serviceaccounts/token"), ("patch", "clickstreamsimulations"),
        ("delete", "clickstreamsimulations"),
    ):  # fmt: skip
        with pytest.raises(subprocess.CalledProcessError):
            plane.kubectl("auth", "can-i", verb, kind, "-A", user="operator")


_LINES = 'a"b\nc: {d}'
_DATABASE = {"host": "db", "name": "shop", "credentialsSecretRef": {"name": "user"}}
BAD: list[tuple[str, dict[str, Any]]] = [
    ("seed", {"seed": -1}),
    ("seed", {"seed": "1"}),
    ("seed", {"seed": 2**53}),
    ("seed", {"seed": None}),
    ("rate", {"rate": {}}),
    ("eventsPerSecond", {"rate": {"eventsPerSecond": 1.5}}),
    ("eventsPerSecond", {"rate": {"eventsPerSecond": 0}}),
    ("eventsPerSecond", {"rate": {"eventsPerSecond": 10, "eventsPerMinute": 5}}),
    ("steps", {"rate": {"eventsPerSecond": 10, "curve": "Steps"}}),
    ("curve", {"rate": {"eventsPerSecond": 10, "curve": _LINES}}),
    ("onOverload", {"rate": {"eventsPerSecond": 10, "onOverload": "Explode"}}),
    ("onOverload", {"rate": {"eventsPerSecond": 10, "onOverload": _LINES}}),
    ("for", {"rate": {"eventsPerSecond": 10, "curve": "Steps", "steps": [
        {"for": _LINES, "multiplierPermille": 1}]}}),
    ("for", {"rate": {"eventsPerSecond": 10, "bursts": [
        {"at": "1m", "for": _LINES, "multiplierPermille": 1}]}}),
    ("at", {"rate": {"eventsPerSecond": 10, "bursts": [
        {"at": _LINES, "for": "1m", "multiplierPermille": 1}]}}),
    ("multiplierPermille", {"rate": {"eventsPerSecond": 10, "bursts": [
        {"at": "1m", "for": "1m", "multiplierPermille": -1}]}}),
    ("userMix", {"userMix": []}),
    ("userMix", {"userMix": [{"persona": "Buyer", "weight": 0}]}),
    ("userMix", {"userMix": [{"persona": "Nobody", "weight": 1}]}),
    ("userMix", {"userMix": [{"persona": _LINES, "weight": 1}]}),
    ("userMix", {"userMix": 2 * [{"persona": "Buyer", "weight": 1}]}),
    ("weight", {"userMix": [{"persona": "Buyer", "weight": "1"}]}),
    ("name", {"personas": [{"name": "x y", "basedOn": "Buyer"}]}),
    ("name", {"personas": [{"name": _LINES, "basedOn": "Buyer"}]}),
    ("basedOn", {"personas": [{"name": "Mine", "basedOn": "Nobody"}]}),
    ("basedOn", {"personas": [{"name": "Mine", "basedOn": _LINES}]}),
    ("transitions", {"personas": [
        {"name": "Mine", "basedOn": "Buyer", "transitions": {_LINES: {"purchase": 1}}}]}),
    ("transitions", {"personas": [
        {"name": "Mine", "basedOn": "Buyer", "transitions": {"search": {"purchase": 1}}}]}),
    ("hourly", {"personas": [{"name": "Mine", "basedOn": "Buyer", "hourly": [1, 2]}]}),
    ("users", {"users": 3}),
    ("categories", {"catalog": {"products": 2, "categories": 5}}),
    ("code", {"countries": [{"code": "XX", "weight": 1}]}),
    ("code", {"countries": [{"code": _LINES, "weight": 1}]}),
    ("devices", {"devices": {"mobile": 0, "desktop": 0, "tablet": 0}}),
    ("days", {"backfill": {"days": 5_000}}),
    ("stopAfter", {"stopAfter": {"duration": "1m", "events": 5}}),
    ("duration", {"stopAfter": {"duration": "0s"}}),
    ("duration", {"stopAfter": {"duration": _LINES}}),
    ("faults", {"faults": {"latePermille": 600, "lossPermille": 600}}),
    ("kafka", {"kafka": {"clusterRef": {"name": "a"}, "bootstrapServers": "a:1"}}),
    ("bootstrapServers", {"kafka": {"bootstrapServers": _LINES}}),
    ("bootstrapServers", {"kafka": {"bootstrapServers": "a:0"}}),
    ("bootstrapServers", {"kafka": {"bootstrapServers": "a:1,b:99999"}}),
    ("bootstrapServers", {"kafka": {"bootstrapServers": "x" * 64 + ":1"}}),
    ("name", {"kafka": {"clusterRef": {"name": _LINES}}}),
    ("name", {"kafka": {"clusterRef": {"name": "x" * 64}}}),
    ("name", {"kafka": {"clusterRef": {"name": "a.b"}}}),
    ("name", {"kafka": {"bootstrapServers": "a:1", "credentialsSecretRef": {"name": "../x"}}}),
    ("name", {"kafka": {"bootstrapServers": "a:1", "credentialsSecretRef": {"name": _LINES}}}),
    ("name", {"kafka": {"bootstrapServers": "a:1", "caSecretRef": {"name": _LINES}}}),
    ("topic", {"output": {"topic": "..", "ledgerTopic": "b"}}),
    ("topic", {"output": {"topic": _LINES, "ledgerTopic": "b"}}),
    ("topic", {"output": {"topic": "x" * 250, "ledgerTopic": "b"}}),
    ("topic", {"output": {"topic": "clickstream.shards.v1", "ledgerTopic": "b"}}),
    ("form", {"output": {"topic": "a", "ledgerTopic": "b", "form": "xml"}}),
    ("form", {"output": {"form": "ga4"}}),
    ("encoding", {"output": {"encoding": "avro"}}),
    ("encoding", {"output": {"topic": "a", "ledgerTopic": "b", "encoding": "xml"}}),
    ("encoding", {"output": {
        "topic": "a", "ledgerTopic": "b", "encoding": "avro", "form": "ga4"}}),
    ("ledgerTopic", {"output": {"topic": "a"}}),
    ("ledgerTopic", {"output": {"topic": "a", "ledgerTopic": "a"}}),
    ("every", {"verification": {}}),
    ("every", {"verification": {"every": "59s"}}),
    ("every", {"verification": {"every": "0m59s"}}),
    ("every", {"verification": {"every": _LINES}}),
    ("mapping", {"verification": {"every": "1m", "mapping": {}, "database": _DATABASE}}),
    ("database", {"verification": {"every": "1m", "mapping": {"inline": "a"}}}),
    ("host", {"verification": {"every": "1m", "database": {**_DATABASE, "host": _LINES}}}),
    ("name", {"verification": {"every": "1m", "database": {**_DATABASE, "name": "a b"}}}),
    ("mapping", {"verification": {"every": "1m"},
                 "output": {"topic": "a", "ledgerTopic": "b"}}),
    ("browsers", {"effects": {"overlays": [{"name": "a", "who": {"browsers": ["Lynx"]}}]}}),
    ("personas", {"effects": {"overlays": [{"name": "a", "who": {"personas": ["Nobody"]}}]}}),
    ("purchase", {"effects": {"overlays": [{"name": "a",
                  "transitions": {"search": {"purchase": 1}}}]}}),
    ("control", {"experiments": [{"name": "a", "arms": [{"name": "b"}, {"name": "control"}]}]}),
    ("once", {"experiments": [{"name": "a", "arms": [{"name": "control"}, {"name": "control"}]}]}),
    ("personas", {"experiments": [{"name": "a", "arms": [{"name": "control"}, {"name": "b"}],
                                   "who": {"personas": ["Nobody"]}}]}),
    ("kind", {"incidents": [{"name": "a", "kind": "Earthquake", "at": "1h", "for": "1h"}]}),
    ("for", {"incidents": [{"name": "a", "kind": "CartFails", "at": "1h", "for": "0s"}]}),
    ("personas", {"incidents": [{"name": "a", "kind": "CartFails", "at": "1h", "for": "1h",
                                 "who": {"personas": ["Nobody"]}}]}),
    ("perDay", {"randomIncidents": {"perDay": 13}}),
    ("companions", {"tastes": {"companions": 11}}),
    ("togetherPermille", {"tastes": {"togetherPermille": 1_001}}),
    ("workers", {"workers": {"count": 1, "max": 2}}),
    ("shards", {"shards": 2_000}),
    ("suspend", {"suspend": "yes"}),
    ("image", {"image": "evil"}),
    ("colour", {"colour": "red"}),
]  # fmt: skip


def test_bad_resources_are_refused(plane: ControlPlane, namespace: str) -> None:
    """Each is refused when it is applied, with the field's name."""
    for field, spec in BAD:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            plane.kubectl("create", "-n", namespace, "-f", "-", given=_simulation(**spec))
        assert field in refused.value.stderr, spec
    for name in ("a.b", "x" * 64, "A"):
        with pytest.raises(subprocess.CalledProcessError, match=r"returned non-zero"):
            plane.kubectl("create", "-n", namespace, "-f", "-", given=_simulation(name))

    assert plane.get("css", "-n", namespace)["items"] == []
    assert len(BAD) >= 40


def test_seed_and_users_are_immutable(plane: ControlPlane, namespace: str) -> None:
    """Another seed, other users or shards: make another simulation."""
    _apply(plane, namespace, _simulation())
    output = {"topic": "a", "ledgerTopic": "b"}
    for spec in (
        {"seed": 2},
        {"users": 7_000},
        {"shards": 2},
        {"backfill": {"days": 1}},
        {"experiments": [{"name": "a", "arms": [{"name": "control"}, {"name": "b"}]}]},
        {"incidents": [{"name": "a", "kind": "CartFails", "at": "1h", "for": "1h"}]},
        {"randomIncidents": {"perDay": 1}},
        {"tastes": {"companions": 2}},
        {"output": output},
    ):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            plane.kubectl(
                "patch", "css", "shop", "-n", namespace, "--type=merge",
                "-p", json.dumps({"spec": spec}),
            )  # fmt: skip
        assert next(iter(spec)) in refused.value.stderr
