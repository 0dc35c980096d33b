"""The exact truth of an exercise: counts of a run's events, sessions and users.

Owns these counts. The figures of events are those of the run's ledger.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from clickstream_generator.core.shard_ledger import ShardLedger, tally_events
from clickstream_generator.core.truth_table import Row, TruthTable, exact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from clickstream_generator.core.exercise import Funnel, GapSessions, Ledger
    from clickstream_generator.core.played_run import PlayedRun

__all__ = ["funnel_table", "gap_sessions_table", "ledger_table", "user_sessions_table"]


def ledger_table(run: PlayedRun, wanted: Ledger) -> TruthTable:
    """Return figures of the ledger: of the whole run, or of each window that has events."""
    window = wanted.window_seconds
    sums: dict[tuple[str, ...], Counter[str]] = {}
    for entry in _entries(run):
        minute = np.datetime64(entry["minute"].removesuffix("Z"), "s").astype(np.int64)
        key = () if window is None else (_time(int(minute) // window * window),)
        total = sums.setdefault(key, Counter())
        for name in wanted.figures:
            total[name] += entry[name]
    keys = () if window is None else ("window",)
    return _table(keys, wanted.figures, sorted(sums.items()))


def _entries(run: PlayedRun) -> Iterator[dict[str, Any]]:
    """Yield the ledger entries of the run, without checksums."""
    ledgers: dict[int, ShardLedger] = {}
    shards = run.simulation.spec.shards
    tally = tally_events(run.rows, np.zeros(len(run.rows), dtype=np.int64))
    for (number, minute), figures in tally.items():
        ledgers.setdefault(number, ShardLedger(number, shards)).add(minute, figures)
    for ledger in ledgers.values():
        yield from ledger.records(run.simulation.full_name, UUID(int=0), 0, 0)


def funnel_table(run: PlayedRun, wanted: Funnel) -> TruthTable:
    """Return how many sessions have each step."""
    counts = [((step,), {"sessions": int(run.sessions_with(step).sum())}) for step in wanted.steps]
    return _table(("step",), ("sessions",), counts)


def gap_sessions_table(run: PlayedRun, wanted: GapSessions) -> TruthTable:
    """Return the number of sessions by a gap: a session ends after so long without an event."""
    order = np.lexsort((run.rows["event_time_ms"], run.users))
    users, times = run.users[order], run.rows["event_time_ms"][order]
    begins = np.diff(users, prepend=-1) != 0
    begins |= np.diff(times, prepend=0) > 1_000 * wanted.gap_seconds
    return _table((), ("sessions",), [((), {"sessions": int(begins.sum())})])


def user_sessions_table(run: PlayedRun) -> TruthTable:
    """Return how many users have each number of sessions."""
    _, sessions = np.unique(run.users[run.session_starts], return_counts=True)
    numbers, users = np.unique(sessions, return_counts=True)
    counts = [
        ((str(number),), {"users": count})
        for number, count in zip(numbers.tolist(), users.tolist(), strict=True)
    ]
    return _table(("sessions",), ("users",), counts)


def _table(
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    counts: Sequence[tuple[tuple[str, ...], dict[str, int]]],
) -> TruthTable:
    rows = {
        key: Row({name: exact(float(figures[name])) for name in columns}) for key, figures in counts
    }
    return TruthTable(keys, columns, rows)


def _time(unix_seconds: int) -> str:
    return f"{np.datetime64(unix_seconds, 's')}Z"
