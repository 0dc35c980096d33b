"""A mutation test of the proof: the verification finds every falsified value in the tables."""

from __future__ import annotations

import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pyarrow as pa
import pytest
from batches import writer_settings
from clickstream_contract.ledger import FAULT_NAMES
from clickstream_local.postgres import OWNER
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_streaming.core.arrivals import arrivals_of
from clickstream_streaming.core.pieces import Piece
from clickstream_streaming.core.sql.checks import CHECKS
from clickstream_streaming.core.sql.columns import COUNTERS, names
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell.rebuild import rebuild_here
from clickstream_streaming.shell.verification import (
    check_values,
    run_checks,
    verify,
    wait_for_arrival,
)
from falsify import (
    COUNT_ARRIVALS,
    DROPPED_BEFORE,
    STATES,
    Database,
    Falsehood,
    Planting,
    fill,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_totals import replace_totals
from markdown_tables import Rows, table
from pages import DOCS, renewed
from psycopg2 import errors
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

pytestmark = pytest.mark.services

_CONSTRAINT = "a constraint of the database"
_VIEWS = """
SELECT DISTINCT format('%s.%s', view_schema, view_name),
    format('%s.%s', table_schema, table_name)
FROM information_schema.view_table_usage
WHERE view_schema IN ('mart', 'ops', 'raw') ORDER BY 1, 2
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a database with a run of each state."""
    folder: Path = tmp_path_factory.mktemp("proof")
    stack = Stack(StateFolder(folder), Console(quiet=True), lambda _text: None)
    try:
        stack.start_postgres()
        with closing(stack.postgres.connect(OWNER)) as connection:
            fill(writer_settings(stack), connection, folder)
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def owner(stack: Stack) -> Iterator[Connection]:
    """Return the owner's connection to the database."""
    with closing(stack.postgres.connect(OWNER)) as connection:
        yield connection


def test_true_tables_are_clean(owner: Connection) -> None:
    """A verification of unchanged tables finds no defect."""
    with owner, owner.cursor() as cursor:
        report = run_checks(cursor)

    assert report.examples == ()
    assert report.is_clean()


def test_every_falsehood_is_named(owner: Connection, request: pytest.FixtureRequest) -> None:
    """Each falsehood is found; the page names the check."""
    found: dict[Falsehood, str] = {}
    is_page_renewed = request.config.getoption("--update-golden")
    likely: dict[str, str] = {}
    with owner.cursor() as cursor:
        database, values = Database(cursor), check_values(cursor)
        for falsehood in database.falsehoods():
            with database.planted(falsehood) as planting:
                if planting is Planting.REFUSED:
                    found[falsehood] = _CONSTRAINT
                elif planting is Planting.DONE:
                    first = likely.get(falsehood.subject, likely.get(falsehood.relation, ""))
                    check = _found_by(cursor, falsehood, values, first)
                    found[falsehood] = check
                    if not is_page_renewed:  # the page has the first check in the usual order
                        likely[falsehood.subject] = likely[falsehood.relation] = check
        cursor.execute(_VIEWS)
        views = cursor.fetchall()
        planned = {falsehood.subject for falsehood in database.falsehoods()}
    owner.rollback()
    score = f"{sum(map(bool, found.values()))} of {len(found)} falsehoods are found"
    sys.stdout.write(f"\n{score}\n")
    page = DOCS / "proof.md"
    parts = {"proof": lambda: _page(score, found, views)}
    wanted = renewed(page.read_text(encoding="utf-8"), parts)
    if is_page_renewed:
        page.write_text(wanted, encoding="utf-8")

    assert planned == {falsehood.subject for falsehood in found}, "each can be planted somewhere"
    assert [falsehood for falsehood, check in found.items() if not check] == [], "not found"
    text = page.read_text(encoding="utf-8")
    headings = {falsehood.relation for falsehood in found}
    assert [name for name in headings if f"### {name}\n" not in text] == [], "run `make generate`"


def test_two_sessions_read_one_moment(stack: Stack, owner: Connection) -> None:
    """A change while the second session begins is in neither snapshot; later ones both have it."""

    def connect() -> Connection:
        return stack.postgres.connect(OWNER)

    def add(events: int) -> None:
        with closing(connect()) as other, other, other.cursor() as cursor:
            cursor.execute("UPDATE mart.traffic_day_by_writer SET events = events + %s", (events,))

    def change_and_connect() -> Connection:
        add(1)
        return connect()

    try:
        before = verify(owner, change_and_connect)
        after = verify(owner, connect)
    finally:
        add(-1)

    assert before.is_clean(), before.examples
    assert {text.split(" ", 1)[0] for text in after.examples} == {"mart.traffic_day"}
    assert verify(owner, connect).is_clean()


def test_writers_are_no_facts(owner: Connection) -> None:
    """Which writer added a part changes no figure, so a verification has nothing to report."""
    with _attempt(owner) as cursor:
        cursor.execute(
            "SELECT attrelid::regclass::text FROM pg_attribute INNER JOIN pg_class"
            " ON pg_class.oid = attrelid WHERE attname = 'writer' AND relkind = 'r'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        for name in tables:
            cursor.execute(f"UPDATE {name} SET writer = writer + 100")  # noqa: S608
        report = run_checks(cursor)

    assert {mart.written_table for mart in MARTS if mart.is_shared} <= set(tables)
    assert report.is_clean(), report.examples


def test_new_column_needs_a_proof(owner: Connection) -> None:
    """A column without a check is falsified too, and not found."""
    with _attempt(owner) as cursor:
        cursor.execute("ALTER TABLE ops.summary_refreshes ADD COLUMN note text DEFAULT 'quick'")
        database = Database(cursor)
        (change,) = (
            one for one in database.falsehoods() if (one.column, one.deed) == ("note", "change")
        )
        with database.planted(change) as planting:
            found = _found_by(cursor, change, check_values(cursor))

    assert (planting, found) == (Planting.DONE, "")


def _found_by(
    cursor: Cursor, falsehood: Falsehood, values: dict[str, object], first: str = ""
) -> str:
    """Return the name of the first check that finds the change; empty if none does.

    The check called ``first`` is tried first, then those that name the table.
    """
    ordered = sorted(
        CHECKS, key=lambda check: (check.name != first, falsehood.relation not in check.query)
    )
    for check in ordered:
        cursor.execute(check.query, values)
        if cursor.rowcount:
            return check.name
    return ""


def _page(score: str, found: dict[Falsehood, str], views: list[tuple[str, str]]) -> str:
    """Return the derived part of the page."""
    parts = [f"**{score}.**"]
    relations = dict.fromkeys(falsehood.relation for falsehood in found)
    for relation in relations:
        outcomes: dict[str, list[str]] = defaultdict(list)
        subjects = dict.fromkeys(one.subject for one in found if one.relation == relation)
        for subject in subjects:
            checks = {check for one, check in found.items() if one.subject == subject}
            name = subject.removeprefix(relation)
            shown = f"`{name[1:]}`" if name[0] == "." else f"{name[2:-1]} a row"
            outcomes[", ".join(sorted(checks))].append(shown)
        rows: Rows = [(", ".join(names), checks) for checks, names in outcomes.items()]
        parts.append(f"### {relation}\n\n" + table(("What", "Found by"), rows))
    sources: dict[str, list[str]] = defaultdict(list)
    for view, source in views:
        sources[view].append(f"`{source}`")
    views_rows: Rows = [(f"`{view}`", ", ".join(tables)) for view, tables in sources.items()]
    parts.append("### Views\n\n" + table(("View", "As true as"), views_rows))
    return "\n\n".join(parts)


@contextmanager
def _attempt(owner: Connection) -> Iterator[Cursor]:
    """Yield a cursor of a transaction that is rolled back; its rows are sealed."""
    try:
        with owner.cursor() as cursor:
            cursor.execute("SET LOCAL clickstream.seals = 'on'")
            yield cursor
    finally:
        owner.rollback()


def _follow(cursor: Cursor) -> None:
    """Rebuild marts and counts from the events, as if the stream had stored them."""
    for mart in MARTS:
        if mart.time or not mart.kept_by:
            rebuild_here(cursor, mart, Piece(date.fromisoformat(DROPPED_BEFORE), None))
    cursor.execute("SELECT mart.refresh_summaries()")
    cursor.execute(_RECOUNT)


_RECOUNT = """
INSERT INTO ops.shard_states (run_id, shard, simulation)
SELECT run_id, shard, min(simulation) FROM raw.events GROUP BY run_id, shard
ON CONFLICT DO NOTHING;
INSERT INTO ops.shard_events_by_writer AS known
    (run_id, shard, stored_events, late_events, arrivals_checksum, writer)
SELECT run_id, shard, found.events + shards.dropped_events - shards.stored_events, 0, 0, 0
FROM ops.shards AS shards INNER JOIN (
    SELECT run_id, shard, count(*) AS events FROM raw.events GROUP BY run_id, shard
) AS found USING (run_id, shard)
ON CONFLICT (run_id, shard, writer) DO UPDATE
    SET stored_events = known.stored_events + excluded.stored_events
"""
_COPY = r"""
INSERT INTO raw.events SELECT (jsonb_populate_record(one, jsonb_build_object(
    'event_id', left(one.event_id::text, 15) || lpad(to_hex(%(shard)s), 3, '0') || '-'
        || regexp_replace(to_hex((one.shard_seq + %(ahead)s) | (1::bigint << 63)),
            '^(.{4})', '\1-'),
    'session_id', gen_random_uuid(), 'shard', %(shard)s::integer,
    'shard_seq', one.shard_seq + %(ahead)s, 'kafka_offset', one.kafka_offset + 1000000))).*
FROM raw.events AS one WHERE simulation = %(simulation)s
    AND event_name = 'session_start' AND shard = 0
"""


def test_forged_row_stays_forged(owner: Connection) -> None:
    """A row that was changed by hand is found, also after the stream has updated it."""
    found = []
    with _attempt(owner) as cursor:
        for seals, hours in (("off", 1), ("on", 2), ("on", 3)):
            cursor.execute("SELECT set_config('clickstream.seals', %s, true)", (seals,))
            cursor.execute(
                "UPDATE ops.runs SET first_seen_at = first_seen_at - %s * interval '1 hour'"
                " WHERE simulation = 'dropped'",
                (hours,),
            )
            found.append([line for line in run_checks(cursor).examples if "ops.runs" in line])

    run_id = UUID(int=STATES.index("dropped") + 1, version=4)
    assert found == 3 * [[f"ops.runs {run_id} is not as it was written"]]


def test_other_sessions_seal_nothing(owner: Connection) -> None:
    """Without the setting a row needs a seal, and an older stream is refused."""
    meet = "INSERT INTO ops.runs (run_id, simulation) VALUES (gen_random_uuid(), 'x')"
    with _attempt(owner) as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'off'")
        with pytest.raises(errors.NotNullViolation):
            cursor.execute(meet)
    with _attempt(owner) as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'off'")
        cursor.execute("SET LOCAL application_name = 'clickstream-streaming'")
        with pytest.raises(errors.RaiseException, match=r"does not seal its rows in ops\.runs"):
            cursor.execute(meet)


_INTEGERS = st.integers(1, 2**63 - 1)
_MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_INTEGERS, _MOMENTS, _INTEGERS), min_size=1), at=_MOMENTS)
def test_python_and_postgres_add_one_number(
    owner: Connection, rows: list[tuple[int, datetime, int]], at: datetime
) -> None:
    """A shard's checksum is the same in Python and in SQL, whatever the values."""
    numbers, sent, offsets = map(list, zip(*rows, strict=True))
    events = pa.table(
        {
            "run_id": ["r"] * len(rows),
            "shard": pa.array([0] * len(rows), pa.int32()),
            "shard_seq": pa.array(numbers, pa.int64()),
            "sent_at": pa.array(sent, pa.timestamp("us", "UTC")),
            "kafka_partition": pa.array([3] * len(rows), pa.int32()),
            "kafka_offset": pa.array(offsets, pa.int64()),
        }
    )

    with _attempt(owner) as cursor:
        cursor.execute(
            "SELECT sum(ops.arrival_of(shard_seq, sent_at, %s, 3, kafka_offset))::bigint"
            " FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[])"
            " AS row (shard_seq, sent_at, kafka_offset)",
            (at, numbers, sent, offsets),
        )
        wanted = cursor.fetchone()

    assert wanted == (*arrivals_of(events, at)["checksums"],)


