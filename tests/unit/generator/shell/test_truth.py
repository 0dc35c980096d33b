"""Record and ledger beside a stream: in a folder of their own, or in a topic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.errors import OutputFailed, OutputRefused
from clickstream_generator.shell.truth import LedgerTopic, TruthFolder
from run_records import run_record

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.shell.kafka_sink import KafkaSink

ROW = {"run_id": "7", "shard": 3, "events": 1}


def test_folder_has_record_and_ledger(tmp_path: Path) -> None:
    """The record is replaced, the ledger grows."""
    record = run_record()[0]
    truth = TruthFolder(tmp_path / "new")
    truth.keep_record(record)
    truth.keep_record(record)
    truth.keep_ledger([ROW])
    truth.keep_ledger([ROW, ROW])

    text = (tmp_path / "new" / "run.json").read_text("utf-8")
    assert RunRecord.from_json(text, "") == record
    lines = (tmp_path / "new" / "ledger.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [ROW, ROW, ROW]


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
    truth.keep_record(run_record()[0])
    truth.keep_ledger([ROW])

    ((topic, rows, _),) = published
    assert topic == "ledger"
    assert [(key, json.loads(value)) for key, value in rows] == [(b"7/3", ROW)]
