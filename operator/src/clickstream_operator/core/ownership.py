"""The owner of an object that has the name of a child, checked before the object is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickstream_operator.core.kinds import SIMULATION
from clickstream_operator.core.observed import SIMULATION_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_operator.core.desired import Owner

__all__ = ["is_foreign"]


def is_foreign(metadata: Mapping[str, Any], owner: Owner) -> bool:
    """Return whether an object is foreign: the simulation may not change it.

    Objects of a deleted simulation with the same name are not foreign. They have no controller if
    the deletion orphaned them; otherwise the deleted simulation is their controller until the
    garbage collector removes them.

    Args:
        metadata: The object's metadata.
        owner: The simulation.
    """
    controller: Mapping[str, Any] = next(
        (row for row in metadata.get("ownerReferences") or () if row.get("controller")), {}
    )
    if controller.get("uid") == owner.uid:
        return False
    was_its_own = (metadata.get("labels") or {}).get(SIMULATION_LABEL) == owner.name
    former = (SIMULATION.kind, owner.name)
    return not was_its_own or (
        bool(controller) and (controller.get("kind"), controller.get("name")) != former
    )
