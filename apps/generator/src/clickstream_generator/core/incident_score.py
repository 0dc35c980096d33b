"""The score of a detector: which incidents it found, and how late.

Owns the reading of intervals from CSV, and the scores. An interval detects an incident if they have
a moment in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from clickstream_contract.duration import duration_seconds
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.csv_rows import csv_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Interval", "Score", "read_intervals", "score"]

_COLUMNS = ("from", "until")
_MOST_INTERVALS = 10_000
_START = "0s"


@dataclass(frozen=True)
class Interval:
    """A time from ``begin`` to before ``end``, in seconds.

    Attributes:
        begin, end: Unix seconds, or seconds after the start.
        is_absolute: Whether these are Unix seconds.
    """

    begin: float
    end: float
    is_absolute: bool

    def overlaps(self, other: Interval) -> bool:
        """Return whether both have a moment in common."""
        return self.begin < other.end and other.begin < self.end


@dataclass(frozen=True)
class Score:
    """How well a detector found the incidents.

    Attributes:
        incidents, detections: Numbers of intervals.
        found: How many of the incidents have a detection.
        true_detections: How many of the detections have an incident.
        delays_seconds: For each incident that is found, how long after its begin the first of its
            detections begins; 0 if that is earlier.
    """

    incidents: int
    detections: int
    found: int
    true_detections: int
    delays_seconds: tuple[float, ...]

    @property
    def precision(self) -> float | None:
        """The share of the detections that are true; ``None`` without a detection."""
        return self.true_detections / self.detections if self.detections else None

    @property
    def recall(self) -> float | None:
        """The share of the incidents that are found; ``None`` without an incident."""
        return self.found / self.incidents if self.incidents else None

    @property
    def median_delay_seconds(self) -> float | None:
        """The median of the delays; ``None`` if no incident is found."""
        return median(self.delays_seconds) if self.delays_seconds else None


def score(incidents: list[Interval], detections: list[Interval]) -> Score:
    """Return the score of a detector.

    Args:
        incidents: The incidents.
        detections: The detector's intervals, in any order; they may overlap.
    """
    delays, is_true = [], [False] * len(detections)
    for incident in incidents:
        own = [at for at, row in enumerate(detections) if row.overlaps(incident)]
        for at in own:
            is_true[at] = True
        if own:
            first = min(detections[at].begin for at in own)
            delays.append(max(0.0, first - incident.begin))
    return Score(len(incidents), len(detections), len(delays), sum(is_true), tuple(delays))


def read_intervals(text: str, place: str, like: list[Interval] | None = None) -> list[Interval]:
    """Return the intervals of a CSV file with the columns ``from`` and ``until``.

    Args:
        text: The file's text.
        place: The file's name.
        like: Intervals of another file, which must have the same form of times.

    Raises:
        SimulationInvalid: Names the file with the line, the value, and what to do.
    """
    found: list[Interval] = []
    for line, row in csv_rows(text, place, _COLUMNS):
        where = f"{place}, line {line}"
        if len(found) == _MOST_INTERVALS:
            raise SimulationInvalid(where, None, f"at most {_MOST_INTERVALS:,} intervals")
        found.append(_interval(row, where, (like or found)[:1]))
    return found


def _interval(row: Mapping[str, str | None], where: str, like: list[Interval]) -> Interval:
    """Return the interval of a row; ``like`` has one with the form of times that is wanted."""
    times = [_moment(row[column] or "", f"{where}, {column}") for column in _COLUMNS]
    (begin, is_absolute), (end, end_is_absolute) = times
    wanted = like[0].is_absolute if like else is_absolute
    if (is_absolute, end_is_absolute) != (wanted, wanted):
        allowed = "times of one form in both files: either with a time zone, or after the start"
        raise SimulationInvalid(where, [row[column] for column in _COLUMNS], allowed)
    if begin >= end:
        raise SimulationInvalid(f"{where}, until", row["until"], f"a time after {row['from']}")
    return Interval(begin, end, is_absolute)


def _moment(text: str, where: str) -> tuple[float, bool]:
    """Return a time in seconds, and whether these are Unix seconds."""
    if text == _START:
        return 0.0, False
    try:
        return float(duration_seconds(text)), False
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        allowed = "a time after the start such as 1h30m, or one such as 2026-11-27T08:00:00Z"
        raise SimulationInvalid(where, text, allowed)
    return moment.timestamp(), True
