"""Every profile in every mode: nothing privileged, nothing secret, nothing unpinned."""

from __future__ import annotations

import base64
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import CLICKSTREAM, NOTES, WAYS, documents, pods, printing_copy, rendered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PINNED = re.compile(r"(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$")
_SECRET = re.compile(r"password|secret|token|credential|jaas|api.?key", re.IGNORECASE)
_ASSIGNED = re.compile(r"(?i)(password|token|jaas|api.?key)\w*[\"']? *[=:] *[\"']?([^\s\"']+)")
_A_PATH_OR_NAME = re.compile(r"^(/etc/[a-z-]+/[a-z.]+|[a-z0-9.-]*)$")
_KINDS = {
    "kafka.strimzi.io/v1": (),
    "postgresql.cnpg.io/v1": (),
    "sparkoperator.k8s.io/v1beta2": (),
    "monitoring.coreos.com/v1": ("--set", "podMonitor.enabled=true"),
}


def _findings(rows: list[dict[str, Any]]) -> list[str]:
    """Return what must not be, with its place."""
    found = []
    for row in rows:
        place = f"{row['kind']}/{row['metadata']['name']}"
        for rule in row.get("rules", []):
            words = rule["apiGroups"] + rule["resources"] + rule["verbs"]
            found += [f"{place}: wildcard" for word in words if word == "*"]
            if "secrets" in rule["resources"] and rule["verbs"] != ["get"]:
                found.append(f"{place}: lists secrets")
        if row["kind"] == "ConfigMap":
            found += [
                f"{place}: {key} has a {word}"
                for key, text in row["data"].items()
                for word, value in _ASSIGNED.findall(text)
                if not value.startswith(("/", "true", "false"))
            ]
    for place, pod in pods(rows):
        found += [f"{place}: {text}" for text in _pod_findings(pod)]
    return found


def _pod_findings(pod: dict[str, Any]) -> list[str]:
    spec, found = pod["spec"], []
    security = spec.get("securityContext", {})
    if security.get("runAsNonRoot") is not True:
        found.append("may be root")
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("has no seccomp profile")
    if any(spec.get(word) for word in ("hostNetwork", "hostPID", "hostIPC")):
        found.append("is on the host")
    found += [f"mounts {row}" for row in spec.get("volumes", []) if "hostPath" in row]
    for box in (*spec["containers"], *spec.get("initContainers", [])):
        rights = box.get("securityContext", {})
        if (
            rights.get("allowPrivilegeEscalation") is not False
            or rights.get("readOnlyRootFilesystem") is not True
            or rights.get("capabilities") != {"drop": ["ALL"]}
            or rights.get("privileged")
        ):
            found.append(f"{box['name']} is not confined")
        image = box["image"]
        if not _PINNED.search(image) or image.endswith(":latest"):
            found.append(f"{box['name']} runs {image}")
        for row in box.get("env", []):
            source = row.get("valueFrom", {})
            if "secretKeyRef" in source or (
                _SECRET.search(row["name"]) and not _A_PATH_OR_NAME.match(row.get("value", ""))
            ):
                found.append(f"{box['name']} has {row['name']} in its environment")
        found += [f"{box['name']} takes all of a secret" for row in box.get("envFrom", []) if row]
    return found


def test_no_way_has_a_finding(ways: dict[str, list[dict[str, Any]]]) -> None:
    """Restricted, without wildcards, secrets in environments or unpinned images: 0 of each."""
    assert {name: _findings(rows) for name, rows in ways.items()} == {name: [] for name in ways}
    assert {place.partition("/")[0] for rows in ways.values() for place, _ in pods(rows)} == {
        "ConfigMap", "CronJob", "Deployment", "Job", "Pod", "SparkApplication", "StatefulSet",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["spec"]["securityContext"].pop("runAsNonRoot"),
        lambda pod: pod["spec"]["containers"][0]["securityContext"].update(privileged=True),
        lambda pod: pod["spec"].update(hostNetwork=True),
        lambda pod: pod["spec"]["containers"][0].update(image="registry.example/latest"),
        lambda pod: pod["spec"]["containers"][0]["env"].append(
            {"name": "PGPASSWORD", "value": "Geheim1"}
        ),
        lambda pod: pod["spec"]["containers"][0]["env"].append(
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}
        ),
    ],
)
def test_planted_finding_is_found(
    helm: Callable[..., str], change: Callable[[dict[str, Any]], object]
) -> None:
    """What would be unsafe does not pass."""
    rows = rendered(helm, "dev/strimzi/cnpg/driver")
    _, pod = next((place, pod) for place, pod in pods(rows) if place.startswith("Deployment/"))
    change(pod)

    assert len(_findings(rows)) == 1


