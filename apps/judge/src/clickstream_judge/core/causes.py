"""The likely cause of a kind of difference, where the pattern is known.

Owns the patterns. Each one must hold for every finding, or it is not named: a wrong cause costs
more time than none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clickstream_judge.core.fields import FIELDS, Comparison
from clickstream_judge.core.merging import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_judge.core.merging import Finding

__all__ = ["Evidence"]

_HOUR_MS = 3_600_000
_ENOUGH = 3
"""Fewer findings are no pattern."""
_MOST_SHIFTS = 3
_RUN_EVENTS = 3
"""Mean length of ranges from which whole batches are likely."""

_BURST_GAP = 50
"""Most events of a shard between two findings of one burst."""
_BURST_EVENTS = 20
"""Mean length of bursts from which batches of some partitions are likely."""


def _cents_cut(expected: str, found: str) -> bool:
    return _is_number(found) and int(expected) // 100 * 100 == float(found)


def _times_hundred(expected: str, found: str) -> bool:
    return _is_number(found) and float(found) == 100 * int(expected)


def _by_hundred(expected: str, found: str) -> bool:
    return _is_number(found) and round(100 * float(found)) == int(expected)


def _off_by_one(expected: str, found: str) -> bool:
    return _is_number(found) and abs(float(found) - int(expected)) <= 1


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _wrong_encoding(expected: str, found: str) -> bool:
    try:
        return any(expected.encode().decode(name) == found for name in ("latin-1", "cp1252"))
    except UnicodeDecodeError:
        return False


def _replaced(expected: str, found: str) -> bool:
    return not expected.isascii() and (
        expected.encode("ascii", "replace").decode() == found
        or expected.encode("ascii", "ignore").decode() == found
        or "\ufffd" in found
    )


_SAME_TEXT: tuple[tuple[Callable[[str, str], bool], str], ...] = (
    (
        _wrong_encoding,
        "UTF-8 was read as Latin-1: set the encoding where the pipeline reads text",
    ),
    (_replaced, "characters outside ASCII were replaced: write the text as UTF-8"),
    (
        lambda expected, found: expected.casefold() == found.casefold(),
        "the case of letters was changed",
    ),
    (lambda expected, found: expected == found.strip(), "spaces were added around the text"),
    (
        lambda expected, found: len(found) < len(expected) and expected.startswith(found),
        "the text was cut: the column or a step before is too short",
    ),
)  # fmt: skip
_SAME_MONEY: tuple[tuple[Callable[[str, str], bool], str], ...] = (
    (
        _cents_cut,
        "what follows the decimal point was cut: an integer division, or an integer column",
    ),
    (_times_hundred, "the amount was multiplied by 100: the unit of the column differs"),
    (_by_hundred, "the amount was divided by 100: the unit of the column differs"),
    (_off_by_one, "amounts are off by one cent: they went through binary fractions (float)"),
)


@dataclass
class Evidence:
    """What all findings of one kind and column have in common so far."""

    _patterns: list[bool] = field(default_factory=list)
    _is_empty: bool = True
    _shifts: set[int] = field(default_factory=set)
    _repeated: int = 0
    _events: int = 0
    _reasons: set[str | None] = field(default_factory=set)
    _bursts: int = 0
    _burst_span: int = 0
    _last: tuple[int, int] | None = None

    def add(self, finding: Finding) -> None:
        """Take a finding into account."""
        event, row = finding.event, finding.row
        if event is not None:
            self._events += 1
            self._extend_burst(event.shard, event.shard_seq)
            self._repeated += event.is_repeated
        if finding.kind is Kind.ALTERED:
            self._compare(finding)
        if finding.kind is Kind.REJECTED and len(self._reasons) < _ENOUGH:
            self._reasons.add(finding.found)
        is_placed = finding.kind is Kind.MISPLACED and event is not None and row is not None
        if is_placed and len(self._shifts) <= _MOST_SHIFTS:
            self._shifts.add((row.time_ms or 0) - event.time_ms)  # type: ignore[union-attr]

    def cause(
        self, kind: Kind, column: str, count: int, ranges: int, totals: Mapping[str, int]
    ) -> str:
        """Return the likely cause, or an empty text.

        Args:
            kind: The kind.
            column: The altered field.
            count: Number of findings.
            ranges: Number of ranges of consecutive events.
            totals: ``events`` of the run, and ``late`` events that were compared.
        """
        if count < _ENOUGH:
            return ""
        patterns: dict[Kind, Callable[[], str]] = {
            Kind.LOST: lambda: self._of_lost(count, ranges, totals),
            Kind.REJECTED: self._of_rejected,
            Kind.LATE_DROPPED: lambda: self._of_late(count, totals),
            Kind.DUPLICATED: lambda: self._of_duplicates(ranges, totals),
            Kind.MISPLACED: self._of_shifts,
            Kind.ALTERED: lambda: self._of_values(column),
        }
        return patterns[kind]() if kind in patterns else ""

    def _of_lost(self, count: int, ranges: int, totals: Mapping[str, int]) -> str:
        if ranges == 1:
            return (
                "one contiguous range of one shard: offsets were skipped, or a file was not loaded"
            )
        if count >= _RUN_EVENTS * ranges:
            return "contiguous ranges: whole batches or files were not stored"
        if self._is_in_bursts(totals):
            return "bursts: batches or files of some partitions were not stored"
        return ""

    def _of_rejected(self) -> str:
        reasons = [reason for reason in self._reasons if reason]
        if len(self._reasons) != 1 or not reasons:
            return ""
        return f"the pipeline rejects valid events for one reason: {reasons[0]!r:.80}"

    @staticmethod
    def _of_late(count: int, totals: Mapping[str, int]) -> str:
        share = "every late event is" if count == totals.get("late") else "late events are"
        return (
            f"{share} missing: the pipeline's watermark drops them; state the allowed lateness"
            " in the mapping (late: dropped after 1h) if that is meant"
        )

    def _of_duplicates(self, ranges: int, totals: Mapping[str, int]) -> str:
        if self._repeated == self._events:
            return "the run sent these ids twice on purpose: repeated ids are not dropped"
        if self._events >= _RUN_EVENTS * ranges:
            return "whole batches: a batch was stored again after a restart, without idempotence"
        if self._is_in_bursts(totals):
            return (
                "bursts: batches of some partitions were stored again after a restart, without"
                " idempotence"
            )
        return ""

    def _extend_burst(self, shard: int, seq: int) -> None:
        """Add an event to the bursts; events come in the order of shard and number."""
        distance = seq - self._last[1] if self._last and self._last[0] == shard else None
        if distance is None or distance > _BURST_GAP:
            self._bursts += 1
            self._burst_span += 1
        else:
            self._burst_span += distance
        self._last = shard, seq

    def _is_in_bursts(self, totals: Mapping[str, int]) -> bool:
        """Return whether the events are in few places, and there much denser than in all events.

        A partition has only some of a shard's users: its events are close, but not consecutive.
        """
        is_long = self._events >= _BURST_EVENTS * self._bursts
        return is_long and 2 * self._burst_span <= totals.get("events", 0)

    def _of_shifts(self) -> str:
        if not self._shifts or len(self._shifts) > _MOST_SHIFTS - 1:
            return ""
        if any(shift % _HOUR_MS for shift in self._shifts):
            return ""
        hours = sorted(shift // _HOUR_MS for shift in self._shifts)
        named = " or ".join(f"{hour:+d} h" for hour in hours)
        if len(hours) == 2 and hours[1] - hours[0] == 1:
            return f"times are shifted by {named}: a time zone with daylight saving time"
        return f"times are shifted by {named}: a time zone"

    def _of_values(self, column: str) -> str:
        if self._is_empty:
            return "the column has no value: a field was not mapped, or could not be parsed"
        for (_, cause), holds in zip(self._known(column), self._patterns, strict=False):
            if holds:
                return cause
        return ""

    def _compare(self, finding: Finding) -> None:
        known = self._known(finding.field)
        if not self._patterns:
            self._patterns = [True] * len(known)
        expected, found = finding.expected, finding.found
        self._is_empty = self._is_empty and found is None
        if expected is None or found is None:
            self._patterns = [False] * len(known)
            return
        for place, (fits, _) in enumerate(known):
            self._patterns[place] = self._patterns[place] and fits(expected, found)

    @staticmethod
    def _known(column: str) -> tuple[tuple[Callable[[str, str], bool], str], ...]:
        match FIELDS.get(column):
            case Comparison.TEXT:
                return _SAME_TEXT
            case Comparison.MONEY:
                return _SAME_MONEY
            case _:
                return ()
