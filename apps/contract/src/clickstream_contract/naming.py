"""How a simulation is named, in a namespace and without one.

Owns the form and the length of the full name, which identifies a simulation in events, ledger,
tables, metrics, dashboards and console. Kubernetes' names are unique only within a namespace:
two namespaces may send events of simulations with one name to one Kafka.
"""

from __future__ import annotations

__all__ = ["DNS_LABEL", "FULL_NAME", "FULL_NAME_LENGTH", "MAX_LABEL_LENGTH", "full_name"]

MAX_LABEL_LENGTH = 63
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DNS_LABEL = f"^{_LABEL}$"
"""Pattern of a simulation's name, and of a namespace (RFC 1123)."""
FULL_NAME = f"^({_LABEL}/)?{_LABEL}$"
"""Pattern of a full name."""
FULL_NAME_LENGTH = 2 * MAX_LABEL_LENGTH + 1


def full_name(name: str, namespace: str | None) -> str:
    """Return ``namespace/name``, or the name of a simulation that has no namespace."""
    return f"{namespace}/{name}" if namespace else name
