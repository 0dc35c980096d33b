"""Logins: who may come in, each a member of a role that the migrations made.

Owns making those that are not there. What one is called and its password come from outside; one
that is there keeps its password. It does not know what a role may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import cursor as Cursor

__all__ = ["OWNER_ROLE", "READER_ROLE", "WRITER_ROLE", "Login", "see_to_logins"]

OWNER_ROLE = "clickstream_owner"
WRITER_ROLE = "clickstream_writer"
READER_ROLE = "clickstream_reader"

_IS_MEMBER = """
SELECT 1 FROM pg_auth_members
WHERE roleid = %s::regrole AND member = to_regrole(%s)
"""


@dataclass(frozen=True)
class Login:
    """A login and the role that it is a member of."""

    name: str
    password: str
    role: str


def see_to_logins(cursor: Cursor, logins: Iterable[Login]) -> None:
    """Make the logins that are not there, and members of their roles."""
    for login in logins:
        name = sql.Identifier(login.name)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login.name,))
        if cursor.fetchone() is None:
            cursor.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(name), (login.password,)
            )
        # A member already may be one by somebody's grant whose we could not repeat.
        cursor.execute(_IS_MEMBER, (login.role, f'"{login.name}"'))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(login.role), name))
