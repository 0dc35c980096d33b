"""The hand-over of shards: a worker starts when no other worker carries one of its shards.

Two processes with one shard would lose nothing, because every event has an id. But they would send
each event twice, and both would write the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickstream_operator.core.observed import SHARDS_ANNOTATION, WORKER_LABEL
from clickstream_operator.core.shards import parse_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_operator.core.observed import Observed

__all__ = ["Handover"]


class Handover:
    """The shards that each worker carries at present.

    Args:
        observed: The simulation's objects; pods that have ended carry nothing.
    """

    def __init__(self, observed: Observed) -> None:
        self._pods: dict[int, set[str]] = {}
        for pod in observed.pods:
            if not pod.is_over:
                _note(self._pods, pod.shards, str(pod.worker))
        self._deployments: dict[int, set[str]] = {}
        self._carried: dict[str, list[frozenset[int]]] = {}
        self._outdated: set[str] = set()
        for row in observed.children:
            if row.get("kind") != "Deployment":
                continue
            worker = str(row["metadata"].get("labels", {}).get(WORKER_LABEL))
            shards = _carries(row)
            _note(self._deployments, shards, worker)
            self._carried.setdefault(worker, []).append(shards)
            if not _is_seen(row):
                self._outdated.add(worker)

    def can_start(self, worker: int, shards: Iterable[int]) -> bool:
        """Return whether a worker may run with the shards.

        The Deployment's strategy ends the worker's former pod first.

        Args:
            worker: The worker's number.
            shards: The shards to carry.
        """
        wanted, name = frozenset(shards), str(worker)
        if any(self._pods.get(shard, set()) - {name} for shard in wanted):
            return False
        # A Deployment that already runs these shards keeps running; only a new one waits until
        # the others have released them.
        if wanted in self._carried.get(name, ()):
            return True
        return not (self._outdated - {name}) and not any(
            self._deployments.get(shard, set()) - {name} for shard in wanted
        )


def _note(carriers: dict[int, set[str]], shards: Iterable[int], worker: str) -> None:
    for shard in shards:
        carriers.setdefault(shard, set()).add(worker)


def _carries(deployment: Mapping[str, Any]) -> frozenset[int]:
    """Return the shards of the pods that the Deployment makes."""
    spec = deployment["spec"]
    if not spec.get("replicas", 1):
        return frozenset()
    annotations = spec["template"].get("metadata", {}).get("annotations") or {}
    return parse_shards(annotations.get(SHARDS_ANNOTATION, ""))


def _is_seen(deployment: Mapping[str, Any]) -> bool:
    """Return whether the controller has observed the generation; before, it may make old pods."""
    seen = deployment.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= deployment["metadata"].get("generation", 0))
