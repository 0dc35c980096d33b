"""The task that writes a partition, on a real PostgreSQL without Kafka and Spark."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from batches import write_batch, write_closed_batch
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_contract.topics import LEDGER
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.batch_steps import CLOSE_RUNS
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import run_checks
from databases import batch_process
from pipeline import wait_until
from plans import rows_read

if TYPE_CHECKING:
    from clickstream_contract.fields import Field
    from databases import Database
    from psycopg2.extensions import cursor as Cursor

pytestmark = pytest.mark.services

_COUNTS = """
SELECT (SELECT count(*) FROM raw.events), (SELECT count(*) FROM ops.rejected_events),
    (SELECT sum(records) FROM ops.quality_minute), (SELECT sum(events) FROM mart.traffic_minute),
    (SELECT count(*) FROM mart.sessions), (SELECT count(*) FROM ops.batches)
"""


def _records() -> list[bytes]:
    """Return an event of a past day, its duplicate, and an invalid record."""
    event = sample_event("view_item") | {
        "event_id": str(uuid4()),
        "event_time": "2020-01-01T12:00:00.000Z",
        "sent_at": "2020-01-01T12:00:00.000Z",
        "price_minor": 0,  # odd: it is flagged, and counted
    }
    body = json.dumps(event).encode()
    return [body, body, b'{"it\'s": "none"']


def test_repeated_batch_changes_nothing(database: Database) -> None:
    """A repeated task reports it, and changes no count."""
    first = database.write(records := _records())
    before = database.ask(_COUNTS)
    second = database.write(records)

    assert (first["stored"], first["duplicates"], first["is_repeated"]) == (1, 1, False)
    assert sum(first["rejects"].values()) == 1
    assert (second["stored"], second["rejects"], second["is_repeated"]) == (0, {}, True)
    # The first may have died before the batch was closed: how far it came is still to be noted.
    assert second["max_event_times"] == first["max_event_times"] != []
    assert second["run_ids"] == first["run_ids"] != []
    assert database.ask(_COUNTS) == before


def _numbered(*numbers: int) -> list[bytes]:
    """Return events of one shard, each in a different session; the number identifies the event."""
    return [
        json.dumps(
            sample_event("view_item")
            | {
                "event_id": f"00000000-0000-8000-8000-{number:012d}",
                "session_id": f"00000000-0000-8000-9000-{number:012d}",
                "shard_seq": number,
            }
        ).encode()
        for number in numbers
    ]


def test_events_of_other_processes_are_duplicates(database: Database) -> None:
    """A process looks up events below its high-water mark; the key finds other duplicates."""
    with batch_process() as one, batch_process() as other:
        for writer, batch_id, numbers, duplicates in (
            (one, 0, (1, 2, 3), 0),
            (other, 1, (4, 5, 6), 0),
            (one, 2, (5, 7), 1),  # ahead of all that this process knows
            (one, 3, (7, 8), 1),
            (one, 4, (9, 2), 1),
        ):
            records = _numbered(*numbers)
            outcome = writer.submit(write_batch, database.settings, records, batch_id).result()
            assert (outcome["stored"], outcome["duplicates"]) == (
                len(numbers) - duplicates, duplicates,
            )  # fmt: skip

    wanted = (9, 9, 9, 9)
    assert wanted == database.ask(
        "SELECT (SELECT count(*) FROM raw.events), (SELECT sum(events) FROM mart.traffic_day),"
        " (SELECT sum(events) FROM mart.sessions), (SELECT sum(stored_events) FROM ops.shards)"
    )


def test_unconfirmed_events_are_not_missing(database: Database) -> None:
    """Events that are stored before their ledger entry are a separate figure, never negative."""
    integrity = "SELECT stored_events, missing_events, unconfirmed_events FROM ops.integrity"
    database.write(_numbered(1, 2, 3, 4, 5))

    found = []
    with batch_process() as writer:
        for batch_id, last_number in enumerate((3, 5, 7)):
            records = [_ledger_minute(last_number)]
            writer.submit(write_batch, database.settings, records, batch_id, LEDGER.name).result()
            found.append(database.ask(integrity))

    assert found == [(5, 0, 2), (5, 0, 0), (5, 2, 0)]


def _ledger_minute(last_number: int) -> bytes:
    """Return the ledger entry of the minute in which a shard reached a number."""
    event = sample_event("view_item")
    row = dict.fromkeys((field.name for field in LEDGER_COLUMNS), 0) | {
        "kind": "minute",
        **{name: event[name] for name in ("simulation", "run_id", "shard")},
        "shards": 1,
        "minute": event["event_time"],
        "shard_seq": last_number,
        "records_acknowledged": last_number,
    }
    return json.dumps(row).encode()


LIVE, BACKFILL = (str(UUID(int=number << 64, version=4)) for number in (1, 2))


def _event_of(run_id: str, number: int, time: str, *, session: int = 0, shard: int = 0) -> bytes:
    """Return an event with a number, in a separate session unless one is given."""
    event = sample_event("view_item") | {
        "run_id": run_id,
        "shard": shard,
        "shard_seq": number,
        "event_id": str(UUID(int=UUID(run_id).int + number)),
        "session_id": str(UUID(int=UUID(run_id).int + 1_000 + (session or number))),
        "event_time": f"{time}.000Z",
        "sent_at": f"{time}.000Z",
    }
    return json.dumps(event).encode()


def _live(number: int) -> bytes:
    """Return an event of the live run, a second after the one before."""
    return _event_of(LIVE, number, f"2020-01-31T12:00:{number:02}")


def _past(number: int, time: str, *, session: int = 0, shard: int = 0) -> bytes:
    """Return an event of the backfill, three days before the live run."""
    return _event_of(BACKFILL, number, f"2020-01-28T{time}", session=session, shard=shard)


_FINAL = """
SELECT array_agg(to_char(started_at AT TIME ZONE 'UTC', 'HH24:MI:SS') ORDER BY started_at)
FROM mart.fact_sessions WHERE is_final
"""


def _written(database: Database, *batches: list[bytes]) -> list[tuple[int, list[str]]]:
    """Write batches; return how many events of each were late, and when final sessions began."""
    found = []
    with batch_process() as writer:
        for batch_id, records in enumerate(batches):
            outcome = writer.submit(
                write_closed_batch, database.settings, records, batch_id
            ).result()
            found.append((outcome["late"], database.ask(_FINAL)[0] or []))
    return found


def test_backfill_has_own_watermark(database: Database) -> None:
    """A backfill beside a live run is on time, with sessions final by the backfill's time."""
    found = _written(
        database,
        [_live(1)],
        [_live(2), _past(1, "10:00:00")],
        [_live(3), _past(2, "10:20:00"), _past(3, "10:30:00", session=1)],
        [_live(4), _past(4, "11:15:00")],
        [_live(5), _past(5, "11:15:01")],
        [_live(6), _past(6, "10:59:59"), _past(7, "11:00:02")],
    )

    assert found == [
        (0, []),
        (0, []),
        (0, []),
        (0, ["10:20:00"]),
        (0, ["10:00:00", "10:20:00"]),
        (1, ["10:00:00", "10:20:00"]),
    ]


