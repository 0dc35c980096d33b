"""The pipeline on the real Kafka, Spark and PostgreSQL: exact, whatever happens to it."""

from __future__ import annotations

import json
import shutil
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS, MAX_EVENT_BYTES
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
        WHERE event_id = (SELECT event_id FROM raw.events
            WHERE event_name = 'page_view' AND session_seq = 2 LIMIT 1)""",
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


def _poison() -> dict[str, tuple[bytes | None, str]]:
    event = sample_event("view_item")

    def changed(**values: object) -> bytes:
        return json.dumps(event | values).encode()

    return {
        "no JSON": (b"<html>", "not_json"),
        "an array": (b"[1, 2]", "not_json"),
        "empty": (b"", "not_json"),
        "cut off": (changed()[:200], "not_json"),
        "no value": (None, "no_value"),
        "bad UTF-8": (changed().replace(b'"city": "', b'"city": "\xff\xfe'), "bad_encoding"),
        "NUL": (changed(city="a\x00b"), "bad_encoding"),
        "text for a number": (changed(shard="many"), "wrong_type"),
        "number for a text": (changed(user_id=5), "wrong_type"),
        "object for a text": (changed(user_id={"a": 1}), "wrong_type"),
        "too big a number": (changed(price_minor=2**70), "wrong_type"),
        "no UUID": (changed(event_id="1234"), "wrong_type"),
        "no time": (changed(event_time="yesterday"), "wrong_type"),
        "no user": (changed(user_id=None), "missing_field"),
        "no product": (changed(product_id=None), "missing_field"),
        "unknown name": (changed(event_name="teleport"), "unknown_value"),
        "unknown version": (changed(schema_version=2), "unknown_version"),
        "below zero": (changed(price_minor=-1), "out_of_range"),
        "long text": (changed(city="x" * 5000), "out_of_range"),
        "the future": (changed(event_time="2199-01-01T00:00:00.000Z"), "future_time"),
        "1 MiB": (changed(padding="x" * 2**20), "oversized"),
        "just too long": (changed(padding="x" * MAX_EVENT_BYTES), "oversized"),
    }


def test_poison_gives_one_reject_each_and_stops_nothing(pipeline: Pipeline) -> None:
    """Every kind of unfit record stands once among the rejects, whole, with its reason."""
    connection = pipeline.connect()
    connection.autocommit = True
    poison = _poison()
    before = _one(connection, "SELECT count(*) FROM ops.rejected_events")
    pipeline.produce(*(value for value, _ in poison.values()), key=b"poison")
    pipeline.produce(b"no key", key=None)

    run_id = pipeline.generate()
    pipeline.drain(run_id)

    with connection.cursor() as cursor:
        cursor.execute("SELECT payload, reason FROM ops.rejected_events WHERE key = 'poison'")
        found = {
            None if payload is None else bytes(payload): reason
            for payload, reason in cursor.fetchall()
        }
    after = _one(connection, "SELECT count(*) FROM ops.rejected_events")
    connection.close()
    assert {name: found.get(value) for name, (value, _) in poison.items()} == {
        name: reason for name, (_, reason) in poison.items()
    }
    assert after == int(str(before)) + len(poison) + 1
    assert _figures(pipeline.verify()) == NOTHING


FAULTS = SIMULATION + (
    "  faults: {duplicatePermille: 40, latePermille: 30, maxLatenessSeconds: 3,"
    " corruptPermille: 40, futurePermille: 20, lossPermille: 30}\n"
)


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


@pytest.mark.parametrize("place", ["before_sink_commit", "after_sink_commit"])
def test_a_kill_around_the_commit_changes_nothing(pipeline: Pipeline, place: str) -> None:
    """Killed before or after its transaction commits, the stream goes on without a defect."""
    pipeline.halt()
    pipeline.begin()
    dying = pipeline.resume(FAILPOINT=place)
    wait_until(lambda: dying.process.poll() is not None, "the stream kills itself")
    assert dying.process.returncode == -signal.SIGKILL
    pipeline._running.remove(dying)

    pipeline.resume()
    assert pipeline.generator.process.wait(60) == 0
    pipeline._running.remove(pipeline.generator)
    pipeline.drain()

    assert _figures(pipeline.verify()) == NOTHING
    # The batch that had been committed is known by its offsets, not by its events one by one.
    assert pipeline.metric("streaming", "clickstream_streaming_stored_events_total") > 0
    assert pipeline.metric("streaming", "clickstream_streaming_duplicate_events_total") == 0


def test_a_kill_in_mid_run_changes_nothing(pipeline: Pipeline) -> None:
    """Killed at any moment and started again, the stream ends with six zeros."""
    pipeline.begin(SIMULATION.replace("events: 3000", "events: 6000"))
    connection = pipeline.connect()
    connection.autocommit = True

    def begun() -> bool:
        query = "SELECT count(*) FROM raw.events WHERE run_id = %s"
        return int(str(_one(connection, query, str(pipeline.run_id)))) > 0

    wait_until(begun, "the run's first rows")
    connection.close()
    pipeline.kill()

    pipeline.resume()
    assert pipeline.generator.process.wait(60) == 0
    pipeline._running.remove(pipeline.generator)
    pipeline.drain()

    assert _figures(pipeline.verify()) == NOTHING


def test_a_killed_generator_goes_on_and_every_table_agrees(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``kill -9`` of the generator, twice, with faults planted: what comes twice is stored once."""
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_SNAPSHOT_SECONDS", "1")
    pipeline.begin(FAULTS.replace("events: 3000", "events: 6000"))
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
    assert int(str(numbers)) == 6_000


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


