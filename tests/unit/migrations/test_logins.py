"""Logins are made where they are not there, each a member of its roles."""

from __future__ import annotations

import pytest
from clickstream_migrations.logins import (
    OWNER_ROLE,
    READER_ROLE,
    STUDENT_ROLE,
    VERIFIER_ROLE,
    WRITER_ROLE,
    Login,
    ensure_logins,
    limit_database,
)
from scripted_database import Answer, ScriptedDatabase

STREAM = Login("stream", "secret", (WRITER_ROLE,))
ROLES = "FROM pg_roles"
MEMBERS = "FROM pg_auth_members"


def _changes(answers: dict[str, Answer], *logins: Login) -> list[tuple[str, object]]:
    """Return the statements that change something."""
    database = ScriptedDatabase(answers)
    ensure_logins(database.cursor(), logins)
    return [row for row in database.statements if not row[0].strip().startswith("SELECT")]


def test_new_login_is_made() -> None:
    """A login that is not there is made with its password and becomes a member."""
    assert _changes({}, STREAM) == [
        ('CREATE ROLE "stream" LOGIN PASSWORD %s', ("secret",)),
        ('GRANT "clickstream_writer" TO "stream"', None),
    ]


def test_known_login_keeps_password() -> None:
    """A login that is there only becomes a member."""
    assert _changes({ROLES: [(1,)]}, STREAM) == [('GRANT "clickstream_writer" TO "stream"', None)]


def test_member_is_left_alone() -> None:
    """A login that is a member already is not changed."""
    assert _changes({ROLES: [(1,)], MEMBERS: [(1,)]}, STREAM) == []


def test_logins_are_looked_up() -> None:
    """A login is looked up by its name, its membership by role and quoted name."""
    database = ScriptedDatabase()

    ensure_logins(database.cursor(), [STREAM])

    assert database.executed(ROLES) == [("stream",)]
    assert database.executed(MEMBERS) == [("clickstream_writer", '"stream"')]


def test_each_login_has_its_roles() -> None:
    """Logins are made one after the other; a login may be a member of two roles."""
    changes = _changes(
        {ROLES: [(1,)]},
        Login("a", "", (OWNER_ROLE,)),
        STREAM,
        Login("b", "", (READER_ROLE, VERIFIER_ROLE)),
    )

    assert [text for text, _ in changes] == [
        'GRANT "clickstream_owner" TO "a"',
        'GRANT "clickstream_writer" TO "stream"',
        'GRANT "clickstream_reader" TO "b"',
        'GRANT "clickstream_verifier" TO "b"',
    ]


LIMITS = "rolconnlimit"


@pytest.mark.parametrize("role", [READER_ROLE, STUDENT_ROLE])
def test_reader_is_limited(role: str) -> None:
    """A login that people use gets a number of connections and times for its sessions."""
    changes = _changes(
        {LIMITS: [(1,)], ROLES: [(1,)], MEMBERS: [(1,)]}, Login("people", "", (role,))
    )

    assert changes == [
        ('ALTER ROLE "people" CONNECTION LIMIT %s', (20,)),
        ('ALTER ROLE "people" SET "statement_timeout" = %s', ("5min",)),
        ('ALTER ROLE "people" SET "lock_timeout" = %s', ("10s",)),
        ('ALTER ROLE "people" SET "idle_in_transaction_session_timeout" = %s', ("5min",)),
    ]


@pytest.mark.parametrize("roles", [(WRITER_ROLE,), (READER_ROLE, VERIFIER_ROLE)])
def test_others_are_not_limited(roles: tuple[str, ...]) -> None:
    """The stream's login and the verification's take what they need."""
    answers: dict[str, Answer] = {LIMITS: [(1,)], ROLES: [(1,)], MEMBERS: [(1,)]}

    assert _changes(answers, Login("works", "", roles)) == []


def test_limits_of_others_are_kept() -> None:
    """A login that has limits, or that we may not change, stays as it is."""
    answers: dict[str, Answer] = {LIMITS: [], ROLES: [(1,)], MEMBERS: [(1,)]}

    assert _changes(answers, Login("people", "", (READER_ROLE,))) == []


def test_no_logins_change_nothing() -> None:
    """Without logins the database is not asked."""
    database = ScriptedDatabase()

    ensure_logins(database.cursor(), [])

    assert database.statements == []


@pytest.mark.parametrize("name", ['a"b', "a b", "drop role x; --", "GROSS"])
def test_names_are_quoted(name: str) -> None:
    """A name from outside is one identifier, whatever it contains."""
    quoted = '"{}"'.format(name.replace('"', '""'))

    assert [text for text, _ in _changes({}, Login(name, "p", (READER_ROLE,)))] == [
        f"CREATE ROLE {quoted} LOGIN PASSWORD %s",
        f'GRANT "clickstream_reader" TO {quoted}',
    ]


def test_database_is_limited() -> None:
    """The roles that stage rows keep temporary objects before all others lose them."""
    database = ScriptedDatabase({"has_database_privilege": [("shop", True)]})

    limit_database(database.cursor())

    assert [text for text, _ in database.statements[1:]] == [
        'GRANT TEMPORARY ON DATABASE "shop" TO "clickstream_owner", "clickstream_writer"',
        'REVOKE TEMPORARY ON DATABASE "shop" FROM PUBLIC',
    ]


def test_limited_database_is_left_alone() -> None:
    """A database that is limited already is not changed."""
    database = ScriptedDatabase({"has_database_privilege": [("shop", False)]})

    limit_database(database.cursor())

    assert len(database.statements) == 1
