"""When a worker may take up its shards: once nobody else carries one of them.

Owns that order. Two processes with one shard would lose nothing, since every event has its
own id, but they would send it twice and both write its ledger. It does not know why shards
move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickstream_operator.core.observed import SHARDS_ANNOTATION, WORKER_LABEL
from clickstream_operator.core.shards import parse_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_operator.core.observed import Observed

__all__ = ["may_carry"]


def may_carry(worker: int, shards: Iterable[int], observed: Observed) -> bool:
    """Say whether a worker may run with the shards.

    Its own former pod is its Deployment's to end first, by its strategy.

    Args:
        worker: Its number.
        shards: What it shall carry.
        observed: What is seen; pods that have ended carry nothing.
    """
    wanted = frozenset(shards)
    if any(
        pod.worker != worker and not pod.is_over and not pod.shards.isdisjoint(wanted)
        for pod in observed.pods
    ):
        return False
    deployments = [row for row in observed.children if row.get("kind") == "Deployment"]
    # What runs already goes on: only who begins has to wait for others to be told.
    return any(_is_of(row, worker) and _carries(row) == wanted for row in deployments) or all(
        _is_of(row, worker) or (_is_seen(row) and _carries(row).isdisjoint(wanted))
        for row in deployments
    )


def _is_of(deployment: Mapping[str, Any], worker: int) -> bool:
    return bool(deployment["metadata"].get("labels", {}).get(WORKER_LABEL) == str(worker))


def _carries(deployment: Mapping[str, Any]) -> frozenset[int]:
    """Return the shards of the pods that the Deployment makes, as it stands."""
    spec = deployment["spec"]
    if not spec.get("replicas", 1):
        return frozenset()
    annotations = spec["template"].get("metadata", {}).get("annotations") or {}
    return parse_shards(annotations.get(SHARDS_ANNOTATION, ""))


def _is_seen(deployment: Mapping[str, Any]) -> bool:
    """Say whether its controller has seen it as it stands: until then it may make old pods."""
    seen = deployment.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= deployment["metadata"].get("generation", 0))