def test_a_planted_finding_elsewhere_is_found(helm: Callable[..., str]) -> None:
    """A wildcard, or a password in a ConfigMap, does not pass."""
    rows = rendered(helm, "dev/strimzi/cnpg/driver")
    role = next(row for row in rows if row["kind"] == "Role")
    role["rules"][0]["verbs"].append("*")
    settings = next(row for row in rows if row["kind"] == "ConfigMap")
    settings["data"]["more"] = "spark.jaas.config module required password=Geheim1"

    assert len(_findings(rows)) == 2


def test_lint_finds_nothing(helm: Callable[..., str]) -> None:
    """``helm lint --strict`` with each profile."""
    for profile in ("values.yaml", "values-dev.yaml", "values-production.yaml"):
        assert "0 chart(s) failed" in helm("lint", "--strict", "-f", str(CLICKSTREAM / profile))


def test_clients_match_users_and_databases(
    ways: dict[str, list[dict[str, Any]]],
) -> None:
    """Each secret that a pod mounts is one that the release, or an operator for it, makes."""
    rows = ways["defaults/strimzi/cnpg/driver"]
    made = {row["metadata"]["name"] for row in rows if row["kind"] in {"Secret", "KafkaUser"}}
    made |= {"shop-cluster-ca-cert", "shop-postgres-ca"}
    mounted = {
        source["secret"].get("secretName", source["secret"].get("name"))
        for _, pod in pods(rows)
        for volume in pod["spec"]["volumes"]
        for source in (volume, *volume.get("projected", {}).get("sources", []))
        if "secret" in source
    }
    assert mounted <= made
    (operator,) = (pod for place, pod in pods(rows) if place == "Deployment/shop-operator")
    given = {row["name"]: row["value"] for row in operator["spec"]["containers"][0]["env"]}
    assert given["CLICKSTREAM_OPERATOR_CREDENTIALS_SECRET"] in made
    assert given["CLICKSTREAM_OPERATOR_BOOTSTRAP_SERVERS"] == "shop-kafka-bootstrap:9093"


def test_grafana_gets_the_reader_only(
    ways: dict[str, list[dict[str, Any]]],
) -> None:
    """With dashboards comes the database they ask, by the password that its reader has."""
    rows = {(row["kind"], row["metadata"]["name"]): row for row in ways["all-on"]}
    given = rows["Secret", "shop-grafana-datasource"]
    assert given["metadata"]["labels"]["grafana_datasource"] == "1"
    (source,) = yaml.safe_load(given["stringData"]["shop.yaml"])["datasources"]
    reader = rows["Secret", "shop-postgres-reader"]["data"]
    named = {key: base64.b64decode(text).decode() for key, text in reader.items()}
    assert source["user"] == named["username"] == "clickstream_read"
    assert source["secureJsonData"]["password"] == named["password"]
    assert source["url"] == "shop-postgres-rw.clickstream.svc:5432"


