"""Free ports on loopback.

Owns their choice: the last used port if it is still free, so that bookmarks stay valid, else one
below the kernel's ephemeral range. Between choice and use the kernel may assign an ephemeral port
to any connection; a port below this range is used only on request.
"""

from __future__ import annotations

import socket
from itertools import cycle, islice
from pathlib import Path
from random import SystemRandom

__all__ = ["LOOPBACK", "free_port"]

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
"""Above the ports of common services."""
# https://docs.kernel.org/networking/ip-sysctl.html; elsewhere IANA's range, RFC 6335.
_LENT_FILE, _LENT_FROM = Path("/proc/sys/net/ipv4/ip_local_port_range"), 49_152


def _lent_from() -> int:
    """Return the kernel's first ephemeral port, or IANA's if the kernel's range starts too low."""
    first = int(_LENT_FILE.read_text().split()[0]) if _LENT_FILE.exists() else _LENT_FROM
    return first if first > _LOWEST else _LENT_FROM


_CANDIDATES = range(_LOWEST, _lent_from())
# Start at a random port, so that two processes try different ports; no port twice per process.
_NEXT = cycle(_CANDIDATES)
next(islice(_NEXT, SystemRandom().randrange(len(_CANDIDATES)), None))


def free_port(wanted: int | None = None) -> int:
    """Return a free port; ``wanted`` if it is free.

    Raises:
        OSError: No port is free.
    """
    if wanted is not None and _is_free(wanted):
        return wanted
    for port in islice(_NEXT, len(_CANDIDATES)):
        if _is_free(port):
            return port
    raise OSError(f"no free port on {LOOPBACK} from {_CANDIDATES.start} to {_CANDIDATES.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
