"""The rebuild compares every mart with its events, and writes what differs beside batches."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.pieces import Piece
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell import rebuild as rebuild_module
from clickstream_streaming.shell.rebuild import rebuild, rebuild_here
from psycopg2 import errors
from scripted_database import ScriptedDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_streaming.core.sql.mart import Mart
    from scripted_database import Answer, Rows

_DROPPED = "FROM ops.progress WHERE query = 'retention'"
_COUNTED = "SELECT (SELECT count(*) FROM suspects)"
_RUNNING = "FROM pg_locks"
_TOTALS = "ops.ledger_by_shard"
_SUMS = [mart.table for mart in MARTS if mart.is_sum]
_OTHERS = [mart.table for mart in MARTS if not mart.is_sum]
_SESSIONS, _TRAFFIC = MARTS[0], next(mart for mart in MARTS if mart.is_sum)


class _Counts:
    """Wrong keys, their stored rows, and missing rows, comparison by comparison."""

    def __init__(self, *counts: tuple[int, int, int]) -> None:
        self._counts: Iterator[tuple[int, int, int]] = chain(counts, repeat((0, 0, 0)))

    def __call__(self, _: object) -> Rows:
        return [next(self._counts)]


def _positions(database: ScriptedDatabase, part: str) -> list[int]:
    return [at for at, (text, _) in enumerate(database.statements) if part in text]


def test_right_marts_are_only_read() -> None:
    """Without a difference each mart has 0 changes, and only sums are added, of no key."""
    database = ScriptedDatabase({_COUNTED: [(0, 0, 0)]})

    changed = rebuild(database.connection())

    assert list(changed) == [*(mart.table for mart in MARTS), _TOTALS]
    assert set(changed.values()) == {0}
    written = {text.split()[2] for text, _ in database.statements if "INSERT INTO mart." in text}
    assert written <= {mart.written_table for mart in MARTS if mart.is_sum}
    assert set(database.ends) == {"commit"}


def test_locks_frame_the_rebuild() -> None:
    """Days are kept before the first question, and let go after the last one."""
    database = ScriptedDatabase({_COUNTED: [(0, 0, 0)]})

    rebuild(database.connection())

    texts = [text for text, _ in database.statements]
    assert "mart.rebuild" in texts[0]
    assert "pg_advisory_lock_shared(hashtext('raw.events.days'))" in texts[0]
    assert texts[-3:] == [
        "SELECT mart.refresh_summaries()", "SELECT pg_advisory_unlock_all()", "DISCARD TEMP",
    ]  # fmt: skip


def test_batches_are_not_locked_out() -> None:
    """A rebuild that settles takes no lock that a batch waits for."""
    database = ScriptedDatabase({_COUNTED: _Counts((2, 2, 0)), "DELETE FROM mart.sessions": [(1,)]})

    changed = rebuild(database.connection())

    assert changed["mart.sessions"] == 1
    assert not database.executed("LOCK TABLE")


def test_comparisons_read_one_snapshot() -> None:
    """All statements of a comparison see the same batches."""
    database = ScriptedDatabase({_COUNTED: [(0, 0, 0)]})

    rebuild(database.connection())

    snapshots = _positions(database, "ISOLATION LEVEL REPEATABLE READ")
    suspected = _positions(database, "INSERT INTO suspects")
    compared = _positions(database, "min(piece)")
    corrected = _positions(database, "TABLE corrections AS")
    assert snapshots == sorted(at - 1 for at in (*suspected, *compared, *corrected))


def test_wrong_rows_are_compared_again() -> None:
    """After a write the rebuild waits for the running batches, and then compares again."""
    answers: dict[str, Answer] = {_COUNTED: _Counts((2, 2, 0), (1, 1, 0)), _RUNNING: [([],)]}
    database = ScriptedDatabase(answers)

    rebuild(database.connection())

    compared, waited = _positions(database, _COUNTED), _positions(database, _RUNNING)
    assert len(compared) == len(_OTHERS) + 2
    assert len(waited) == 2
    assert compared[0] < waited[0] < compared[1] < waited[1] < compared[2]


def test_new_batches_are_not_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends when the batches that ran at its start have ended, whatever runs then."""
    monkeypatch.setattr(rebuild_module, "_POLL_SECONDS", 0.0)
    running = iter([(["3/1", "4/1"],), (["4/1", "3/2"],), (["3/2", "4/2"],)])
    answers: dict[str, Answer] = {_COUNTED: _Counts((1, 1, 0)), _RUNNING: lambda _: [next(running)]}

    rebuild(ScriptedDatabase(answers).connection())

    assert next(running, None) is None


def test_last_comparison_holds_batches() -> None:
    """Rows that batches change again and again are compared once more while batches wait."""
    rounds = rebuild_module._ROUNDS
    answers: dict[str, Answer] = {_COUNTED: _Counts(*[(1, 1, 0)] * rounds), _RUNNING: [([],)]}
    database = ScriptedDatabase(answers)

    rebuild(database.connection())

    (locked,) = _positions(database, "LOCK TABLE ops.batches IN EXCLUSIVE MODE")
    compared = _positions(database, _COUNTED)
    assert sum(at < locked for at in compared) == rounds
    assert locked < compared[rounds]


