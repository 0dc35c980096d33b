"""The upkeep: what is made, dropped, forgotten and deleted, and what settings keep for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.shell.upkeep import run_upkeep
from psycopg2 import errors
from scripted_database import Answer, ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DETAILS = ("forget_verifications", "forget_minutes", "forget_latencies", "merge_seals")
_DAYS = {
    "RAW_RETENTION_DAYS": "30",
    "REJECTED_PAYLOAD_DAYS": "7",
    "REJECTED_RETENTION_DAYS": "60",
    "DETAIL_RETENTION_DAYS": "40",
}


def _run_upkeep(
    folder: Path, answers: Mapping[str, Answer], days: Mapping[str, str]
) -> tuple[ScriptedDatabase, bool, date]:
    """Return the database, whether there is more to delete, and the day of the upkeep."""
    while True:
        database = ScriptedDatabase(answers)
        today = datetime.now(tz=UTC).date()
        has_more = run_upkeep(database.connection(), stream_settings(folder, **days))
        if today == datetime.now(tz=UTC).date():
            return database, has_more, today


def test_each_retention_has_its_days(tmp_path: Path) -> None:
    """Days are made ahead; events, details, payloads and rejects go after their own days."""
    database, has_more, today = _run_upkeep(tmp_path, {}, _DAYS)

    def before(days: int) -> date:
        return today - timedelta(days=days)

    assert not has_more
    assert database.executed("ops.ensure_event_partitions") == [(today, today + timedelta(days=3))]
    assert database.executed("ops.drop_event_partitions") == [(before(30),)]
    assert database.executed("ops.forget_batches") == [(10_000,)]
    assert database.executed("ops.forget_payloads") == [(before(7), 50_000)]
    assert database.executed("ops.forget_rejects") == [(before(60), 50_000)]
    for name in _DETAILS:
        assert database.executed(f"ops.{name}") == [(before(40),)], name


def test_nothing_goes_without_days(tmp_path: Path) -> None:
    """With 0 days everything is kept but the offsets of old batches."""
    database, _, _ = _run_upkeep(tmp_path, {}, dict.fromkeys(_DAYS, "0"))

    called = [text for text, _ in database.statements if "SELECT ops." in text]
    assert called == ["SELECT ops.ensure_event_partitions(%s, %s)", "SELECT ops.forget_batches(%s)"]


@pytest.mark.parametrize("name", ["forget_payloads", "forget_rejects"])
def test_full_portion_leaves_more(tmp_path: Path, name: str) -> None:
    """As many rejects as are forgotten at once: there may be more."""
    outcomes = [
        _run_upkeep(tmp_path, {f"ops.{name}": [(count,)]}, {})[1] for count in (49_999, 50_000)
    ]

    assert outcomes == [False, True]


def test_day_in_use_is_dropped_later(tmp_path: Path) -> None:
    """Days that are being read stay, and the rest of the upkeep is done."""
    busy: dict[str, Answer] = {"ops.drop_event_partitions": errors.LockNotAvailable("busy")}
    database, _, _ = _run_upkeep(tmp_path, busy, _DAYS)

    assert len(database.executed("ops.forget_batches")) == 1


def test_rebuild_keeps_its_days(tmp_path: Path) -> None:
    """While a rebuild runs, neither days nor details go; the rest of the upkeep is done."""
    database, _, _ = _run_upkeep(tmp_path, {"mart.rebuild": [(False,)]}, _DAYS)

    assert not database.executed("ops.drop_event_partitions")
    assert not any(database.executed(f"ops.{name}") for name in _DETAILS)
    assert database.executed("ops.forget_batches")
    assert database.executed("ops.forget_rejects")