def test_a_wiped_database_is_refused_by_name(pipeline: Pipeline) -> None:
    """A database without the checkpoint's batches stops the stream before its first read."""
    pipeline.halt()
    connection = pipeline.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE public.kept AS SELECT * FROM ops.batches")
        cursor.execute("DELETE FROM ops.batches WHERE query = 'events'")
    refused = pipeline.resume(TRIGGER_MILLISECONDS="501")
    wait_until(lambda: refused.process.poll() is not None, "the stream refuses")

    pipeline._running.remove(refused)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO ops.batches SELECT * FROM public.kept WHERE query = 'events'")
        cursor.execute("DROP TABLE public.kept")
    connection.close()
    assert refused.process.returncode == 1
    assert "it was wiped or restored" in refused.log_file.read_text(encoding="utf-8")
    pipeline.resume()


def test_a_checkpoint_of_another_job_is_refused_by_name(pipeline: Pipeline) -> None:
    """Another schema than the checkpoint's is named, and nothing is read."""
    pipeline.halt()
    fingerprint = pipeline.state.folder("checkpoints") / "events" / "clickstream-fingerprint.json"
    ours = fingerprint.read_text(encoding="utf-8")
    fingerprint.write_text(json.dumps(json.loads(ours) | {"schema": "older"}), encoding="utf-8")
    refused = pipeline.resume(TRIGGER_MILLISECONDS="501")
    wait_until(lambda: refused.process.poll() is not None, "the stream refuses")

    pipeline._running.remove(refused)
    fingerprint.write_text(ours, encoding="utf-8")
    assert refused.process.returncode == 1
    assert "schema: older there" in refused.log_file.read_text(encoding="utf-8")
    pipeline.resume()


def test_a_lost_checkpoint_starts_where_the_database_says(pipeline: Pipeline) -> None:
    """Without its checkpoint the stream reads on, neither leaving out nor repeating anything."""
    pipeline.drain(pipeline.generate())
    pipeline.halt()
    shutil.rmtree(pipeline.state.folder("checkpoints") / "events")
    pipeline.begin()
    pipeline.resume()
    assert pipeline.generator.process.wait(60) == 0
    pipeline._running.remove(pipeline.generator)
    pipeline.drain()

    assert _figures(pipeline.verify()) == NOTHING


def test_a_topic_with_other_partitions_is_refused_by_name(pipeline: Pipeline) -> None:
    """The topic has four partitions; a job that expects six says so, and reads nothing."""
    pipeline.halt()
    refused = pipeline.resume(EVENTS_PARTITIONS="6")
    wait_until(lambda: refused.process.poll() is not None, "the stream refuses")

    pipeline._running.remove(refused)
    assert refused.process.returncode == 1
    said = refused.log_file.read_text(encoding="utf-8")
    assert "the topic clickstream.events.v1 has 4 partitions, not 6" in said
    pipeline.resume()


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


def test_events_with_a_field_more_or_less_are_read(pipeline: Pipeline) -> None:
    """What a newer generator adds is passed over; what an older one leaves out is null."""
    run_id = str(uuid4())
    start = sample_event("session_start") | {"run_id": run_id}
    more = start | {"event_id": str(uuid4()), "loyalty_tier": "gold", "loyalty_points": 7}
    less = start | {"event_id": str(uuid4())}
    del less["referrer"], less["campaign"]
    pipeline.produce(json.dumps(more).encode(), json.dumps(less).encode())
    connection = pipeline.connect()
    connection.autocommit = True
    query = "SELECT count(referrer) FROM raw.events WHERE run_id = %s HAVING count(*) = 2"

    def both_are_stored() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(query, (run_id,))
            return cursor.rowcount > 0

    wait_until(both_are_stored, "both are stored")
    assert _one(connection, query, run_id) == 1
    connection.close()
    pipeline.forget(run_id)


def test_the_tables_change_while_the_stream_runs(pipeline: Pipeline) -> None:
    """A column is added, filled and taken away again under load, and nothing is lost."""
    pipeline.begin()
    connection = pipeline.connect()
    connection.autocommit = True
    seen = "SELECT count(*) FROM raw.events WHERE run_id = %s"
    wait_until(lambda: int(str(_one(connection, seen, str(pipeline.run_id)))) > 0, "first rows")
    with connection.cursor() as cursor:
        for statement in (
            "ALTER TABLE mart.visits ADD COLUMN margin_minor bigint",
            "UPDATE mart.visits SET margin_minor = revenue_minor / 2",
            "ALTER TABLE raw.events ADD COLUMN margin_minor bigint",
        ):
            cursor.execute(statement)
        before = pipeline.last_batch()
        wait_until(lambda: pipeline.last_batch() > before, "a batch with the new columns")
        cursor.execute("ALTER TABLE raw.events DROP COLUMN margin_minor")
        cursor.execute("ALTER TABLE mart.visits DROP COLUMN margin_minor")
    connection.close()
    assert pipeline.generator.process.wait(60) == 0
    pipeline._running.remove(pipeline.generator)
    pipeline.drain()

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
