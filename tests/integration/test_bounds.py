"""Bounds of the rows and memory that one record and one batch may take, on a real PostgreSQL."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from batches import rejects_memory, write_batch, write_portions
from clickstream_contract.events import (
    EVENT_FIELDS,
    EVENT_NAMES,
    MAX_EVENT_BYTES,
    MAX_ORDER_LINES,
)
from clickstream_contract.ledger import LEDGER_COLUMNS, LedgerKind
from clickstream_contract.quality import KEPT_BYTES, QUALITY_RULES, Severity
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_local.errors import RejectUnknown
from clickstream_local.rejects import list_rejects, replay
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.batch_steps import LOCK_ROWS_SHARED
from clickstream_streaming.shell import integrity_monitor
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import run_checks, verify
from databases import batch_process
from kafka_records import changed, ledger_record, line
from pipeline import wait_until

if TYPE_CHECKING:
    from clickstream_streaming.shell.verification import VerificationReport
    from databases import Database

pytestmark = pytest.mark.services

_TABLES = """
SELECT format('%I.%I', nspname, relname) FROM pg_class
INNER JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE nspname IN ('raw', 'mart', 'ops') AND relkind IN ('r', 'p') AND NOT relispartition
"""
_VIEWS = """
SELECT format('%I.%I', schemaname, viewname) FROM pg_views WHERE schemaname IN ('mart', 'ops')
"""
_COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s
"""
_LINES = MAX_ORDER_LINES
_MOST_ROWS = {
    "mart.fact_order_items": _LINES,
    "mart.product_pairs_by_writer": _LINES * (_LINES - 1) // 2,
    "mart.product_hour_by_writer": _LINES + 1,
    "mart.pages_day_by_writer": 2,
    "ops.quality_minute_by_writer": sum(rule.severity is Severity.FLAG for rule in QUALITY_RULES),
}
"""One record makes at most one row in any other table."""
_EXTREMES: dict[str, tuple[object, ...]] = {
    "integer": (-(2**31), -1, 0, 1, 2**31 - 1),
    "bigint": (-(2**63), -1, 0, 1, 10**12, 10**12 + 1, 2**63 - 1),
    "text": ("", "x", "x" * 127, "x" * 513, "x" * 60_000),
    "uuid": (str(UUID(int=0)), str(UUID(int=2**128 - 1))),
    "timestamp with time zone": (
        "0000-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z", "1999-12-31T23:59:59.999Z",
        "2000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z",
    ),
    "jsonb": ([], [line(quantity=10**6, price_minor=10**9)], [line(quantity=10**6 + 1)]),
}  # fmt: skip


