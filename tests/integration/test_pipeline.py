"""The pipeline on the real Kafka, Spark and PostgreSQL: exact, whatever happens to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import FAULT_REASONS, LEDGER_FIELDS
from clickstream_contract.quality import QUALITY_RULES
from clickstream_local.postgres import READER, WRITER
from clickstream_streaming.core.marts import MARTS
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import DEFECTS, figures_of
from pipeline import SIMULATION, Pipeline, wait_until
from psycopg2 import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def run(pipeline: Pipeline) -> Pipeline:
    """The pipeline after a whole run."""
    pipeline.drain(pipeline.generate())
    return pipeline


@pytest.fixture
def connection(run: Pipeline) -> Iterator[Connection]:
    """A connection whose changes are undone."""
    opened = run.connect()
    yield opened
    opened.rollback()
    opened.close()


def _one(connection: Connection, query: str, *values: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        row = cursor.fetchone()
    assert row is not None
    return row[0]


def _figures(report: object) -> dict[str, int]:
    return {name: getattr(report, name) for name in DEFECTS}


NOTHING = dict.fromkeys(DEFECTS, 0)


def test_everything_that_was_sent_stands_in_every_table(run: Pipeline) -> None:
    """A run that was drained has six zeros, and exactly as many events as were asked for."""
    report = run.verify()

    assert _figures(report) == NOTHING
    with run.connect() as connection:
        assert _one(connection, "SELECT count(*) FROM mart.fact_sessions WHERE NOT is_final") == 0
        assert _one(connection, "SELECT count(*) FROM mart.fact_orders") != 0
    connection.close()


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
    "aggregate_mismatches": """
        UPDATE mart.traffic_minute SET purchase_events = purchase_events + 1
        WHERE (minute, simulation, country, device, channel) = (
            SELECT minute, simulation, country, device, channel
            FROM mart.traffic_minute LIMIT 1)""",
    "session_mismatches": """
        UPDATE mart.visits SET revenue_minor = revenue_minor + 1
        WHERE session_id = (SELECT session_id FROM mart.visits LIMIT 1)""",
    "illegal_transitions": """
        UPDATE raw.events SET event_name = 'purchase', value_minor = 0, items = '[]'
        WHERE event_id = (SELECT second.event_id FROM raw.events AS second
            INNER JOIN raw.events AS first USING (session_id)
            WHERE second.event_name = 'page_view' AND second.session_seq = 2
                AND first.session_seq = 1 LIMIT 1)""",
}


@pytest.mark.parametrize("defect", PLANTED)
def test_each_kind_of_defect_is_found(run: Pipeline, connection: Connection, defect: str) -> None:
    """A row deleted, doubled, invented or changed makes its own figure 1 or more."""
    with connection.cursor() as cursor:
        cursor.execute(PLANTED[defect])
        assert cursor.rowcount == 1
        report = figures_of(cursor)

    assert getattr(report, defect) >= 1
    assert run.verify().is_clean()


FAULTS = SIMULATION + (
    "  faults: {duplicatePermille: 40, latePermille: 30, maxLatenessSeconds: 3,"
    " corruptPermille: 40, futurePermille: 20, lossPermille: 30}\n"
)


def test_latencies_are_counted_as_events_are_stored(pipeline: Pipeline) -> None:
    """Each event once, and to a few per cent what its own row tells."""
    run_id = str(pipeline.generate())
    pipeline.drain()
    connection = pipeline.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT events, p50_seconds, p95_seconds FROM ops.latency WHERE run_id = %s",
            (run_id,),
        )
        (counted,) = cursor.fetchall()
        cursor.execute(
            "SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY"
            " extract(epoch FROM ingested_at - event_time)::float8)"
            " FROM raw.events WHERE run_id = %s",
            (run_id,),
        )
        ((events, stored),) = cursor.fetchall()
    connection.close()
    assert counted[0] == events == 3_000
    # Counted a little after the rows are written.
    for one, other in zip(counted[1:], stored, strict=True):
        assert 0.97 * other < one < 1.03 * other + 5


def test_planted_faults_are_accounted_for(pipeline: Pipeline) -> None:
    """With duplicates, late, broken, future and missing events the account still closes."""
    run_id = pipeline.generate(FAULTS)
    pipeline.drain(run_id)

    connection = pipeline.connect()
    planted = _one(
        connection,
        "SELECT sum(future_faults + corrupt_not_json_faults + corrupt_truncated_faults"
        " + corrupt_bad_encoding_faults + corrupt_nul_faults + corrupt_wrong_type_faults"
        " + corrupt_missing_field_faults + corrupt_unknown_value_faults"
        " + corrupt_unknown_version_faults + corrupt_oversized_faults + corrupt_no_value_faults)"
        " FROM ops.ledger WHERE run_id = %s",
        str(run_id),
    )
    lost = _one(
        connection, "SELECT sum(lost_faults) FROM ops.ledger WHERE run_id = %s", str(run_id)
    )
    stored = _one(connection, "SELECT count(*) FROM raw.events WHERE run_id = %s", str(run_id))
    rejected = _one(
        connection,
        "SELECT count(*) FROM ops.rejected_events WHERE kafka_timestamp >="
        " (SELECT min(sent_at) FROM raw.events WHERE run_id = %s)",
        str(run_id),
    )
    connection.close()
    report = pipeline.verify()
    assert _figures(report) == NOTHING
    assert int(str(stored)) + int(str(lost)) == 3000
    assert int(str(lost)) > 0
    assert rejected == planted


def test_rejection_is_scored_by_reason(pipeline: Pipeline) -> None:
    """Every planted fault is recognised for what it is; a reject nobody planted costs precision."""
    pipeline.drain(pipeline.generate(FAULTS))
    pipeline.produce(b"nobody planted this")
    pipeline.drain()

    scores = {score.reason: score for score in pipeline.verify().rejects}

    assert {reason.value for reason in FAULT_REASONS.values()} <= scores.keys()
    for reason in FAULT_REASONS.values():
        assert scores[reason.value].recall == 1.0
    for reason in ("future_time", "wrong_type", "unknown_version"):
        assert scores[reason].planted > 0
    assert scores["not_json"].rejected > scores["not_json"].matched


def test_a_killed_generator_goes_on_and_every_table_agrees(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``kill -9`` of the generator, twice, with faults planted: what comes twice is stored once."""
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_SNAPSHOT_SECONDS", "1")
    # So long that no worker, however late it starts, has caught up before it is killed.
    pipeline.begin(FAULTS.replace("events: 3000", "events: 20000"))
    for _ in range(2):
        wait_until(lambda: pipeline.acknowledged() > 700, "the generator sends")
        pipeline.generator.process.kill()
        pipeline.generator.process.wait()
        pipeline.restart_generator()
    assert pipeline.generator.process.wait(120) == 0
    pipeline.drain()

    assert _figures(pipeline.verify()) == NOTHING
    connection = pipeline.connect()
    numbers = _one(
        connection,
        "SELECT count(*) + (SELECT sum(lost_faults) FROM ops.ledger WHERE run_id = %s)"
        " FROM raw.events WHERE run_id = %s",
        str(pipeline.run_id),
        str(pipeline.run_id),
    )
    connection.close()
    assert int(str(numbers)) == 20_000


