"""Which hosts a request may name. Pure."""

from __future__ import annotations

__all__ = ["host_of", "is_allowed"]


def host_of(header: str) -> str:
    """Return the name in a ``Host`` header, in lower case, without the port."""
    name, colon, port = header.strip().lower().rpartition(":")
    # An address of IPv6 has brackets, and colons inside them.
    return name if colon and not port.endswith("]") else name + colon + port


def is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a request may name the host.

    Args:
        host: The name in lower case.
        allowed: Names, or ``*.`` and a domain for all names below it; empty for any host.
    """
    return not allowed or any(
        host == name or (name.startswith("*.") and host.endswith(name[1:]))
        for name in map(str.lower, allowed)
    )
