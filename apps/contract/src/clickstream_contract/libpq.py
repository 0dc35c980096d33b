"""libpq's environment variables, which change how a program connects to PostgreSQL.

The project's processes ignore them. ``PGHOSTADDR`` would send a password to another host,
``PGCLIENTENCODING`` would store wrong texts, ``PGOPTIONS`` would change a session's settings.
Connections also set these three explicitly, because another program may open them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["forget_libpq"]


def forget_libpq(environment: MutableMapping[str, str]) -> None:
    """Remove libpq's variables, which all begin with PG.

    Call this before the process starts threads: libpq reads the C library's environment.
    """
    for name in [name for name in environment if name.startswith("PG")]:
        del environment[name]
