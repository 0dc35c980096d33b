"""Simulations as resources, and a cluster in memory that keeps what a plan says.

Owns what the API server and its controllers would make of a plan, as far as the operator looks
at it. It is no Kubernetes: the tests in ``integration`` run against a real API server.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import simulation_from_resource
from clickstream_operator.core.observed import Observed, Pod, Scrape, VerificationPod
from clickstream_operator.core.plan import Memory, Plan, make_plan
from clickstream_operator.core.shards import parse_shards
from clickstream_operator.settings import Settings

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

__all__ = ["NOW", "SETTINGS", "Cluster", "resource", "scrape", "simulation"]

NOW = 1_795_766_400.0
"""2026-11-27T08:00:00Z."""
SETTINGS = Settings(
    image="registry.example/clickstream-generator:1.0.0",
    namespaces=("load",),
    bootstrap_servers="kafka:9092",
    allowed_servers=("elsewhere:9092",),
)


def resource(name: str = "shop", **spec: object) -> dict[str, Any]:
    """Return a simulation as the API server gives it, with the spec's fields replaced."""
    return {
        "apiVersion": "clickstream.dev/v1alpha1",
        "kind": "ClickstreamSimulation",
        "metadata": {
            "name": name,
            "namespace": "load",
            "uid": "6f1b2c3d-0000-4000-8000-000000000001",
            "resourceVersion": "1",
            "generation": 1,
        },
        "spec": {
            "seed": 42,
            "rate": {"eventsPerSecond": 1_000},
            "userMix": [{"persona": "Buyer", "weight": 1}],
            "shards": 8,
            **spec,
        },
    }


def simulation(name: str = "shop", **spec: object) -> Simulation:
    """Return a simulation as the contract reads it, with the spec's fields replaced."""
    return simulation_from_resource(resource(name, **spec))


def scrape(**figures: float) -> Scrape:
    """Return a worker's figures: on target, idle, nothing over."""
    usual: dict[str, Any] = {
        "target": 500.0, "achieved": 500.0, "queue_records": 10.0, "lag_seconds": 0.0,
        "busy_seconds": 0.0, "delivered": 0.0, "shards_over": 0, "refused_changes": 0.0,
    }  # fmt: skip
    return Scrape(**{**usual, **figures})


_DRAIN_MOVES = 3


@dataclass
class Cluster:
    """A simulation and all that belongs to it; pods run as soon as they may."""

    resource: dict[str, Any]
    settings: Settings = SETTINGS
    now: float = NOW
    memory: Memory = field(default_factory=Memory)
    children: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    scrapes: dict[str, Scrape] = field(default_factory=dict)
    draining: Counter[str] = field(default_factory=Counter)
    has_pod_monitors: bool = False
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    verifications: dict[str, VerificationPod] = field(default_factory=dict)
    writes: int = 0
    count: int = 1

    def observed(self) -> Observed:
        """Return what the operator sees."""
        return Observed(
            children=tuple(copy.deepcopy(list(self.children.values()))),
            pods=tuple(self.pods.values()),
            scrapes={name: row for name, row in self.scrapes.items() if name in self.pods},
            has_pod_monitors=self.has_pod_monitors,
            secrets=self.secrets,
            verifications=tuple(self.verifications.values()),
        )

    def reconcile(self) -> Plan:
        """Let the operator reconcile once, and apply its plan."""
        seen, observed = copy.deepcopy(self.resource), self.observed()
        plan = make_plan(seen, observed, self.memory, self.now, self.settings)
        # What the former plan has found saves work, and changes no plan.
        forgetful = replace(self.memory, reading=None, settled=None)
        fresh = make_plan(seen, observed, forgetful, self.now, self.settings)
        assert replace(plan, memory=forgetful) == replace(fresh, memory=forgetful)
        self.memory = plan.memory
        if plan.status is not None:
            self.resource["status"] = plan.status
            self.writes += 1
        for row in plan.delete:
            del self.children[row["kind"], row["metadata"]["name"]]
            self.writes += 1
        for wanted in plan.apply:
            self._apply(copy.deepcopy(wanted))
        for name in plan.force_sync:
            self.pods[name] = replace(self.pods[name], read=plan.digest)
            self.writes += 1
        return plan

    def settle(self, seconds: float = 5.0) -> None:
        """Let pods follow their Deployments, and the operator reconcile, until nothing changes."""
        for _ in range(40):
            before = self.writes
            self.reconcile()
            moved = self.move_pods()
            self.now += seconds
            if not moved and self.writes == before:
                return
        raise AssertionError("it never comes to rest")

    def move_pods(self) -> bool:
        """Let each Deployment act once: its old pod drains, then ends, then the new one starts."""
        wanted: dict[int, Pod] = {}
        for (kind, name), row in self.children.items():
            if kind != "Deployment":
                continue
            row["status"] = {"observedGeneration": row["metadata"]["generation"]}
            if row["spec"]["replicas"]:
                template = row["spec"]["template"]["metadata"]
                worker = int(row["metadata"]["labels"]["clickstream.dev/worker"])
                wanted[worker] = Pod(
                    name=f"{name}-{row['metadata']['generation']}",
                    worker=worker,
                    shards=parse_shards(template["annotations"]["clickstream.dev/shards"]),
                    address="10.0.0.1",
                    is_ready=True,
                )
        keep = {pod.name for pod in wanted.values()}
        has_moved = False
        for pod in [pod for pod in self.pods.values() if pod.name not in keep]:
            has_moved = True
            self.pods[pod.name] = replace(pod, is_leaving=True)
            self.draining[pod.name] += 1
            if self.draining[pod.name] == _DRAIN_MOVES:
                del self.pods[pod.name]
        there = {pod.worker for pod in self.pods.values()}
        for pod in wanted.values():
            if pod.worker not in there:
                has_moved = True
                self.pods[pod.name] = pod
                self.scrapes.setdefault(pod.name, scrape())
        return has_moved

    def _apply(self, wanted: dict[str, Any]) -> None:
        place = wanted["kind"], wanted["metadata"]["name"]
        there = self.children.get(place)
        self.count += 1
        self.writes += 1
        generation = 1
        if there is not None:
            generation = there["metadata"]["generation"]
            changed = {"replicas": 0, **there.get("spec", {})} != {
                "replicas": 0,
                **wanted.get("spec", {}),
            }
            # Pods are named after it: another template, another pod.
            generation += int(changed)
        wanted["metadata"] |= {
            "uid": f"uid-{self.count}",
            "resourceVersion": str(self.count),
            "generation": generation,
        }
        wanted["status"] = (there or {}).get("status", {})
        self.children[place] = wanted

    def jobs(self) -> list[str]:
        """Return the names of the Jobs."""
        return sorted(name for kind, name in self.children if kind == "Job")

    def end_verification(self, message: str) -> None:
        """Let the newest Job's pod end with a message."""
        name = self.jobs()[-1]
        self.verifications[name] = VerificationPod(name, is_over=True, message=message)

    def shards(self) -> list[int]:
        """Return every shard that a pod carries."""
        return sorted(number for pod in self.pods.values() for number in pod.shards)

    def condition(self, kind: str) -> tuple[str, str]:
        """Return a condition's status and reason."""
        rows = self.resource["status"]["conditions"]
        return next((row["status"], row["reason"]) for row in rows if row["type"] == kind)
