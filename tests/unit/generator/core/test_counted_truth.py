"""Exact counts of a run: by hand, and against the maker's ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from clickstream_generator.core.counted_truth import (
    funnel_table,
    gap_sessions_table,
    ledger_table,
    user_sessions_table,
)
from clickstream_generator.core.events import CODE, EVENT_DTYPE
from clickstream_generator.core.exercise import Funnel, GapSessions, Ledger
from clickstream_generator.core.making import Maker
from clickstream_generator.core.played_run import PlayedRun, play
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.truth_table import Figure
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from clickstream_generator.core.truth_table import TruthTable

RATE = "{eventsPerSecond: 100}"
MORE = "  stopAfter: {events: 20000}\n  faults: {latePermille: 100, maxLatenessSeconds: 30}\n"
# User, session, milliseconds and name.
EVENTS = (
    (1, 1, 0, "session_start"), (1, 1, 1_000, "view_item"), (1, 1, 300_000, "view_item"),
    (1, 2, 400_000, "session_start"), (2, 3, 300_500, "session_start"),
    (2, 3, 2_200_500, "purchase"),
)  # fmt: skip


@pytest.fixture(scope="module")
def run() -> PlayedRun:
    """A run with late events."""
    return play(simulation(RATE, MORE), START_SECONDS)


@pytest.fixture
def small(run: PlayedRun) -> PlayedRun:
    """Six events of two users in three sessions, whose order is that of the sessions."""
    rows = np.zeros(len(EVENTS), dtype=EVENT_DTYPE)
    for place, (user, session, moment, name) in enumerate(EVENTS):
        rows[place]["user"], rows[place]["session_no"] = user, session
        rows[place]["event_time_ms"], rows[place]["code"] = moment, CODE[name]
    return replace(run, rows=rows)


def _cells(table: TruthTable) -> dict[tuple[str, ...], list[float]]:
    found = {}
    for key, row in table.rows.items():
        figures = [cell for cell in row.cells.values() if isinstance(cell, Figure)]
        assert all(cell.low == cell.high == cell.value for cell in figures)
        found[key] = [cell.value for cell in figures]
    return found


def test_funnel_counts_sessions_once(small: PlayedRun) -> None:
    """A session with two views counts once; a step without a session has 0."""
    wanted = Funnel(kind="Funnel", steps=("session_start", "view_item", "add_to_cart"))

    assert _cells(funnel_table(small, wanted)) == {
        ("session_start",): [3], ("view_item",): [1], ("add_to_cart",): [0],
    }  # fmt: skip


@pytest.mark.parametrize(("gap", "sessions"), [("30m", 3), ("40m", 2), ("4m", 4), ("100s", 4)])
def test_gap_divides_users_events(small: PlayedRun, gap: str, sessions: int) -> None:
    """A session ends after a time without an event of the user that is longer than the gap."""
    wanted = GapSessions.model_validate({"kind": "GapSessions", "gap": gap})

    assert _cells(gap_sessions_table(small, wanted)) == {(): [sessions]}


def test_users_have_their_sessions(small: PlayedRun) -> None:
    """One user has one session, and one has two."""
    assert _cells(user_sessions_table(small)) == {("1",): [1], ("2",): [1]}


def test_figures_are_those_of_the_ledger(run: PlayedRun) -> None:
    """The figures of each window and of the run are those of the real maker's ledger."""
    source = Simulator(simulation(RATE, MORE), (0, 1, 2, 3), UUID(int=1))
    maker = Maker(source, source.begin(START_SECONDS))
    for seconds in range(20, 221, 20):
        planted = maker.make(source.take_due(START_SECONDS + seconds, 10**9), 0)
        maker.acknowledge(planted.tally, {}, {})
    for late in maker.take_late(maker.carried.values(), np.inf, 0):
        maker.acknowledge(late.tally, {}, {})
    entries = maker.ledger_records(maker.carried.values(), START_SECONDS)
    names = ("events", "purchase_events", "revenue_minor")
    minutes: dict[tuple[str, ...], list[float]] = {}
    for entry in entries:
        sums = minutes.setdefault((entry["minute"].replace(".000Z", "Z"),), [0.0] * 3)
        minutes[entry["minute"].replace(".000Z", "Z"),] = [
            before + entry[name] for before, name in zip(sums, names, strict=True)
        ]

    by_minute = Ledger.model_validate({"kind": "Ledger", "figures": [*names], "window": "1m"})
    in_all = Ledger.model_validate({"kind": "Ledger", "figures": [*names]})

    assert _cells(ledger_table(run, by_minute)) == minutes
    assert _cells(ledger_table(run, in_all)) == {
        (): [sum(column) for column in zip(*minutes.values(), strict=True)]
    }
    assert sum(row[0] for row in minutes.values()) == 20_000
    assert all(sum(column) > 0 for column in zip(*minutes.values(), strict=True))