def test_unknown_shard_is_phantom(owner: Connection) -> None:
    """Events of shard 77 in a run of 2 shards that has ended, in all tables."""
    with _attempt(owner) as cursor:
        cursor.execute(_COPY, {"simulation": "ended", "shard": 77, "ahead": 0})
        invented = cursor.rowcount
        _follow(cursor)

        report = run_checks(cursor)

    assert invented > 10
    assert report.phantom == invented


def test_numbers_beyond_ledger_are_phantom(owner: Connection) -> None:
    """Events that no ledger will ever have, in a run that has not ended, in all tables."""
    with _attempt(owner) as cursor:
        cursor.execute(_COPY, {"simulation": "running", "shard": 0, "ahead": 10_000})
        invented = cursor.rowcount
        _follow(cursor)

        report = run_checks(cursor)

    assert invented > 10
    assert report.phantom == invented


def test_replaced_events_are_named_during_run(owner: Connection) -> None:
    """Other events were stored with the ids of true ones: they differ from the ledger."""
    with _attempt(owner) as cursor:
        cursor.execute(
            "UPDATE raw.events SET value_minor = 100 * value_minor, items = (SELECT"
            " jsonb_agg(jsonb_set(line, '{price_minor}', to_jsonb(100"
            " * (line ->> 'price_minor')::bigint))) FROM jsonb_array_elements(items) AS line)"
            " WHERE simulation = 'running' AND event_name = 'purchase'"
        )
        replaced = cursor.rowcount
        _follow(cursor)

        report = run_checks(cursor)

    assert replaced > 10
    assert report.aggregate_mismatches > 0
    assert report.altered > 0


