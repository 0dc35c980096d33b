"""The commands on the tables: their output and exit codes."""

from __future__ import annotations

import json
import time
from io import StringIO
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from clickstream_streaming.shell import inspection
from clickstream_streaming.shell.inspection import read_back, show_rebuild, show_verification
from clickstream_streaming.shell.verification import RejectScore, VerificationReport
from scripted_database import ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_streaming.settings import Settings

RUN_ID = UUID(int=7)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a database without connections."""
    return stream_settings(tmp_path)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedDatabase], ScriptedDatabase]:
    """Return a function that lets the module connect to a scripted database."""

    def use(database: ScriptedDatabase) -> ScriptedDatabase:
        monkeypatch.setattr(inspection, "connect_with_retries", lambda *_: database.connection())
        return database

    return use


def _report(**figures: int) -> VerificationReport:
    values = {
        "events_sent": 9, "events_acknowledged": 8, "events_stored": 7, "events_rejected": 6,
        "planted_losses": 1, "lost": 0, "duplicated": 0, "phantom": 0, "altered": 0,
        "aggregate_mismatches": 0,
        "session_mismatches": 0, "illegal_transitions": 0,
    } | figures  # fmt: skip
    return VerificationReport(
        **values, examples=("event a was never sent",), rejects=(RejectScore("late", 2, 4, 1),)
    )


@pytest.mark.parametrize(("figures", "code"), [({}, 0), ({"phantom": 1}, 1), ({"altered": 1}, 1)])
def test_verification_is_shown_and_noted(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connected: Callable[[ScriptedDatabase], ScriptedDatabase],
    figures: dict[str, int],
    code: int,
) -> None:
    """Figures and examples are printed line by line, then the report as JSON; it is also stored."""
    database, report, output = connected(ScriptedDatabase()), _report(**figures), StringIO()
    noted: list[VerificationReport] = []
    monkeypatch.setattr(inspection, "verify", lambda *_: report)
    monkeypatch.setattr(inspection, "record_verification", lambda _, found: noted.append(found))

    assert show_verification(settings, output) == code

    *lines, last = output.getvalue().splitlines()
    assert lines == [
        "events_sent 9",
        "events_acknowledged 8",
        "events_stored 7",
        "events_rejected 6",
        "under_way 0",
        "lost 0",
        "duplicated 0",
        f"phantom {figures.get('phantom', 0)}",
        f"altered {figures.get('altered', 0)}",
        "aggregate_mismatches 0",
        "session_mismatches 0",
        "illegal_transitions 0",
        "  event a was never sent",
    ]
    assert json.loads(last) == report.to_json()
    assert noted == [report]
    assert database.closed == 1


@pytest.mark.parametrize(("seconds", "missing", "code"), [(0.0, 5, 0), (12.0, 0, 0), (12.0, 5, 1)])
def test_events_under_way_fail_wait(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connected: Callable[[ScriptedDatabase], ScriptedDatabase],
    seconds: float,
    missing: int,
    code: int,
) -> None:
    """Only a verification that waits fails for events under way, and it says how many."""
    connected(ScriptedDatabase())
    output, waits = StringIO(), list[float]()
    monkeypatch.setattr(inspection, "verify", lambda *_: _report(under_way=missing))
    monkeypatch.setattr(inspection, "record_verification", lambda *_: None)

    def wait(_: object, seconds: float) -> int:
        waits.append(seconds)
        return missing

    monkeypatch.setattr(inspection, "wait_for_arrival", wait)

    assert show_verification(settings, output, seconds) == code

    lines = output.getvalue().splitlines()
    assert f"under_way {missing}" in lines
    assert waits == ([seconds] if seconds else [])
    assert ("  5 events are still under way after 12 s" in lines) == bool(code)


def test_rebuild_is_shown(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connected: Callable[[ScriptedDatabase], ScriptedDatabase],
) -> None:
    """Each table has a line with its changed rows, and JSON comes last."""
    database, output = connected(ScriptedDatabase()), StringIO()
    monkeypatch.setattr(inspection, "rebuild", lambda _: {"mart.sessions": 0, "mart.user_day": 3})

    show_rebuild(settings, output)

    assert output.getvalue().splitlines() == [
        "mart.sessions 0 rows changed",
        "mart.user_day 3 rows changed",
        '{"mart.sessions": 0, "mart.user_day": 3}',
    ]
    assert database.closed == 1


def test_closed_run_is_read_back(
    settings: Settings, connected: Callable[[ScriptedDatabase], ScriptedDatabase]
) -> None:
    """A closed run with stored events is found at the first query."""
    database = connected(ScriptedDatabase({"FROM ops.runs": [("shop", True, 12)]}))
    output = StringIO()

    assert read_back(settings, RUN_ID, output) == 0

    assert output.getvalue() == f"run {RUN_ID} of shop: 12 stored, closed\n"
    assert database.executed("FROM ops.runs") == [(str(RUN_ID),)]
    assert (database.ends, database.closed) == (["commit"], 1)


def test_run_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connected: Callable[[ScriptedDatabase], ScriptedDatabase],
) -> None:
    """A run that is unknown, open or empty is queried again until it is closed."""
    looks = iter([[], [("shop", False, 5)], [("shop", True, 0)], [("shop", True, 9)]])
    database = connected(ScriptedDatabase({"FROM ops.runs": lambda _: next(looks)}))
    monkeypatch.setattr(inspection, "_POLL_SECONDS", 0.0)
    output = StringIO()

    assert read_back(settings, RUN_ID, output) == 0

    assert output.getvalue() == f"run {RUN_ID} of shop: 9 stored, closed\n"
    assert len(database.ends) == 4


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([], "unknown"),
        ([("shop", False, 5)], "of shop: 5 stored, open"),
        ([("shop", True, 0)], "of shop: 0 stored, closed"),
    ],
)
def test_waiting_for_run_ends(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    connected: Callable[[ScriptedDatabase], ScriptedDatabase],
    rows: list[tuple[object, ...]],
    state: str,
) -> None:
    """After two minutes the state is printed, and the exit code is 1."""
    database = connected(ScriptedDatabase({"FROM ops.runs": rows}))
    clock = iter([0.0, 119.9, 120.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(inspection, "_POLL_SECONDS", 0.0)
    output = StringIO()

    assert read_back(settings, RUN_ID, output) == 1

    assert output.getvalue() == f"run {RUN_ID} {state} after 120 s\n"
    assert len(database.ends) == 1