def test_missing_rows_come_in_portions() -> None:
    """A portion that waits for a batch is left out; the next comparison finds its rows."""
    portions = iter([errors.LockNotAvailable(), None, None])

    def insert(_: object) -> Rows:
        if error := next(portions):
            raise error
        return [(1,)] * 7

    answers: dict[str, Answer] = {
        _COUNTED: _Counts((25_000, 0, 25_000)),
        _RUNNING: [([],)],
        "INSERT INTO mart.sessions ": insert,
    }
    database = ScriptedDatabase(answers)

    changed = rebuild(database.connection())

    assert database.executed("INSERT INTO mart.sessions ") == [
        {"after": after, "last": after + 10_000} for after in (0, 10_000, 20_000)
    ]
    assert changed["mart.sessions"] == 14
    assert database.ends.count("rollback") == 1


def test_wrong_rows_come_in_portions() -> None:
    """No transaction locks more rows than a portion has."""
    answers: dict[str, Answer] = {_COUNTED: _Counts((25_000, 25_000, 0)), _RUNNING: [([],)]}
    database = ScriptedDatabase(answers)

    rebuild(database.connection())

    assert database.executed("FOR UPDATE OF known") == [
        {"after": after, "last": after + 10_000} for after in (0, 10_000, 20_000)
    ]


def test_sums_are_corrected_by_piece() -> None:
    """Each piece has its snapshot; what lacks is added with a number of no batch."""
    days = [(date(2026, 1, number), 1 << 30) for number in (1, 2)]
    database = ScriptedDatabase(
        {
            "FROM pg_inherits": days,
            _COUNTED: [(0, 0, 0)],
            f"INSERT INTO {_TRAFFIC.written_table} ": [(1,)] * 3,
        }
    )

    changed = rebuild(database.connection())

    assert changed[_TRAFFIC.table] == 9
    given = [
        values
        for text, values in database.statements
        if "TABLE corrections" in text and f"FROM {_TRAFFIC.table} AS one" in text
    ]
    assert given == [
        {"since": "-infinity", "until": date(2026, 1, 2)},
        {"since": date(2026, 1, 2), "until": date(2026, 1, 3)},
        {"since": date(2026, 1, 3), "until": "infinity"},
    ]
    for at in _positions(database, "INSERT INTO mart.traffic"):
        assert "clickstream.writer" in database.statements[at - 1][0]


@pytest.mark.parametrize(
    ("since", "until", "dropped", "first"),
    [
        (None, None, None, "-infinity"),
        (date(2026, 1, 2), date(2026, 1, 3), None, date(2026, 1, 2)),
        (date(2026, 1, 2), None, 4, date(2026, 1, 4)),
        (date(2026, 1, 6), None, 4, date(2026, 1, 6)),
        (None, None, 4, date(2026, 1, 4)),
    ],
)
def test_range_excludes_dropped_days(
    since: date | None, until: date | None, dropped: int | None, first: object
) -> None:
    """A rebuild begins at the first kept day at the earliest."""
    rows = [(datetime(2026, 1, dropped, tzinfo=UTC),)] if dropped else []
    database = ScriptedDatabase({_DROPPED: rows, _COUNTED: [(0, 0, 0)]})

    rebuild(database.connection(), since, until)

    given = database.executed("TEMPORARY TABLE corrections")
    assert given
    assert all(row == {"since": first, "until": until or "infinity"} for row in given)


def test_dropped_days_spare_marts() -> None:
    """Where days were dropped, a mart of all times that needs their events is left alone."""
    dropped = [(datetime(2026, 1, 4, tzinfo=UTC),)]
    database = ScriptedDatabase({_DROPPED: dropped, _COUNTED: [(0, 0, 0)]})

    changed = rebuild(database.connection())

    spared = {mart.table for mart in MARTS if not mart.time and mart.kept_by}
    assert spared == {"mart.dim_product_versions"}
    assert set(changed) == {_TOTALS, *(mart.table for mart in MARTS)} - spared


def test_totals_are_replaced_in_portions() -> None:
    """Wrong totals of the ledger are replaced, those of 100 shards in a transaction."""
    wrong = [("run", shard) for shard in range(250)]
    database = ScriptedDatabase({_COUNTED: [(0, 0, 0)], "WITH found AS": wrong})

    changed = rebuild(database.connection())

    assert changed[_TOTALS] == 250
    assert database.executed("LOCK TABLE ops.ledger_by_shard") == [
        {"run_ids": ["run"] * len(shards), "shards": [*shards]}
        for shards in (range(100), range(100, 200), range(200, 250))
    ]


def test_failure_frees_the_locks() -> None:
    """After an error its transaction is rolled back, and days may be dropped again."""
    answers: dict[str, Answer] = {
        _COUNTED: [(0, 0, 0)],
        "TEMPORARY TABLE corrections": ValueError("no"),
    }
    database = ScriptedDatabase(answers)

    with pytest.raises(ValueError, match="no"):
        rebuild(database.connection())

    assert database.ends[-2:] == ["rollback", "commit"]
    assert [text for text, _ in database.statements[-2:]] == [
        "SELECT pg_advisory_unlock_all()", "DISCARD TEMP",
    ]  # fmt: skip


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_mart_is_rebuilt_in_place(mart: Mart) -> None:
    """Within a transaction of the caller nothing is committed, and no batch is awaited."""
    database = ScriptedDatabase({_COUNTED: [(1, 1, 0)]})

    rebuild_here(database.connection().cursor(), mart, Piece(None, None))

    assert database.ends == []
    assert not database.executed(_RUNNING)
    assert database.statements[-1] == ("DISCARD TEMP", None)