def test_slowest_shard_decides(database: Database) -> None:
    """A shard that is ahead makes no event of another shard late, and no session final."""
    found = _written(
        database,
        [_past(1, "10:00:00"), _past(2, "10:00:01", shard=1)],
        [_past(3, "12:00:00", shard=1)],
        [_past(4, "10:05:00"), _past(5, "11:00:00", shard=1)],
        [_past(6, "11:00:00")],
    )

    assert found == [(0, []), (0, []), (1, []), (0, ["10:00:00", "10:00:01", "10:05:00"])]


def test_late_events_count_once(database: Database) -> None:
    """A job that dies before it finalizes a batch does not count its late events twice."""
    records = [_past(2, "10:00:00"), _past(3, "12:00:00")]
    state = "SELECT late_events, watermark FROM ops.shards"
    with batch_process() as writer, batch_process() as successor:
        writer.submit(write_closed_batch, database.settings, [_past(1, "11:00:00")], 0).result()
        first = writer.submit(write_batch, database.settings, records, 1).result()
        before = database.ask(state)
        again = successor.submit(write_closed_batch, database.settings, records, 1).result()

    assert (first["late"], again["late"], again["is_repeated"]) == (1, 0, True)
    assert before == (1, datetime(2020, 1, 28, 10, 45, tzinfo=UTC))
    assert database.ask(state) == (1, datetime(2020, 1, 28, 11, 45, tzinfo=UTC))


