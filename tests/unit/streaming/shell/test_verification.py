"""The verification adds the defects of the checks, and reports them."""

from __future__ import annotations

import time
from functools import partial
from threading import Event
from uuid import UUID

import pytest
from clickstream_contract.identifiers import run_prefix
from clickstream_streaming.core.sql.check import summed
from clickstream_streaming.core.sql.checks import (
    ACKNOWLEDGED,
    CHECKS,
    LEDGER_TOTALS,
    PASSES,
    REJECTS,
    UNDER_WAY,
)
from clickstream_streaming.errors import TooFewLocks
from clickstream_streaming.shell import verification as module
from clickstream_streaming.shell.verification import (
    DEFECTS,
    RejectScore,
    VerificationReport,
    record_verification,
    run_checks,
    verify,
    wait_for_arrival,
)
from scripted_database import Answer, Rows, ScriptedDatabase

RUN_ID = str(UUID(int=7))


def _found(*texts: str, name: str = CHECKS[0].name) -> dict[str, Answer]:
    """Return the answer of a check with a defect at each of these places."""
    return _answers({name: (len(texts), list(texts))})


def _answers(found: dict[str, tuple[int, list[str]]]) -> dict[str, Answer]:
    """Return the answers of all checks, by name; those without one find nothing."""
    return {
        summed(checks, 20): [found.get(check.name, (0, [])) for check in checks]
        for checks in PASSES
    }


_NO_DEFECTS = _answers({})
CLEAN: dict[str, Answer] = {
    **_NO_DEFECTS,
    "SELECT DISTINCT run_id": [(RUN_ID,)],
    LEDGER_TOTALS: [(10, 20, 30, 2)],
    "SELECT (SELECT count(*) FROM raw.events)": [(9, 4, 3)],
}
_TWO_SESSIONS: dict[str, Answer] = {
    "FROM parts": [(0, 0, 100, 64, 0)],
    "pg_export_snapshot": [("0003-1",)],
}
SHARDS = [(RUN_ID, 0, 7), (RUN_ID, 1, 8)]
WANTED = {"run_ids": [RUN_ID, RUN_ID], "shards": [0, 1], "events": [7, 8]}


def test_clean_database_has_no_defect() -> None:
    """Without a row from any check all defects are 0, and the ledger's sums are shown."""
    report = run_checks(ScriptedDatabase(CLEAN).cursor())

    assert report == VerificationReport(
        events_sent=12,
        events_acknowledged=10,
        events_stored=9,
        events_rejected=4,
        planted_losses=2,
        lost=0,
        duplicated=0,
        phantom=0,
        altered=0,
        aggregate_mismatches=0,
        session_mismatches=0,
        illegal_transitions=0,
        examples=(),
        rejects=(),
        skipped_offsets=3,
    )
    assert report.is_clean()


def test_empty_database_is_clean() -> None:
    """A database without a ledger has sums of 0."""
    report = run_checks(ScriptedDatabase(_NO_DEFECTS).cursor())

    assert report.is_clean()
    assert (report.events_sent, report.events_stored, report.events_rejected) == (0, 0, 0)


def test_checks_know_the_runs() -> None:
    """Each check gets the ledger's runs and the beginnings of their event ids."""
    database = ScriptedDatabase(CLEAN)

    run_checks(database.cursor())

    values = {"run_ids": [RUN_ID], "prefixes": [run_prefix(UUID(RUN_ID))]}
    for checks in PASSES:
        assert database.executed(summed(checks, 20)) == [values]
    assert database.executed(REJECTS) == [None]


def test_check_without_result_fails() -> None:
    """A check that returns no row is an error, never a zero."""
    with pytest.raises(ValueError, match="shorter"):
        run_checks(ScriptedDatabase(CLEAN | {summed(PASSES[0], 20): []}).cursor())


def test_defects_are_added_up() -> None:
    """The defects of each check count, and checks of one kind share a figure."""
    found = _answers(
        {check.name: (number + 1, [f"{number}"]) for number, check in enumerate(CHECKS)}
    )

    report = run_checks(ScriptedDatabase(CLEAN | found).cursor())

    expected = dict.fromkeys(DEFECTS, 0)
    for number, check in enumerate(CHECKS):
        expected[check.defect] += number + 1
    assert {name: getattr(report, name) for name in DEFECTS} == expected
    assert not report.is_clean()


