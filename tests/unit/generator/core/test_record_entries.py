"""The run record as ledger entries: each revision once, and never longer than the stream reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from clickstream_contract.events import MAX_EVENT_BYTES
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.run_truths import RUN_TRUTHS
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.own_catalog import Product
from clickstream_generator.core.record_entries import RecordEntries
from clickstream_generator.core.run_record import RunRecord
from run_records import run_record
from simulations import START_SECONDS, simulation


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """A record at the end of a run with three revisions."""
    return replace(
        run_record()[0],
        revisions=tuple(
            Revision(
                moment, moment + 0.5, simulation(f"{{eventsPerSecond: {1 + int(moment) % 1_000}}}")
            )
            for moment in (START_SECONDS + 60.25, START_SECONDS + 61, START_SECONDS + 180)
        ),
        ends_at={0: 9},
        ended_at="2026-11-29T00:00:01.000Z",
    )


def _rows(record: RunRecord) -> list[dict[str, Any]]:
    return [row.to_json() for row in record.revisions]


def test_entries_have_the_record(record: RunRecord) -> None:
    """The entries add up to the record, without its end; each has at most one revision."""
    entries = RecordEntries(record).following(_rows(record))

    read = [RunRecord.from_json(row["run_record"], "entry") for row in entries]
    start = replace(record, revisions=(), ends_at={}, ended_at=None)
    assert read == [start, *(replace(start, revisions=(row,)) for row in record.revisions)]
    assert [row["minute"] for row in entries] == [
        "2025-11-24T16:00:00.000Z",
        *2 * ["2025-11-24T16:01:00.000Z"],
        "2025-11-24T16:03:00.000Z",
    ]


def test_entries_are_ledger_records(record: RunRecord) -> None:
    """An entry has every field of the ledger, with all figures 0."""
    (entry,) = RecordEntries(record).following([])

    assert set(entry) == {row.name for row in LEDGER_FIELDS}
    texts = {name: value for name, value in entry.items() if value != 0}
    del texts["run_record"]
    assert texts == {
        "kind": "revision",
        "simulation": "tested",
        "run_id": str(record.run_id),
        "shards": 4,
        "minute": "2025-11-24T16:00:00.000Z",
    }


def test_each_entry_comes_once(record: RunRecord) -> None:
    """A later call returns only what is new, and no more than is wanted."""
    entries, rows = RecordEntries(record), _rows(record)

    counts = [
        len(entries.following(rows[:known], at_most))
        for known, at_most in ((0, 2), (0, None), (1, None), (3, 1), (3, 1), (3, None))
    ]
    assert counts == [1, 0, 1, 1, 1, 0]


def test_long_documents_are_left_out(record: RunRecord) -> None:
    """Entries that the stream would reject for their length say where a document is missing."""
    product = Product("p", "\u00e9" * 20_000, "Brand", "Category", 100)
    entries = RecordEntries(replace(record, products=(product,)))

    fitting = _rows(record)[0]
    long = fitting | {"from_seconds": START_SECONDS + 99, "document": "x" * 70_000}

    cut = entries.following([fitting, long])

    assert entries.cut == 2, "the start and the long revision"
    assert all(len(json.dumps(entry)) <= MAX_EVENT_BYTES for entry in cut)
    contents = [json.loads(entry["run_record"]) for entry in cut]
    assert {content["document"] for content in contents} == {None}
    assert {content["start_seconds"] for content in contents} == {record.start_seconds}
    start, kept, left_out = (content["revisions"] for content in contents)
    assert (start, kept[0]["document"]["spec"]["seed"]) == ([], 42)
    assert left_out == [long | {"document": None}]


@pytest.mark.parametrize("kind", RUN_TRUTHS)
def test_entry_has_the_truth(record: RunRecord, kind: str) -> None:
    """The entry of a row of truth is a ledger record of the run's first minute."""
    truth = {"incident": "one", "from_seconds": START_SECONDS + 86_400}

    entry = RecordEntries(record).of_truth(kind, truth)

    assert set(entry) == {row.name for row in LEDGER_FIELDS}
    assert (entry["kind"], entry["minute"]) == ("revision", "2025-11-24T16:00:00.000Z")
    content = json.loads(entry["run_record"])
    assert (content["document"], content["revisions"]) == (None, [])
    assert content[kind] == [truth]
