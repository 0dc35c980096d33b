"""One judgement: truth, engine, comparison, report.

Owns the order of the steps. First the engine counts rows and sums checksums per minute, and the
run's events are made again to do the same. Then events are compared one by one, only in minutes
that differ.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from clickstream_contract.identifiers import run_prefix

from clickstream_judge.core.aggregates import Groups
from clickstream_judge.core.counts import CANNOT_TELL, compare_counts
from clickstream_judge.core.fields import truth_texts
from clickstream_judge.core.merging import Kind, ResultRow, TrueEvent, compare
from clickstream_judge.core.remaking import remake
from clickstream_judge.core.report import Report, minute_text
from clickstream_judge.core.statements import Statements, aggregate_statement, rejected_ids
from clickstream_judge.core.true_sums import Span, TrueSums
from clickstream_judge.core.verdict import collect, minute_ranges
from clickstream_judge.errors import ResultUnfit, TruthUnusable
from clickstream_judge.shell.engines import open_engine
from clickstream_judge.shell.making import Part, make_sums
from clickstream_judge.shell.truth_files import read_truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from clickstream_generator.core.run_record import RunRecord

    from clickstream_judge.core.ledger import Ledger
    from clickstream_judge.core.mapping import JudgeMapping
    from clickstream_judge.core.remaking import Chunk
    from clickstream_judge.core.true_sums import Sums
    from clickstream_judge.core.verdict import Verdict
    from clickstream_judge.shell.engines import Engine

__all__ = ["judge"]

_MOST_RANGES = 200
"""Most ranges of minutes in one statement."""
_MOST_MINUTES = 2_000_000
"""Most minutes of a result: nearly four years."""


def judge(
    mapping: JudgeMapping,
    folder: Path,
    *,
    examples: int = 5,
    show: Callable[[str], None] = lambda _text: None,
    clock: Callable[[], float] = time.time,
) -> Report:
    """Compare a result with the truth.

    Args:
        mapping: The mapping.
        folder: Its folder; relative paths begin there.
        examples: Most examples of each kind of difference.
        show: Called with what happens.
        clock: Returns Unix seconds; asked only for a table that does not keep its rows.

    Raises:
        JudgeError: The judge cannot judge.
    """
    record, ledger = read_truth(mapping.truth, folder)
    span = _judged_span(mapping, ledger, clock)
    if span.since is not None:
        ledger.forget(span.since)
    if span.before is not None and not ledger.minutes(span.before):
        raise TruthUnusable(
            ledger.place, "has no minute that is complete and settled", "wait a few minutes"
        )
    with open_engine(mapping.result, folder, mapping.time_zone) as engine:
        judgement = _Judgement(mapping, engine, record, ledger, span, examples, show)
        return judgement.run()


def _judged_span(mapping: JudgeMapping, ledger: Ledger, clock: Callable[[], float]) -> Span:
    """Return the minutes that are complete in the ledger, settled in the table and kept there."""
    kept = mapping.keeps_seconds
    since = None if kept is None else -(-int(clock() - kept) // 60)
    closed = ledger.closed_before()
    if closed is None:
        return Span(since)
    return Span(since, closed - -(-mapping.settles_after_seconds // 60))


class _Judgement:
    def __init__(
        self,
        mapping: JudgeMapping,
        engine: Engine,
        record: RunRecord,
        ledger: Ledger,
        span: Span,
        examples: int,
        show: Callable[[str], None],
    ) -> None:
        self._mapping, self._engine, self._record = mapping, engine, record
        self._ledger, self._span, self._examples, self._show = ledger, span, examples, show
        self._before = before = span.before
        result = mapping.result
        source = engine.source("result", result, result.columns)
        self._name = source.name
        prefix = run_prefix(record.run_id) if result.only_this_run else ""
        self._has_ids = "event_id" in result.columns
        self._rejected = _rejected(engine, mapping, record)
        self._statements = Statements(
            engine.dialect, source, result.columns,
            None if before is None else before * 60_000,
            prefix if self._has_ids else "",
            None if span.since is None else span.since * 60_000,
        )  # fmt: skip
        self._groups = [
            Groups(f"aggregates.{place}", table, before, mapping.late.dropped_after_seconds)
            for place, table in enumerate(mapping.aggregates)
        ]
        # Every name and type is checked before the long part begins.
        self._asked = [
            aggregate_statement(
                engine.dialect, engine.source(row.path, row.table, {}), row.path, row.table
            )
            for row in self._groups
        ]  # fmt: skip

    def run(self) -> Report:
        """Return the report."""
        truth = self._ledger.minutes(self._before)
        if not self._has_ids:
            self._show("counting")
            rows = list(self._bounded(self._engine.ask(self._statements.counts())))
            made = self._make() if self._groups or self._before is not None else TrueSums()
            unsettled = made.unsettled
            truth = {minute: row for minute, row in truth.items() if minute not in unsettled}
            rows = [row for row in rows if row[0] not in unsettled]
            found = compare_counts(truth, rows, self._examples)
            return self._report(
                [*found, *self._aggregates(unsettled)], sum(row.events for row in truth.values()),
                sum(row[1] for row in rows), len(truth),
                cannot_tell=(*CANNOT_TELL, *self._blind_spots(unsettled)),
            )  # fmt: skip
        self._show("the engine counts")
        there: Sums = {
            None if row[0] is None else int(row[0]): (int(row[1]), int(row[2]))
            for row in self._bounded(self._engine.ask(self._statements.minutes()))
        }
        self._show("making the events again")
        made = self._make()
        open_minutes = self._ledger.open_minutes(made.by_shard, self._before) | made.unsettled
        differing = {
            minute
            for minute in set(there) | set(made.sums)
            if there.get(minute) != made.sums.get(minute)
        } - open_minutes
        verdicts: list[Verdict] = []
        allowed = 0
        rejecting = self._rejecting_minutes() - open_minutes
        if compared := differing | rejecting:
            self._show(f"comparing {len(compared)} minutes event by event")
            verdicts, allowed = self._compare(compared, made)
            if differing and not verdicts and not allowed:
                raise ResultUnfit(
                    "result", f"the rows of {self._name} changed while they were judged",
                    "judge again when no process writes them",
                )  # fmt: skip
        stored = sum(count for minute, (count, _) in there.items() if minute not in open_minutes)
        events = sum(
            count for minute, (count, _) in made.sums.items() if minute not in open_minutes
        )
        return self._report(
            [*verdicts, *self._aggregates(open_minutes)], events, stored,
            len(made.sums) - len(open_minutes & set(made.sums)),
            differing=len(compared), allowed=allowed, cannot_tell=self._blind_spots(open_minutes),
        )  # fmt: skip

    def _make(self) -> TrueSums:
        """Make the run's events again; return their sums, and fill the groups."""
        names = ("event_id", "event_time", *self._statements.fields) if self._has_ids else ()
        part = Part(
            self._record, self._ledger.last_seq, names, self._span, tuple(self._groups),
        )  # fmt: skip
        made = make_sums(part)
        self._groups = list(made.groups)
        return made.sums

    def _rejecting_minutes(self) -> set[int | None]:
        """Return the minutes of rows whose event was also rejected."""
        if not self._rejected:
            return set()
        rows = self._engine.ask(self._statements.minutes_of(self._rejected))
        return {None if row[0] is None else int(row[0]) for row in self._bounded(rows)}

    def _compare(self, differing: set[int | None], made: TrueSums) -> tuple[list[Verdict], int]:
        """Return the verdicts of minutes that differ, and how many events may be missing."""
        minutes = {minute for minute in differing if minute is not None}
        ranges = minute_ranges(minutes, _MOST_RANGES)
        statement = self._statements.rows(ranges, has_timeless=None in differing)
        findings = compare(
            self._true_events(ranges),
            map(_result_row, self._engine.ask(statement)),
            self._statements.fields,
            self._mapping.late.dropped_after_seconds,
            ((row[0], row[1]) for row in self._engine.ask(self._rejected))
            if self._rejected
            else (),
        )
        totals = {"events": sum(self._ledger.last_seq.values()), "late": made.late}
        found = collect(findings, self._examples, totals)
        allowed = sum(row.count for row in found if row.kind is Kind.ALLOWED)
        return [row for row in found if row.kind is not Kind.ALLOWED], allowed

    def _true_events(self, ranges: list[tuple[int, int]]) -> Iterator[TrueEvent]:
        starts = np.array([60_000 * first for first, _ in ranges], dtype=np.int64)
        ends = np.array([60_000 * last for _, last in ranges], dtype=np.int64)
        names = ("event_id", *self._statements.fields)
        for chunk in remake(self._record, self._ledger.last_seq, names):
            place = np.searchsorted(starts, chunk.time_ms, side="right") - 1
            inside = (place >= 0) & (chunk.time_ms < ends[np.maximum(place, 0)])
            if inside.any():
                yield from _events_of(chunk, inside, self._statements.fields)

    def _aggregates(self, open_minutes: set[int]) -> list[Verdict]:
        found: list[Verdict] = []
        for groups, (statement, is_date) in zip(self._groups, self._asked, strict=True):
            if self._before is not None and not groups.has_time:
                continue
            self._show(f"comparing {groups.table.name}")
            rows = self._engine.ask(statement)
            found += groups.compare(
                rows, self._examples, is_date=is_date, open_minutes=open_minutes
            )
        return found

    def _bounded(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Return the rows of minutes, unless there are so many that the times must be wrong."""
        for number, row in enumerate(rows):
            if number == _MOST_MINUTES:
                raise ResultUnfit(
                    "result.columns.event_time",
                    f"the rows of {self._name} have times in more than {_MOST_MINUTES:,} minutes",
                    "map the column with the time of the event, and its unit if it is a number",
                )
            yield row

    def _blind_spots(self, open_minutes: set[int]) -> tuple[str, ...]:
        texts = []
        if open_minutes:
            texts.append(
                f"{len(open_minutes)} minutes are left out, because late events of them are still"
                " to be sent"
            )
        if self._before is not None:
            texts += [
                f"{groups.table.name} has no key of time: it is judged only after the run"
                for groups in self._groups
                if not groups.has_time
            ]
        if self._has_ids and not self._statements.fields:
            texts.append("only event_id and event_time are mapped: altered values are not found")
        return tuple(texts)

    def _report(
        self, verdicts: Iterable[Verdict], events: int, rows: int, minutes: int,
        *, differing: int = 0, allowed: int = 0, cannot_tell: tuple[str, ...] = (),
    ) -> Report:  # fmt: skip
        return Report(
            run_id=str(self._record.run_id),
            simulation=self._record.first.full_name,
            result=self._name,
            events=events,
            rows=rows,
            minutes=minutes,
            differing_minutes=differing,
            until=None if self._before is None else minute_text(self._before),
            allowed_missing=allowed,
            verdicts=tuple(verdicts),
            cannot_tell=cannot_tell,
        )


def _rejected(engine: Engine, mapping: JudgeMapping, record: RunRecord) -> str:
    """Return the statement for the run's rejected events; empty if no rejects are mapped."""
    rejects = mapping.rejects
    if rejects is None:
        return ""
    source = engine.source("rejects", rejects, rejects.columns)
    return rejected_ids(engine.dialect, source, rejects.columns, run_prefix(record.run_id))


def _events_of(chunk: Chunk, inside: np.ndarray, fields: tuple[str, ...]) -> Iterator[TrueEvent]:
    table = chunk.table.filter(pa.array(inside))
    ids, *values = [part.to_pylist() for part in truth_texts(table, ("event_id", *fields))]
    rows = zip(
        ids,
        chunk.time_ms[inside].tolist(),
        zip(*values, strict=True) if values else [()] * len(ids),
        chunk.shard_seq[inside].tolist(),
        chunk.late_seconds[inside].tolist(),
        chunk.is_repeated[inside].tolist(),
        strict=True,
    )
    for event_id, time_ms, texts, seq, late, is_repeated in rows:
        yield TrueEvent(event_id, time_ms, texts, chunk.shard, seq, late, is_repeated)


def _result_row(row: Sequence[Any]) -> ResultRow:
    event_id, time_ms, *values = row
    return ResultRow(event_id, None if time_ms is None else int(time_ms), tuple(values))
