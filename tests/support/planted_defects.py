"""Results with one planted defect each, and what the judge must say about them.

Owns the table of defects. Each kind of verdict has one at least.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from judged import AGGREGATE, COLUMNS, judged, sums_by_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickstream_judge.core.report import Report
    from judged import Run

__all__ = ["REJECTS", "Defect", "defects", "problems", "rejected"]

REJECTS = {"files": "rejects.parquet", "columns": {"event_id": "id", "reason": "why"}}

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Defect:
    """A planted defect.

    Attributes:
        name: What was done.
        result: The table of events with it.
        expected: The count of each kind and column that the judge must report.
        cause: A part of the likely cause that it must name; empty for none.
        columns: The mapped columns.
        more: Further fields of the mapping.
        sums: The table of sums, if it is mapped.
        rejects: The table of rejects, if it is mapped.
    """

    name: str
    result: pa.Table
    expected: dict[tuple[str, str], int]
    cause: str = ""
    columns: Any = COLUMNS
    more: dict[str, Any] = field(default_factory=dict)
    sums: pa.Table | None = None
    rejects: pa.Table | None = None

    def judge(self, folder: Path, run: Run) -> Report:
        """Return the judgement."""
        more = dict(self.more)
        if self.sums is not None:
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(self.sums, folder / "sums.parquet")
            more["aggregates"] = [AGGREGATE]
        if self.rejects is not None:
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(self.rejects, folder / "rejects.parquet")
            more["rejects"] = REJECTS
        return judged(folder, run, self.result, self.columns, **more)


def problems(defect: Defect, report: Report) -> Iterator[str]:
    """Return how a report differs from what must be said."""
    found = {(row.kind.value, row.column): row.count for row in report.verdicts}
    if found != defect.expected:
        yield f"{defect.name}: expected {defect.expected}, found {found}"
    causes = [row.cause for row in report.verdicts]
    if not any(defect.cause in cause for cause in causes):
        yield f"{defect.name}: no cause says {defect.cause!r}: {causes}"


def defects(run: Run) -> tuple[Defect, ...]:
    """Return the defects of a run's result."""
    parts = (_lost, _rejected, _added, _altered, _moved, _sums)
    return tuple(defect for part in parts for defect in part(run))