def test_new_shard_holds_sessions_open(database: Database) -> None:
    """Before the first batch of a shard is final, no other shard's watermark ends its sessions."""
    with batch_process() as writer:
        writer.submit(write_closed_batch, database.settings, [_past(1, "12:00:00")], 0).result()
        late = [_past(2, "10:00:00", shard=1)]
        outcome = writer.submit(write_batch, database.settings, late, 1).result()

    assert (outcome["late"], database.ask(_FINAL)) == (0, (None,))


def test_false_late_counts_are_named(database: Database) -> None:
    """Shards and batches count the same late events."""
    _written(database, [_past(1, "11:00:00")], [_past(2, "10:00:00")])

    found = []
    for late in (0, 1, 2):
        with database.owner.cursor() as cursor:
            cursor.execute("UPDATE ops.shard_events_by_writer SET late_events = %s", (late,))
            found.append([text for text in run_checks(cursor).examples if "late" in text])
        database.owner.rollback()

    assert found == [
        ["0 events of shards were late, and 1 of batches"],
        [],
        ["2 events of shards were late, and 1 of batches"],
    ]


def test_writers_of_a_session_take_turns(database: Database) -> None:
    """A record under another key is in another partition: its session is whole all the same."""
    events = [
        json.dumps(sample_event("page_view") | {"event_id": str(uuid4())}).encode()
        for _ in range(2)
    ]
    waiting = "SELECT count(*) = %d FROM pg_locks WHERE NOT granted"
    with batch_process() as one, batch_process() as other, database.owner.cursor() as cursor:
        cursor.execute("LOCK TABLE mart.dim_user IN EXCLUSIVE MODE")
        writing = []
        try:
            for count, writer in enumerate((one, other), 1):
                record = events[count - 1]
                writing.append(writer.submit(write_batch, database.settings, [record], count))
                wait_until(partial(_asked, cursor, waiting % count), f"{count} wait", 60)
        finally:
            database.owner.rollback()
        assert [task.result()["stored"] for task in writing] == [1, 1]

    assert database.ask("SELECT count(*), sum(events) FROM mart.sessions") == (1, 2)


_MEET_RUN = """
SET LOCAL clickstream.seals = 'on';
INSERT INTO ops.runs (run_id, simulation) VALUES (%(run_id)s, 'shop')
"""


def test_shared_rows_are_locked_last(database: Database) -> None:
    """A writer that waits for a new run has already written its events."""
    records = _records()
    waits = """
    SELECT count(*) > 0 FROM pg_locks AS wanted INNER JOIN pg_locks AS held USING (pid)
    WHERE wanted.locktype = 'transactionid' AND NOT wanted.granted
        AND held.mode = 'RowExclusiveLock' AND held.granted
        AND held.relation IN (
            SELECT inhrelid FROM pg_inherits WHERE inhparent = 'raw.events'::regclass)
    """
    with ThreadPoolExecutor(1) as pool, database.owner.cursor() as cursor:
        cursor.execute(_MEET_RUN, json.loads(records[0]))
        writing = pool.submit(database.write, records)
        try:
            wait_until(lambda: _asked(cursor, waits), "the writer waits for a shared row", 60)
        finally:
            database.owner.rollback()
        assert writing.result()["stored"] == 1


def _asked(cursor: Cursor, query: str) -> bool:
    cursor.execute(query)
    (answer,) = cursor.fetchone() or (False,)
    return bool(answer)


def test_dropped_days_stay_dropped(database: Database) -> None:
    """No table has the events of a dropped day: only the stored offsets exclude duplicates."""
    records = _records()
    database.write(records)
    assert database.ask("SELECT ops.drop_event_partitions('2020-01-02')") == (1,)
    before = database.ask(_COUNTS)
    database.write(records)

    assert before[0] == 0
    assert database.ask(_COUNTS) == before


def test_batch_with_another_end_is_refused(database: Database) -> None:
    """A restored checkpoint plans a batch again: the stream does not skip the records since."""
    records = _records()
    database.write(records)
    before = database.ask(_COUNTS)
    said = database.refusal([*records, records[0]])

    assert said.startswith("CheckpointBehindDatabase: the database holds batch 0")
    assert "restored to an older state" in said
    assert database.ask(_COUNTS) == before