def test_the_topics_are_the_contracts(ways: dict[str, list[dict[str, Any]]]) -> None:
    """Names, partitions and settings of the committed resources, with the release's copies."""
    golden = CLICKSTREAM / "topics.yaml"
    committed = {
        row["metadata"]["name"]: row for row in yaml.safe_load_all(golden.read_text("utf-8"))
    }
    topics = [row for row in ways["dev/strimzi/cnpg/driver"] if row["kind"] == "KafkaTopic"]
    assert {row["metadata"]["name"] for row in topics} == set(committed)
    for row in topics:
        wanted = committed[row["metadata"]["name"]]["spec"]
        assert row["spec"]["partitions"] == wanted["partitions"]
        assert wanted["config"].items() <= row["spec"]["config"].items()
        assert row["spec"]["replicas"] == 1
        assert row["metadata"]["labels"]["strimzi.io/cluster"] == "shop"


def test_what_holds_data_outlives_the_release(ways: dict[str, list[dict[str, Any]]]) -> None:
    """Uninstalling deletes no record, no table, no checkpoint and no password to them."""
    kept = {
        row["kind"]
        for row in ways["all-on"]
        if row["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    assert kept == {
        "Cluster", "CustomResourceDefinition", "Kafka", "KafkaNodePool", "KafkaTopic",
        "ObjectStore", "PersistentVolumeClaim", "ScheduledBackup", "Secret",
    }  # fmt: skip


def test_database_stops_without_its_clients(ways: dict[str, list[dict[str, Any]]]) -> None:
    """A primary that is restarted never waits for the stream to close its connections."""
    clusters = [row["spec"] for rows in ways.values() for row in rows if row["kind"] == "Cluster"]
    assert clusters
    for spec in clusters:
        assert spec["smartShutdownTimeout"] == 0
        assert 30 <= spec["stopDelay"] <= 180


def test_every_pod_has_a_policy(ways: dict[str, list[dict[str, Any]]]) -> None:
    """Beside the one that refuses everything, each pod is let do what it must."""
    for way, rows in ways.items():
        policies = [
            row["spec"]["podSelector"]["matchLabels"]
            for row in rows
            if row["kind"] == "NetworkPolicy" and row["spec"]["podSelector"]
        ]
        closed = [row for row in rows if row["kind"] == "NetworkPolicy"]
        assert any(row["spec"]["podSelector"] == {} for row in closed)
        assert all(row["spec"]["policyTypes"] == ["Ingress", "Egress"] for row in closed)
        for place, pod in pods(rows):
            labels = pod["metadata"]["labels"].items()
            assert any(row.items() <= labels for row in policies), (way, place)


def test_no_policy_trusts_a_label_alone(ways: dict[str, list[dict[str, Any]]]) -> None:
    """Who comes from another namespace is named by that namespace: any pod can have a label."""
    peers = {
        f"{way}: {row['metadata']['name']}": peer
        for way, rows in ways.items()
        for row in rows
        if row["kind"] == "NetworkPolicy"
        for rule in row["spec"].get("ingress", ())
        for peer in rule.get("from", ())
        if "namespaceSelector" in peer
    }

    assert any(place.endswith("shop-postgres") for place in peers)
    assert any(place.endswith("shop-kafka") for place in peers)
    for place, peer in peers.items():
        (expression,) = peer["namespaceSelector"]["matchExpressions"]
        assert expression["key"] == "kubernetes.io/metadata.name", place
        assert expression["values"] == ["clickstream-operators"], place
        assert peer["podSelector"]["matchLabels"], place


def test_only_generators_are_shared(ways: dict[str, list[dict[str, Any]]]) -> None:
    """Simulations may use the generators' Kafka user, and no other secret of the release."""
    label = "clickstream.dev/credentials"
    users = {
        row["metadata"]["name"]: row["spec"].get("template", {})
        for row in ways["dev/strimzi/cnpg/driver"]
        if row["kind"] == "KafkaUser"
    }

    assert users["shop-generator"] == {"secret": {"metadata": {"labels": {label: "true"}}}}
    assert users["shop-streaming"] == {}
    for row in ways["all-on"]:
        if row["kind"] == "Secret":
            assert label not in row["metadata"]["labels"]


_RIGHTS = ["Describe", "Read", "Write"]
"""A verification reads the ledger, which may be any of the topics."""


def test_output_topics_are_granted(helm: Callable[..., str]) -> None:
    """The generators' user may use the topics that simulations may name, no other user may."""
    named = ("--set", "kafka.outputTopics={shop,load-*}")
    before, after = (
        {
            row["metadata"]["name"]: row["spec"]["authorization"]["acls"]
            for row in rendered(helm, "dev/strimzi/cnpg/driver", *more)
            if row["kind"] == "KafkaUser"
        }
        for more in ((), named)
    )

    more = after["shop-generator"][len(before["shop-generator"]) :]
    assert [(row["resource"], row["operations"]) for row in more] == [
        ({"type": "topic", "name": "shop", "patternType": "literal"}, _RIGHTS),
        ({"type": "topic", "name": "load-", "patternType": "prefix"}, _RIGHTS),
    ]
    assert after["shop-generator"][: len(before["shop-generator"])] == before["shop-generator"]
    assert after["shop-streaming"] == before["shop-streaming"]


def test_the_quota_of_production_is_enough(ways: dict[str, list[dict[str, Any]]]) -> None:
    """What the release asks for, with eight workers, fits into what it allows itself."""
    rows = ways["production/strimzi/cnpg/driver"]
    (quota,) = (row["spec"]["hard"] for row in rows if row["kind"] == "ResourceQuota")
    asked = {"cpu": 0.0, "memory": 0.0}
    for row in rows:
        spec = row.get("spec", {})
        if row["kind"] in {"KafkaNodePool", "Cluster"}:
            count = spec.get("replicas", spec.get("instances"))
            _add(asked, spec["resources"]["requests"], count)
    for _, pod in pods(rows):
        for box in pod["spec"]["containers"]:
            _add(asked, box.get("resources", {}).get("requests", {}), 1)
    values = yaml.safe_load((CLICKSTREAM / "values-production.yaml").read_text("utf-8"))
    executor = values["streaming"]["executor"]
    memory = f"{executor['heapMiB'] + executor['overheadMiB']}Mi"
    _add(asked, {"cpu": executor["cpuRequest"], "memory": memory}, executor["instances"])
    _add(asked, values["generator"]["resources"]["requests"], 8)

    assert asked["cpu"] <= _amount(quota["requests.cpu"])
    assert asked["memory"] <= _amount(quota["requests.memory"])
    assert asked["memory"] > 0.4 * _amount(quota["requests.memory"])


def _add(asked: dict[str, float], requests: dict[str, str], count: int) -> None:
    for key, text in requests.items():
        asked[key] += count * _amount(text)


def _amount(text: str) -> float:
    units = {"m": 1e-3, "Mi": 2**20, "Gi": 2**30}
    unit = next((name for name in units if text.endswith(name)), "")
    return float(text.removesuffix(unit)) * units.get(unit, 1)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("kafka.external.bootstrapServers=k:9092", "say kafka.mode=external"),
        ("kafka.mode=external", "needs kafka.external.bootstrapServers"),
        ("postgres.external.host=db", "say postgres.mode=external"),
        ("postgres.mode=external", "postgres.external.host must be set"),
        ("postgres.mode=none", "goes with spark.mode=none only"),
        ("spark.mode=none", "goes with postgres.mode=none only"),
        ("postgres.mode=none,spark.mode=none,console.enabled=true", "the console shows"),
        ("kafka.strimzi.replicationFactor=4", "a topic's copies need a broker each"),
        ("kafka.strimzi.minInSyncReplicas=4", "no record could ever be sent"),
        ("postgres.cnpg.instances=1", "no batch could ever be written"),
        ("postgres.cnpg.backup.enabled=true", "backup.destinationPath"),
        ("kafka.external.existingSecret=user", "say kafka.mode=external"),
        (
            "kafka.mode=external,kafka.external.bootstrapServers=k:1,kafka.external.existingSecret=u",
            "say kafka.saslWithoutTls=true",
        ),
        ("kafka.external.existingCaSecret=ca", "say kafka.mode=external"),
        (
            "postgres.mode=external,postgres.external.host=db,postgres.cnpg.backup.enabled=true",
            "back up yours by its own means",
        ),
        ("kafka.mode=zookeeper", "/kafka/mode"),
        ("kafka.strimzi.version=3.9.0", "/kafka/strimzi/version"),
        ("kafka.strimzi.brokers.replicas=0", "/kafka/strimzi/brokers/replicas"),
        ("kafka.strimzi.brokers.storage.size=big", "/kafka/strimzi/brokers/storage/size"),
        ("kafka.strimzi.colour=red", "colour"),
        ("postgres.cnpg.image=postgres", "/postgres/cnpg/image"),
        ("postgres.cnpg.backup.schedule=0 3 * * *", "/postgres/cnpg/backup/schedule"),
        ("postgres.cnpg.synchronous.dataDurability=some", "dataDurability"),
        ("postgres.external.port=0", "/postgres/external/port"),
        ("quota.hard.pods=many", "/quota/hard/pods"),
        ("networkPolicy.defaultDeny=1", "/networkPolicy/defaultDeny"),
        ("streaming.executor.instances=0", "/streaming/executor/instances"),
    ],
)
def test_impossible_values_are_refused(helm: Callable[..., str], values: str, says: str) -> None:
    """Contradictions and wrong values never get as far as a cluster."""
    backups = ("barmancloud.cnpg.io/v1",) if "backup" in values else ()
    kinds = (*_KINDS, *backups)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "shop", "--set", values, kinds=kinds)

    assert says in refused.value.stderr


