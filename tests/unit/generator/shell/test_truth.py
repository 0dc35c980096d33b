"""Record and ledger beside a stream: in a folder of their own, or in a topic."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pytest
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.own_catalog import Product
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.errors import OutputFailed, OutputRefused
from clickstream_generator.shell.truth import LedgerTopic, TruthFolder
from run_records import run_record
from simulations import START_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.shell.kafka_sink import KafkaSink

ROW = {"run_id": "7", "shard": 3, "events": 1}
INCIDENT = {"incident": "one", "lost_orders": 7.5}
ARM = {"experiment": "button", "arm": "green", "lift": 0.25}


def test_folder_has_record_and_ledger(tmp_path: Path) -> None:
    """The record is replaced, the ledger grows; a kind of truth has a file once it has rows."""
    record = run_record()[0]
    truth = TruthFolder(tmp_path / "new")
    truth.keep_record(record)
    truth.keep_record(record)
    truth.keep_ledger([ROW])
    truth.keep_ledger([ROW, ROW])
    truth.keep_truths("incidents", [])
    truth.keep_truths("experiments", [])
    has_incidents = (tmp_path / "new" / "incidents.jsonl").exists()
    truth.keep_truths("incidents", [INCIDENT])

    text = (tmp_path / "new" / "run.json").read_text("utf-8")
    assert RunRecord.from_json(text, "") == record
    lines = (tmp_path / "new" / "ledger.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [ROW, ROW, ROW]
    (line,) = (tmp_path / "new" / "incidents.jsonl").read_text("utf-8").splitlines()
    assert (has_incidents, json.loads(line)) == (False, INCIDENT)
    assert not (tmp_path / "new" / "experiments.jsonl").exists()
    truth.keep_truths("experiments", [ARM])
    (line,) = (tmp_path / "new" / "experiments.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) == ARM


def test_folder_of_others_is_refused(tmp_path: Path) -> None:
    """A folder that holds something is left alone, and so is a file."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(OutputRefused, match=r"holds notes\.txt; .*; choose an empty folder"):
        TruthFolder(tmp_path)
    with pytest.raises(OutputRefused, match="is not a usable folder"):
        TruthFolder(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text("utf-8") == "mine"


def test_lost_folder_is_named(tmp_path: Path) -> None:
    """A ledger that cannot be written is named."""
    truth = TruthFolder(tmp_path / "new")
    (tmp_path / "new").rmdir()

    with pytest.raises(OutputFailed, match=r"ledger\.jsonl"):
        truth.keep_ledger([ROW])


def test_topic_has_the_ledger() -> None:
    """Each entry is a record, keyed by run and shard."""
    published: list[Any] = []

    class _Sink:
        def publish(self, *arguments: object) -> None:
            published.append(arguments)

    truth = LedgerTopic(cast("KafkaSink", _Sink()), "ledger")
    truth.keep_ledger([ROW])
    truth.keep_ledger([])

    ((topic, rows, _),) = published
    assert topic == "ledger"
    assert [(key, json.loads(value)) for key, value in rows] == [(b"7/3", ROW)]


def test_topic_has_the_record(caplog: pytest.LogCaptureFixture) -> None:
    """The start of the run, each revision and each row of truth are one entry of shard 0."""
    published: list[Any] = []

    class _Sink:
        def publish(self, _topic: str, rows: list[tuple[bytes, bytes]], _: object) -> None:
            published.extend(rows)

    record = run_record()[0]
    truth = LedgerTopic(cast("KafkaSink", _Sink()), "ledger")
    truth.keep_record(record)
    truth.keep_record(replace(record, ends_at={0: 1}))
    revision = Revision(START_SECONDS + 1, START_SECONDS + 2, record.first)
    truth.keep_record(replace(record, revisions=(revision,)))
    truth.keep_truths("incidents", [INCIDENT])
    truth.keep_truths("experiments", [ARM])

    assert [key for key, _ in published] == 4 * [f"{record.run_id}/0".encode()]
    records = [json.loads(json.loads(value)["run_record"]) for _, value in published]
    assert [
        (len(row["revisions"]), row.get("incidents"), row.get("experiments")) for row in records
    ] == [(0, None, None), (1, None, None), (0, [INCIDENT], None), (0, None, [ARM])]
    assert not caplog.messages


def test_cut_record_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A simulation that does not fit into an entry is a warning."""
    product = Product("p", "x" * 70_000, "Brand", "Category", 100)
    truth = LedgerTopic(cast("KafkaSink", mock.Mock()), "ledger")

    truth.keep_record(replace(run_record()[0], products=(product,)))
    truth.keep_revisions([])

    (message,) = caplog.messages
    assert "too long; use clickstream record" in message