def test_deleted_rejects_are_lost(owner: Connection) -> None:
    """All rejects but one are deleted, and so are their counts by minute."""
    with _attempt(owner) as cursor:
        cursor.execute(
            "DELETE FROM ops.rejected_events WHERE (kafka_partition, kafka_offset) <> (SELECT"
            " kafka_partition, kafka_offset FROM ops.rejected_events LIMIT 1)"
        )
        cursor.execute(
            "DELETE FROM ops.quality_minute_by_writer WHERE rule IN"
            " (SELECT rule FROM ops.quality_rules WHERE severity = 'reject')"
        )
        cursor.execute(
            "INSERT INTO ops.quality_minute_by_writer"
            " SELECT date_trunc('minute', kafka_timestamp), rule, 1, 0 FROM ops.rejected_events"
        )

        report = run_checks(cursor)

    assert report.lost > 0


def test_events_under_way_are_not_lost(owner: Connection) -> None:
    """The ledger is read before its events, which arrive later."""
    with _attempt(owner) as cursor:
        cursor.execute(
            "INSERT INTO ops.ledger SELECT (jsonb_populate_record(NULL::ops.ledger, to_jsonb(last)"
            " || jsonb_build_object("
            "'minute', last.minute + interval '1 minute', 'events', 1000, 'revenue_minor', 0,"
            " 'shard_seq', last.shard_seq + 1000, 'sessions_begun', 0, 'sessions_ended', 0,"
            " 'records_sent', last.records_sent + 1000, 'records_acknowledged',"
            " last.records_acknowledged + 1000) || (SELECT jsonb_object_agg(name, CASE"
            " WHEN name = 'page_view_events' THEN 1000 ELSE 0 END) FROM unnest(%s) AS name))).*"
            " FROM (SELECT DISTINCT ON (shard) * FROM ops.ledger WHERE simulation = 'running'"
            " ORDER BY shard, minute DESC) AS last",
            ([*names(COUNTERS), *(f"{name}_faults" for name in FAULT_NAMES)],),
        )
        replace_totals(cursor)

        report = run_checks(cursor)

    assert report.examples == ()
    assert report.under_way > 1_900


