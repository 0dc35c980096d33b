"""libpq's environment: variables by which a shell changes how a program connects to PostgreSQL.

Owns that processes of ours ignore them. ``PGHOSTADDR`` would send a password to another host,
``PGCLIENTENCODING`` would store texts wrongly, ``PGOPTIONS`` would change a session's settings.
Connections set these three themselves too: they may be opened in a process that is not ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["forget_libpq"]


def forget_libpq(environment: MutableMapping[str, str]) -> None:
    """Remove libpq's variables, each of which begins with PG.

    Call it before the process has threads: libpq reads the C library's environment.
    """
    for name in [name for name in environment if name.startswith("PG")]:
        del environment[name]
