"""The run record: writing and reading, and errors for other files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.own_catalog import Product
from clickstream_generator.core.run_record import Layout, RunRecord
from clickstream_generator.errors import RecordUnusable
from run_records import run_record
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """A record with everything in it."""
    moment = START_SECONDS + 1.1
    return replace(
        run_record()[0],
        revisions=(
            Revision(moment, moment, simulation("{eventsPerSecond: 7}", users=400)),
            Revision(moment + 0.1, moment + 5, simulation("{eventsPerSecond: 9}", users=400)),
        ),
        ends_at={0: 1000, 1: 1000, 2: 999, 3: 0},
        ended_at="2026-11-29T00:00:01.000Z",
        layout=Layout("csv", 250),
        products=(Product("P1", "Grüne Lampe", "Lamps", "Sand", 1_999),),
    )


def test_record_survives_json(record: RunRecord) -> None:
    """Every field is the same after JSON, to the last bit."""
    assert RunRecord.from_json(record.to_json(), "run.json") == record


def test_record_is_readable_text(record: RunRecord) -> None:
    """The document has a member a line, and letters of every language as they are."""
    text = record.to_json()

    assert '\n "simulation": "tested",\n' in text
    assert '"Grüne Lampe"' in text
    assert "products" not in json.loads(replace(record, products=()).to_json())


def test_record_names_its_kind(record: RunRecord) -> None:
    """A reader finds simulation, seed, shards and every default without our code."""
    content = json.loads(record.to_json())

    assert (content["kind"], content["simulation"]) == ("clickstream-run", "tested")
    assert (content["seed"], content["shards"]) == (42, 4)
    assert content["document"]["spec"]["faults"]["maxLatenessSeconds"] == 600
    assert content["revisions"][1]["document"]["spec"]["rate"]["eventsPerSecond"] == 9
    assert set(content["fingerprint"]["libraries"]) == {"faker", "numpy"}


def test_last_revision_runs(record: RunRecord) -> None:
    """What runs is the last revision, or the first simulation without one."""
    assert record.running == record.revisions[-1].simulation
    assert replace(record, revisions=()).running == record.first


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: [], "TypeError"),
        (lambda row: row | {"kind": "other"}, "kind 'other', format 1"),
        (lambda row: row | {"format": 2}, "format 2"),
        (lambda row: row | {"run_id": "x"}, "ValueError"),
        (lambda row: {name: row[name] for name in row if name != "ends_at"}, "'ends_at'"),
        (lambda row: row | {"document": {}}, "apiVersion"),
        (
            lambda row: row | {"layout": {"form": "csv", "part_events": 9}, "version": "0.3.0"},
            "a layout of form, part_events, written by version 0.3.0",
        ),
    ],
)
def test_something_else_is_named(
    record: RunRecord, change: Callable[[dict[str, object]], object], says: str
) -> None:
    """An invalid record is refused with its file and its content."""
    text = json.dumps(change(json.loads(record.to_json())))

    with pytest.raises(RecordUnusable) as refused:
        RunRecord.from_json(text, "here/run.json")
    assert str(refused.value).startswith("here/run.json has ")
    assert says in str(refused.value)


def test_text_is_no_record() -> None:
    """Text that is no JSON is refused too."""
    with pytest.raises(RecordUnusable):
        RunRecord.from_json("{", "run.json")
