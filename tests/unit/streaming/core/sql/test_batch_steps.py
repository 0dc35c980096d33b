"""Ledger records keep their fields, and values are bound."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_streaming.core.sql.batch_steps import (
    ADVANCE_WATERMARKS,
    CLOSE_RUNS,
    COUNT_EXPIRED,
    COUNT_SHARDS,
    LEDGER_STEPS,
    REJECT_STEPS,
    STORE_OFFSETS,
    STORED_END,
    STORED_ENDS,
)
from clickstream_streaming.core.sql.columns import Column
from clickstream_streaming.core.sql.mart import Mart
from clickstream_streaming.core.sql.mart_steps import EVENT_STEPS, SHARED_STEPS
from clickstream_streaming.core.sql.stages import (
    FIND_KNOWN,
)

EVENT_COLUMNS = [field.name for field in EVENT_FIELDS]
STEPS = (*EVENT_STEPS, *SHARED_STEPS, COUNT_SHARDS, *REJECT_STEPS, *LEDGER_STEPS)
OFFSETS_VALUES = (
    "query checkpoint_id batch_id topic partition from_offset until_offset topic_id leader_epoch"
)
A, B, N, M = (Column(name, "integer", name) for name in "abnm")
PAIRS = Mart("mart.pairs", "Pairs.", (A, B), (N, M), "events", "", "SELECT {source}")


def _writing(table: str) -> list[str]:
    """Return the steps that write a table."""
    pattern = re.compile(rf"(INSERT|MERGE) INTO {re.escape(table)}\b")
    return [step for step in STEPS if pattern.search(step)]


def test_ledger_keeps_every_field() -> None:
    """A ledger row has each field of a ledger record but its kind."""
    (step,) = _writing("ops.ledger")

    names = ", ".join(field.name for field in LEDGER_COLUMNS)
    assert f"({names})" in step
    for name in names.split(", "):
        is_key = name in {"run_id", "shard", "minute"}
        assert (f"{name} = excluded.{name}" in step) != is_key


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (STORE_OFFSETS,
         ("query checkpoint_id batch_id topic partition from_offset until_offset topic_id"
          " leader_epoch skipped")),
        (STORED_END, "query checkpoint_id batch_id topic partition"),
        (STORED_ENDS, "query checkpoint_id batch_id"),
        (COUNT_EXPIRED, "run_id shard simulation shard_seq event_id event_time"),
        (ADVANCE_WATERMARKS, "run_ids shards event_times delay_seconds"),
        (CLOSE_RUNS, "run_ids"),
        (FIND_KNOWN, ""),
    ],
    ids=["offsets", "stored end", "stored ends", "expired", "watermarks", "runs", "known events"],
)  # fmt: skip
def test_values_are_bound(statement: str, values: str) -> None:
    """Values are placeholders, never text of a statement."""
    assert set(re.findall(r"%\((\w+)\)s", statement)) == set(values.split())


def test_record_shows_too_many_revisions() -> None:
    """A run's record keeps one revision and one incident more than it may have: readers see it."""
    steps = [step for step in STEPS if "(part -> 'revisions'" in step]

    assert steps
    for step in steps:
        assert "LIMIT 1001\n" in step
        assert "LIMIT 393\n" in step
