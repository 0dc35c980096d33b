"""Whose an object is that has the name of a wanted child.

Owns that one question, asked before anything is written over. It does not know what is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickstream_operator.core.kinds import SIMULATION
from clickstream_operator.core.observed import SIMULATION_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_operator.core.desired import Owner

__all__ = ["is_anothers"]


def is_anothers(metadata: Mapping[str, Any], owner: Owner) -> bool:
    """Say whether an object is not the simulation's to change.

    What it left behind is: without a controller, since its owner was deleted without what it
    owns, or with the former simulation of this name as controller, until that is collected.

    Args:
        metadata: The object's.
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
