"""A batch writes each mart once, shared rows last and in one order."""

from __future__ import annotations

import itertools
import re

import pytest
from clickstream_contract.events import EVENT_FIELDS
from clickstream_streaming.core.sql.batch_steps import (
    COUNT_SHARDS,
    CURRENT_WRITER,
    LEDGER_STEPS,
    REJECT_STEPS,
)
from clickstream_streaming.core.sql.columns import Column, start_of
from clickstream_streaming.core.sql.event_marts import TRAFFIC
from clickstream_streaming.core.sql.mart import Mart
from clickstream_streaming.core.sql.mart_steps import EVENT_STEPS, SHARED_STEPS, merge, upsert
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.session_marts import SESSIONS, USER_DAY

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


def test_merge_updates_or_inserts() -> None:
    """A merge updates a row by the first condition that holds, and inserts new rows."""
    merged = merge(
        PAIRS,
        "TABLE given",
        ("known.n > 0", {"n": "known.n + 1"}),
        ("", {"m": "excluded.m"}),
        returning="new.n",
    )

    assert merged.split("\n") == [
        "MERGE INTO mart.pairs AS known",
        "USING (TABLE given) AS excluded",
        "ON known.a = excluded.a AND known.b = excluded.b",
        "WHEN MATCHED AND known.n > 0 THEN UPDATE SET n = known.n + 1",
        "WHEN MATCHED THEN UPDATE SET m = excluded.m",
        "WHEN NOT MATCHED THEN INSERT (a, b, n, m)",
        "    VALUES (excluded.a, excluded.b, excluded.n, excluded.m)",
        "RETURNING new.n",
    ]


def test_merge_may_return_nothing() -> None:
    """Without columns to return, a merge returns no row."""
    assert "RETURNING" not in merge(PAIRS, "TABLE given", ("", {"n": "excluded.n"}))


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_every_mart_is_written_once(mart: Mart) -> None:
    """A batch writes each mart in one step, with the columns of its definition."""
    (step,) = _writing(mart.written_table)

    assert f"({', '.join(mart.columns)}{', writer' * mart.is_shared})" in step


@pytest.mark.parametrize(
    "mart", [mart for mart in MARTS if mart.is_sum], ids=lambda mart: mart.table
)
def test_sums_are_added(mart: Mart) -> None:
    """A step adds each value of a sum to the stored row, in the order of the keys."""
    (step,) = _writing(mart.written_table)

    changes = ", ".join(f"{name} = known.{name} + excluded.{name}" for name in mart.values)
    assert re.search(rf"DO UPDATE SET {re.escape(changes)}(\)|$)", step)
    assert f"ORDER BY {', '.join(mart.key)}\n" in step
    assert " OR ".join(f"{name} <> 0" for name in mart.values) in step


@pytest.mark.parametrize(
    "mart", [mart for mart in MARTS if mart.is_shared], ids=lambda mart: mart.table
)
def test_writers_share_no_row(mart: Mart) -> None:
    """Each writer adds to rows with its number; every column has a rule for two rows."""
    (step,) = _writing(mart.written_table)

    assert f"SELECT {', '.join(mart.columns)}, {CURRENT_WRITER} FROM" in step
    assert f"ON CONFLICT ({', '.join(mart.key)}, writer) DO UPDATE" in step
    assert _writing(mart.table) == []
    for column in mart.fields:
        assert re.search(rf"{column.name} = (least\(|greatest\()?known\.{column.name}\b", step)


def test_shared_rows_have_an_order() -> None:
    """Writers lock the same rows in one order, so they never wait in a circle."""
    for step in STEPS:
        for before, after in itertools.pairwise(step.split("ON CONFLICT")):
            if " DO UPDATE" in after:
                assert "ORDER BY" in before.rpartition("INSERT INTO")[2], step


def test_hours_follow_from_minutes() -> None:
    """A batch counts its minutes once; each traffic mart adds them up."""
    counted = [step for step in SHARED_STEPS if step.startswith("INSERT INTO traffic_minutes ")]

    assert counted == [
        f"INSERT INTO traffic_minutes {TRAFFIC[0].select.format(source='new_events')}"
    ]
    for mart in TRAFFIC:
        (step,) = _writing(mart.written_table)
        unit, *others = mart.key
        sums = ", ".join(f"sum({name}) AS {name}" for name in mart.values)
        assert (
            f"SELECT {start_of(unit, 'minute')} AS {unit}, {', '.join(others)}, {sums}"  # noqa: S608
            f" FROM traffic_minutes GROUP BY 1, {', '.join(others)})"
        ) in step
        assert SHARED_STEPS.index(step) > SHARED_STEPS.index(counted[0])


def test_sessions_are_merged() -> None:
    """A session's counts are added, its bounds widened, and its first event says whose it is."""
    (step,) = _writing(SESSIONS.table)

    _, if_first, always = step[: step.index("WHEN NOT MATCHED")].split("WHEN MATCHED ")
    assert if_first.startswith("AND (excluded.first_seq, ")
    assert always.startswith("THEN UPDATE SET ")
    for name in SESSIONS.values:
        if name.endswith(("events", "_minor")):
            assert f"{name} = known.{name} + excluded.{name}" in always
    for change in (
        "started_at = least(known.started_at, excluded.started_at)",
        "last_event_at = greatest(known.last_event_at, excluded.last_event_at)",
        "first_seq = least(known.first_seq, excluded.first_seq)",
        "last_seq = greatest(known.last_seq, excluded.last_seq)",
        "campaign = least(known.campaign, excluded.campaign)",
        "referrer = least(known.referrer, excluded.referrer)",
        "session_number = least(known.session_number, excluded.session_number)",
    ):
        assert change in always
    assert if_first.endswith(always.removeprefix("THEN UPDATE SET "))
    for name in SESSIONS.merged("first"):
        assert f" {name} = excluded.{name}," in if_first
        assert f"{name} = " not in always


def test_events_come_before_shared_rows() -> None:
    """Rows of one writer come first, and sessions before what follows from them."""
    assert _writing(SESSIONS.table)[0] == EVENT_STEPS[0]
    assert _writing(USER_DAY.table)[0] in SHARED_STEPS
