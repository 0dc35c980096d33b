"""What a login can do in the database: its work, and nothing with another role's rights."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest
from clickstream_local.postgres import DATABASE, OWNER, READER, VERIFIER, WRITER
from clickstream_migrations.database import Database as MigratedDatabase
from clickstream_migrations.logins import limit_database
from clickstream_migrations.schema import migrate
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell.verification import record_verification, verify
from intruders import INTRUSION, shadows
from psycopg2 import errors, sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from databases import Database, DatabaseServer
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

pytestmark = pytest.mark.services

_UNSAFE = """
SELECT pg_proc.oid::regprocedure::text FROM pg_proc
INNER JOIN pg_namespace AS space ON space.oid = pronamespace
WHERE nspname !~ '^pg_(catalog|toast)' AND nspname <> 'information_schema'
    AND (prosecdef OR array_to_string(proconfig, ' ') LIKE '%search_path=%')
    AND 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(proconfig, '{}'))
"""
_DEFINERS = """
SELECT pronamespace::regnamespace::text, proname,
    ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) AS type)
FROM pg_proc
WHERE prosecdef AND pronamespace IN ('raw'::regnamespace, 'ops'::regnamespace, 'mart'::regnamespace)
    AND prorettype <> 'trigger'::regtype
ORDER BY 1, 2
"""
_LITERALS = {
    "date": sql.Literal("2020-01-02"),
    "integer": sql.Literal("100"),
    "timestamp with time zone": sql.Literal("2020-01-02"),
    "text": sql.Literal("mart.traffic_minute"),
    "text[]": sql.Literal("{minute}"),
}
"""A value of each type that a definer function takes."""
_RIGHTS = """
SELECT format('%%s.%%s', nspname, relname), lower(privilege)
FROM pg_class INNER JOIN pg_namespace AS space ON space.oid = relnamespace,
    unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN'])
        AS privilege
WHERE nspname IN ('raw', 'ops', 'mart') AND relkind IN ('r', 'p', 'v') AND NOT relispartition
    AND has_table_privilege(%s, pg_class.oid, privilege)