def test_rebuild_keeps_partly_dropped_sessions(database: Database) -> None:
    """A session across midnight is there only in part: it stays as the stream had made it."""
    session = sample_event("view_item") | {"session_id": str(uuid4()), "run_id": str(uuid4())}
    moments = ("2020-01-01T23:59:00.000Z", "2020-01-02T00:01:00.000Z", "2020-01-02T00:02:00.000Z")
    events = [
        session | {"event_id": str(uuid4()), "event_time": at, "sent_at": at, "session_seq": number}
        for number, at in enumerate(moments, 1)
    ]
    database.write([json.dumps(event).encode() for event in events])
    assert database.ask("SELECT ops.drop_event_partitions('2020-01-02')") == (1,)
    before = database.ask("SELECT events, started_at, pages FROM mart.sessions")

    assert before[0] == 3
    assert set(rebuild(database.owner).values()) == {0}
    assert database.ask("SELECT events, started_at, pages FROM mart.sessions") == before
    with database.owner, database.owner.cursor() as cursor:
        report = run_checks(cursor)
    assert (report.aggregate_mismatches, report.session_mismatches) == (0, 0), report.examples


def test_rebuild_waits_for_a_drop(database: Database) -> None:
    """It would take what is left of those days' sessions for wrong, and away."""
    database.write(_records())
    watched, rebuilding = database.connect(), database.connect()
    with ThreadPoolExecutor(1) as pool, database.owner.cursor() as cursor:
        cursor.execute("SELECT ops.drop_event_partitions('2020-01-02')")
        working = pool.submit(rebuild, rebuilding)
        try:
            with watched.cursor() as looking:
                waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
                wait_until(lambda: _asked(looking, waiting), "the rebuild waits", 60)
        finally:
            database.owner.commit()
        assert set(working.result().values()) == {0}
    watched.close()
    rebuilding.close()
    assert database.ask("SELECT sum(events) FROM mart.sessions") == (1,)


def test_boards_keep_dropped_days(database: Database) -> None:
    """A session with a pause is two by the 30-minute rule, also after the run has ended."""
    session = sample_event("view_item") | {"session_id": str(uuid4())}
    moments = ("2020-01-01T10:00:00.000Z", "2020-01-01T11:00:00.000Z")
    database.write(
        [
            json.dumps(
                session
                | {"event_id": str(uuid4()), "event_time": at, "sent_at": at, "session_seq": number}
            ).encode()
            for number, at in enumerate(moments, 1)
        ]
    )
    stored = (
        "SELECT day, true_sessions, rule_sessions, split_boundaries FROM mart.sessionization_day"
    )
    database.ask("SELECT mart.refresh_summaries()")
    before = database.ask(stored)
    database.ask("SELECT ops.drop_event_partitions('2020-01-02')")
    database.ask("SELECT mart.refresh_summaries()")

    assert before[1:] == (1, 2, 1)
    assert database.ask(stored) == before


def test_sessions_around_midnight_are_clean(database: Database) -> None:
    """Two sessions that the 30-minute rule joins over midnight move an order to the day before."""
    sessions = (("view_item", "2020-01-01T23:50:00.000Z"), ("purchase", "2020-01-02T00:05:00.000Z"))
    database.write(
        [
            json.dumps(
                sample_event(name)
                | {"event_id": str(uuid4()), "session_id": str(uuid4()), "session_seq": 1}
                | {"shard_seq": number, "event_time": at, "sent_at": at}
            ).encode()
            for number, (name, at) in enumerate(sessions, 1)
        ]
    )
    database.ask("SELECT mart.refresh_summaries()")

    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(
            "SELECT true_converted, rule_converted FROM mart.sessionization_day ORDER BY day"
        )
        converted = cursor.fetchall()
        examples = run_checks(cursor).examples

    assert converted == [(0, 1), (1, 0)]
    assert not [text for text in examples if "sessionization_day" in text]


def test_largest_valid_event_is_stored(database: Database) -> None:
    """Each field has its largest value in every kind of event, also where it does not belong."""
    events = [_largest(name) for name in EVENT_NAMES for _ in range(2)]
    strange = sample_event("page_view") | {"event_id": str(uuid4()), "product_id": "alone"}
    outcome = database.write([json.dumps(event).encode() for event in [*events, strange]])

    assert (outcome["stored"], outcome["rejects"]) == (len(events) + 1, {})
    changed = rebuild(database.owner)
    assert changed == dict.fromkeys(changed, 0)


