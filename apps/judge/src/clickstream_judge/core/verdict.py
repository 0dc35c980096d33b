"""The verdict: how many differences of each kind, where they are, and some examples.

Owns the sums over findings. It keeps a bounded number of ranges, minutes and examples, however many
findings there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clickstream_judge.core.causes import Evidence
from clickstream_judge.core.merging import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_judge.core.merging import Finding

__all__ = ["MOST_RANGES", "Tally", "Verdict", "collect", "cut_text", "minute_ranges"]

MOST_RANGES = 1_000
"""Most ranges and minutes that are kept of one kind; the counts are exact all the same."""
_SHOWN_TEXT = 80


@dataclass(frozen=True)
class Verdict:
    """The differences of one kind, or of one kind and column.

    Attributes:
        kind: The kind.
        column: The altered field, or the aggregate table; empty for other kinds.
        count: Number of events, rows or groups.
        minutes: Ranges of minutes with a difference, Unix minutes, the last one excluded.
        shard_ranges: Ranges of consecutive events: shard, first and last number.
        ranges: Number of all ranges; ``shard_ranges`` has the first ones.
        examples: Texts of the first different examples.
        cause: The likely cause; empty if no known pattern fits.
    """

    kind: Kind
    column: str
    count: int
    minutes: tuple[tuple[int, int], ...] = ()
    shard_ranges: tuple[tuple[int, int, int], ...] = ()
    ranges: int = 0
    examples: tuple[str, ...] = ()
    cause: str = ""


@dataclass
class Tally:
    """The findings of one kind and column so far.

    Attributes:
        most_examples: Examples to keep.
    """

    kind: Kind
    column: str
    most_examples: int
    count: int = 0
    minutes: set[int] = field(default_factory=set)
    shard_ranges: list[list[int]] = field(default_factory=list)
    ranges: int = 0
    examples: dict[str, str] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    _last: tuple[int, int] | None = None

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self.count += finding.copies
        self.evidence.add(finding)
        event, row = finding.event, finding.row
        time_ms = event.time_ms if event is not None else row.time_ms if row is not None else None
        if time_ms is not None and len(self.minutes) < MOST_RANGES:
            self.minutes.add(time_ms // 60_000)
        if event is not None:
            self._extend(event.shard, event.shard_seq)
        if len(self.examples) < self.most_examples:
            self.examples.setdefault(_sort_of(finding), _text(finding))

    def verdict(self, totals: Mapping[str, int]) -> Verdict:
        """Return the verdict.

        Args:
            totals: ``events`` of the run and ``late`` events, for the cause.
        """
        return Verdict(
            self.kind,
            self.column,
            self.count,
            tuple(minute_ranges(self.minutes)),
            tuple((shard, first, last) for shard, first, last in self.shard_ranges),
            self.ranges,
            tuple(self.examples.values()),
            self.evidence.cause(self.kind, self.column, self.count, self.ranges, totals),
        )

    def _extend(self, shard: int, seq: int) -> None:
        """Add an event to the ranges; events come in the order of shard and number."""
        if self._last == (shard, seq - 1) or self._last == (shard, seq):
            if self.ranges <= MOST_RANGES:
                self.shard_ranges[-1][2] = seq
        else:
            self.ranges += 1
            if self.ranges <= MOST_RANGES:
                self.shard_ranges.append([shard, seq, seq])
        self._last = shard, seq


def collect(
    findings: Iterable[Finding], most_examples: int, totals: Mapping[str, int]
) -> list[Verdict]:
    """Return the verdicts of findings, by kind and column."""
    tallies: dict[tuple[Kind, str], Tally] = {}
    for finding in findings:
        key = finding.kind, finding.field
        if key not in tallies:
            tallies[key] = Tally(*key, most_examples)
        tallies[key].add(finding)
    order = list(Kind)
    return [
        tallies[key].verdict(totals)
        for key in sorted(tallies, key=lambda key: (order.index(key[0]), key[1]))
    ]


def minute_ranges(minutes: Iterable[int], most: int | None = None) -> list[tuple[int, int]]:
    """Return ranges that cover minutes, the last one excluded.

    Args:
        minutes: Unix minutes.
        most: Most ranges; the smallest gaps are closed until there are no more.
    """
    ranges: list[tuple[int, int]] = []
    for minute in sorted(minutes):
        if ranges and ranges[-1][1] == minute:
            ranges[-1] = ranges[-1][0], minute + 1
        else:
            ranges.append((minute, minute + 1))
    if most is None or len(ranges) <= most:
        return ranges
    gaps = sorted(range(1, len(ranges)), key=lambda place: ranges[place - 1][1] - ranges[place][0])
    cuts = sorted(gaps[: most - 1])
    starts, ends = [0, *cuts], [*cuts, len(ranges)]
    return [(ranges[a][0], ranges[b - 1][1]) for a, b in zip(starts, ends, strict=True)]


def _sort_of(finding: Finding) -> str:
    """Return what makes an example different from another one."""
    if finding.kind is Kind.ALTERED:
        return f"{finding.expected} {finding.found}"
    if finding.event is not None:
        return f"{finding.event.shard} {finding.event.shard_seq}"
    return finding.row.id if finding.row is not None else ""


def _text(finding: Finding) -> str:
    event, row = finding.event, finding.row
    if event is None:
        return f"id {cut_text(row.id if row is not None else '')}"
    detail = ""
    match finding.kind:
        case Kind.ALTERED:
            detail = f"expected {cut_text(finding.expected)}, found {cut_text(finding.found)}"
        case Kind.MISPLACED:
            found = row.time_ms if row is not None else None
            detail = f"expected at {event.time_ms}, found at {found} (Unix ms)"
        case Kind.DUPLICATED:
            detail = f"{finding.copies + 1} rows"
        case Kind.REJECTED | Kind.STORED_AND_REJECTED if finding.found is not None:
            detail = f"reason {cut_text(finding.found)}"
        case Kind.LATE_DROPPED:
            detail = f"{event.late_seconds:.1f} s late"
    place = f"{event.id} (shard {event.shard}, shard_seq {event.shard_seq})"
    return f"{place}: {detail}" if detail else place


def cut_text(text: str | None) -> str:
    """Return a text of the result as one printable line of bounded length."""
    if text is None:
        return "no value"
    shown = repr(text)
    return shown if len(shown) <= _SHOWN_TEXT else shown[: _SHOWN_TEXT - 3] + "..."
