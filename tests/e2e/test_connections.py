"""The policies of the default install, by real packets: pods with the labels of every kind.

The pods of Strimzi, CloudNativePG and the Spark operator are not at hand: small pods carry the
labels that these operators give theirs. Each listens on every port that any kind has. The
cluster's network must keep policies.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from charts import pods, rendered
from clickstream_operator.core.database import Database
from clusters import SETTINGS, resource
from clusters import Cluster as Planned
from connections import (
    ANY,
    DOCUMENT,
    Member,
    listed,
    opened,
    places_of,
    probe_pod,
    services,
    start,
    wait_until_listed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from release import Cluster, Figures, Images

_WAY = "all-on"
_KINDS = {
    "Deployment/shop-operator": "operator",
    "SparkApplication/shop-streaming/driver": "driver",
    "SparkApplication/shop-streaming/executor": "executors",
    "CronJob/shop-verify": "verify",
    "CronJob/shop-rebuild": "rebuild",
    "Deployment/shop-console": "console",
    "Pod/shop-test": "test",
}
_NAMESPACE = "clickstream-e2e-labels"
_OPERATORS = "clickstream-e2e-operators"
_OTHERS = "clickstream-e2e-others"
_ELSEWHERE = {
    "Strimzi's operator": {"strimzi.io/kind": "cluster-operator"},
    "CloudNativePG's operator": {"app.kubernetes.io/name": "cloudnative-pg"},
    "Grafana": {"app.kubernetes.io/name": "grafana"},
}
_DATA = {
    "Kafka": {"strimzi.io/cluster": "shop"},
    "PostgreSQL": {"cnpg.io/cluster": "shop-postgres"},
}
_SEVERAL = ("executors", "Kafka", "PostgreSQL")
"""Kinds whose pods talk to each other."""
_UNLISTED = 6_443
"""A port that pods with a way to the API server may send to, and that no pod opens."""


@pytest.fixture
def namespaces(cluster: Cluster) -> Iterator[None]:
    """Three namespaces: of the release, of the operators, of others."""
    with opened(cluster, _NAMESPACE, _OPERATORS, _OTHERS):
        yield


@pytest.mark.timeout(1_800)  # the first test also builds the images
@pytest.mark.usefixtures("namespaces", "policies")
def test_default_connections_are_listed(
    cluster: Cluster, images: Images, figures: Figures, helm: Callable[..., str]
) -> None:
    """Each pair of the table connects, and every other pair of kinds and ports is refused."""
    image = images.name("services")
    rows = listed(DOCUMENT.read_text(encoding="utf-8"))
    ports = {port for row in rows for port in row.ports if port > 1_024} | {_UNLISTED}
    labels = _labels(helm)
    policies = [row for row in _released(helm) if row["kind"] == "NetworkPolicy"]
    released = [*policies, *_made("NetworkPolicy")]
    for row in released:
        row["metadata"] = {"name": row["metadata"]["name"], "namespace": _NAMESPACE}
    members: list[tuple[Member, dict[str, str]]] = []
    for kind, of, namespace in [
        *((kind, of, _NAMESPACE) for kind, of in labels.items()),
        *((kind, labels[kind], _NAMESPACE) for kind in _SEVERAL),
        *((kind, of, _OPERATORS) for kind, of in _ELSEWHERE.items()),
        *(("an impostor", of, _OTHERS) for of in _impostors(labels)),
    ]:
        members.append((Member(kind, f"probe-{len(members)}", "probe", namespace), of))
    named = _ports(helm)
    made = [
        (member, probe_pod(member.pod, image, of, ports, named.get(member.kind, ())))
        for member, of in members
    ]
    for namespace in (_NAMESPACE, _OPERATORS, _OTHERS):
        given = released if namespace == _NAMESPACE else []
        start(cluster, namespace, [*given, *(pod for m, pod in made if m.namespace == namespace)])
    all_members = [member for member, _ in members]
    ours = [member for member in all_members if member.namespace == _NAMESPACE]
    places = [*places_of(cluster, ours), *services(cluster, all_members[-1])]
    known = {member.kind for member in all_members} | {place.kind for place in places} | {ANY}
    assert {kind for row in rows for kind in (row.source, row.target)} <= known
    found = wait_until_listed(cluster, rows, all_members, places, _NAMESPACE)
    figures.note("connections of the default install", found)


def _released(helm: Callable[..., str]) -> list[dict[str, Any]]:
    """Return what the chart renders with everything on."""
    return rendered(
        helm, _WAY, "--namespace", _NAMESPACE,
        "--set", f"operator.namespaces={{{_NAMESPACE}}}",
        "--set", f"networkPolicy.operatorNamespaces={{{_OPERATORS}}}",
        "--set", f"networkPolicy.grafanaNamespaces={{{_OPERATORS}}}",
    )  # fmt: skip


def _pods(helm: Callable[..., str]) -> dict[str, dict[str, Any]]:
    """Return the pod of each kind that the chart or the operator makes."""
    (worker,), (verification,) = _made("Deployment"), _made("Job")
    found = {
        "workers": worker["spec"]["template"],
        "verifications": verification["spec"]["template"],
    }
    for place, pod in pods(_released(helm)):
        kind = "migrations" if place.startswith("Job/shop-migrations") else _KINDS.get(place)
        if kind:
            found[kind] = pod
    assert len(found) == len(_KINDS) + 3
    return found


def _labels(helm: Callable[..., str]) -> dict[str, dict[str, str]]:
    """Return the labels of each kind's pods; a stranger has none."""
    made = {kind: pod["metadata"]["labels"] for kind, pod in _pods(helm).items()}
    return {**made, **_DATA, "a stranger": {}}


def _ports(helm: Callable[..., str]) -> dict[str, list[dict[str, Any]]]:
    """Return the ports that each kind's containers declare."""
    return {
        kind: [port for box in pod["spec"]["containers"] for port in box.get("ports", [])]
        for kind, pod in _pods(helm).items()
    }


def _impostors(labels: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    """Return labels that open something in the right namespace: elsewhere they open nothing."""
    data = {**_DATA["Kafka"], **_DATA["PostgreSQL"]}
    return [
        {**labels["executors"], **data, **_ELSEWHERE["Strimzi's operator"]},
        labels["driver"],
        {**data, **_ELSEWHERE["CloudNativePG's operator"]},
        {**labels["operator"], **_ELSEWHERE["Grafana"]},
    ]


def _made(kind: str) -> list[dict[str, Any]]:
    """Return what the operator makes for a simulation of the release's Kafka and database."""
    database = {"host": "shop-postgres-rw", "name": "clickstream", "secret": "verifier"}
    settings = replace(
        SETTINGS, namespaces=(_NAMESPACE,), bootstrap_servers="shop-kafka-bootstrap:9093",
        database=Database.model_validate(database),
    )  # fmt: skip
    row = resource(verification={"every": "1m"})
    row["metadata"]["namespace"] = _NAMESPACE
    planned = Planned(row, settings)
    planned.reconcile()
    planned.now += 180
    planned.reconcile()
    made = [row for (of, _), row in sorted(planned.children.items()) if of == kind]
    return [{key: value for key, value in row.items() if key != "status"} for row in made]
