"""The pipeline on the real Kafka, Spark and PostgreSQL: every table is exact."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import FAULT_REASONS, LEDGER_COLUMNS
from clickstream_contract.quality import QUALITY_RULES
from clickstream_local.postgres import READER, WRITER
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import DEFECTS, run_checks
from pipeline import SIMULATION, Pipeline, wait_until
from psycopg2 import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from clickstream_streaming.shell.verification import VerificationReport
    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.services


@dataclass(frozen=True)
class FaultyRun:
    """A stored run with planted faults, and the number of its rejects."""

    run_id: UUID
    rejected: int


@pytest.fixture(scope="module")
def faulty_run(pipeline: Pipeline) -> FaultyRun:
    """Return a stored run with every kind of planted fault."""
    before = pipeline.count(_REJECTED)
    run_id = pipeline.generate(FAULTS)
    pipeline.drain()
    return FaultyRun(run_id, pipeline.count(_REJECTED) - before)


@pytest.fixture
def connection(pipeline: Pipeline, stored_run: UUID) -> Iterator[Connection]:
    """Return a connection to the tables of a stored run; its changes are rolled back."""
    del stored_run
    opened = pipeline.connect()
    yield opened
    opened.rollback()
    opened.close()


def _defects(report: VerificationReport) -> dict[str, int]:
    return {name: getattr(report, name) for name in DEFECTS}


NONE = dict.fromkeys(DEFECTS, 0)
_EVENTS_OF_RUN = "SELECT count(*) FROM raw.events WHERE run_id = %s"
_LOST = "SELECT sum(lost_faults) FROM ops.ledger WHERE run_id = %s"
_REJECTED = "SELECT count(*) FROM ops.rejected_events"


def test_every_event_is_stored(pipeline: Pipeline, stored_run: UUID) -> None:
    """A stored run has no defect, all its events, only final sessions, and orders."""
    report = pipeline.verify()

    assert _defects(report) == NONE
    assert pipeline.count(_EVENTS_OF_RUN, str(stored_run)) == 3_000
    assert pipeline.count("SELECT count(*) FROM mart.fact_sessions WHERE NOT is_final") == 0
    assert pipeline.count("SELECT count(*) FROM mart.fact_orders") > 0


PLANTED = {
    "lost": "DELETE FROM raw.events WHERE event_id = (SELECT event_id FROM raw.events LIMIT 1)",
    "duplicated": """
        INSERT INTO raw.events SELECT (r).* FROM (SELECT jsonb_populate_record(
            e, jsonb_build_object('event_time', e.event_time + interval '1 millisecond')) AS r
        FROM raw.events AS e WHERE event_name = 'page_view' LIMIT 1) AS copied""",
    "phantom": """
        INSERT INTO raw.events SELECT (r).* FROM (SELECT jsonb_populate_record(
            e, jsonb_build_object('event_id', gen_random_uuid(), 'shard_seq', 900000000)) AS r
        FROM raw.events AS e WHERE event_name = 'page_view' LIMIT 1) AS invented""",
    "altered": """
        UPDATE raw.events SET brand = brand || ' ', price_minor = price_minor + 1
        WHERE event_id = (
            SELECT event_id FROM raw.events WHERE event_name = 'view_item' LIMIT 1)""",
    "aggregate_mismatches": """
        UPDATE mart.traffic_minute_by_writer SET purchase_events = purchase_events + 1
        WHERE ctid = (SELECT min(ctid) FROM mart.traffic_minute_by_writer)""",
    "session_mismatches": """
        UPDATE mart.sessions SET revenue_minor = revenue_minor + 1
        WHERE session_id = (SELECT session_id FROM mart.sessions LIMIT 1)""",
    "illegal_transitions": """
        UPDATE raw.events SET event_name = 'purchase', value_minor = 0, items = '[]'
        WHERE event_id = (SELECT second.event_id FROM raw.events AS second
            INNER JOIN raw.events AS first USING (session_id)
            WHERE second.event_name = 'page_view' AND second.session_seq = 2
                AND first.session_seq = 1 LIMIT 1)""",
}


@pytest.mark.parametrize("defect", PLANTED)
def test_planted_defect_is_found(pipeline: Pipeline, connection: Connection, defect: str) -> None:
    """A deleted, duplicated, invented or changed row raises the figure of its kind."""
    with connection.cursor() as cursor:
        cursor.execute(PLANTED[defect])
        assert cursor.rowcount == 1
        report = run_checks(cursor)

    assert getattr(report, defect) >= 1
    assert pipeline.verify().is_clean()


_END = "  stopAfter: {events: 3000}\n"
_ENDLESS = SIMULATION.replace(_END, "").replace("eventsPerSecond: 1000", "eventsPerSecond: 500")
FAULTS = SIMULATION + (
    "  faults: {duplicatePermille: 40, latePermille: 30, maxLatenessSeconds: 3,"
    " corruptPermille: 40, futurePermille: 20, lossPermille: 30}\n"
    "  incidents: [{name: lost, kind: TrackingLost, who: {devices: [mobile]}, at: 1s, for: 1s}]\n"
    "  effects: {overlays: [{name: blocked, who: {browsers: [Chrome]},"
    " faults: {lossPermille: 50, latePermille: 50, duplicatePermille: 50}}]}\n"
)


def test_latencies_match_the_events(pipeline: Pipeline, stored_run: UUID) -> None:
    """Each event is counted once, and the quantiles differ by at most a few per cent."""
    (counted,) = pipeline.rows(
        "SELECT events, p50_seconds, p95_seconds FROM ops.latency WHERE run_id = %s",
        str(stored_run),
    )

    ((events, stored),) = pipeline.rows(
        "SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY"
        " extract(epoch FROM ingested_at - event_time)::float8)"
        " FROM raw.events WHERE run_id = %s",
        str(stored_run),
    )
    assert counted[0] == events == 3_000
    # The stream counts a little after PostgreSQL has written the rows.
    for one, other in zip(counted[1:], stored, strict=True):
        assert 0.97 * other < one < 1.03 * other + 5


def test_planted_faults_are_reconciled(pipeline: Pipeline, faulty_run: FaultyRun) -> None:
    """Duplicated, late, corrupt, future and lost events, and lost sessions, leave no defect."""
    run_id = str(faulty_run.run_id)
    planted = pipeline.count(
        "SELECT sum(future_faults + corrupt_not_json_faults + corrupt_truncated_faults"
        " + corrupt_bad_encoding_faults + corrupt_nul_faults + corrupt_wrong_type_faults"
        " + corrupt_missing_field_faults + corrupt_unknown_value_faults"
        " + corrupt_unknown_version_faults + corrupt_oversized_faults + corrupt_no_value_faults)"
        " FROM ops.ledger WHERE run_id = %s",
        run_id,
    )
    lost = pipeline.count(_LOST, run_id)

    assert _defects(pipeline.verify()) == NONE
    assert pipeline.count(_EVENTS_OF_RUN, run_id) + lost == 3_000
    # Single losses are 90 on average; the incident loses more.
    assert lost > 150
    assert faulty_run.rejected == planted


def test_rejection_is_scored_by_reason(pipeline: Pipeline, faulty_run: FaultyRun) -> None:
    """Each planted fault is rejected for its reason; an unplanted reject lowers precision."""
    assert faulty_run.rejected > 0
    pipeline.produce(b"nobody planted this")
    pipeline.drain()

    scores = {score.reason: score for score in pipeline.verify().rejects}

    assert {reason.value for reason in FAULT_REASONS.values()} <= scores.keys()
    for planted in FAULT_REASONS.values():
        assert scores[planted.value].recall == 1.0
    for reason in ("future_time", "wrong_type", "unknown_version"):
        assert scores[reason].planted > 0
    assert scores["not_json"].rejected > scores["not_json"].matched


def test_killed_generator_continues(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two ``kill -9`` of the generator, under planted faults, every table is right."""
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_SNAPSHOT_SECONDS", "1")
    pipeline.begin(FAULTS.replace(SIMULATION, _ENDLESS))
    for _ in range(2):
        pipeline.wait_until_sent(700)
        pipeline.kill_generator()
        pipeline.restart_generator()
    pipeline.wait_until_sent(700)

    assert pipeline.stop_generator() == 0
    pipeline.drain()

    run_id = str(pipeline.run_id)
    made = pipeline.count("SELECT sum(end_shard_seq) FROM ops.shards WHERE run_id = %s", run_id)
    assert _defects(pipeline.verify()) == NONE
    assert pipeline.count(_EVENTS_OF_RUN, run_id) + pipeline.count(_LOST, run_id) == made
    assert made > 2_100


