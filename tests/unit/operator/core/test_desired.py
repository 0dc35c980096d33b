"""The objects that a simulation wants, complete."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.document import parse_simulation
from clickstream_contract.events import DEVICES
from clickstream_contract.naming import HOST, PORT
from clickstream_contract.personas import PERSONAS
from clickstream_operator.core.broker import Broker
from clickstream_operator.core.desired import (
    Owner,
    Run,
    children,
    document_digest,
    iso,
    traffic_spec,
)
from clickstream_operator.core.observed import Observed
from clickstream_operator.core.pod import pod_spec
from clickstream_operator.core.registry import Registry
from clusters import NOW, SETTINGS, simulation
from hypothesis import given, settings
from hypothesis import strategies as st
from workers import pod

_OWNER = Owner("shop", "load", "6f1b2c3d-0000-4000-8000-000000000001")

_LABEL = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
_NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,40}[a-z0-9])?", fullmatch=True)
_SERVER = st.from_regex(rf"{HOST}:{PORT}", fullmatch=True).filter(lambda text: len(text) < 300)
_CLUSTER = st.fixed_dictionaries({"name": _LABEL})
_REF = st.fixed_dictionaries({"name": _NAME})
_WEIGHT = st.integers(1, 1_000_000)
_KAFKA: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"clusterRef": _CLUSTER}, optional={"credentialsSecretRef": _REF, "caSecretRef": _REF}
    ),
    st.fixed_dictionaries(
        {"bootstrapServers": st.lists(_SERVER, min_size=1, max_size=3).map(",".join)},
        optional={"credentialsSecretRef": _REF, "caSecretRef": _REF},
    ),
)
_DURATION = st.tuples(st.integers(1, 9_999), st.sampled_from("smhd")).map(
    lambda row: f"{row[0]}{row[1]}"
)
_LEVEL = st.integers(0, 100_000)
_RATE = st.builds(
    lambda amount, shape, bursts, overload: {
        **amount, **shape, "bursts": bursts, "onOverload": overload
    },
    st.one_of(
        st.fixed_dictionaries({"eventsPerSecond": st.integers(1, 1_000_000)}),
        st.fixed_dictionaries({"eventsPerMinute": st.integers(1, 60_000_000)}),
    ),
    st.one_of(
        st.fixed_dictionaries({"curve": st.sampled_from(["Constant", "Diurnal", "Weekly"])}),
        st.fixed_dictionaries(
            {
                "curve": st.just("Steps"),
                "steps": st.lists(
                    st.fixed_dictionaries({"for": _DURATION, "multiplierPermille": _LEVEL}),
                    min_size=1, max_size=3,
                ),
            }
        ),
    ),
    st.lists(
        st.fixed_dictionaries({"at": _DURATION, "for": _DURATION, "multiplierPermille": _LEVEL}),
        max_size=1,
    ),
    st.sampled_from(["CatchUp", "Shed"]),
)  # fmt: skip
_PERSONA = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[A-Z][A-Za-z0-9]{0,62}", fullmatch=True),
        "basedOn": st.sampled_from(list(PERSONAS)),
    },
    optional={
        "thinkMedianMilliseconds": st.integers(200, 600_000),
        "returnPermille": st.integers(0, 1_000),
        "hourly": st.lists(st.integers(1, 1_000), min_size=24, max_size=24),
    },
)
_SHARE = st.integers(0, 200)
_SPEC = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**53 - 1),
        "rate": _RATE,
        "userMix": st.lists(
            st.fixed_dictionaries({"persona": st.sampled_from(list(PERSONAS)), "weight": _WEIGHT}),
            min_size=1,
            unique_by=lambda row: row["persona"],
        ),
        "kafka": _KAFKA,
        "shards": st.integers(1, 1_024),
        "workers": st.one_of(
            st.just({}),
            st.fixed_dictionaries({"count": st.integers(1, 1_024)}),
            st.fixed_dictionaries({"max": st.integers(1, 1_024)}),
        ),
    },
    optional={
        "users": st.integers(1_024, 10_000_000),
        "suspend": st.booleans(),
        "personas": st.lists(_PERSONA, max_size=3, unique_by=lambda row: row["name"]),
        "catalog": st.fixed_dictionaries(
            {"products": st.integers(500, 200_000), "categories": st.integers(1, 500)}
        ),
        "countries": st.lists(
            st.fixed_dictionaries({"code": st.sampled_from(list(COUNTRIES)), "weight": _WEIGHT}),
            min_size=1,
            unique_by=lambda row: row["code"],
        ),
        "devices": st.fixed_dictionaries(dict.fromkeys(DEVICES, _WEIGHT)),
        "backfill": st.fixed_dictionaries({"days": st.integers(1, 400)}),
        "stopAfter": st.one_of(
            st.fixed_dictionaries({"duration": _DURATION}),
            st.fixed_dictionaries({"events": st.integers(1, 10**12)}),
        ),
        "faults": st.fixed_dictionaries(
            {
                "duplicatePermille": _SHARE,
                "latePermille": _SHARE,
                "corruptPermille": _SHARE,
                "futurePermille": _SHARE,
                "lossPermille": _SHARE,
                "maxLatenessSeconds": st.integers(1, 86_400),
            }
        ),
    },
)
_RESTRICTED_POD = {
    "runAsNonRoot": True, "runAsUser": 65_532, "runAsGroup": 65_532, "fsGroup": 65_532,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip
_RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VOLUMES = {"configMap", "secret", "emptyDir"}


@settings(max_examples=60)
@given(_LABEL, _SPEC, st.integers(1, 24))
def test_specification_never_widens_rights(name: str, spec: dict[str, Any], workers: int) -> None:
    """Whatever it says, pods stay restricted, names legal, and image and command the operator's."""
    wanted = simulation(name, **spec)
    workers = min(workers, wanted.spec.shards)
    owner = replace(_OWNER, name=name)

    rows = children(wanted, owner, Run(workers, 1.8e9), SETTINGS, Observed())

    places = [(row["kind"], row["metadata"]["name"]) for row in rows]
    assert len(set(places)) == len(places)
    for row in rows:
        assert _DNS_LABEL.fullmatch(row["metadata"]["name"])
        assert all(len(value) <= 63 for value in row["metadata"]["labels"].values())
        (reference,) = row["metadata"]["ownerReferences"]
        assert (reference["uid"], reference["blockOwnerDeletion"]) == (owner.uid, False)
    deployments = [row["spec"] for row in rows if row["kind"] == "Deployment"]
    assert len(deployments) == workers
    for row in deployments:
        _is_restricted(row["template"]["spec"])
        labels = row["template"]["metadata"]["labels"]
        assert row["selector"]["matchLabels"].items() <= labels.items()
    (file,) = (row["data"]["simulation.yaml"] for row in rows if row["kind"] == "ConfigMap")
    read = parse_simulation(file)
    assert read.spec.rate == wanted.spec.rate
    assert read.spec.user_mix == wanted.spec.user_mix


