"""The shop that is measured, the same for all benches of the pipeline, so that figures compare.

Owns its visitors and its catalog. It does not know at which rate they come, nor what is timed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import parse_simulation

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

__all__ = ["shop"]

_VISITORS = {
    "Browser": 400, "Shopper": 270, "Researcher": 100, "Buyer": 110, "BargainHunter": 70,
    "Loyal": 40, "Bot": 10,
}  # fmt: skip
_SPEC: dict[str, Any] = {
    "seed": 42,
    "userMix": [{"persona": name, "weight": weight} for name, weight in _VISITORS.items()],
    "users": 200_000,
    "catalog": {"products": 1_000, "categories": 25},
    "shards": 4,
}


def shop(**spec: Any) -> Simulation:  # noqa: ANN401  fields of the resource
    """Return the shop's simulation.

    Args:
        spec: Fields of the resource's ``spec``, by their names there; ``rate`` at least.
    """
    document = {
        "apiVersion": "clickstream.dev/v1alpha1",
        "kind": "ClickstreamSimulation",
        "metadata": {"name": "bench"},
        "spec": _SPEC | spec,
    }
    return parse_simulation(json.dumps(document))  # JSON is YAML