def test_stopped_generator_closes_its_ledger(pipeline: Pipeline) -> None:
    """SIGTERM in the middle of a run: exit code 0, and the tables agree with the ledger."""
    pipeline.begin(_ENDLESS)
    run_id = str(pipeline.run_id)
    wait_until(lambda: pipeline.count(_EVENTS_OF_RUN, run_id) > 0, "the first rows are stored")

    assert pipeline.stop_generator() == 0
    pipeline.drain()

    assert _defects(pipeline.verify()) == NONE


def _marts(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every mart."""
    found = {}
    with connection, connection.cursor() as cursor:
        for mart in MARTS:
            columns, key = ", ".join(mart.columns), ", ".join(mart.key)
            kept = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
            cursor.execute(f"SELECT {columns} FROM {mart.table} WHERE {kept} ORDER BY {key}")  # noqa: S608  our own names
            found[mart.table] = cursor.fetchall()
    return found


def test_rebuild_changes_no_right_table(pipeline: Pipeline, stored_run: UUID) -> None:
    """The tables equal a rebuild from the events, row by row."""
    assert stored_run
    with closing(pipeline.connect()) as connection:
        changed = rebuild(connection)

    assert changed == {mart.table: 0 for mart in MARTS} | {"ops.ledger_by_shard": 0}


def test_rebuild_restores_emptied_tables(pipeline: Pipeline, stored_run: UUID) -> None:
    """A rebuild of emptied tables gives the rows that were there before."""
    assert stored_run
    with closing(pipeline.connect()) as connection:
        before = _marts(connection)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(mart.written_table for mart in MARTS)}")

        rebuild(connection)

        assert _marts(connection) == before


def test_rebuild_runs_beside_the_stream(pipeline: Pipeline) -> None:
    """A rebuild of wrong tables while events arrive leaves no defect."""
    pipeline.begin(_ENDLESS)
    run_id = str(pipeline.run_id)
    wait_until(lambda: pipeline.count(_EVENTS_OF_RUN, run_id) > 0, "the first rows are stored")
    with closing(pipeline.connect()) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")  # the stream waits
            for mart in MARTS:
                some = "WHERE hashtext(one::text) % 2 = 0"
                cursor.execute(f"DELETE FROM {mart.written_table} AS one {some}")  # noqa: S608
            cursor.execute("UPDATE mart.traffic_hour_by_writer SET events = events + 1")
        today = datetime.now(tz=UTC).date()

        changed = rebuild(connection, today - timedelta(days=2), today + timedelta(days=2))

        assert changed["mart.sessions"] > 0
    pipeline.stop_generator()
    pipeline.drain()
    assert _defects(pipeline.verify()) == NONE


def test_dropped_days_leave_no_defect(connection: Connection) -> None:
    """Dropped days are counted, and the verification still proves the rest."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute(
            "INSERT INTO ops.shard_states (run_id, shard, simulation)"
            " VALUES (gen_random_uuid(), 0, 'old') RETURNING run_id"
        )
        (run_id,) = cursor.fetchone() or (None,)
        cursor.execute("INSERT INTO ops.runs (run_id, simulation) VALUES (%s, 'old')", (run_id,))
        # Days that other tests made may be older still.
        cursor.execute("SELECT ops.drop_event_partitions('2020-01-01')")
        cursor.execute("SELECT ops.ensure_event_partitions('2020-01-01', '2020-01-02')")
        cursor.execute(
            "INSERT INTO raw.events SELECT (r).* FROM (SELECT jsonb_populate_record(e,"
            " jsonb_build_object('event_time', '2020-01-01T12:00:00Z', 'run_id', %s::text,"
            " 'shard', 0)) AS r FROM raw.events AS e LIMIT 1) AS old",
            (run_id,),
        )
        cursor.execute(
            "INSERT INTO ops.shard_events_by_writer"
            " (run_id, shard, stored_events, late_events, arrivals_checksum, writer)"
            " SELECT run_id, shard, 1, 0,"
            " ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_partition, kafka_offset), 0"
            " FROM raw.events WHERE run_id = %s",
            (run_id,),
        )
        cursor.execute("SELECT ops.drop_event_partitions('2020-01-03')")
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT dropped_events FROM ops.shards WHERE run_id = %s", (run_id,))
        assert cursor.fetchone() == (1,)
        report = run_checks(cursor)
    assert _defects(report) == NONE


