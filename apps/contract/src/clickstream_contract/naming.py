"""Names of simulations, with and without a namespace, and addresses of servers.

Owns the form and the length of the full name, which identifies a simulation in events, ledger,
tables, metrics, dashboards and console. A Kubernetes name is unique only within its namespace: two
namespaces may send events of simulations with the same name to one Kafka.
"""

from __future__ import annotations

__all__ = [
    "DNS_LABEL",
    "FULL_NAME",
    "FULL_NAME_LENGTH",
    "HOST",
    "MAX_LABEL_LENGTH",
    "NAME",
    "NAMESPACE",
    "PORT",
    "SERVERS",
    "full_name",
]

MAX_LABEL_LENGTH = 63
_REST = "([-a-z0-9]{0,61}[a-z0-9])?"
NAME = f"^[a-z]{_REST}$"
"""Pattern of a simulation's name: it begins with a letter, like a Service's name (RFC 1035)."""
DNS_LABEL = f"^[a-z0-9]{_REST}$"
"""Pattern of a label (RFC 1123)."""
NAMESPACE = DNS_LABEL
"""Pattern of a namespace."""
FULL_NAME = f"^([a-z0-9]{_REST}/)?[a-z]{_REST}$"
"""Pattern of a full name."""
FULL_NAME_LENGTH = 2 * MAX_LABEL_LENGTH + 1
_HOST_LABEL = "[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
HOST = rf"{_HOST_LABEL}(\.{_HOST_LABEL})*"
"""Pattern of a host's name or IPv4 address, without anchors."""
PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
"""Pattern of a port, 1 to 65535, without anchors."""
SERVERS = f"^{HOST}:{PORT}(,{HOST}:{PORT}){{0,15}}$"
"""Pattern of up to 16 addresses ``host:port``, separated by commas."""


def full_name(name: str, namespace: str | None) -> str:
    """Return ``namespace/name``, or the name of a simulation that has no namespace."""
    return f"{namespace}/{name}" if namespace else name
