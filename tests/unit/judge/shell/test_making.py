"""Events made again by several processes: the same sums, and errors arrive."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.run_record import RunRecord
from clickstream_judge.core.aggregates import Groups
from clickstream_judge.core.mapping import AggregateTable
from clickstream_judge.core.true_sums import Span
from clickstream_judge.errors import JudgeFailed, TooMuchToJudge, TruthUnusable
from clickstream_judge.shell import making
from clickstream_judge.shell.making import Part, make_sums
from run_records import shared_worlds

if TYPE_CHECKING:
    from judged import Run

SUMS = AggregateTable.model_validate(
    {
        "files": "sums.csv",
        "keys": {"minute": "minute", "country": "country"},
        "measures": {"events": "n", "users": "users", "revenue": "revenue"},
    }
)


def _part(run: Run, most_groups: int = 1_000) -> Part:
    record = RunRecord.from_json((run.folder / "run.json").read_text(encoding="utf-8"), "run.json")
    groups = Groups("aggregates.0", SUMS, dropped_after_seconds=30, most=most_groups)
    return Part(record, record.ends_at, ("event_id", "city"), Span(), (groups,))


def test_processes_change_nothing(run: Run) -> None:
    """Two processes make the same sums and groups as one."""
    with shared_worlds():
        alone = make_sums(_part(run))
    several = make_sums(_part(run), processes=2)

    assert several.sums == alone.sums
    assert sum(count for count, _ in alone.sums.sums.values()) == len(run.clean)
    (groups,), (wanted,) = several.groups, alone.groups
    assert groups._sums == wanted._sums
    assert groups._least == wanted._least


def test_errors_of_processes_arrive(run: Run) -> None:
    """An error within a process has its type, its fields and its text."""
    part = _part(run, most_groups=2)
    with pytest.raises(TooMuchToJudge, match="more than 2 groups") as caught:
        make_sums(part, processes=2)
    assert (caught.value.path, caught.value.most) == ("aggregates.0", 2)

    other = replace(part.record, fingerprint=replace(part.record.fingerprint, world="other"))
    with pytest.raises(TruthUnusable, match="cannot be made again"):
        make_sums(replace(part, record=other), processes=2)


def test_process_without_an_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends without an answer, as one that is killed, ends the judgement."""
    monkeypatch.setattr(making, "_work", operator.is_)

    with pytest.raises(JudgeFailed, match="a process ended with code 0"):
        make_sums(_part(run), processes=2)
