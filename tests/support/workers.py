"""A simulation's workers as the operator sees them: pods and Deployments with sane defaults.

Owns their shape; a test names the fields that it is about.
"""

from __future__ import annotations

from typing import Any

from clickstream_operator.core.observed import Pod

__all__ = ["deployment", "pod"]


def pod(worker: int = 0, **fields: Any) -> Pod:  # noqa: ANN401  any of the pod's fields
    """Return a worker's pod that is ready and carries the shard of its number."""
    usual: dict[str, Any] = {
        "name": f"w-{worker}",
        "worker": worker,
        "shards": frozenset({worker}),
        "address": "10.0.0.1",
        "is_ready": True,
    }
    return Pod(**{**usual, **fields})


def deployment(
    worker: int, shards: str, *, generation: int = 1, seen: int = 1, replicas: int = 1
) -> dict[str, Any]:
    """Return a worker's Deployment that its controller has seen."""
    return {
        "kind": "Deployment",
        "metadata": {"generation": generation, "labels": {"clickstream.dev/worker": str(worker)}},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"annotations": {"clickstream.dev/shards": shards}}},
        },
        "status": {"observedGeneration": seen},
    }
