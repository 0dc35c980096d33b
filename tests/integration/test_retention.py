"""A verification finds the same before and after old rows are deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_local.postgres import WRITER
from clickstream_streaming.shell.verification import record_verification, run_checks
from kafka_records import changed
from psycopg2 import errors

if TYPE_CHECKING:
    from uuid import UUID

    from clickstream_streaming.shell.verification import VerificationReport
    from databases import Database

pytestmark = pytest.mark.services

_BEFORE = "2020-06-01"
_FUNCTIONS = {
    "forget_rejects": "%s, 100",
    "forget_verifications": "%s",
    "forget_minutes": "%s",
    "forget_latencies": "%s",
    "merge_seals": "%s",
}
_AGE_REJECTS = """
WITH old AS (
    UPDATE ops.rejected_events
    SET rejected_at = '2020-01-01', key = '01234567-89ab-8002-8000-000000000007'
    WHERE payload <> 'kept'::bytea RETURNING 1
) SELECT count(*) FROM old
"""
_AGE_VERIFICATION = """
INSERT INTO ops.verifications SELECT (jsonb_populate_record(one, '{"verified_at": "2020-01-01"}')).*
FROM ops.verifications AS one RETURNING 1
"""
_CLOSE_RUNS = """
UPDATE ops.runs SET first_seen_at = '2020-01-04', closed_at = '2020-01-05' RETURNING 1
"""
_ROWS = """
SELECT (SELECT count(*) FROM mart.traffic_minute), (SELECT count(*) FROM mart.traffic_hour),
    (SELECT count(*) FROM ops.latency_buckets), (SELECT count(*) FROM ops.seals)
"""


def _sealed(database: Database, query: str) -> tuple[object, ...]:
    """Run a query with seals, as the stream does."""
    return database.ask(f"SET LOCAL clickstream.seals = 'on'; {query}")


def _forget(database: Database, name: str, *values: object) -> int:
    """Call a function as the stream's login; return how many rows it deleted."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(f'SET LOCAL SESSION AUTHORIZATION "{WRITER}"')
        places = ", ".join(["%s"] * (len(values) + 1))
        cursor.execute(f"SELECT ops.{name}({places})", (_BEFORE, *values))
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def _found(database: Database) -> VerificationReport:
    """Verify, and sort the examples: their order is not fixed."""
    with database.owner, database.owner.cursor() as cursor:
        report = run_checks(cursor)
    return replace(report, examples=tuple(sorted(report.examples)))


def _days(database: Database, run_id: UUID, *days: int) -> None:
    """Store an event of each of some days, and drop the days one after the other."""
    database.write(
        [
            changed(
                run_id=str(run_id),
                event_id=str(uuid4()),
                session_id=str(uuid4()),
                event_time=f"2020-01-{day:02}T12:00:00.000Z",
                shard_seq=day,
            )
            for day in days
        ]
    )
    for day in days:
        database.ask(f"SELECT ops.drop_event_partitions('2020-01-{day + 1:02}')")


def test_old_rejects_are_deleted(database: Database) -> None:
    """Old rejects are deleted in portions, and are counted by partition and reason."""
    database.write([b"one", b"two", b"three", b"kept"])
    assert _sealed(database, _AGE_REJECTS) == (3,)
    before = _found(database)

    counts = [_forget(database, "forget_rejects", 2) for _ in range(3)]

    assert counts == [2, 1, 0]
    assert database.ask("SELECT payload FROM ops.rejected_events")[0].tobytes() == b"kept"
    assert database.ask("SELECT sum(records) FROM ops.quality_minute") == (1,)
    assert database.ask("SELECT reason, records, until_offset FROM ops.forgotten_rejects") == (
        "not_json",
        3,
        database.ask("SELECT kafka_offset FROM ops.rejected_events")[0],
    )
    assert _found(database) == before


def test_deleted_reject_is_still_missed(database: Database) -> None:
    """A reject that was deleted by hand is missing, also after old ones are counted."""
    database.write([b"one", b"two", b"kept", b"kept"])
    _sealed(database, _AGE_REJECTS)
    _forget(database, "forget_rejects", 10)
    assert _found(database).lost == 0

    database.ask(
        "DELETE FROM ops.rejected_events WHERE kafka_offset ="
        " (SELECT max(kafka_offset) FROM ops.rejected_events) RETURNING 1"
    )

    assert _found(database).lost == 1