def _is_restricted(spec: dict[str, Any]) -> None:
    (container,) = spec["containers"]
    assert spec["securityContext"] == _RESTRICTED_POD
    assert container["securityContext"] == _RESTRICTED_CONTAINER
    assert container["image"] == SETTINGS.image
    assert not {"command", "args", "envFrom", "lifecycle"} & container.keys()
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "nodeName"} & spec.keys()
    assert spec["automountServiceAccountToken"] is False
    assert all(_VOLUMES & row.keys() for row in spec["volumes"])
    assert {"requests", "limits"} == container["resources"].keys()
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
    assert all(set(row) == {"name", "value"} for row in container["env"])
    assert "valueFrom" not in json.dumps(spec)


def _children(
    run: Run, observed: Observed | None = None, name: str = "shop", **spec: object
) -> list[dict[str, Any]]:
    owner = replace(_OWNER, name=name)
    return children(simulation(name, **spec), owner, run, SETTINGS, observed or Observed())


def _of(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(row for row in rows if row["kind"] == kind)


def _metadata(name: str, component: str, **labels: str) -> dict[str, Any]:
    """Return the metadata of a child, without the digest."""
    return {
        "name": name,
        "namespace": "load",
        "labels": {
            "app.kubernetes.io/name": "clickstream-generator",
            "app.kubernetes.io/instance": "shop",
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "clickstream",
            "app.kubernetes.io/managed-by": "clickstream-operator",
            "clickstream.dev/simulation": "shop",
            **labels,
        },
        "ownerReferences": [
            {
                "apiVersion": "clickstream.dev/v1alpha1",
                "kind": "ClickstreamSimulation",
                "name": "shop",
                "uid": _OWNER.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


_SELECTOR = {
    "app.kubernetes.io/managed-by": "clickstream-operator",
    "clickstream.dev/simulation": "shop",
}
_WORKERS = _SELECTOR | {"app.kubernetes.io/component": "worker"}


def _undigested(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the digests off the children; each must be right."""
    for row in rows:
        annotations = row["metadata"]["annotations"]
        digest = annotations.pop("clickstream.dev/wanted")
        assert annotations == {}
        text = json.dumps(row, sort_keys=True)
        assert digest == hashlib.sha256(text.encode()).hexdigest()[:16]
        del row["metadata"]["annotations"]
    return rows


def test_moments_are_written_in_utc() -> None:
    """A moment is written as Kubernetes does, to the second."""
    assert iso(NOW) == "2026-11-27T08:00:00Z"
    assert iso(NOW + 1.999) == "2026-11-27T08:00:01Z"


def test_stopped_run_wants_nothing() -> None:
    """Without workers there are no children at all."""
    assert _children(Run(0, NOW)) == []


@pytest.mark.parametrize(
    ("workers", "has_monitors", "kinds"),
    [
        (1, False, ["ConfigMap", "NetworkPolicy", "Deployment", "Service"]),
        (1, True, ["ConfigMap", "NetworkPolicy", "Deployment", "Service", "PodMonitor"]),
        (
            2,
            True,
            ["ConfigMap", "NetworkPolicy", "Deployment", "Deployment", "Service",
             "PodDisruptionBudget", "PodMonitor"],
        ),
    ],
)  # fmt: skip
def test_children_come_in_order(workers: int, kinds: list[str], *, has_monitors: bool) -> None:
    """The policy comes before the pods; a budget needs two workers, a monitor its kind."""
    rows = _children(Run(workers, NOW), Observed(has_pod_monitors=has_monitors))

    assert [row["kind"] for row in rows] == kinds


def test_children_are_complete() -> None:
    """Every field of every child but the pod's is as documented."""
    rows = _undigested(_children(Run(2, NOW), Observed(has_pod_monitors=True)))

    file = rows[0].pop("data")["simulation.yaml"]
    assert json.loads(file)["metadata"] == {
        "name": "shop", "namespace": "load", "annotations": {},
    }  # fmt: skip
    assert rows == [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _metadata("shop-simulation", "simulation"),
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": _metadata("shop-workers", "network"),
            "spec": {
                "podSelector": {"matchLabels": _WORKERS},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"ports": [{"protocol": "TCP", "port": 9_401}]}],
                "egress": [
                    {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
                    {"ports": [{"protocol": "TCP", "port": 9_092}]},
                ],
            },
        },
        _deployment(0, (0, 1, 2, 3), "0-3"),
        _deployment(1, (4, 5, 6, 7), "4-7"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _metadata("shop-workers", "metrics"),
            "spec": {
                "clusterIP": "None",
                "selector": _WORKERS,
                "ports": [
                    {"name": "metrics", "port": 9_401, "targetPort": "metrics", "protocol": "TCP"}
                ],
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": _metadata("shop-workers", "disruption"),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _WORKERS}},
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": _metadata("shop-workers", "metrics"),
            "spec": {
                "selector": {"matchLabels": _WORKERS},
                "podTargetLabels": ["clickstream.dev/simulation", "clickstream.dev/worker"],
                "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics"}],
            },
        },
    ]


def _deployment(worker: int, shards: tuple[int, ...], text: str) -> dict[str, Any]:
    number = {"clickstream.dev/worker": str(worker)}
    metadata = _metadata(f"shop-worker-{worker}", "worker", **number)
    broker = Broker(simulation().spec.kafka, SETTINGS)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _SELECTOR | number},
            "template": {
                "metadata": {
                    "labels": metadata["labels"],
                    "annotations": {"clickstream.dev/shards": text},
                },
                "spec": pod_spec(
                    _OWNER.uid,
                    "2026-11-27T08:00:00Z",
                    "shop-simulation",
                    shards,
                    broker,
                    None,
                    SETTINGS,
                ),
            },
        },
    }