def _rows(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


def _sizes(database: Database) -> dict[str, int]:
    """Return the number of rows of each table in PostgreSQL's catalog."""
    tables = [table for (table,) in _rows(database, _TABLES)]
    return {table: database.ask(f"SELECT count(*) FROM {table}")[0] for table in tables}  # noqa: S608


def _widest(name: str, number: int) -> bytes:
    """Return the largest event: every field, and an order with the highest number of lines.

    Args:
        name: The event's name.
        number: Makes its ids, texts and time others than those of another number.
    """
    event: dict[str, Any] = {
        key: value for other in EVENT_NAMES for key, value in sample_event(other).items()
    }
    lines = [line(product_id=f"product-{number}-{place}") for place in range(_LINES)]
    odd = {"quantity": 101, "price_minor": 0, "value_minor": 10**9}
    own = {field: str(uuid4()) for field in ("event_id", "session_id", "order_id", "run_id")}
    time = {"event_time": f"2020-01-{number + 1:02}T12:00:00.000Z"}
    return json.dumps(event | odd | own | time | {"event_name": name, "items": lines}).encode()


def test_widest_event_makes_few_rows(database: Database) -> None:
    """One record of any name makes a bounded number of rows in every table of the catalog."""
    found: dict[str, dict[str, int]] = {}
    with batch_process() as writer:
        for batch_id, name in enumerate(EVENT_NAMES):
            before = _sizes(database)
            records = [_widest(name, batch_id)]
            outcome = writer.submit(write_batch, database.settings, records, batch_id).result()
            assert (outcome["stored"], outcome["rejects"]) == (1, {})
            database.ask("SELECT mart.refresh_summaries()")
            found[name] = {
                table: size - before[table]
                for table, size in _sizes(database).items()
                if table != "ops.summary_refreshes"  # a row for each summary table, whatever comes
            }

    assert [
        (name, table, rows)
        for name, made in found.items()
        for table, rows in made.items()
        if rows > _MOST_ROWS.get(table, 1)
    ] == []
    assert found["purchase"]["mart.product_pairs_by_writer"] == 1_225


def test_wider_order_is_rejected(database: Database) -> None:
    """An order with one more line makes only the row of its reject."""
    lines = [line(product_id=f"product-{number}") for number in range(_LINES + 1)]

    outcome = database.write([changed("purchase", items=lines)])

    assert outcome["rejects"] == {"out_of_range": 1}
    assert database.ask("SELECT count(*) FROM mart.product_pairs") == (0,)


def _extremes(database: Database, table: str, names: set[str]) -> list[dict[str, object]]:
    """Return the extreme values of each column of a table, by its type."""
    types = dict(_rows(database, _COLUMNS, *table.split(".")))
    assert names <= types.keys()
    return [{name: value} for name in sorted(names) for value in _EXTREMES[types[name]]]


def _read_everything(database: Database) -> None:
    """Read every view, and verify: no sum exceeds its type."""
    for (view,) in _rows(database, _VIEWS):
        _rows(database, f"TABLE {view}")
    with database.owner, database.owner.cursor() as cursor:
        run_checks(cursor)


_RUN_RECORD = '{"start_seconds": 1764000000, "revisions": []}'


def test_ledger_extremes_are_validated(database: Database) -> None:
    """Accepted ledger records fit the table, its sums and views; all others are rejects."""
    names = {field.name for field in LEDGER_COLUMNS}
    extremes = _extremes(database, "ops.ledger", names)
    tables = dict(
        zip(LedgerKind, ("ops.runs", "ops.runs", "ops.ledger", "ops.shard_states"), strict=True)
    )
    with batch_process() as writer:
        for batch_id, (kind, table) in enumerate(tables.items()):
            database.ask("WITH gone AS (DELETE FROM ops.runs) SELECT 1")
            before = _sizes(database)[table]
            records = [
                ledger_record(
                    **(
                        {"kind": kind.value, "run_id": str(uuid4()), "run_record": _RUN_RECORD}
                        | values
                    )
                )
                for values in extremes
            ]
            task = writer.submit(write_batch, database.settings, records, batch_id, LEDGER.name)
            rejects = task.result()["rejects"]

            assert rejects.keys() == {"wrong_type", "out_of_range"}
            stored = _sizes(database)[table] - before
            assert stored + sum(rejects.values()) == len(records)
    _read_everything(database)


def test_event_extremes_are_validated(database: Database) -> None:
    """Accepted events fit the tables and their sums; all others are rejects."""
    names = {field.name for field in EVENT_FIELDS} - {"event_id", "event_time"}
    extremes = _extremes(database, "raw.events", names)
    times = [{"event_time": time} for time in _EXTREMES["timestamp with time zone"]]
    records = [
        changed(
            "purchase",
            **({"event_id": str(uuid4()), "session_id": str(uuid4()), "order_id": str(uuid4())}
               | values),
        )
        for values in [*extremes, *times]
    ]  # fmt: skip

    outcome = database.write(records)

    assert outcome["stored"] + sum(outcome["rejects"].values()) == len(records)
    assert outcome["rejects"].keys() >= {"wrong_type", "out_of_range", "future_time"}
    _read_everything(database)


def test_unknown_kind_is_rejected(database: Database) -> None:
    """A ledger record of a kind that the contract does not have is kept as a reject."""
    outcome = database.write([ledger_record(kind="second")], LEDGER.name)

    assert outcome["rejects"] == {"unknown_value": 1}
    assert database.ask("SELECT rule, topic FROM ops.rejected_events") == (
        "kind.unknown_value", LEDGER.name,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [LedgerKind.MINUTE, LedgerKind.SHARD_END])
def test_older_ledger_changes_nothing(database: Database, kind: LedgerKind) -> None:
    """A replayed ledger record does not replace a newer one."""
    newer, older, oldest = (
        ledger_record(
            kind=kind.value, records_acknowledged=count, records_sent=count, shard_seq=seq
        )
        for count, seq in ((9, 9), (9, 8), (5, 7))
    )
    state = (
        "SELECT records_acknowledged, shard_seq FROM ops.ledger"
        if kind is LedgerKind.MINUTE
        else "SELECT records_acknowledged, end_shard_seq FROM ops.shards"
    )
    found = []
    with batch_process() as writer:
        for batch_id, record in enumerate((oldest, newer, older, oldest)):
            task = writer.submit(write_batch, database.settings, [record], batch_id, LEDGER.name)
            assert task.result()["rejects"] == {}
            found.append(database.ask(state))

    assert found == [(5, 7), (9, 9), (9, 9), (9, 9)]


_EMPTY_PARTITION = """
SET LOCAL clickstream.seals = 'on';
INSERT INTO ops.batches
SELECT (jsonb_populate_record(one, '{"kafka_partition": 1, "rows": 0, "stored_events": 0}')).*
FROM ops.batches AS one WHERE topic LIKE '%events%'
RETURNING batch_id
"""


def _report_hours_later(database: Database) -> VerificationReport:
    """Verify as if the ledger had been read long ago, so that nothing is under way any more."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute("UPDATE ops.ledger SET read_at = read_at - interval '2 hours'")
        report = run_checks(cursor)
        database.owner.rollback()
    return report


@pytest.mark.parametrize("kinds", [["minute"], ["minute", "shard_end"]], ids=["open", "ended"])
def test_shard_of_few_users_is_awaited(database: Database, kinds: list[str]) -> None:
    """A shard without events in one of the partitions lacks none before they can have been read."""
    sent = sample_event("view_item")
    entry = {row.name: 0 for row in LEDGER_COLUMNS if row.name.endswith(("_events", "_faults"))}
    entry |= dict.fromkeys(
        ("events", "view_item_events", "shard_seq", "records_sent", "records_acknowledged"), 2
    )
    place = {name: sent[name] for name in ("run_id", "shard", "simulation")} | {
        "minute": f"{sent['event_time'][:16]}:00.000Z", "shards": sent["shard"] + 1,
    }  # fmt: skip
    entries = [ledger_record(kind=kind, **entry, **place) for kind in kinds]
    with batch_process() as writer:
        for batch_id, (records, topic) in enumerate(
            (([changed(shard_seq=1)], EVENTS.name), (entries, LEDGER.name))
        ):
            writer.submit(write_batch, database.settings, records, batch_id, topic).result()
    database.ask(_EMPTY_PARTITION)

    with database.owner, database.owner.cursor() as cursor:
        soon = run_checks(cursor)
    later = _report_hours_later(database)

    assert not [text for text in soon.examples if "lacks" in text or "minute" in text]
    assert (soon.lost, soon.under_way, later.lost) == (0, 1, 1)


def test_unknown_runs_are_not_shown(database: Database) -> None:
    """Only runs that were announced or have events make runs and labels of metrics."""
    invented = [
        ledger_record(
            kind=kind,
            run_id=str(uuid4()),
            simulation=f"invented-{number}",
            lost_faults=0,
            late_faults=0,
        )
        for number, kind in enumerate(("minute", "shard_end"))
    ]
    announced = ledger_record(kind="run_start", run_id=str(uuid4()), simulation="announced")
    with batch_process() as writer:
        for batch_id, (records, topic) in enumerate(
            (([*invented, announced], LEDGER.name), ([changed(simulation="shop")], EVENTS.name))
        ):
            writer.submit(write_batch, database.settings, records, batch_id, topic).result()

    known = _rows(database, "SELECT simulation FROM ops.runs ORDER BY simulation")
    assert known == [("announced",), ("shop",)]
    assert [row[0] for row in _rows(database, integrity_monitor._INTEGRITY)] == ["shop"]
    report = _report_hours_later(database)
    assert report.lost == 1, "what a ledger claims is missing all the same"
    assert not [text for text in report.examples if "not in ops.runs" in text]


def test_metrics_show_the_worst(database: Database) -> None:
    """Only the 200 simulations with the most defects are labels of metrics."""
    database.ask("""
        SET LOCAL clickstream.seals = 'on';
        WITH made AS (
            INSERT INTO ops.runs (run_id, simulation)
            SELECT gen_random_uuid(), 's' || number FROM generate_series(1, 205) AS number
            RETURNING run_id, simulation
        ), stored AS (
            INSERT INTO ops.shard_events_by_writer
                (run_id, shard, stored_events, late_events, arrivals_checksum, writer)
            SELECT run_id, 0, substr(simulation, 2)::bigint, 0, 0, 0 FROM made
        ), known AS (
            INSERT INTO ops.shard_states (run_id, shard, simulation)
            SELECT run_id, 0, simulation FROM made
        )
        SELECT count(*) FROM made
    """)

    shown = [row[0] for row in _rows(database, integrity_monitor._INTEGRITY)]

    assert shown == [f"s{number}" for number in range(205, 5, -1)]


def test_claims_of_ledger_are_counted(database: Database) -> None:
    """A ledger that claims a trillion events is one finding."""
    database.write([ledger_record(shard_seq=10**12, lost_faults=0, late_faults=0)], LEDGER.name)

    report = _report_hours_later(database)

    assert report.lost == 10**12
    assert len([text for text in report.examples if "lacks" in text]) == 1


def _numbered(*numbers: int) -> list[bytes]:
    """Return orders of one shard, each in another session; the number identifies the event."""
    return [
        changed(
            "purchase",
            event_id=f"00000000-0000-8000-8000-{number:012d}",
            session_id=f"00000000-0000-8000-9000-{number // 2:012d}",
            order_id=f"00000000-0000-8000-a000-{number:012d}",
            event_time=f"2020-01-{number % 28 + 1:02}T12:00:00.000Z",
            session_seq=number % 2 + 1,
            shard_seq=number,
        )
        for number in numbers
    ]


def test_portions_are_one_batch(database: Database) -> None:
    """Records that do not fit one portion are stored once, in one transaction, with all marts."""
    pieces = [_numbered(1, 2, 3), [*_numbered(2, 4), b"x"], [b"y"], _numbered(5, 1)]

    with batch_process() as writer:
        outcome = writer.submit(write_portions, database.settings, pieces, 1).result()
    with batch_process() as writer:
        again = writer.submit(write_portions, database.settings, pieces, 1).result()

    assert (outcome["rows"], outcome["stored"], outcome["duplicates"]) == (9, 5, 2)
    assert outcome["rejects"] == {"not_json": 2}
    assert database.ask(
        "SELECT stored_events, known_events, rejected_records FROM ops.batches"
    ) == (5, 2, 2)
    assert database.ask("SELECT count(DISTINCT xmin::text), count(*) FROM raw.events") == (1, 5)
    assert set(rebuild(database.owner).values()) == {0}
    assert (again["is_repeated"], again["stored"]) == (True, 0)
    assert again["max_event_times"] == outcome["max_event_times"]


def test_portions_wait_for_other_writers(database: Database) -> None:
    """Several portions lock shared rows in another order, so no other writer runs meanwhile."""
    pieces = [_numbered(1), _numbered(2)]
    with (
        batch_process() as writer,
        closing(database.connect()) as other,
        other.cursor() as cursor,
    ):
        cursor.execute(LOCK_ROWS_SHARED)
        writing = writer.submit(write_portions, database.settings, pieces, 1)
        waits = "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: bool(database.ask(waits)[0]), "the portions wait", 60)
        other.rollback()

        assert writing.result()["stored"] == 2


def test_large_rejects_take_little_memory(database: Database) -> None:
    """A worker that rejects 330 MB grows by a few portions, and keeps 8 KiB of each record."""
    with batch_process() as writer:
        rejects, grown = writer.submit(rejects_memory, database.settings, 25, 200, 66_000).result()

    assert rejects == 5_000
    assert grown < 5 * (64 << 20)  # five portions; the whole batch took 1,120 MiB
    assert database.ask(
        "SELECT min(octet_length(payload)), min(payload_bytes) FROM ops.rejected_events"
        " WHERE reason = 'oversized'"
    ) == (KEPT_BYTES, 66_000)


def test_cut_reject_is_not_replayed(database: Database) -> None:
    """A cut record is listed with its length, and is not sent again."""
    database.write([b"x" * (MAX_EVENT_BYTES + 1)])
    (reject,) = list_rejects(database.owner, "oversized", 10)

    with pytest.raises(RejectUnknown, match="only its first 8192 bytes are kept"):
        replay(database.owner, "127.0.0.1:9", [replace(reject, payload=b"{}")])

    assert (len(reject.payload or b""), reject.payload_bytes) == (KEPT_BYTES, MAX_EVENT_BYTES + 1)
    assert database.ask("SELECT replayed_at FROM ops.rejected_events") == (None,)


def test_stored_event_does_not_expire(database: Database) -> None:
    """A duplicate of an event whose day is too old is rejected, and counts as stored."""
    strict = replace(database.settings, oldest_event_days=30)
    with batch_process() as writer:
        stored = writer.submit(write_batch, database.settings, _numbered(1), 0).result()
        again = writer.submit(write_batch, strict, _numbered(1, 2), 1).result()

    assert (stored["stored"], again["rejects"]) == (1, {"day_dropped": 2})
    assert database.ask(
        "SELECT stored_events, expired_events, dropped_numbers::text FROM ops.shards"
    ) == (1, 1, "{[2,3)}")


@pytest.mark.slow
def test_archive_of_days_is_stored(database: Database) -> None:
    """Events of as many days as the default allows are stored in one batch, and verified."""
    days = 800
    events = [
        changed(
            event_id=str(uuid4()),
            session_id=str(uuid4()),
            event_time=f"{2_020 + number // 336}-{number // 28 % 12 + 1:02}"
            f"-{number % 28 + 1:02}T12:00:00.000Z",
            shard_seq=number + 1,
        )
        for number in range(days)
    ]

    outcome = database.write(events)

    assert outcome["stored"] == days
    assert verify(database.connect()).events_stored == days
