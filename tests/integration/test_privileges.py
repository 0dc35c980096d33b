"""What a login can do in the database: its work, and nothing with another role's rights."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest
from clickstream_local.postgres import DATABASE, OWNER, READER, STUDENT, VERIFIER, WRITER
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
_RELATIONS = """
SELECT nspname, relname
FROM pg_class INNER JOIN pg_namespace AS space ON space.oid = relnamespace
WHERE nspname IN ('raw', 'ops', 'mart') AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
"""
_TRUTHS = {"runs", "incidents", "experiments", "experiment_lifts", "ledger"}
"""Relations of ``ops`` with the truth that exercises ask for."""
_FUNCTIONS = """
SELECT pronamespace::regnamespace::text, proname,
    ARRAY(SELECT format_type(type, NULL) FROM unnest(proargtypes) AS type)
FROM pg_proc
WHERE pronamespace IN ('raw'::regnamespace, 'ops'::regnamespace, 'mart'::regnamespace)
    AND prorettype <> 'trigger'::regtype AND prokind IN ('f', 'p')
"""
_READ_BY_MARTS = """
SELECT DISTINCT read.oid::regclass::text, attname
FROM pg_rewrite AS rule
INNER JOIN pg_class AS view ON view.oid = rule.ev_class
INNER JOIN pg_depend AS needed ON needed.classid = 'pg_rewrite'::regclass
    AND needed.objid = rule.oid AND needed.refclassid = 'pg_class'::regclass
INNER JOIN pg_class AS read ON read.oid = needed.refobjid
INNER JOIN pg_attribute ON attrelid = read.oid AND attnum = needed.refobjsubid
WHERE view.relnamespace IN ('raw'::regnamespace, 'mart'::regnamespace)
    AND read.relnamespace = 'ops'::regnamespace AND needed.refobjsubid > 0
"""
"""Columns of ``ops`` that views of the other schemas name."""
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
    [(READER, set()), (STUDENT, set()), (VERIFIER, {("ops.verifications", "insert")})],
    ids=["reader", "student", "verifier"],
)
def test_rights_of_those_who_read(
    database: Database, login: str, rights: set[tuple[str, str]]
) -> None:
    """Reader and student change nothing, the verifier adds its findings; none calls a definer."""
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


@pytest.fixture
def student(database: Database, database_server: DatabaseServer) -> Iterator[Connection]:
    """Return a student's connection to the database."""
    name = database.settings.postgres_database
    with closing(database_server.postgres.connect(STUDENT, name)) as connection:
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


def test_student_reads_events_and_marts(database: Database, student: Connection) -> None:
    """A student reads all tables and views of raw and mart, and none of ops."""
    _fill(database)  # with a partition of raw.events
    with database.owner.cursor() as cursor:
        cursor.execute(_RELATIONS)
        relations = cursor.fetchall()

    read = {
        (schema, name)
        for schema, name in relations
        if not _is_refused(
            student, sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(schema, name))
        )
    }

    assert read == {(schema, name) for schema, name in relations if schema in {"raw", "mart"}}
    assert {("raw", "events_20200101"), ("mart", "fact_sessions")} <= read
    assert {("ops", name) for name in _TRUTHS} < set(relations) - read


def test_student_calls_no_function(database: Database, student: Connection) -> None:
    """PostgreSQL refuses a student each function of the three schemas."""
    with database.owner.cursor() as cursor:
        cursor.execute(_FUNCTIONS)
        calls = [
            sql.SQL("SELECT {}({})").format(
                sql.Identifier(schema, name),
                sql.SQL(", ").join(sql.SQL("NULL::" + type_) for type_ in types),
            )
            for schema, name, types in cursor.fetchall()
        ]

    assert [call for call in calls if not _is_refused(student, call)] == []
    assert len(calls) > 10


def test_marts_show_no_truth(database: Database) -> None:
    """Views of mart read of ops only how far a run is, with the rights of their owner."""
    with database.owner.cursor() as cursor:
        cursor.execute(_READ_BY_MARTS)

        assert set(cursor.fetchall()) == {
            ("ops.runs", "closed_at"),
            ("ops.runs", "run_id"),
            ("ops.shards", "dropped_events"),
            ("ops.shards", "run_id"),
            ("ops.shards", "stored_events"),
            ("ops.shards", "watermark"),
        }


def test_student_sees_no_truth(database: Database, student: Connection) -> None:
    """If records of runs have a planted text, no row and no statistic shows it to a student."""
    _fill(database)
    # Statistics have a value that many rows have.
    database.ask(
        "INSERT INTO ops.runs (run_id, simulation, seal, record)"
        " SELECT gen_random_uuid(), 'planted', 0, jsonb_build_object('incidents', 'planted truth')"
        " FROM generate_series(1, 9) RETURNING 1"
    )
    database.owner.autocommit = True
    with database.owner.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(_RELATIONS)
        names = [f"{schema}.{name}" for schema, name in cursor.fetchall() if schema != "ops"]
        found = {name: _has_text(cursor, name) for name in ("ops.runs", "pg_stats")}
    with student.cursor() as cursor:
        shown = [name for name in (*names, "pg_stats") if _has_text(cursor, name)]

    assert found == {"ops.runs": True, "pg_stats": True}
    assert shown == []


def _has_text(cursor: Cursor, relation: str) -> bool:
    """Return whether a row has the planted text."""
    cursor.execute(
        sql.SQL("SELECT count(*) > 0 FROM {} AS one WHERE one::text LIKE '%planted truth%'").format(
            sql.Identifier(*relation.split("."))
        )
    )
    return cursor.fetchone() == (True,)


@pytest.mark.parametrize(
    ("login", "is_allowed"), [(WRITER, True), (READER, False), (STUDENT, False), (VERIFIER, False)]
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
            ([OWNER, WRITER, READER, STUDENT, VERIFIER],),
        )

        assert dict(cursor.fetchall()) == {
            OWNER: True,
            WRITER: True,
            READER: False,
            STUDENT: False,
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


def test_readers_take_some_connections(database_server: DatabaseServer) -> None:
    """Readers and students that open connections without end leave the others theirs."""
    connect = database_server.postgres.connect
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(connect(login)))
            for login in (READER, STUDENT)
            for _ in range(20)
        ]
        for login in (READER, STUDENT):
            with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
                connect(login)
        for _ in range(20):
            stack.enter_context(closing(connect(WRITER)))
        times = [_times(opened[index]) for index in (0, -1)]

    assert times == [["5min", "10s", "5min"]] * 2


def _times(connection: Connection) -> list[str]:
    """Return the limits of a session."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting(name) FROM unnest(ARRAY['statement_timeout',"
            " 'lock_timeout', 'idle_in_transaction_session_timeout']) AS name"
        )
        return [row[0] for row in cursor.fetchall()]