def test_quality_rules_are_the_contracts(connection: Connection) -> None:
    """``ops.quality_rules`` has the rules of the stream, and every reject names one of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rule, severity, reason FROM ops.quality_rules")
        assert set(cursor.fetchall()) == {
            (rule.name, rule.severity.value, rule.reason.value) for rule in QUALITY_RULES
        }
        cursor.execute(
            "SELECT rule FROM ops.rejected_events EXCEPT SELECT rule FROM ops.quality_rules"
        )
        assert cursor.fetchall() == []


@contextmanager
def _held_batch(pipeline: Pipeline) -> Iterator[None]:
    """Hold a batch back, so that the next batch has all records produced meanwhile."""
    with closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")
        pipeline.produce(b"held back")
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_until(lambda: pipeline.count(blocked) > 0, "a batch waits")
        yield
        connection.rollback()


def test_events_far_apart_share_a_batch(pipeline: Pipeline) -> None:
    """One batch stores an event of today and an old one, each in the table of its day."""
    run_id = str(uuid4())
    now = datetime.now(UTC)
    days_ago = (700, 0)
    moments = [f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%S}.000Z" for days in days_ago]
    events = [
        sample_event("page_view")
        | {"run_id": run_id, "event_id": str(uuid4()), "event_time": moment, "sent_at": moment}
        for moment in moments
    ]

    with _held_batch(pipeline):
        pipeline.produce(*(json.dumps(event).encode() for event in events))

    wait_until(lambda: pipeline.count(_EVENTS_OF_RUN, run_id) == len(events), "both are stored")
    pipeline.forget(run_id)


def test_held_batch_shows_its_lag(pipeline: Pipeline) -> None:
    """While a batch cannot be written, the stream's metrics show the lag."""

    def lag() -> float:
        return pipeline.metric("streaming", "clickstream_streaming_lag_records")

    with _held_batch(pipeline):
        pipeline.generate()

        wait_until(lambda: lag() >= 3_000, "the metrics show what waits")
        assert pipeline.metric("streaming", "clickstream_streaming_lag_seconds") > 0

    pipeline.drain()
    wait_until(lambda: lag() == 0, "the stream has caught up")