def test_first_seconds_of_run_are_clean(owner: Connection) -> None:
    """Events are stored before the first ledger record of their run."""
    with _attempt(owner) as cursor:
        cursor.execute("DELETE FROM ops.ledger WHERE simulation = 'running'")
        replace_totals(cursor)
        cursor.execute(
            "UPDATE raw.events SET ingested_at = clock_timestamp() WHERE simulation = 'running'"
        )
        cursor.execute(COUNT_ARRIVALS)

        report = run_checks(cursor)

    assert report.examples == ()


def test_announced_run_is_clean(owner: Connection) -> None:
    """A run is announced before its first event."""
    with _attempt(owner) as cursor:
        cursor.execute("INSERT INTO ops.runs (run_id, simulation) VALUES (gen_random_uuid(), 'x')")

        report = run_checks(cursor)

    assert report.examples == ()


_ARRIVE = (
    "UPDATE ops.shard_events_by_writer SET stored_events = stored_events + %s"
    " WHERE (run_id, shard, writer) IN (SELECT run_id, shard, min(writer)"
    " FROM ops.shard_events_by_writer INNER JOIN ops.runs USING (run_id)"
    " WHERE simulation = 'ended' GROUP BY run_id, shard)"
)


def test_waiting_ends_when_events_arrive(stack: Stack, owner: Connection) -> None:
    """Waiting for missing events ends when they are stored, or returns how many are missing."""
    with owner, owner.cursor() as cursor:
        cursor.execute(_ARRIVE, (-7,))
    with closing(stack.postgres.connect(OWNER)) as other, ThreadPoolExecutor(1) as pool:
        try:
            missing = wait_for_arrival(other, 0.1)
            waiting = pool.submit(wait_for_arrival, other, 60)
        finally:
            with owner, owner.cursor() as cursor:
                cursor.execute(_ARRIVE, (7,))
        still_missing = waiting.result()

    assert (missing, still_missing) == (14, 0)


def test_each_state_of_run_exists(owner: Connection) -> None:
    """One run has ended, one has not, and one has a dropped day."""
    with owner, owner.cursor() as cursor:
        cursor.execute(
            "SELECT simulation, closed_at IS NULL, sum(dropped_events) > 0"
            " FROM ops.runs INNER JOIN ops.shards USING (run_id, simulation) GROUP BY 1, 2"
        )
        states = {name: flags for name, *flags in cursor.fetchall()}

    assert states == {"dropped": [False, True], "ended": [False, False], "running": [True, False]}
    assert set(states) == set(STATES)
