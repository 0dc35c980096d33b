"""Logins: members of the schema's roles, and the rights that the database gives to every login.

Owns the creation of missing logins and the limits of a reader's or student's login. A login that
exists keeps its password and its limits. The schema owns the rights of a role on a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import cursor as Cursor

__all__ = [
    "OWNER_ROLE",
    "READER_ROLE",
    "STUDENT_ROLE",
    "VERIFIER_ROLE",
    "WRITER_ROLE",
    "Login",
    "ensure_logins",
    "limit_database",
]

OWNER_ROLE = "clickstream_owner"
WRITER_ROLE = "clickstream_writer"
READER_ROLE = "clickstream_reader"
VERIFIER_ROLE = "clickstream_verifier"
"""Adds to ``ops.verifications``; its logins are members of ``clickstream_reader`` as well."""
STUDENT_ROLE = "clickstream_student"
"""Reads ``raw`` and ``mart``, and nothing of ``ops``, which has the truth."""

_IS_MEMBER = """
SELECT 1 FROM pg_auth_members
WHERE roleid = %s::regrole AND member = to_regrole(%s)
"""
_LIMITED = ((READER_ROLE,), (STUDENT_ROLE,))
"""Roles of logins that people use."""
_MOST_CONNECTIONS = 20
_SESSION = {
    "statement_timeout": "5min",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "5min",
}
"""Settings of such a login's database session; PostgreSQL lets every session change them."""
_IS_UNLIMITED = """
SELECT 1 FROM pg_roles
WHERE rolname = %s AND rolconnlimit = -1 AND rolconfig IS NULL
    AND pg_has_role(oid, 'MEMBER WITH ADMIN OPTION')
"""
"""Whether a login has no limits, and this one may set them."""
_IS_LIMITED = """
SELECT current_database(), has_database_privilege('public', current_database(), 'TEMPORARY')
"""


@dataclass(frozen=True)
class Login:
    """A login and the roles that it is a member of."""

    name: str
    password: str
    roles: tuple[str, ...]


def ensure_logins(cursor: Cursor, logins: Iterable[Login]) -> None:
    """Create the missing logins, and add each login to its roles."""
    for login in logins:
        name = sql.Identifier(login.name)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login.name,))
        if cursor.fetchone() is None:
            cursor.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(name), (login.password,)
            )
        for role in login.roles:
            # Another role may have granted the membership: this one could not grant it again.
            cursor.execute(_IS_MEMBER, (role, f'"{login.name}"'))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), name))
        if login.roles in _LIMITED:
            _limit_login(cursor, login.name)


def _limit_login(cursor: Cursor, login: str) -> None:
    """Limit a login's connections and the length of its statements, unless it has limits."""
    cursor.execute(_IS_UNLIMITED, (login,))
    if cursor.fetchone() is None:
        return
    name = sql.Identifier(login)
    cursor.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT %s").format(name), (_MOST_CONNECTIONS,))
    for setting, value in _SESSION.items():
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET {} = %s").format(name, sql.Identifier(setting)), (value,)
        )


def limit_database(cursor: Cursor) -> None:
    """Let only the owner's and the writer's logins create temporary objects.

    PostgreSQL lets every login create them, and a temporary function is code that runs in the
    server. The stream needs temporary tables. This is no part of the schema because a dump does not
    contain the rights on the database itself.
    """
    cursor.execute(_IS_LIMITED)
    name, is_open = cursor.fetchone() or ("", False)
    if not is_open:
        return
    database = sql.Identifier(name)
    roles = sql.SQL(", ").join(map(sql.Identifier, (OWNER_ROLE, WRITER_ROLE)))
    cursor.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, roles))
    cursor.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))
