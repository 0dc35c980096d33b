"""The statements fit the columns, marts and staging tables that they name."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_streaming.core.sql.columns import Column
from clickstream_streaming.core.sql.event_marts import TRAFFIC
from clickstream_streaming.core.sql.mart import Mart
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS, USER_DAY
from clickstream_streaming.core.statements import (
    ADVANCE_WATERMARKS,
    CLEAR_STAGES,
    CLOSE_RUNS,
    COLUMN_TYPES,
    COUNT_EXPIRED,
    COUNT_SHARDS,
    CREATE_STAGES,
    DELETE_KNOWN,
    EVENT_STEPS,
    FIND_KNOWN,
    LEDGER_STEPS,
    NEW_EVENT_COLUMNS,
    RAW_COLUMNS,
    REJECT_COLUMNS,
    REJECT_STEPS,
    SHARED_STEPS,
    STORE_OFFSETS,
    STORED_END,
    STORED_ENDS,
    upsert,
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


def test_raw_events_hold_everything() -> None:
    """An event is stored with all of its fields, its flags and its place in Kafka."""
    assert (*EVENT_COLUMNS, "flags", "kafka_partition", "kafka_offset") == RAW_COLUMNS


def test_new_event_columns_are_events() -> None:
    """The marts get fields in the contract's order, flags, and the number in the batch."""
    *fields, flags, number = NEW_EVENT_COLUMNS

    assert fields == [name for name in EVENT_COLUMNS if name in fields]
    assert (flags, number) == ("flags", "number")


def test_new_events_have_the_columns_of_steps() -> None:
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


def test_upsert_replaces_values() -> None:
    """By default the new values replace the old ones, in the order of the keys."""
    assert upsert(PAIRS, "TABLE given") == (
        "INSERT INTO mart.pairs AS known (a, b, n, m)\n"
        "SELECT a, b, n, m FROM (TABLE given) AS given ORDER BY a, b\n"
        "ON CONFLICT (a, b) DO UPDATE SET n = excluded.n, m = excluded.m"
    )


def test_upsert_may_merge_values() -> None:
    """Values and condition of an update can be given."""
    assert upsert(PAIRS, "TABLE given", {"n": "known.n + 1"}, "known.n > 0").endswith(
        "ON CONFLICT (a, b) DO UPDATE SET n = known.n + 1\nWHERE known.n > 0"
    )


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_every_mart_is_written_once(mart: Mart) -> None:
    """A batch writes each mart in one step, with the columns of its definition."""
    (step,) = _writing(mart.table)

    assert f"({', '.join(mart.columns)})" in step


@pytest.mark.parametrize(
    "mart", [mart for mart in MARTS if mart.is_sum], ids=lambda mart: mart.table
)
def test_sums_are_added(mart: Mart) -> None:
    """A step adds each value of a sum to the stored row, in the order of the keys."""
    (step,) = _writing(mart.table)

    changes = ", ".join(f"{name} = known.{name} + excluded.{name}" for name in mart.values)
    assert step.endswith(f"DO UPDATE SET {changes}")
    assert f"ORDER BY {', '.join(mart.key)}\n" in step
    assert " OR ".join(f"{name} <> 0" for name in mart.values) in step


def test_shared_rows_have_an_order() -> None:
    """Writers lock the same rows in one order, so they never wait in a circle."""
    for step in (*SHARED_STEPS, COUNT_SHARDS, *LEDGER_STEPS, *REJECT_STEPS):
        if "ON CONFLICT" in step and " DO UPDATE" in step:
            assert "ORDER BY" in step[: step.rindex("ON CONFLICT")], step


def test_hours_follow_from_minutes() -> None:
    """A batch counts its minutes once; each traffic mart adds them up."""
    counted = [step for step in SHARED_STEPS if step.startswith("INSERT INTO traffic_minutes ")]

    assert counted == [
        f"INSERT INTO traffic_minutes {TRAFFIC[0].select.format(source='new_events')}"
    ]
    for mart in TRAFFIC:
        (step,) = _writing(mart.table)
        assert "FROM traffic_minutes GROUP BY" in step
        assert SHARED_STEPS.index(step) > SHARED_STEPS.index(counted[0])


def test_sessions_are_merged() -> None:
    """A session's counts are added, its bounds widened, and its first event says whose it is."""
    (step,) = _writing(SESSIONS.table)

    merged = step[: step.index("WHEN NOT MATCHED")]
    for name in SESSIONS.values:
        if name.endswith(("events", "_minor")):
            assert f"{name} = known.{name} + excluded.{name}" in merged
    for change in (
        "started_at = least(known.started_at, excluded.started_at)",
        "last_event_at = greatest(known.last_event_at, excluded.last_event_at)",
        "first_seq = least(known.first_seq, excluded.first_seq)",
        "last_seq = greatest(known.last_seq, excluded.last_seq)",
        "campaign = least(known.campaign, excluded.campaign)",
        "referrer = least(known.referrer, excluded.referrer)",
        "session_number = least(known.session_number, excluded.session_number)",
    ):
        assert change in merged
    for name in SESSIONS.merged("first"):
        assert f"THEN excluded.{name} ELSE known.{name} END" in merged


def test_events_come_before_shared_rows() -> None:
    """Rows of one writer come first, and sessions before what follows from them."""
    assert _writing(SESSIONS.table)[0] == EVENT_STEPS[0]
    assert _writing(USER_DAY.table)[0] in SHARED_STEPS


def test_ledger_keeps_every_field() -> None:
    """A ledger row has each field of a ledger record but its kind."""
    (step,) = _writing("ops.ledger")

    names = ", ".join(field.name for field in LEDGER_FIELDS if field.name != "kind")
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
        (CLOSE_RUNS, ""),
        (FIND_KNOWN, ""),
    ],
    ids=["offsets", "stored end", "stored ends", "expired", "watermarks", "runs", "known events"],
)  # fmt: skip
def test_values_are_bound(statement: str, values: str) -> None:
    """Values are placeholders, never text of a statement."""
    assert set(re.findall(r"%\((\w+)\)s", statement)) == set(values.split())


def test_single_value_is_bound() -> None:
    """A statement of one value has one placeholder."""
    assert DELETE_KNOWN.count("%s") == 1