def test_first_defects_are_shown() -> None:
    """At most 20 examples are shown, each once, in the order of the checks."""
    texts = ["a0", *(f"a{number}" for number in range(15))]
    found = _answers(
        {
            CHECKS[0].name: (len(texts), texts),
            CHECKS[1].name: (25, [f"b{number}" for number in range(20)]),
        }
    )

    report = run_checks(ScriptedDatabase(CLEAN | found).cursor())

    examples = (*(f"a{number}" for number in range(15)), *(f"b{number}" for number in range(5)))
    assert report.examples == examples
    assert sum(getattr(report, name) for name in DEFECTS) == 41


def test_rejects_are_scored() -> None:
    """Each reason has its planted, rejected and matching records."""
    rows = [("late", 4, 2, 1), ("not_json", 0, 3, 0)]

    report = run_checks(ScriptedDatabase(CLEAN | {REJECTS: rows}).cursor())

    assert report.rejects == (RejectScore("late", 4, 2, 1), RejectScore("not_json", 0, 3, 0))


@pytest.mark.parametrize(
    ("score", "precision", "recall"),
    [
        (RejectScore("late", 4, 2, 1), 0.5, 0.25),
        (RejectScore("late", 0, 2, 0), 0.0, None),
        (RejectScore("late", 4, 0, 0), None, 0.0),
        (RejectScore("late", 3, 3, 3), 1.0, 1.0),
    ],
)
def test_score_has_precision_and_recall(
    score: RejectScore, precision: float | None, recall: float | None
) -> None:
    """A share of nothing is unknown, not 0."""
    assert score.precision == precision
    assert score.recall == recall


@pytest.mark.parametrize("defect", DEFECTS)
def test_any_defect_is_unclean(defect: str) -> None:
    """One defect of any kind makes a report unclean."""
    (name,) = [check.name for check in CHECKS if check.defect == defect][:1]

    report = run_checks(ScriptedDatabase(CLEAN | _found("x", name=name)).cursor())

    assert not report.is_clean()
    assert getattr(report, defect) == 1


def test_report_becomes_json() -> None:
    """JSON has every figure, the examples as a list, and scores with their shares."""
    found = _found("here") | {REJECTS: [("late", 4, 2, 1)]}

    report = run_checks(ScriptedDatabase(CLEAN | found).cursor()).to_json()

    assert report["lost"] == 1
    assert report["examples"] == ["here"]
    assert report["rejects"] == [
        {
            "reason": "late",
            "planted": 4,
            "rejected": 2,
            "matched": 1,
            "precision": 0.5,
            "recall": 0.25,
        }
    ]
    assert report.keys() == set(VerificationReport.__dataclass_fields__)


def test_verification_sees_one_moment() -> None:
    """All checks run in one read-only snapshot, and the session is given back as it was."""
    database = ScriptedDatabase(CLEAN)

    report = verify(database.connection())

    assert report.is_clean()
    assert database.sessions == [
        {"isolation_level": "REPEATABLE READ", "readonly": True},
        {"isolation_level": "DEFAULT", "readonly": False},
    ]
    assert database.ends == ["commit"]


def test_second_session_shares_the_checks() -> None:
    """Each check runs once, in one of two sessions that read the same snapshot."""
    first = ScriptedDatabase(CLEAN | _TWO_SESSIONS)
    second = ScriptedDatabase(_NO_DEFECTS)

    report = verify(first.connection(), second.connection)

    assert report.is_clean()
    assert second.statements[0] == ("SET TRANSACTION SNAPSHOT %s", ("0003-1",))
    assert second.sessions == first.sessions
    assert (second.ends, second.closed, first.closed) == (["commit"], 1, 0)
    for checks in PASSES:
        runs = [len(one.executed(summed(checks, 20))) for one in (first, second)]
        assert sum(runs) == 1


def test_error_ends_both_sessions() -> None:
    """After an error in one session the other begins no further check."""
    started = Event()

    def slow(rows: int, _values: object) -> Rows:
        started.set()
        time.sleep(0.05)
        return [(0, [])] * rows

    def broken(_values: object) -> Rows:
        assert started.wait(10.0)
        raise ValueError("no")

    first = ScriptedDatabase(_TWO_SESSIONS | {"row_number() OVER ()": broken})
    second = ScriptedDatabase({summed(checks, 20): partial(slow, len(checks)) for checks in PASSES})

    with pytest.raises(ValueError, match="no"):
        verify(first.connection(), second.connection)

    assert len(second.executed("row_number() OVER ()")) < len(PASSES) / 2
    assert (first.ends, second.ends, second.closed) == (["rollback"], ["rollback"], 1)


