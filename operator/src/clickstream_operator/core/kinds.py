"""The kinds of objects that the operator reads and writes, and their paths in the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CHILD_KINDS", "POD", "POD_MONITOR", "SIMULATION", "Kind", "Object"]

Object = dict[str, Any]
"""An object or a part of one, as JSON."""


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes:
        group: Its API group; empty for the core's.
        version: The version of the group.
        plural: Its name in paths.
        kind: Its name in objects.
    """

    group: str
    version: str
    plural: str
    kind: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the path of one object, of all objects in a namespace, or in all namespaces."""
        root = f"/apis/{self.group}" if self.group else "/api"
        place = ["namespaces", namespace] if namespace else []
        parts = [root, self.version, *place, self.plural, name, subresource]
        return "/".join(part for part in parts if part)


SIMULATION = Kind("clickstream.dev", "v1alpha1", "clickstreamsimulations", "ClickstreamSimulation")
POD = Kind("", "v1", "pods", "Pod")
POD_MONITOR = Kind("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor")
CHILD_KINDS = {
    row.kind: row
    for row in (
        Kind("", "v1", "configmaps", "ConfigMap"),
        Kind("", "v1", "services", "Service"),
        Kind("apps", "v1", "deployments", "Deployment"),
        Kind("batch", "v1", "jobs", "Job"),
        Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
        Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
        POD_MONITOR,
    )
}
"""The kinds of a simulation's children, by name."""
