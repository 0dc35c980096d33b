"""The chart: what it renders is restricted, pinned and understood; wrong values are refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import documents
from clickstream_operator.core.database import Database
from clickstream_operator.settings import settings_from
from versions import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + 64 * "a"
VALUES = {
    "defaults": (),
    "namespaced": ("--set", "operator.namespaces={a,b}"),
    "whole cluster": ("--set", "operator.namespaces={*}"),
    "pinned": ("--set", f"generator.image.digest={DIGEST},operator.image.tag=1.2.3"),
    "kafka": (
        "--set",
        "kafka.mode=external",
        "--set-string",
        r"kafka.external.bootstrapServers=one:9092\,two:9093",
        "--set",
        "kafka.external.existingSecret=user,kafka.external.existingCaSecret=ca",
        "--set",
        r"operator.allowedServers={a:1,*.b.c:2},kafka.outputTopics={shop,load-*}",
        "--set",
        (
            "registries[0].name=main,registries[0].url=https://registry:8081/v7,"
            "registries[0].caSecret=ca,registries[0].credentialsSecret=user,"
            "registries[1].name=other,registries[1].url=http://r,registries[1].register=false"
        ),
    ),
    "without TLS": (
        "--set",
        "kafka.mode=external,kafka.external.bootstrapServers=one:9092",
        "--set",
        "kafka.external.existingSecret=user,kafka.saslWithoutTls=true",
    ),
}
NAMESPACES = {"namespaced": ("a", "b"), "whole cluster": ()}  # fmt: skip


def _rendered(helm: Callable[..., str], *options: str) -> list[dict[str, Any]]:
    text = helm("template", "shop", "--namespace", "charts", *options)
    return documents(text)


def _operator(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (row["spec"]["template"]["spec"] for row in rows if row["kind"] == "Deployment")
    spec: dict[str, Any] = found
    return spec


def _environment(rows: list[dict[str, Any]]) -> dict[str, str]:
    (container,) = _operator(rows)["containers"]
    return {row["name"]: row["value"] for row in container["env"]}


def test_it_has_no_finding(helm: Callable[..., str]) -> None:
    """``helm lint --strict`` finds nothing."""
    assert "0 chart(s) failed" in helm("lint", "--strict")


@pytest.mark.parametrize("profile", VALUES)
def test_operator_understands_chart_settings(helm: Callable[..., str], profile: str) -> None:
    """Each variable is one of the operator's and within its bounds."""
    settings = settings_from(_environment(_rendered(helm, *VALUES[profile])))

    assert settings.namespaces == NAMESPACES.get(profile, ("charts",))
    assert settings.sasl_without_tls is (profile == "without TLS")
    assert settings.allowed_servers == (("a:1", "*.b.c:2") if profile == "kafka" else ())
    assert settings.allowed_topics == (("shop", "load-*") if profile == "kafka" else ())
    found = [(row.name, row.is_registering) for row in settings.registries]
    assert found == ([("main", True), ("other", False)] if profile == "kafka" else [])
    assert settings.image == (
        f"ghcr.io/clickstream-dev/generator@{DIGEST}"
        if profile == "pinned"
        else f"ghcr.io/clickstream-dev/generator:{VERSION}"
    )
    if profile == "kafka":
        assert settings.bootstrap_servers == "one:9092,two:9093"
        assert (settings.credentials_secret, settings.ca_secret) == ("user", "ca")


def test_verifications_have_the_verifiers_login(helm: Callable[..., str]) -> None:
    """The operator names the release's database and a login that changes no table of events."""
    values = "verification.timeoutSeconds=90,streaming.rawRetentionDays=7"
    settings = settings_from(_environment(_rendered(helm, "--set", values)))

    assert settings.verification_seconds == 90
    assert settings.database == Database.model_validate(
        {
            "host": "shop-postgres-rw", "port": 5432, "name": "clickstream",
            "sslmode": "verify-full", "secret": "shop-postgres-verifier",
            "caSecret": "shop-postgres-ca", "keepsDays": 7,
        }
    )  # fmt: skip
    events_only = _rendered(helm, "--set", "postgres.mode=none,spark.mode=none")
    assert settings_from(_environment(events_only)).database is None


@pytest.mark.parametrize("profile", VALUES)
def test_pods_are_restricted_and_pinned(helm: Callable[..., str], profile: str) -> None:
    """No privilege, no writable root, no wildcard, no list of secrets, no image without version."""
    rows = _rendered(helm, *VALUES[profile])
    spec = _operator(rows)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "@sha256:" in container["image"] or container["image"].rpartition(":")[2][0].isdigit()
    for row in rows:
        for rule in row.get("rules", []):
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"]
            assert "secrets" not in rule["resources"] or rule["verbs"] == ["get"]