def test_failed_verification_restores_session() -> None:
    """A check that cannot run leaves no read-only session behind."""
    database = ScriptedDatabase({summed(PASSES[0], 20): ValueError("no")})

    with pytest.raises(ValueError, match="no"):
        verify(database.connection())

    assert database.ends == ["rollback"]
    assert database.sessions[-1] == {"isolation_level": "DEFAULT", "readonly": False}


def test_events_under_way_are_counted() -> None:
    """Events that the ledger has and the stream has not stored are shown, but are no defect."""
    found: dict[str, Answer] = {ACKNOWLEDGED: SHARDS, UNDER_WAY: [(5,)]}
    database = ScriptedDatabase(CLEAN | found)

    report = run_checks(database.cursor())

    assert report.under_way == 5
    assert report.is_clean()
    assert database.executed(UNDER_WAY) == [WANTED]


def test_stored_events_need_no_wait() -> None:
    """If the stream has stored everything, one query is enough."""
    database = ScriptedDatabase({ACKNOWLEDGED: SHARDS, UNDER_WAY: [(0,)]})

    assert wait_for_arrival(database.connection(), 60.0) == 0

    assert database.executed(UNDER_WAY) == [WANTED]
    assert database.ends == ["commit", "commit"]


def test_events_under_way_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of the first ledger are looked up again, each time in a new snapshot."""
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)
    looks = iter([[(5,)], [(2,)], [(0,)]])
    database = ScriptedDatabase({ACKNOWLEDGED: SHARDS, UNDER_WAY: lambda _: next(looks)})

    assert wait_for_arrival(database.connection(), 60.0) == 0

    assert database.executed(UNDER_WAY) == [WANTED] * 3
    assert len(database.executed(ACKNOWLEDGED)) == 1
    assert database.ends == ["commit"] * 4


def test_waiting_for_events_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the deadline the events that are still under way are returned."""
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)
    clock = iter([100.0, 159.9, 160.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    database = ScriptedDatabase({ACKNOWLEDGED: SHARDS, UNDER_WAY: [(3,)]})

    assert wait_for_arrival(database.connection(), 60.0) == 3

    assert len(database.executed(UNDER_WAY)) == 2


def test_report_is_kept() -> None:
    """The row in ``ops.verifications`` has the figures, every defect and the examples."""
    report = run_checks(ScriptedDatabase(CLEAN | _found("here")).cursor())
    database = ScriptedDatabase()

    record_verification(database.connection(), report)

    assert database.executed("INSERT INTO ops.verifications") == [
        {
            "events_sent": 12,
            "events_acknowledged": 10,
            "events_stored": 9,
            "events_rejected": 4,
            "planted_losses": 2,
            **dict.fromkeys(DEFECTS, 0),
            "lost": 1,
            "examples": ["here"],
        }
    ]
    assert database.ends == ["commit"]


@pytest.mark.parametrize(
    ("relations", "locks", "helpers", "setting"),
    [
        (9_000, 92, 0, 0), (9_000, 91, 0, 184), (9_000, 92, 1, 0), (9_000, 138, 2, 0),
        (9_000, 137, 2, 276), (0, 1, 0, 4),
    ],
)  # fmt: skip
def test_too_few_locks_are_named(relations: int, locks: int, helpers: int, setting: int) -> None:
    """More tables and indexes than PostgreSQL can lock are an error before the first check."""
    rows = [(relations // 3, relations, 100, locks, helpers)]
    database, second = (
        ScriptedDatabase(CLEAN | {"FROM parts": rows}),
        ScriptedDatabase(_NO_DEFECTS),
    )
    if not setting:
        assert verify(database.connection(), second.connection).events_stored == 9
        assert second.statements == [], "there is no room for a second session"
        return

    with pytest.raises(TooFewLocks, match=f"set max_locks_per_transaction to {setting} or more"):
        verify(database.connection())

    assert database.executed(LEDGER_TOTALS) == []