def test_held_shards_wait() -> None:
    """A worker one of whose shards is still carried elsewhere gets no pod yet."""
    observed = Observed(pods=(pod(0, shards=frozenset({4})),))

    rows = _children(Run(2, NOW), observed)

    replicas = [row["spec"]["replicas"] for row in rows if row["kind"] == "Deployment"]
    assert replicas == [1, 0]


def test_cluster_narrows_the_policy() -> None:
    """Of a Strimzi cluster the policy names the brokers' pods, of other servers only ports."""
    strimzi = _of(_children(Run(1, NOW), kafka={"clusterRef": {"name": "clicks"}}), "NetworkPolicy")
    others = _of(_children(Run(1, NOW), kafka={"bootstrapServers": "a:2,b:1"}), "NetworkPolicy")

    assert strimzi["spec"]["egress"][1] == {
        "ports": [{"protocol": "TCP", "port": 9_093}],
        "to": [{"podSelector": {"matchLabels": {"strimzi.io/cluster": "clicks"}}}],
    }
    assert others["spec"]["egress"][1] == {
        "ports": [{"protocol": "TCP", "port": 1}, {"protocol": "TCP", "port": 2}]
    }


def test_policy_opens_the_named_registry() -> None:
    """Only the registry that the simulation names is open, and its settings are in the pod."""
    rows = tuple(
        Registry(name=name, url=f"http://{name}:{port}") for name, port in (("a", 1), ("b", 2))
    )
    settings = replace(SETTINGS, registries=rows)
    output = {
        "topic": "shop", "ledgerTopic": "shop-l", "encoding": "avro", "registry": "b"
    }  # fmt: skip
    named, unnamed = (
        children(wanted, _OWNER, Run(1, NOW), settings, Observed())
        for wanted in (simulation(output=output), simulation())
    )

    egress = [_of(found, "NetworkPolicy")["spec"]["egress"] for found in (named, unnamed)]
    assert egress[0] == [*egress[1], {"ports": [{"protocol": "TCP", "port": 2}]}]
    pod_template = _of(named, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod_template["containers"]
    assert {"name": "CLICKSTREAM_GENERATOR_REGISTRY", "value": "http://b:2"} in container["env"]


def test_long_names_are_cut() -> None:
    """A child's name has at most 63 characters; a cut one keeps a digest of the whole."""
    fits, long = "a" * 52, "a" * 53
    digest = hashlib.sha256(long.encode()).hexdigest()[:8]

    assert _of(_children(Run(1, NOW), name=fits), "ConfigMap")["metadata"]["name"] == (
        f"{fits}-simulation"
    )
    assert _of(_children(Run(1, NOW), name=long), "ConfigMap")["metadata"]["name"] == (
        f"{'a' * 43}-{digest}-simulation"
    )


def test_cut_names_have_one_hyphen() -> None:
    """Where the cut falls behind a hyphen the digest follows without a second one."""
    name = "a" * 42 + "-" + "b" * 20
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]

    assert _of(_children(Run(1, NOW), name=name), "ConfigMap")["metadata"]["name"] == (
        f"{'a' * 42}-{digest}-simulation"
    )