def _largest(name: str) -> dict[str, Any]:
    event = {field.name: _large(field) for field in EVENT_FIELDS}
    lines = [{field.name: _large(field) for field in ITEM_FIELDS} for _ in range(3)]
    return sample_event(name) | event | {"event_name": name, "items": lines}


def _large(field: Field) -> Any:  # noqa: ANN401  a value of any field
    if field.type is FieldType.UUID:
        return str(uuid4())
    if field.type is FieldType.TIMESTAMP:
        return "2020-01-01T12:00:00.000Z"
    if field.type in {FieldType.INTEGER, FieldType.BIGINT} and not field.values:
        return field.maximum or 2 ** (31 if field.type is FieldType.INTEGER else 63) - 1
    if field.values:
        return int(field.values[-1]) if field.type is FieldType.INTEGER else field.values[-1]
    if field.pattern:
        return f"{'a' * 63}/{'b' * 63}"
    # Four bytes each, and such that no compression makes them fit an index.
    return "".join(chr(0x10000 + random.randrange(0xFFFF)) for _ in range(field.max_length))  # noqa: S311


def test_repeated_order_is_rebuilt(database: Database) -> None:
    """Two purchases with one order id and other times are two events; the earlier is the order."""
    order = sample_event("purchase")
    events = [
        order | {"event_id": str(uuid4()), "event_time": f"2020-01-01T12:00:0{second}.000Z"}
        for second in range(2)
    ]
    database.write([json.dumps(event).encode() for event in events])
    rebuild(database.owner)

    assert set(rebuild(database.owner).values()) == {0}
    assert database.ask("SELECT extract(second FROM ordered_at)::int FROM mart.fact_orders") == (0,)


def test_repeated_ledger_record_is_merged(database: Database) -> None:
    """A repeated end changes nothing; of a minute's ledger records the most advanced counts.

    A worker that lost its shard may publish last, and may count more records of other minutes.
    """
    row = dict.fromkeys((field.name for field in LEDGER_COLUMNS), 0) | {
        "simulation": "shop", "run_id": str(uuid4()), "shards": 1,
        "minute": "2020-01-01T12:00:00.000Z", "records_acknowledged": 5,
    }  # fmt: skip
    given = [
        row | {"kind": "minute", "shard_seq": 6, "lost_faults": 1},
        row | {"kind": "minute", "shard_seq": 5, "records_acknowledged": 7},
        row | {"kind": "shard_end", "shard_seq": 6},
        row | {"kind": "shard_end", "shard_seq": 6},
    ]
    for records in (given, given[::-1]):
        outcome = database.write([json.dumps(record).encode() for record in records], LEDGER.name)
        assert outcome["rejects"] == {}
        for table in ("ops.ledger", "ops.ledger_by_shard"):
            assert database.ask(f"SELECT shard_seq, lost_faults FROM {table}") == (6, 1)  # noqa: S608
        assert database.ask("SELECT end_shard_seq FROM ops.shards") == (6,)
        database.ask("WITH gone AS (DELETE FROM ops.ledger), old AS (DELETE FROM ops.batches),"
                     " sums AS (DELETE FROM ops.ledger_by_shard) SELECT 1")  # fmt: skip


def test_closing_reads_only_the_batch(database: Database) -> None:
    """A batch that touches one of many open runs reads that run's shard alone."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute(
            "INSERT INTO ops.runs (run_id, simulation)"
            " SELECT gen_random_uuid(), 'shop' FROM generate_series(1, 3000) RETURNING run_id"
        )
        ((run,), *_) = cursor.fetchall()
        cursor.execute(
            "INSERT INTO ops.shard_states (run_id, shard, simulation, shards)"
            " SELECT run_id, 0, 'shop', 1 FROM ops.runs"
        )
        cursor.execute("ANALYZE ops.shard_states, ops.runs")

        for table in ("ops.runs", "ops.shard_states"):
            assert rows_read(cursor, CLOSE_RUNS, {"run_ids": [run]}, table) == 1
