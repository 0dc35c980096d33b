"""A batch stages typed columns in temporary tables that are emptied."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS
from clickstream_streaming.core.sql.batch_steps import (
    COUNT_SHARDS,
    LEDGER_STEPS,
    REJECT_STEPS,
)
from clickstream_streaming.core.sql.columns import Column
from clickstream_streaming.core.sql.mart import Mart
from clickstream_streaming.core.sql.mart_steps import EVENT_STEPS, SHARED_STEPS
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import DIM_USER
from clickstream_streaming.core.sql.stages import (
    CLEAR_STAGES,
    COLUMN_TYPES,
    CREATE_STAGES,
    DELETE_KNOWN,
    FIND_KNOWN,
    NEW_EVENT_COLUMNS,
    RAW_COLUMNS,
    REJECT_COLUMNS,
    SHOWN,
)

EVENT_COLUMNS = [field.name for field in EVENT_FIELDS]
STEPS = (*EVENT_STEPS, *SHARED_STEPS, COUNT_SHARDS, *REJECT_STEPS, *LEDGER_STEPS)
OFFSETS_VALUES = (
    "query checkpoint_id batch_id topic partition from_offset until_offset topic_id leader_epoch"
)
A, B, N, M = (Column(name, "integer", name) for name in "abnm")
PAIRS = Mart("mart.pairs", "Pairs.", (A, B), (N, M), "events", "", "SELECT {source}")


def test_raw_events_hold_everything() -> None:
    """An event is stored with all of its fields, its flags and its place in Kafka."""
    assert (*EVENT_COLUMNS, "flags", "kafka_partition", "kafka_offset") == RAW_COLUMNS


def test_new_event_columns_are_events() -> None:
    """The marts get fields in the contract's order, flags, and the number in the batch."""
    *fields, flags, number = NEW_EVENT_COLUMNS

    assert fields == [name for name in EVENT_COLUMNS if name in fields]
    assert (flags, number) == ("flags", "number")


def test_new_events_have_step_columns() -> None:
    """No step reads a field of new events that is not staged."""
    absent = set(EVENT_COLUMNS) - set(NEW_EVENT_COLUMNS)
    assert absent

    for mart in MARTS:
        if mart.source == "events":
            words = set(re.findall(r"(?<!line\.)\b\w+", mart.select))
            # The lines of an order have a quantity of their own.
            assert not (absent - {"quantity"}) & words, mart.table
    for step in (FIND_KNOWN, DELETE_KNOWN, *SHARED_STEPS[-2:]):
        assert not absent & set(re.findall(r"\w+", step))


def test_every_column_has_type() -> None:
    """Each column that a batch writes has its type in the database."""
    columns = {*RAW_COLUMNS, *NEW_EVENT_COLUMNS, *REJECT_COLUMNS, "ledger"}

    assert COLUMN_TYPES.keys() == columns
    for column in postgres_columns(EVENT_FIELDS):
        assert COLUMN_TYPES[column.name] == column.type
    others = {name: COLUMN_TYPES[name] for name in columns - set(EVENT_COLUMNS)}
    assert others == {
        "flags": "text",
        "number": "integer",
        "kafka_partition": "integer",
        "kafka_offset": "bigint",
        "topic": "text",
        "kafka_timestamp": "timestamp with time zone",
        "reason": "text",
        "detail": "text",
        "key": "bytea",
        "key_bytes": "integer",
        "payload": "bytea",
        "payload_bytes": "integer",
        "ledger": "jsonb",
    }


def test_rejects_keep_their_place() -> None:
    """A reject keeps its place in Kafka, its reason, its bytes, and how many it had."""
    assert REJECT_COLUMNS == (
        "topic", "kafka_partition", "kafka_offset", "kafka_timestamp", "reason", "detail", "key",
        "key_bytes", "payload", "payload_bytes",
    )  # fmt: skip


def test_every_stage_is_cleared() -> None:
    """Between two portions of a transaction no staging table keeps a row."""
    stages = re.findall(r"IF NOT EXISTS (\w+)", CREATE_STAGES)

    assert f"TRUNCATE {', '.join(stages)}" == CLEAR_STAGES


def test_stages_are_temporary() -> None:
    """Each staging table is created once per connection and empty after each transaction."""
    stages = [text for text in CREATE_STAGES.split(";") if text.strip()]

    assert stages
    for stage in stages:
        assert stage.strip().startswith("CREATE TEMPORARY TABLE IF NOT EXISTS ")
        assert "ON COMMIT DELETE ROWS" in stage


@pytest.mark.parametrize(
    "columns", [NEW_EVENT_COLUMNS, REJECT_COLUMNS], ids=["new events", "rejects"]
)
def test_stage_has_typed_columns(columns: tuple[str, ...]) -> None:
    """A staging table has the columns that a batch writes, with their types."""
    expected = ", ".join(f"{name} {COLUMN_TYPES[name]}" for name in columns)

    assert f"({expected})" in CREATE_STAGES


def test_single_value_is_bound() -> None:
    """A statement of one value has one placeholder."""
    assert DELETE_KNOWN.count("%s") == 1


def test_first_session_shows_the_user() -> None:
    """A user's first session has every value of the user, but for when the user was first seen."""
    assert {*SHOWN, "first_seen_at"} == {*DIM_USER.values}
    assert "first_seen_at" not in SHOWN