def test_file_holds_the_traffic() -> None:
    """Workers read name, moments and traffic; who carries it and where it goes is left out."""
    wanted = simulation(kafka={"bootstrapServers": "a:1"}, workers={"count": 2}, suspend=False)
    traffic = traffic_spec(wanted)

    assert not {"kafka", "workers", "suspend"} & traffic.keys()
    assert (traffic["seed"], traffic["shards"]) == (42, 8)
    assert traffic["rate"]["eventsPerSecond"] == 1_000
    assert "stopAfter" not in traffic
    rows = children(wanted, _OWNER, Run(1, NOW, NOW + 4, NOW + 60), SETTINGS, Observed())
    assert _of(rows, "ConfigMap")["data"]["simulation.yaml"] == (
        json.dumps(
            {
                "apiVersion": "clickstream.dev/v1alpha1",
                "kind": "ClickstreamSimulation",
                "metadata": {
                    "name": "shop",
                    "namespace": "load",
                    "annotations": {
                        "clickstream.dev/effective-from": "2026-11-27T08:00:04Z",
                        "clickstream.dev/resumed-at": "2026-11-27T08:01:00Z",
                    },
                },
                "spec": traffic,
            },
            indent=1,
        )
        + "\n"
    )


def test_file_digest_follows_the_file() -> None:
    """The digest is the file's: another moment or rate is another one, another broker is not."""
    run, later = Run(1, NOW), Run(1, NOW, NOW + 4)
    file = _of(_children(run), "ConfigMap")["data"]["simulation.yaml"]

    assert document_digest(simulation(), run) == hashlib.sha256(file.encode()).hexdigest()[:16]
    assert document_digest(simulation(), later) != document_digest(simulation(), run)
    assert document_digest(simulation(seed=1), run) != document_digest(simulation(), run)
    elsewhere = simulation(kafka={"bootstrapServers": "a:1"}, workers={"count": 2})
    assert document_digest(elsewhere, run) == document_digest(simulation(), run)