"""
_TABLES = """
SELECT nspname, relname, (
    SELECT attname FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum = 1
)
FROM pg_class INNER JOIN pg_namespace AS space ON space.oid = relnamespace
WHERE nspname IN ('raw', 'ops', 'mart') AND relkind IN ('r', 'p')
"""
_CHANGES = (
    "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE {table} SET {column} = DEFAULT",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
)
_ADDED_TO = {"mart.fact_order_items", "ops.rejected_events", "raw.events"}
"""Tables whose rows the stream adds and never changes."""
_TAKEN_FROM = {"mart.dim_user", "mart.fact_order_items"}
"""Of these the stream takes rows back: a user without a session, lines of a replaced order."""
_BOOKS = {
    f"ops.{name}"
    for name in (
        "batches", "latency_buckets_by_writer", "ledger", "ledger_by_shard",
        "quality_minute_by_writer", "quality_rules", "runs", "shard_events_by_writer",
        "shard_states",
    )
}  # fmt: skip
"""Tables of ``ops`` whose rows the stream adds and changes."""


def _fill(database: Database) -> None:
    """Store an event of a day that is over."""
    event = sample_event("view_item") | {
        "event_id": str(uuid4()),
        "event_time": "2020-01-01T12:00:00.000Z",
        "sent_at": "2020-01-01T12:00:00.000Z",
    }
    database.write([json.dumps(event).encode(), b"none"])


def _outcome(cursor: Cursor, call: sql.Composed) -> str:
    """Return the error of a call, or nothing; what the call changed stays if it has none."""
    cursor.execute("SAVEPOINT before_call")
    try:
        cursor.execute(call)
    except psycopg2.Error as error:
        cursor.execute("ROLLBACK TO before_call")
        return str(error).splitlines()[0]
    return ""


def _attack(cursor: Cursor) -> dict[str, str]:
    """Call each definer function as the writer among shadows; return their errors by name."""
    cursor.execute(_DEFINERS)
    calls = {
        name: sql.SQL("SELECT {}({})").format(
            sql.Identifier(schema, name), sql.SQL(", ").join(_LITERALS[type_] for type_ in types)
        )
        for schema, name, types in cursor.fetchall()
    }
    planted = shadows(cursor)
    # More than the writer has: no function relies on who may call it.
    cursor.execute(
        sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA raw, ops, mart TO {}").format(
            sql.Identifier(WRITER)
        )
    )
    cursor.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(WRITER)))
    cursor.execute(planted)
    return {name: _outcome(cursor, call) for name, call in calls.items()}


def test_search_paths_end_with_pg_temp(database: Database) -> None:
    """Each definer function of any schema searches temporary objects last."""
    with database.owner.cursor() as cursor:
        cursor.execute(_UNSAFE)

        assert cursor.fetchall() == []


def test_callers_code_gets_no_rights(database: Database) -> None:
    """Among shadows of all that they name, definer functions do their work and run none of them."""
    _fill(database)

    with database.owner.cursor() as cursor:
        outcomes = _attack(cursor)
        cursor.execute("RESET SESSION AUTHORIZATION")
        cursor.execute("SELECT count(*) > 0 FROM ops.seals")
        has_sealed = cursor.fetchone()
    database.owner.rollback()

    assert outcomes == dict.fromkeys(outcomes, "")
    assert {"refresh_summaries", "drop_event_partitions", "seal_days"} <= outcomes.keys()
    assert has_sealed == (True,)


@pytest.mark.parametrize("function", ["ensure_event_partitions", "drop_event_partitions"])
def test_intrusion_is_seen(database: Database, function: str) -> None:
    """A function that searches temporary objects first runs the caller's code as the owner."""
    _fill(database)

    with database.owner.cursor() as cursor:
        cursor.execute(
            sql.SQL("ALTER FUNCTION {} SET search_path = pg_catalog").format(
                sql.Identifier("ops", function)
            )
        )
        outcomes = _attack(cursor)
    database.owner.rollback()

    assert outcomes[function] == f"{INTRUSION} {OWNER}"


def test_writer_changes_its_tables_only(database: Database) -> None:
    """The stream's login adds to and changes what the stream fills: no view and no other table."""
    with database.owner.cursor() as cursor:
        cursor.execute(_RIGHTS, (WRITER,))
        rights = set(cursor.fetchall())

    filled = _BOOKS | _ADDED_TO | {mart.written_table for mart in MARTS}
    assert rights == (
        {(table, "insert") for table in filled}
        | {(table, "update") for table in filled - _ADDED_TO}
        | {(table, "delete") for table in _TAKEN_FROM}
    )


@pytest.mark.parametrize(
    ("login", "rights"),
    [(READER, set()), (VERIFIER, {("ops.verifications", "insert")})],
    ids=["reader", "verifier"],
)
def test_rights_of_those_who_read(
    database: Database, login: str, rights: set[tuple[str, str]]
) -> None:
    """The reader changes nothing, the verifier adds what it found; neither calls a definer."""
    with database.owner.cursor() as cursor:
        cursor.execute(_RIGHTS, (login,))
        found = set(cursor.fetchall())
        cursor.execute(
            "SELECT proname FROM pg_proc"
            " WHERE prosecdef AND has_function_privilege(%s, oid, 'EXECUTE')",
            (login,),
        )
        called = cursor.fetchall()

    assert (found, called) == (rights, [])


@pytest.fixture
def verifier(database: Database, database_server: DatabaseServer) -> Iterator[Connection]:
    """Return the verifier's connection to the database."""
    name = database.settings.postgres_database
    with closing(database_server.postgres.connect(VERIFIER, name)) as connection:
        yield connection


