"""What a simulation wants to be in the cluster: the objects, complete.

Owns every field of every child but the pod's, and their names. The same arguments give the same
objects, in the same order; whether they are there is not asked here. Nothing of the resource
reaches a name but by way of what the contract has checked; texts go into files and values,
never into a shell.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickstream_contract.document import API_VERSION, EFFECTIVE_FROM, KIND, RESUMED_AT

from clickstream_operator.core.broker import Broker
from clickstream_operator.core.handover import Handover
from clickstream_operator.core.observed import SHARDS_ANNOTATION, SIMULATION_LABEL, WORKER_LABEL
from clickstream_operator.core.pod import METRICS_PORT, pod_spec
from clickstream_operator.core.shards import dealt, format_shards

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

    from clickstream_operator.core.kinds import Object
    from clickstream_operator.core.observed import Observed
    from clickstream_operator.settings import Settings

__all__ = [
    "FIELD_MANAGER",
    "MANAGED_BY",
    "READ_ANNOTATION",
    "WANTED_ANNOTATION",
    "Owner",
    "Run",
    "children",
    "document_digest",
    "iso",
    "traffic_spec",
]

FIELD_MANAGER = "clickstream-operator"
MANAGED_BY = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
WANTED_ANNOTATION = "clickstream.dev/wanted"
"""On each child: a digest of all that is wanted of it, so that what no longer is gets noticed."""
READ_ANNOTATION = "clickstream.dev/simulation-digest"
"""On each pod: which version of the file it was nudged to read."""
_NAME_LENGTH = 63
_NOT_TRAFFIC = ("kafka", "workers", "suspend")


@dataclass(frozen=True)
class Owner:
    """The resource that everything belongs to."""

    name: str
    namespace: str
    uid: str


@dataclass(frozen=True)
class Run:
    """How far the resource's run has been decided.

    Attributes:
        workers: How many there shall be; 0 while it is suspended or once it is over.
        start_seconds: When its live part begins, Unix seconds.
        effective_seconds: From when the present specification holds; at once if absent.
        resumed_seconds: When it went on after it was suspended.
    """

    workers: int
    start_seconds: float
    effective_seconds: float | None = None
    resumed_seconds: float | None = None


def traffic_spec(simulation: Simulation) -> Object:
    """Return what workers need to know of a specification, as JSON.

    Who carries it and where it goes are none of their file's business: a change of those is
    no change of the traffic.
    """
    content: Object = simulation.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: value for key, value in content.items() if key not in _NOT_TRAFFIC}


def children(
    simulation: Simulation,
    owner: Owner,
    run: Run,
    settings: Settings,
    observed: Observed,
) -> list[Object]:
    """Return every object that the simulation wants.

    Args:
        simulation: What is wanted.
        owner: Whose they are.
        run: What has been decided about the run.
        settings: The operator's.
        observed: What is seen; a shard that is still carried elsewhere waits.
    """
    if not run.workers:
        return []
    content = _document(simulation, run)
    hands = dealt(simulation.spec.shards, run.workers)
    handover = Handover(observed)
    objects = [
        _config_map(owner, content),
        # Before the pods: none is to run without it.
        _network_policy(simulation, owner, settings),
        *(
            _deployment(
                simulation,
                owner,
                run,
                settings,
                worker,
                shards,
                int(handover.may_carry(worker, shards)),
            )
            for worker, shards in enumerate(hands)
        ),
        _service(owner),
    ]
    if run.workers > 1:
        objects.append(_disruption_budget(owner))
    if observed.has_pod_monitors:
        objects.append(_pod_monitor(owner))
    return [_with_digest(row) for row in objects]


def document_digest(simulation: Simulation, run: Run) -> str:
    """Return the digest of the file that workers read."""
    return _digest(_document(simulation, run))


def iso(unix_seconds: float) -> str:
    """Write a moment as Kubernetes does, to the second."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(simulation: Simulation, run: Run) -> str:
    """Return the file that workers read; JSON, which is YAML too."""
    annotations = {}
    if run.effective_seconds is not None:
        annotations[EFFECTIVE_FROM] = iso(run.effective_seconds)
    if run.resumed_seconds is not None:
        annotations[RESUMED_AT] = iso(run.resumed_seconds)
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": simulation.name,
            "namespace": simulation.namespace,
            "annotations": annotations,
        },
        "spec": traffic_spec(simulation),
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_digest(row: Object) -> Object:
    annotations = row["metadata"].setdefault("annotations", {})
    annotations[WANTED_ANNOTATION] = _digest(json.dumps(row, sort_keys=True))
    return row