def _lost(run: Run) -> Iterator[Defect]:
    late = pa.array([event_id in run.late for event_id in run.clean["event_id"].to_pylist()])
    in_time = pc.invert(late)
    seq, shard = run.clean["shard_seq"], run.clean["shard"]
    middle = pc.and_(pc.greater_equal(seq, 100), pc.less(seq, 150))
    one = pc.and_(pc.and_(pc.equal(shard, 1), middle), in_time)
    kept = run.clean.filter(pc.invert(one))
    count = len(run.clean) - len(kept)
    # Late events between the lost ones are there, so that the range has gaps.
    yield Defect("a range of one shard", kept, {("lost", ""): count}, "contiguous range")
    few = pc.and_(pc.is_in(seq, pa.array([9, 77, 500], seq.type)), in_time)
    kept = run.clean.filter(pc.invert(few))
    yield Defect("single events", kept, {("lost", ""): len(run.clean) - len(kept)})
    minute = pc.floor_temporal(run.clean["event_time"], unit="minute")
    whole = pc.and_(pc.equal(minute, minute[len(minute) // 2]), in_time)
    kept = run.clean.filter(pc.invert(whole))
    yield Defect("a minute", kept, {("lost", ""): len(run.clean) - len(kept)}, "contiguous ranges")
    kept = run.clean.filter(in_time)
    dropped = {("late and dropped", ""): len(run.late)}
    yield Defect("every late event", kept, dropped, "watermark")
    yield Defect(
        "every late event, all below the allowed lateness",
        kept, dropped, "watermark", more={"late": "dropped after 10m"},
    )  # fmt: skip
    without_id = tuple(name for name in COLUMNS if name != "event_id")
    yield Defect(
        "single events of a result without ids",
        run.clean.filter(pc.invert(few)), {("lost", ""): int(pc.sum(few).as_py())},
        columns=without_id,
    )  # fmt: skip


def rejected(ids: pa.ChunkedArray, reason: str = "country is unknown") -> pa.Table:
    """Return a table of rejects."""
    return pa.table({"id": pc.utf8_upper(ids), "why": pa.array([reason] * len(ids), pa.string())})


def _rejected(run: Run) -> Iterator[Defect]:
    ids = run.clean["event_id"]
    chosen = pc.and_(
        pc.less(run.clean["shard_seq"], 30),
        pc.invert(pc.is_in(ids, pa.array([*run.late, *run.repeated]))),
    )
    kept, away = run.clean.filter(pc.invert(chosen)), rejected(ids.filter(chosen))
    count = len(away)
    yield Defect(
        "valid events put aside",
        kept, {("rejected", ""): count}, "one reason: 'country is unknown'", rejects=away,
    )  # fmt: skip
    yield Defect(
        "events put aside and stored, too",
        run.clean, {("stored and rejected", ""): count}, rejects=away,
    )  # fmt: skip


def _added(run: Run) -> Iterator[Defect]:
    clean = run.clean
    seq = clean["shard_seq"]
    batch = clean.filter(pc.and_(pc.greater_equal(seq, 300), pc.less(seq, 400)))
    yield Defect(
        "a batch twice", pa.concat_tables([clean, batch]), {("duplicated", ""): len(batch)},
        "without idempotence",
    )  # fmt: skip
    one = clean.slice(1_000, 1)
    yield Defect(
        "one event three times", pa.concat_tables([clean, one, one]), {("duplicated", ""): 2}
    )
    yield Defect(
        "the duplicates that the run sent", run.sent,
        {("duplicated", ""): len(run.sent) - len(clean)}, "on purpose",
    )  # fmt: skip
    rows = clean.slice(100, 5)
    start = clean["event_id"][0].as_py()[:-4]
    for name, ids in (
        ("rows with strange ids", [str(UUID(int=number + 1)) for number in range(5)]),
        ("rows with ids of this run", [f"{start}f{number:03x}" for number in range(5)]),
    ):  # fmt: skip
        added = _with(rows, "event_id", ids)
        yield Defect(name, pa.concat_tables([clean, added]), {("phantom", ""): 5})


def _altered(run: Run) -> Iterator[Defect]:
    def altered(what: str, name: str, change: Callable[[Any, int], Any], cause: str = "") -> Defect:
        before = run.clean[name].to_pylist()
        after = [change(value, place) for place, value in enumerate(before)]
        count = sum(a != b for a, b in zip(before, after, strict=True))
        result = _with(run.clean, name, after)
        return Defect(what, result, {("altered", name): count}, cause)

    countries = run.clean["country"].to_pylist()
    first = next(place for place in range(1, 99) if countries[place] != countries[0])
    yield altered("a country in seven rows", "country", lambda v, n: "XX" if n % 600 == 1 else v)
    yield altered(
        "two countries swapped", "country",
        lambda v, n: countries[{0: first, first: 0}[n]] if n in {0, first} else v,
    )  # fmt: skip
    yield altered(
        "cents cut off", "value_minor",
        lambda v, _: None if v is None else v // 100 * 100, "decimal point",
    )  # fmt: skip
    yield altered(
        "text in another encoding", "city", lambda v, _: v.encode().decode("latin-1"), "Latin-1"
    )
    yield altered("a column without values", "campaign", lambda _v, _n: None, "no value")


def _moved(run: Run) -> Iterator[Defect]:
    times = run.clean["event_time"].cast(pa.int64()).to_pylist()
    half = len(times) // 2
    shifted = [value + _HOUR_MS for value in times]
    everything = {("misplaced", ""): len(times)}
    yield Defect(
        "every time an hour later", _with(run.clean, "event_time", shifted), everything, "+1 h"
    )
    both = [value + _HOUR_MS * (1 + (place >= half)) for place, value in enumerate(times)]
    yield Defect(
        "a shift that changes by an hour", _with(run.clean, "event_time", both), everything,
        "daylight saving",
    )  # fmt: skip
    seconds = [value // 1000 * 1000 for value in times]
    count = sum(a != b for a, b in zip(times, seconds, strict=True))
    yield Defect(
        "milliseconds cut off", _with(run.clean, "event_time", seconds),
        {("altered", "event_time"): count},
    )  # fmt: skip


def _sums(run: Run) -> Iterator[Defect]:
    sums = sums_by_minute(run.clean)
    users = sums["users"].to_pylist()
    yield Defect(
        "a user too many in one group", run.clean,
        {("aggregate", "sums.parquet: users"): 1},
        sums=_with(sums, "users", [users[0] + 1, *users[1:]]),
    )  # fmt: skip


def _with(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    """Return a table with another column."""
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, table[name].type))