@pytest.mark.parametrize("missing", _KINDS)
def test_missing_kind_names_the_command(helm: Callable[..., str], missing: str) -> None:
    """Not a stack of YAML, but what to type."""
    others = tuple(kind for kind in _KINDS if kind != missing)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "shop", *_KINDS[missing], kinds=others)

    assert f"needs the kinds of {missing}" in refused.value.stderr
    assert "helm install clickstream-operators" in refused.value.stderr


def test_with_backups_the_log_is_archived(helm: Callable[..., str]) -> None:
    """The plugin, never the form that is going away, with the object store that it names."""
    rows = rendered(
        helm, "production/strimzi/cnpg/driver", "--api-versions", "barmancloud.cnpg.io/v1",
        "--set", "postgres.cnpg.backup.enabled=true,postgres.cnpg.backup.existingSecret=s3",
        "--set", "postgres.cnpg.backup.destinationPath=s3://backups/shop",
    )  # fmt: skip
    (cluster,) = (row["spec"] for row in rows if row["kind"] == "Cluster")
    (store,) = (row for row in rows if row["kind"] == "ObjectStore")
    (plan,) = (row["spec"] for row in rows if row["kind"] == "ScheduledBackup")
    (plugin,) = cluster["plugins"]
    assert "backup" not in cluster
    assert plugin["isWALArchiver"] is True
    assert plugin["parameters"] == {"barmanObjectName": store["metadata"]["name"]}
    assert (plan["method"], plan["pluginConfiguration"]["name"]) == ("plugin", plugin["name"])
    assert len(plan["schedule"].split()) == 6
    assert store["spec"]["configuration"]["destinationPath"] == "s3://backups/shop"


def test_the_notes_name_what_there_is(helm: Callable[..., str], tmp_path: Path) -> None:
    """Where to look, by names that the release has."""
    copy = printing_copy(CLICKSTREAM, tmp_path)

    def notes(way: str) -> str:
        text = helm("template", "shop", "-n", "clickstream", *WAYS[way], chart=copy)
        rows = documents(text)
        return next(str(row["data"]["text"]) for row in rows if row["metadata"]["name"] == NOTES)

    own = notes("dev/strimzi/cnpg/spark-operator")
    for name in ("kafka/shop", "cluster.postgresql.cnpg.io/shop-postgres",
                 "sparkapplication/shop-streaming", "cronjob/shop-verify"):  # fmt: skip
        assert name in own
    assert "statefulset/shop-streaming" in notes("dev/own-kafka/own-postgres/driver")
    assert "shop-verify" not in notes("strimzi/events-only")
