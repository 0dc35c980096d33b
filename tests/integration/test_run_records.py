"""The run record in ``ops.runs``: the same for every order of its ledger entries."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from batches import write_batch
from clickstream_contract.topics import LEDGER
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.record_entries import RecordEntries
from clickstream_generator.core.run_record import RunRecord
from clickstream_streaming.shell.verification import run_checks
from databases import batch_process
from run_records import run_record
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from databases import Database

pytestmark = pytest.mark.services

_REVISIONS = tuple(
    Revision(
        START_SECONDS + second,
        START_SECONDS + second + 0.1,
        simulation(f"{{eventsPerSecond: {rate}}}"),
    )
    for second, rate in ((9.7, 10), (10.1, 20), (100.5, 10), (1_000, 30))
)
_INCIDENTS = tuple(
    {
        "incident": name,
        "kind": "CartFails",
        "scope": "device=mobile",
        "from_seconds": START_SECONDS + second,
        "until_seconds": START_SECONDS + second + 0.5,
        "lost_orders": 12.25,
        "orders_tolerance": 3,
        "lost_revenue_minor": 1_234.4,
        "revenue_tolerance_minor": 500,
    }
    for name, second in (("one", 9.7), ("two", 60.0), ("one", 600.0))
)
_ARMS = tuple(
    {
        "experiment": "button",
        "arm": arm,
        "from_seconds": START_SECONDS + second,
        "share": 0.5,
        "conversion": conversion,
        "lift": lift,
    }
    for second, arm, conversion, lift in (
        (0, "control", 0.1, None),
        (0, "green", 0.125, 0.25),
        (60.5, "control", 0.2, None),
        (60.5, "green", 0.1, -0.5),
    )
)
_ARRANGEMENTS = 20


def _entries(record: RunRecord) -> list[dict[str, Any]]:
    entries = RecordEntries(record)
    return entries.following([row.to_json() for row in _REVISIONS]) + [
        entries.of_truth(kind, row)
        for kind, rows in (("incidents", _INCIDENTS), ("experiments", _ARMS))
        for row in rows
    ]


def test_order_does_not_matter(database: Database) -> None:
    """In any order, in any batches and repeated, the entries make the same record and start."""
    record = run_record()[0]
    # A later version carries on, and publishes all entries again.
    entries = _entries(record) + _entries(RunRecord(**{**vars(record), "version": "1.3.0"}))
    long = json.loads(entries[2]["run_record"]) | {"document": None, "version": "1.0.0"}
    entries[2]["run_record"] = json.dumps(long)
    chance = random.Random(7)  # noqa: S311  an order, not a secret
    batch_id = 0
    with batch_process() as writer:
        for number in range(_ARRANGEMENTS):
            run_id = str(UUID(int=number << 64, version=4))
            rows = entries + chance.sample(entries, chance.randrange(len(entries)))
            chance.shuffle(rows)
            values = [json.dumps(row | {"run_id": run_id}).encode() for row in rows]
            while values:
                size = chance.randint(1, len(values))
                batch, values = values[:size], values[size:]
                task = writer.submit(write_batch, database.settings, batch, batch_id, LEDGER.name)
                assert task.result()["rejects"] == {}
                batch_id += 1

    found = (
        "SELECT count(*), count(DISTINCT record), min(record::text), max(started_at) FROM ops.runs"
    )
    runs, records, text, started_at = database.ask(found)
    assert (runs, records, started_at.timestamp()) == (_ARRANGEMENTS, 1, START_SECONDS)
    read = RunRecord.from_json(text, "ops.runs")
    assert (read.first, read.revisions, read.version) == (record.first, _REVISIONS, "1.2.3")
    assert json.loads(text)["incidents"] == [*_INCIDENTS]
    arms = json.loads(text)["experiments"]
    assert sorted(arms, key=_ARMS.index) == [*_ARMS]
    assert [row["from_seconds"] for row in arms] == [row["from_seconds"] for row in _ARMS]
    with database.owner, database.owner.cursor() as cursor:
        assert run_checks(cursor).examples == ()


def test_view_has_the_incidents(database: Database) -> None:
    """``ops.incidents`` has a row for each incident; the record of a run may have none."""
    rows = _entries(run_record()[0])
    other = rows[0] | {"run_id": str(UUID(int=1 << 64, version=4))}
    values = [json.dumps(row).encode() for row in (other, *rows)]
    assert database.write(values, LEDGER.name)["rejects"] == {}

    found = (
        "SELECT count(*), count(DISTINCT run_id), array_agg(incident ORDER BY began_at),"
        " min(began_at), max(ended_at), min(lost_orders), min(lost_revenue_minor)"
        " FROM ops.incidents"
    )
    runs, ids, names, began_at, ended_at, *lost = database.ask(found)

    assert (runs, ids, names) == (3, 1, ["one", "two", "one"])
    assert began_at.timestamp() == pytest.approx(START_SECONDS + 9.7)
    assert ended_at.timestamp() == pytest.approx(START_SECONDS + 600.5)
    assert lost == [Decimal("12.25"), 1_234]


def test_view_has_the_arms(database: Database) -> None:
    """``ops.experiments`` has a row for each arm and range; the record of a run may have none."""
    rows = _entries(run_record()[0])
    other = rows[0] | {"run_id": str(UUID(int=1 << 64, version=4))}
    values = [json.dumps(row).encode() for row in (other, *rows, *rows)]
    assert database.write(values, LEDGER.name)["rejects"] == {}

    found = (
        "SELECT count(DISTINCT run_id), array_agg(arm ORDER BY began_at, arm),"
        " array_agg(conversion ORDER BY began_at, arm), array_agg(lift ORDER BY began_at, arm),"
        " max(began_at) FROM ops.experiments"
    )
    ids, arms, conversions, lifts, began_at = database.ask(found)

    assert (ids, arms) == (1, ["control", "green", "control", "green"])
    assert conversions == [Decimal(text) for text in ("0.1", "0.125", "0.2", "0.1")]
    assert lifts == [None, Decimal("0.25"), None, Decimal("-0.5")]
    assert began_at.timestamp() == pytest.approx(START_SECONDS + 60.5)


def test_closed_run_has_an_end(database: Database) -> None:
    """A run ends with the last minute of its ledger, once it is closed; another end is found."""
    start = _entries(run_record()[0])[0] | {"shards": 1}
    minutes = ("2025-11-24T16:00:00.000Z", "2025-11-24T16:07:00.000Z")
    rows = [start, *(start | {"kind": "minute", "minute": minute} for minute in minutes)]
    ended_at = "SELECT ended_at FROM ops.runs"

    with batch_process() as writer:
        for batch_id, kinds in enumerate((rows, [start | {"kind": "shard_end"}])):
            values = [json.dumps(row).encode() for row in kinds]
            writer.submit(write_batch, database.settings, values, batch_id, LEDGER.name).result()
            assert database.ask(ended_at) == (None,)
    assert database.close_runs() == 1

    assert database.ask(ended_at) == (datetime(2025, 11, 24, 16, 8, tzinfo=UTC),)
    with database.owner, database.owner.cursor() as cursor:
        assert run_checks(cursor).examples == ()
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute("UPDATE ops.runs SET ended_at = ended_at - interval '1 min'")
        (example,) = run_checks(cursor).examples
    assert example.endswith("its end is not that of its ledger")


def test_edited_record_is_found(database: Database) -> None:
    """A person's change of a record breaks the row's seal."""
    rows = _entries(run_record()[0])
    database.write([json.dumps(row).encode() for row in rows], LEDGER.name)
    database.ask("UPDATE ops.runs SET record = record - 'seed' RETURNING 1")

    with database.owner, database.owner.cursor() as cursor:
        (example,) = run_checks(cursor).examples
    assert example.endswith("is not as it was written")


def test_revisions_are_bounded(database: Database) -> None:
    """A record keeps the first thousand revisions, and one that says that there were others."""
    entry = RecordEntries(run_record()[0]).following([_REVISIONS[0].to_json()])[1]
    record = json.loads(entry["run_record"])
    revision = record["revisions"][0] | {"document": None}
    values = [
        json.dumps(
            entry
            | {"run_record": json.dumps(record | {"revisions": [revision | {"from_seconds": at}]})}
        ).encode()
        for at in range(1_764_001_100, 1_764_000_000, -1)
    ]

    assert database.write(values, LEDGER.name)["rejects"] == {}

    kept = (
        "SELECT jsonb_array_length(record -> 'revisions'),"
        " record #> '{revisions,0,from_seconds}' FROM ops.runs"
    )
    assert database.ask(kept) == (1_001, 1_764_000_001)