@pytest.mark.parametrize("profile", ["defaults", "namespaced", "kafka"])
def test_rights_end_at_the_namespaces(helm: Callable[..., str], profile: str) -> None:
    """Without a word the operator works in the release's namespace only, with Roles only."""
    rows = _rendered(helm, *VALUES[profile])

    assert not {row["kind"] for row in rows} & {"ClusterRole", "ClusterRoleBinding"}
    roles = {
        row["metadata"]["namespace"]
        for row in rows
        if row["kind"] == "Role" and row["metadata"]["name"] == "shop-operator"
    }
    assert roles == set(NAMESPACES.get(profile, ("charts",)))


def test_whole_cluster_is_a_switch(helm: Callable[..., str]) -> None:
    """Only ``*`` gives a ClusterRole, and the operator's way out to workers everywhere."""
    rows = _rendered(helm, *VALUES["whole cluster"])
    (rules,) = (row["rules"] for row in rows if row["kind"] == "ClusterRole")

    assert {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]} in rules
    assert _to_workers(rows) == {}
    assert _to_workers(_rendered(helm))["matchExpressions"][0]["values"] == ["charts"]


def _to_workers(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (policy,) = (
        row["spec"]
        for row in rows
        if (row["kind"], row["metadata"]["name"]) == ("NetworkPolicy", "shop-operator")
    )
    (peer,) = (peer for rule in policy["egress"] for peer in rule.get("to", ()))
    found: dict[str, Any] = peer["namespaceSelector"]
    return found


def test_both_installs_are_equal(helm: Callable[..., str]) -> None:
    """The chart's rules and images are those of ``kubectl apply -k``, and so is the definition."""
    rows = _rendered(helm)
    path = ROOT / "k8s" / "operator" / "deployment.yaml"
    (plain,) = (
        row["spec"]["template"]["spec"]["containers"][0]
        for row in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if row["kind"] == "Deployment"
    )
    assert plain["image"] == _operator(rows)["containers"][0]["image"]
    given = {row["name"]: row["value"] for row in plain["env"]}
    assert given.pop("CLICKSTREAM_OPERATOR_NAMESPACES") == "clickstream-system"
    for name, value in given.items():
        assert _environment(rows)[name] == value
    text = (ROOT / "k8s" / "operator" / "rbac.yaml").read_text(encoding="utf-8")
    (plain,) = (row["rules"] for row in yaml.safe_load_all(text) if row["kind"] == "Role")
    (charted,) = (
        row["rules"]
        for row in rows
        if (row["kind"], row["metadata"]["name"]) == ("Role", "shop-operator")
    )
    assert charted == plain
    (definition,) = (row for row in rows if row["kind"] == "CustomResourceDefinition")
    committed = yaml.safe_load((ROOT / "k8s" / "definition.yaml").read_text(encoding="utf-8"))
    assert definition["spec"] == committed["spec"]
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("operator.resyncSeconds=soon", "/operator/resyncSeconds"),
        ("operator.namespaces={A}", "/operator/namespaces"),
        ("operator.namespaces={*,a}", "* alone means the whole cluster"),
        ("operator.allowedServers={kafka}", "/operator/allowedServers"),
        ("operator.allowedServers={kafka:99999}", "/operator/allowedServers"),
        ("operator.allowedServers={*kafka:9092}", "/operator/allowedServers"),
        ("kafka.outputTopics={*}", "/kafka/outputTopics"),
        ("kafka.outputTopics={_*}", "/kafka/outputTopics"),
        ("kafka.outputTopics={__consumer_offsets}", "/kafka/outputTopics"),
        ("registries[0].name=main", "/registries/0"),
        ("registries[0].name=A,registries[0].url=http://r", "/registries/0/name"),
        ("registries[0].name=a,registries[0].url=r:8081", "/registries/0/url"),
        ("registries[0].name=a,registries[0].url=http://u:p@r", "/registries/0/url"),
        (
            "registries[0].name=a,registries[0].url=http://r,registries[0].credentialsSecret=s",
            "/registries/0/url",
        ),
        ("kafka.saslWithoutTls=maybe", "/kafka/saslWithoutTls"),
        ("networkPolicy.grafanaNamespaces={}", "/networkPolicy/grafanaNamespaces"),
        ("operator.image.tag=a b", "/operator/image/tag"),
        ("generator.maxWorkers=0", "/generator/maxWorkers"),
        ("verification.timeoutSeconds=59", "/verification/timeoutSeconds"),
        ("generator.resources.limits.memory=1e9", "/generator/resources/limits/memory"),
        ("kafka.external.bootstrapServers=kafka", "/kafka/external/bootstrapServers"),
        ("kafka.external.saslMechanism=NONE", "/kafka/external/saslMechanism"),
        ("colour=red", "colour"),
    ],
)
def test_wrong_value_is_refused_by_path(helm: Callable[..., str], value: str, says: str) -> None:
    """The schema names where."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "shop", "--set", value)

    assert says in refused.value.stderr