def test_a_stopped_generator_has_sent_what_its_ledger_says(pipeline: Pipeline) -> None:
    """SIGTERM in mid-run: exit code 0, ledger closed, nothing lost."""
    pipeline.begin(SIMULATION.replace("stopAfter: {events: 3000}", "suspend: false"))
    connection = pipeline.connect()
    connection.autocommit = True
    query = "SELECT count(*) FROM raw.events WHERE run_id = %s"
    wait_until(
        lambda: int(str(_one(connection, query, str(pipeline.run_id)))) > 0, "the first rows"
    )
    connection.close()

    pipeline.generator.stop()
    assert pipeline.generator.process.returncode == 0
    pipeline._running.remove(pipeline.generator)
    pipeline.drain()

    assert _figures(pipeline.verify()) == NOTHING


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


def test_a_rebuild_of_right_tables_changes_nothing(run: Pipeline) -> None:
    """The marts that the stream has kept are those that follow from the events, row by row."""
    connection = run.connect()
    changed = rebuild(connection)
    connection.close()

    assert changed == {mart.table: 0 for mart in MARTS}


def test_a_rebuild_from_nothing_while_the_stream_runs_gives_the_same(pipeline: Pipeline) -> None:
    """Emptied and rebuilt under load, every mart ends as if nothing had happened."""
    pipeline.drain(pipeline.generate())
    connection = pipeline.connect()
    before = _marts(connection)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(mart.table for mart in MARTS)}")
    rebuild(connection)
    assert _marts(connection) == before

    pipeline.begin()
    seen = "SELECT count(*) FROM raw.events WHERE run_id = %s"
    wait_until(
        lambda: int(str(_one(connection, seen, str(pipeline.run_id)))) > 0, "the run's first rows"
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")  # batches wait, as in a rebuild
        cursor.execute("UPDATE mart.traffic_hour SET events = events + 1")
        cursor.execute("DELETE FROM mart.product_hour")
    today = datetime.now(tz=UTC).date()
    rebuild(connection, today - timedelta(days=2), today + timedelta(days=2))
    connection.rollback()
    connection.close()
    assert pipeline.generator.process.wait(60) == 0
    pipeline._running.remove(pipeline.generator)
    pipeline.drain()

    assert _figures(pipeline.verify()) == NOTHING


def test_dropped_days_leave_the_account_closed(connection: Connection) -> None:
    """Days that retention drops are counted, and what is left is still proven."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ops.shards (run_id, shard, simulation, stored_events)"
            " VALUES (gen_random_uuid(), 0, 'old', 1) RETURNING run_id"
        )
        (run_id,) = cursor.fetchone() or (None,)
        # Days that other tests made may be older still.
        cursor.execute("SELECT ops.drop_event_partitions('2020-01-01')")
        cursor.execute("SELECT ops.ensure_event_partitions('2020-01-01', '2020-01-02')")
        cursor.execute(
            "INSERT INTO raw.events SELECT (r).* FROM (SELECT jsonb_populate_record(e,"
            " jsonb_build_object('event_time', '2020-01-01T12:00:00Z', 'run_id', %s::text,"
            " 'shard', 0)) AS r FROM raw.events AS e LIMIT 1) AS old",
            (run_id,),
        )
        cursor.execute("SELECT ops.drop_event_partitions('2020-01-03')")
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT dropped_events FROM ops.shards WHERE run_id = %s", (run_id,))
        assert cursor.fetchone() == (1,)
        report = figures_of(cursor)
    assert _figures(report) == NOTHING


def test_the_rules_in_the_database_are_the_contracts(connection: Connection) -> None:
    """``ops.quality_rules`` says what the stream asks, and every reject names one of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rule, severity, reason FROM ops.quality_rules")
        assert set(cursor.fetchall()) == {
            (rule.name, rule.severity.value, rule.reason.value) for rule in QUALITY_RULES
        }
        cursor.execute(
            "SELECT rule FROM ops.rejected_events EXCEPT SELECT rule FROM ops.quality_rules"
        )
        assert cursor.fetchall() == []


def test_an_event_of_long_ago_does_not_stop_those_of_today(pipeline: Pipeline) -> None:
    """However far apart the events of one batch are, each is stored in its own day."""
    run_id = str(uuid4())
    moments = ["2001-02-03T04:05:06.007Z", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"]
    events = [
        sample_event("page_view")
        | {"run_id": run_id, "event_id": str(uuid4()), "event_time": moment, "sent_at": moment}
        for moment in moments
    ]
    pipeline.halt()  # so that one batch gets both
    pipeline.produce(*(json.dumps(event).encode() for event in events))
    pipeline.resume()
    connection = pipeline.connect()

    def stored() -> int:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM raw.events WHERE run_id = %s", (run_id,))
            (count,) = cursor.fetchone() or (0,)
        return int(count)

    wait_until(lambda: stored() == len(events), "both are stored")
    connection.close()
    pipeline.forget(run_id)


def test_a_stream_that_hangs_tells_how_far_it_is_behind(pipeline: Pipeline) -> None:
    """A batch that cannot be written is no reason to know nothing of what waits."""
    connection = pipeline.connect()

    def behind() -> float:
        return pipeline.metric("streaming", "clickstream_streaming_lag_records")

    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE ops.batches IN EXCLUSIVE MODE")  # as a rebuild does
        run_id = pipeline.generate()
        wait_until(lambda: behind() >= 3_000, "it tells of what waits, though no batch ends")
        assert pipeline.metric("streaming", "clickstream_streaming_lag_seconds") > 0
    connection.rollback()
    connection.close()
    pipeline.drain(run_id)
    wait_until(lambda: behind() == 0, "it has caught up")


def test_a_stream_without_its_database_is_not_ready(pipeline: Pipeline) -> None:
    """It waits and writes nothing; whoever asks is told, and told again when it goes on."""
    wait_until(pipeline.is_ready, "it works")
    pipeline.postgres_proxy.part()
    try:
        wait_until(lambda: not pipeline.is_ready(), "it says so")
    finally:
        pipeline.postgres_proxy.heal()
    wait_until(pipeline.is_ready, "it goes on")


def test_an_odd_event_is_stored_flagged_and_counted(pipeline: Pipeline) -> None:
    """A flag changes nothing but the mark and the count."""
    pipeline.drain(pipeline.generate())  # from here on there is a watermark to be behind of
    event = sample_event("view_item") | {
        "event_id": str(uuid4()),
        "run_id": str(uuid4()),
        "session_id": str(uuid4()),
        "price_minor": 0,
    }
    connection = pipeline.connect()
    connection.autocommit = True
    pipeline.produce(json.dumps(event).encode(), json.dumps(event).encode())
    query = "SELECT flags FROM raw.events WHERE event_id = %s"
    with connection.cursor() as cursor:

        def is_stored() -> bool:
            cursor.execute(query, (event["event_id"],))
            return cursor.rowcount > 0

        wait_until(is_stored, "the event is stored")
        assert cursor.fetchall() == [("event_time.late,price_minor.zero",)]
        cursor.execute(
            "SELECT rule, records FROM ops.quality_minute WHERE minute = %s ORDER BY rule",
            (event["event_time"],),
        )
        assert cursor.fetchall() == [("event_time.late", 1), ("price_minor.zero", 1)]

        def is_counted() -> bool:
            cursor.execute("SELECT late_events FROM ops.progress WHERE query = 'events'")
            return int((cursor.fetchone() or (0,))[0]) >= 1

        # The row is there with its task's commit, the count with the batch's close after it.
        wait_until(is_counted, "the late event is counted")
    connection.close()
    pipeline.forget(str(event["run_id"]))
    assert _figures(pipeline.verify()) == NOTHING


def test_columns_and_comments_are_the_contracts(connection: Connection) -> None:
    """``raw.events`` and ``ops.ledger`` have the contract's columns, types and comments."""
    for schema, table, fields in (
        ("raw", "events", EVENT_FIELDS),
        ("ops", "ledger", LEDGER_FIELDS),
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


def test_every_table_and_column_has_a_comment(connection: Connection) -> None:
    """Nobody has to guess what a column means."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I.%I', table_schema, table_name, column_name)"
            " FROM information_schema.columns"
            " WHERE table_schema IN ('raw', 'ops', 'mart') AND table_name !~ '^events_[0-9]+$'"
            " AND col_description(format('%I.%I', table_schema, table_name)::regclass,"
            " ordinal_position) IS NULL"
        )
        assert cursor.fetchall() == []


def test_the_reader_cannot_write_and_the_writer_cannot_delete(run: Pipeline) -> None:
    """Each role can do its work and no more."""
    for user, statement in (
        (READER, "UPDATE mart.visits SET events = 0"),
        (READER, "INSERT INTO ops.runs (run_id, simulation) VALUES (gen_random_uuid(), 'x')"),
        (WRITER, "DELETE FROM raw.events"),
        (WRITER, "UPDATE raw.events SET simulation = 'x'"),
        (WRITER, "DROP TABLE mart.visits"),
    ):
        opened = run.postgres.connect(user)
        with opened.cursor() as cursor, pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(statement)
        opened.close()