def _child_name(owner: Owner, suffix: str) -> str:
    """Name a child; a long name is cut, and told apart by a digest of the whole."""
    name = owner.name
    room = _NAME_LENGTH - len(suffix) - 1
    if len(name) > room:
        name = f"{name[: room - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{name}-{suffix}"


def _metadata(owner: Owner, name: str, component: str, **labels: str) -> Object:
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": {
            "app.kubernetes.io/name": "clickstream-generator",
            "app.kubernetes.io/instance": owner.name,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "clickstream",
            **MANAGED_BY,
            SIMULATION_LABEL: owner.name,
            **labels,
        },
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                # Deleting the resource never waits for its children.
                "blockOwnerDeletion": False,
            }
        ],
    }


def _selector(owner: Owner) -> dict[str, str]:
    return {**MANAGED_BY, SIMULATION_LABEL: owner.name}


def _config_map(owner: Owner, content: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(owner, _child_name(owner, "simulation"), "simulation"),
        "data": {"simulation.yaml": content},
    }


def _deployment(
    simulation: Simulation,
    owner: Owner,
    run: Run,
    settings: Settings,
    worker: int,
    shards: tuple[int, ...],
    replicas: int,
) -> Object:
    name = _child_name(owner, f"worker-{worker}")
    number = {WORKER_LABEL: str(worker)}
    metadata = _metadata(owner, name, "worker", **number)
    pod_labels = dict(metadata["labels"])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            # Two pods must never carry one shard at once.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {**_selector(owner), **number}},
            "template": {
                "metadata": {
                    "labels": pod_labels,
                    "annotations": {SHARDS_ANNOTATION: format_shards(shards)},
                },
                "spec": pod_spec(
                    owner.uid,
                    iso(run.start_seconds),
                    _child_name(owner, "simulation"),
                    shards,
                    Broker(simulation.spec.kafka, settings),
                    settings,
                ),
            },
        },
    }


def _service(owner: Owner) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(owner, _child_name(owner, "workers"), "metrics"),
        "spec": {
            "clusterIP": "None",
            "selector": _selector(owner),
            "ports": [
                {
                    "name": "metrics",
                    "port": METRICS_PORT,
                    "targetPort": "metrics",
                    "protocol": "TCP",
                }
            ],
        },
    }


def _network_policy(simulation: Simulation, owner: Owner, settings: Settings) -> Object:
    """Let scrapes in, and names and Kafka out; a policy cannot name a host, but its port."""
    kafka = Broker(simulation.spec.kafka, settings)
    broker: Object = {"ports": [{"protocol": "TCP", "port": port} for port in kafka.ports()]}
    if kafka.cluster:
        broker["to"] = [{"podSelector": {"matchLabels": {"strimzi.io/cluster": kafka.cluster}}}]
    names = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(owner, _child_name(owner, "workers"), "network"),
        "spec": {
            "podSelector": {"matchLabels": _selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": METRICS_PORT}]}],
            "egress": [names, broker],
        },
    }


def _disruption_budget(owner: Owner) -> Object:
    """Let drains take workers one by one; with a single one a budget would block them."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(owner, _child_name(owner, "workers"), "disruption"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(owner)}},
    }


def _pod_monitor(owner: Owner) -> Object:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _metadata(owner, _child_name(owner, "workers"), "metrics"),
        "spec": {
            "selector": {"matchLabels": _selector(owner)},
            "podTargetLabels": [SIMULATION_LABEL, WORKER_LABEL],
            "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics"}],
        },
    }