def test_readiness_follows_the_database(pipeline: Pipeline) -> None:
    """The stream is not ready while it cannot reach its database, and ready again afterwards."""
    wait_until(pipeline.is_ready, "the stream works")

    pipeline.postgres_proxy.part()
    try:
        wait_until(lambda: not pipeline.is_ready(), "the stream is not ready")
    finally:
        pipeline.postgres_proxy.heal()

    wait_until(pipeline.is_ready, "the stream works again")


def test_odd_event_is_flagged(pipeline: Pipeline) -> None:
    """A flagged event is stored with its flags, and each flag is counted once."""
    event = sample_event("view_item") | {
        "event_id": str(uuid4()),
        "run_id": str(uuid4()),
        "session_id": str(uuid4()),
        "price_minor": 0,
    }
    flags = "SELECT flags FROM raw.events WHERE event_id = %s"

    pipeline.produce(json.dumps(event).encode(), json.dumps(event).encode())

    wait_until(lambda: bool(pipeline.rows(flags, event["event_id"])), "the event is stored")
    assert pipeline.rows(flags, event["event_id"]) == [("event_time.late,price_minor.zero",)]
    assert pipeline.rows(
        "SELECT rule, records FROM ops.quality_minute WHERE minute = %s ORDER BY rule",
        event["event_time"],
    ) == [("event_time.late", 1), ("price_minor.zero", 1)]
    pipeline.forget(str(event["run_id"]))
    assert _defects(pipeline.verify()) == NONE


def test_columns_are_the_contracts(connection: Connection) -> None:
    """``raw.events`` and ``ops.ledger`` have the contract's columns, types and comments."""
    for schema, table, fields in (
        ("raw", "events", EVENT_FIELDS),
        ("ops", "ledger", LEDGER_COLUMNS),
    ):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT column_name, data_type, is_nullable = 'YES',"
                " col_description(format('%%I.%%I', table_schema, table_name)::regclass,"
                " ordinal_position) FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s",
                (schema, table),
            )
            found = {name: rest for name, *rest in cursor.fetchall()}
        for column in postgres_columns(fields):
            if column.name != "kind":
                expected = [column.type, column.nullable, column.comment]
                assert found[column.name] == expected, column.name


def test_every_column_has_a_comment(connection: Connection) -> None:
    """Every column has a comment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I.%I', table_schema, table_name, column_name)"
            " FROM information_schema.columns"
            " WHERE table_schema IN ('raw', 'ops', 'mart') AND table_name !~ '^events_[0-9]+$'"
            " AND col_description(format('%I.%I', table_schema, table_name)::regclass,"
            " ordinal_position) IS NULL"
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("user", "statement"),
    [
        (READER, "UPDATE mart.sessions SET events = 0"),
        (READER, "INSERT INTO ops.runs (run_id, simulation) VALUES (gen_random_uuid(), 'x')"),
        (WRITER, "DELETE FROM raw.events"),
        (WRITER, "UPDATE raw.events SET simulation = 'x'"),
        (WRITER, "DROP TABLE mart.sessions"),
    ],
)
def test_login_has_no_more_rights(pipeline: Pipeline, user: str, statement: str) -> None:
    """PostgreSQL refuses reader and writer all other actions."""
    with (
        closing(pipeline.postgres.connect(user)) as connection,
        connection.cursor() as cursor,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        cursor.execute(statement)
