"""The desired state of a simulation: its children, complete.

Owns the children's names and every field except the pod's. The same arguments give the same
objects in the same order. Only fields that the contract has validated become names; texts become
files and values, and never a command.
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
from clickstream_operator.core.observed import (
    COMPONENT_LABEL,
    SHARDS_ANNOTATION,
    SIMULATION_LABEL,
    WORKER_LABEL,
)
from clickstream_operator.core.pod import METRICS_PORT, pod_spec
from clickstream_operator.core.registry import named_registry
from clickstream_operator.core.shards import assign_shards, format_shards

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
    "child_metadata",
    "child_name",
    "children",
    "document_digest",
    "iso",
    "traffic_spec",
    "with_digest",
]

FIELD_MANAGER = "clickstream-operator"
MANAGED_BY = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
WANTED_ANNOTATION = "clickstream.dev/wanted"
"""On each child: a digest of its desired state, so that a removed field is noticed."""
READ_ANNOTATION = "clickstream.dev/simulation-digest"
"""On each pod: the version of the file that it was last forced to read."""
_NAME_LENGTH = 63
_NOT_TRAFFIC = ("kafka", "workers", "suspend", "verification")


@dataclass(frozen=True)
class Owner:
    """The simulation that owns the objects."""

    name: str
    namespace: str
    uid: str


@dataclass(frozen=True)
class Run:
    """The decisions about a run.

    Attributes:
        workers: The number of workers; 0 while the run is suspended and after its end.
        start_seconds: When the live part of the run begins, Unix seconds.
        effective_seconds: When the present spec takes effect; at once if absent.
        resumed_seconds: When the run was resumed.
    """

    workers: int
    start_seconds: float
    effective_seconds: float | None = None
    resumed_seconds: float | None = None


def traffic_spec(simulation: Simulation) -> Object:
    """Return the part of a spec that workers need, as JSON.

    The number of workers, the Kafka and the verification are left out: a change of those is no
    change of the traffic.
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
    """Return the desired children of a simulation.

    Args:
        simulation: The simulation.
        owner: The simulation's name and uid.
        run: The decisions about the run.
        settings: The operator's settings.
        observed: The present objects; a worker waits for shards that another worker carries.
    """
    if not run.workers:
        return []
    content = _document(simulation, run)
    hands = assign_shards(simulation.spec.shards, run.workers)
    handover = Handover(observed)
    objects = [
        _config_map(owner, content),
        # Before the pods, because no pod may run without it.
        _network_policy(simulation, owner, settings),
        *(
            _deployment(
                simulation,
                owner,
                run,
                settings,
                worker,
                shards,
                int(handover.can_start(worker, shards)),
            )
            for worker, shards in enumerate(hands)
        ),
        _service(owner),
    ]
    if run.workers > 1:
        objects.append(_disruption_budget(owner))
    if observed.has_pod_monitors:
        objects.append(_pod_monitor(owner))
    return [with_digest(row) for row in objects]


def document_digest(simulation: Simulation, run: Run) -> str:
    """Return the digest of the file that workers read."""
    return _digest(_document(simulation, run))


def iso(unix_seconds: float) -> str:
    """Return a time as Kubernetes writes it, to the second."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _document(simulation: Simulation, run: Run) -> str:
    """Return the file that workers read: JSON, which is also YAML."""
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


def with_digest(row: Object) -> Object:
    """Return a child with the digest of its desired state as an annotation."""
    annotations = row["metadata"].setdefault("annotations", {})
    annotations[WANTED_ANNOTATION] = _digest(json.dumps(row, sort_keys=True))
    return row


def child_name(owner: Owner, suffix: str) -> str:
    """Return a child's name; a long name is cut and gets a digest of the whole name."""
    name = owner.name
    room = _NAME_LENGTH - len(suffix) - 1
    if len(name) > room:
        name = f"{name[: room - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{name}-{suffix}"


def child_metadata(owner: Owner, name: str, component: str, **labels: str) -> Object:
    """Return a child's metadata; the simulation owns it."""
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": {
            "app.kubernetes.io/name": "clickstream-generator",
            "app.kubernetes.io/instance": owner.name,
            COMPONENT_LABEL: component,
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
                # The deletion of the simulation does not wait for its children.
                "blockOwnerDeletion": False,
            }
        ],
    }


def _selector(owner: Owner) -> dict[str, str]:
    """Return the labels of a simulation's workers, without the pods of verifications."""
    return {**MANAGED_BY, SIMULATION_LABEL: owner.name, COMPONENT_LABEL: "worker"}


def _config_map(owner: Owner, content: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": child_metadata(owner, child_name(owner, "simulation"), "simulation"),
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
    name = child_name(owner, f"worker-{worker}")
    number = {WORKER_LABEL: str(worker)}
    metadata = child_metadata(owner, name, "worker", **number)
    pod_labels = dict(metadata["labels"])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            # Two pods must never carry one shard at the same time.
            "strategy": {"type": "Recreate"},
            # A Deployment's selector cannot change: it has the labels of its first version.
            "selector": {"matchLabels": {**MANAGED_BY, SIMULATION_LABEL: owner.name, **number}},
            "template": {
                "metadata": {
                    "labels": pod_labels,
                    "annotations": {SHARDS_ANNOTATION: format_shards(shards)},
                },
                "spec": pod_spec(
                    owner.uid,
                    iso(run.start_seconds),
                    child_name(owner, "simulation"),
                    shards,
                    Broker(simulation.spec.kafka, settings),
                    named_registry(simulation.spec.event_output, settings.registries),
                    settings,
                ),
            },
        },
    }


def _service(owner: Owner) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(owner, child_name(owner, "workers"), "metrics"),
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
    """Return the policy that allows scrapes in, and DNS, Kafka and a named registry out.

    A NetworkPolicy cannot name a host, so Kafka and the registry are allowed by port.
    """
    kafka = Broker(simulation.spec.kafka, settings)
    broker: Object = {"ports": [{"protocol": "TCP", "port": port} for port in kafka.ports()]}
    if kafka.cluster:
        broker["to"] = [{"podSelector": {"matchLabels": {"strimzi.io/cluster": kafka.cluster}}}]
    names = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
    egress = [names, broker]
    registry = named_registry(simulation.spec.event_output, settings.registries)
    if registry is not None:
        egress.append({"ports": [{"protocol": "TCP", "port": registry.port()}]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(owner, child_name(owner, "workers"), "network"),
        "spec": {
            "podSelector": {"matchLabels": _selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": METRICS_PORT}]}],
            "egress": egress,
        },
    }


def _disruption_budget(owner: Owner) -> Object:
    """Return the budget that lets a drain evict one worker at a time.

    A single worker has no budget: the budget would block the drain.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_metadata(owner, child_name(owner, "workers"), "disruption"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(owner)}},
    }


def _pod_monitor(owner: Owner) -> Object:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": child_metadata(owner, child_name(owner, "workers"), "metrics"),
        "spec": {
            "selector": {"matchLabels": _selector(owner)},
            "podTargetLabels": [SIMULATION_LABEL, WORKER_LABEL],
            "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics"}],
        },
    }