def test_changed_rows_are_not_deleted(database: Database) -> None:
    """A changed row is not deleted, so that a verification reports it."""
    database.write([b"one", b"two"])
    _sealed(database, _AGE_REJECTS)
    record_verification(database.owner, _found(database))
    _sealed(database, _AGE_VERIFICATION)
    database.ask("UPDATE ops.rejected_events SET detail = 'x' WHERE payload = 'one' RETURNING 1")
    database.ask(
        "UPDATE ops.verifications SET altered = 7 WHERE verified_at = '2020-01-01' RETURNING 1"
    )

    assert _forget(database, "forget_rejects", 10) == 1
    assert _forget(database, "forget_verifications") == 0

    broken = [text for text in _found(database).examples if "not as it was written" in text]
    assert len(broken) == 2


def test_old_verifications_are_deleted(database: Database) -> None:
    """Old verifications are deleted, and the history still fits the rest."""
    record_verification(database.owner, _found(database))
    _sealed(database, _AGE_VERIFICATION)
    before = _found(database)

    assert _forget(database, "forget_verifications") == 1

    assert database.ask("SELECT rows FROM ops.histories") == (1,)
    assert _found(database) == before


def test_dropped_details_are_deleted(database: Database) -> None:
    """Minutes and latencies of dropped events are deleted; hours stay, and seals are merged."""
    run_id = uuid4()
    _days(database, run_id, 1, 2, 3)
    _sealed(database, _CLOSE_RUNS)
    before = _found(database)
    minutes, hours, latencies, seals = database.ask(_ROWS)
    assert (minutes, hours, latencies > 0, seals % 3) == (3, 3, True, 0)

    assert _forget(database, "forget_minutes") >= 3  # and as many flags
    assert _forget(database, "forget_latencies") == latencies
    assert _forget(database, "merge_seals") == seals * 2 // 3

    assert database.ask(_ROWS) == (0, 3, 0, seals // 3)
    assert _found(database) == before


def test_kept_days_keep_details(database: Database) -> None:
    """Minutes and latencies stay as long as there are events."""
    database.write([changed(event_time="2020-01-31T12:00:00.000Z")])
    _sealed(database, _CLOSE_RUNS)
    before = database.ask(_ROWS)

    assert [_forget(database, name) for name in ("forget_minutes", "forget_latencies")] == [0, 0]

    assert database.ask(_ROWS) == before


@pytest.mark.parametrize("statement", [
    "UPDATE mart.traffic_minute_by_writer SET events = 7",
    "DELETE FROM mart.traffic_minute_by_writer",
])  # fmt: skip
def test_changed_minutes_are_not_deleted(database: Database, statement: str) -> None:
    """Changed minutes are not deleted, also when seals are merged."""
    _days(database, uuid4(), 1, 2)
    database.ask(f"{statement} WHERE minute < '2020-01-02' RETURNING 1")

    _forget(database, "forget_minutes")
    _forget(database, "merge_seals")
    assert database.ask(
        "SELECT count(*) FROM mart.traffic_minute WHERE minute >= '2020-01-02'"
    ) == (0,)

    named = "mart.traffic_minute is not as it was when days before"
    assert [text for text in _found(database).examples if named in text]


def test_merged_seals_still_prove(database: Database) -> None:
    """A row of a dropped day that changes after its seal was merged is named."""
    _days(database, uuid4(), 1, 2)
    _forget(database, "merge_seals")

    database.ask(
        "UPDATE mart.traffic_hour_by_writer SET events = 7 WHERE hour < '2020-01-02' RETURNING 1"
    )

    named = "mart.traffic_hour is not as it was when days before"
    assert [text for text in _found(database).examples if named in text]


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_days_to_come_are_refused(database: Database, name: str) -> None:
    """No row of the present day is deleted."""
    with (
        pytest.raises(errors.RaiseException, match="are not over yet"),
        database.owner,
        database.owner.cursor() as cursor,
    ):
        cursor.execute(f"SELECT ops.{name}({_FUNCTIONS[name]})", ("2999-01-01",))
