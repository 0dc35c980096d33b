"""Free ports on loopback.

Owns their choice: the one used last time if it is still free, so that a bookmark stays good, else
one below those that the kernel lends. Between the choice and its use a lent port may go to any
connection or listener that comes along; from these it takes only whoever asks for that very one.
It does not know who listens.
"""

from __future__ import annotations

import socket
from itertools import cycle, islice
from pathlib import Path
from random import SystemRandom

__all__ = ["LOOPBACK", "free_port"]

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
"""Above what services are commonly known by."""
# https://docs.kernel.org/networking/ip-sysctl.html; elsewhere IANA's range, RFC 6335.
_LENT_FILE, _LENT_FROM = Path("/proc/sys/net/ipv4/ip_local_port_range"), 49_152


def _lent_from() -> int:
    """Return the first port that the kernel lends, or the first above ours if it lends those."""
    first = int(_LENT_FILE.read_text().split()[0]) if _LENT_FILE.exists() else _LENT_FROM
    return first if first > _LOWEST else _LENT_FROM


_CANDIDATES = range(_LOWEST, _lent_from())
# From anywhere, so that two processes do not ask for the same ones; none twice in a process.
_NEXT = cycle(_CANDIDATES)
next(islice(_NEXT, SystemRandom().randrange(len(_CANDIDATES)), None))


def free_port(wanted: int | None = None) -> int:
    """Return a free port, ``wanted`` if that one is.

    Raises:
        OSError: There is none.
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