def _is_refused(connection: Connection, statement: sql.Composed) -> bool:
    """Return whether PostgreSQL refuses a statement for want of a right; undo the statement."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except errors.InsufficientPrivilege:
        return True
    except psycopg2.IntegrityError:
        return False
    else:
        return False
    finally:
        connection.rollback()


def test_verifier_is_refused_each_change(database: Database, verifier: Connection) -> None:
    """PostgreSQL refuses the verifier every change of every table but one added row."""
    with database.owner.cursor() as cursor:
        cursor.execute(_TABLES)
        changes = [
            (f"{schema}.{name}", change, sql.SQL(change).format(
                table=sql.Identifier(schema, name), column=sql.Identifier(column)))
            for schema, name, column in cursor.fetchall()
            for change in _CHANGES
        ]  # fmt: skip

    taken = [
        (table, change)
        for table, change, statement in changes
        if not _is_refused(verifier, statement)
    ]

    assert taken == [("ops.verifications", _CHANGES[0])]


def test_verifier_can_verify(database: Database, verifier: Connection) -> None:
    """The verifier reads every table, and adds what it found to ops.verifications."""
    _fill(database)

    report = verify(verifier)
    record_verification(verifier, report)

    assert report.events_stored == 1
    assert database.ask("SELECT events_stored, phantom FROM ops.verifications") == (
        1,
        report.phantom,
    )


@pytest.mark.parametrize(
    ("login", "is_allowed"), [(WRITER, True), (READER, False), (VERIFIER, False)]
)
def test_only_writer_makes_temporary_tables(
    database_server: DatabaseServer,
    login: str,
    is_allowed: bool,  # noqa: FBT001  a case
) -> None:
    """The stream stages its rows in temporary tables; no other login can make temporary objects."""
    with (
        closing(database_server.postgres.connect(login, DATABASE)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')")

        assert cursor.fetchone() == (is_allowed,)


def test_copied_database_is_limited(database: Database) -> None:
    """A database that was made with PostgreSQL's own rights has the project's after one call."""
    with database.owner, database.owner.cursor() as cursor:
        limit_database(cursor)
        limit_database(cursor)
        cursor.execute(
            "SELECT login, has_database_privilege(login::name, current_database(), 'TEMPORARY')"
            " FROM unnest(%s) AS login",
            ([OWNER, WRITER, READER, VERIFIER],),
        )

        assert dict(cursor.fetchall()) == {
            OWNER: True,
            WRITER: True,
            READER: False,
            VERIFIER: False,
        }


@pytest.fixture
def plain(database_server: DatabaseServer, tmp_path: Path) -> Iterator[MigratedDatabase]:
    """Return an empty database whose owner is no superuser, as on a cluster."""
    postgres, name = database_server.postgres, "plain"
    password = tmp_path / "password"
    password.write_text(name, encoding="utf-8")
    identifier = sql.Identifier(name)
    with closing(postgres.connect(OWNER, "postgres")) as admin, admin.cursor() as cursor:
        admin.autocommit = True
        cursor.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD %s").format(identifier), (name,)
        )
        try:
            cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(identifier))
            yield MigratedDatabase(postgres.host, postgres.port, name, name, password)
        finally:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
            cursor.execute(sql.SQL("DROP ROLE {}").format(identifier))


def test_owner_need_not_be_superuser(plain: MigratedDatabase) -> None:
    """The owner of a database makes all tables and limits the database without being superuser."""
    migrate(plain)

    with closing(plain.connect()) as connection, connection, connection.cursor() as cursor:
        limit_database(cursor)
        cursor.execute(
            "SELECT has_table_privilege(%s, 'mart.sessions', 'UPDATE'),"
            " has_database_privilege('public', current_database(), 'TEMPORARY')",
            (WRITER,),
        )

        assert cursor.fetchone() == (True, False)


def test_reader_takes_some_connections(database_server: DatabaseServer) -> None:
    """A reader that opens connections without end leaves the others theirs, and waits in vain."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(database_server.postgres.connect(READER)))
            for _ in range(20)
        ]
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            database_server.postgres.connect(READER)
        database_server.postgres.connect(WRITER).close()
        with opened[0].cursor() as cursor:
            cursor.execute(
                "SELECT current_setting(name) FROM unnest(ARRAY['statement_timeout',"
                " 'lock_timeout', 'idle_in_transaction_session_timeout']) AS name"
            )
            times = [row[0] for row in cursor.fetchall()]

    assert times == ["5min", "10s", "5min"]
