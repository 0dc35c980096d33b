"""The simulated shop of all benchmarks, always the same so that figures are comparable.

Owns its users and its catalog.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import parse_simulation

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

__all__ = ["SHOP", "shop"]

_USER_MIX = {
    "Browser": 400, "Shopper": 270, "Researcher": 100, "Buyer": 110, "BargainHunter": 70,
    "Loyal": 40, "Bot": 10,
}  # fmt: skip
SHOP: dict[str, Any] = {
    "seed": 42,
    "userMix": [{"persona": name, "weight": weight} for name, weight in _USER_MIX.items()],
    "users": 200_000,
    "catalog": {"products": 1_000, "categories": 25},
    "shards": 4,
}


def shop(**spec: Any) -> Simulation:  # noqa: ANN401  fields of the resource
    """Return the shop's simulation.

    Args:
        spec: Further fields of ``spec``, by their names in the resource; at least ``rate``.
    """
    document = {
        "apiVersion": "clickstream.dev/v1alpha1",
        "kind": "ClickstreamSimulation",
        "metadata": {"name": "bench"},
        "spec": SHOP | spec,
    }
    return parse_simulation(json.dumps(document))  # JSON is YAML
