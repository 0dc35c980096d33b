"""The check of an answer: a table or intervals against the truth of an exercise.

Owns the verdict and its words. Without the truth, a verdict says which rows are wrong and how much,
in steps too coarse to compute the truth from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickstream_contract.duration import format_duration
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.csv_rows import csv_rows
from clickstream_generator.core.incident_score import read_intervals, score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickstream_generator.core.exercise import Detection
    from clickstream_generator.core.incident_score import Interval
    from clickstream_generator.core.truth_table import Figure, Row, TruthTable

__all__ = ["Verdict", "check_intervals", "check_table"]

_MOST_ROWS = 100_000
_STEPS = ((0.01, "by less than 1 %"), (0.1, "by 1 to 10 %"))
_FAR_OFF = "by more than 10 %"
_TOLERANCES = ((2.0, "by less than twice the tolerance"), (5.0, "by 2 to 5 times the tolerance"))
_FAR_OUT = "by more than 5 times the tolerance"


@dataclass(frozen=True)
class Verdict:
    """What the check of an answer found.

    Attributes:
        checked: What was checked, such as ``rows checked: 3``.
        problems: A sentence for each difference; none if the answer is right.
    """

    checked: str
    problems: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether the answer is right."""
        return not self.problems


def check_table(table: TruthTable, text: str, place: str) -> Verdict:
    """Return the verdict about an answer in rows.

    Args:
        table: The truth.
        text: The answer, CSV with the truth's columns; others may be there too.
        place: The answer's file, for errors.

    Raises:
        SimulationInvalid: The answer is no such CSV, has a row twice, or a cell is no number.
    """
    found: dict[tuple[str, ...], Mapping[str, str | None]] = {}
    problems: list[str] = []
    for line, row in csv_rows(text, place, table.answer_columns):
        where = f"{place}, line {line}"
        if len(found) == _MOST_ROWS:
            raise SimulationInvalid(where, None, f"at most {_MOST_ROWS:,} rows")
        key = tuple(_key(name, row[name] or "", where) for name in table.keys)
        if key in found:
            raise SimulationInvalid(where, ", ".join(key), "each row once")
        found[key] = row
        if key not in table.rows:
            problems.append(f"{_named(table, key)}: no such row")
            continue
        problems += _differences(table.rows[key], row, _named(table, key), where)
    problems += [f"{_named(table, key)}: missing" for key in table.rows if key not in found]
    return Verdict(f"rows checked: {len(table.rows)}", tuple(problems))


def check_intervals(incidents: list[Interval], wanted: Detection, text: str, place: str) -> Verdict:
    """Return the verdict about a detector's intervals.

    Args:
        incidents: The truth.
        wanted: The score that the detector needs.
        text: The answer, CSV with the columns ``from`` and ``until``.
        place: The answer's file, for errors.

    Raises:
        SimulationInvalid: The answer is no such CSV.
    """
    detections = read_intervals(text, place, incidents)
    result = score(incidents, detections)
    problems = [
        f"{name} {value or 0.0:.2f} is below {least:.2f}"
        for name, value, least in (
            ("precision", result.precision, wanted.precision),
            ("recall", result.recall, wanted.recall),
        )
        if (value or 0.0) < least
    ]
    length = sum(row.end - row.begin for row in detections)
    if length > wanted.most_seconds:
        most = format_duration(wanted.most_seconds)
        problems.append(f"the intervals last {length / 3600:.1f} hours together; at most {most}")
    return Verdict(f"intervals checked: {len(detections)}", tuple(problems))


def _key(name: str, value: str, where: str) -> str:
    """Return a key's value as the truth writes it; times without a zone are UTC."""
    if name != "window":
        return value.strip()
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        allowed = "a time such as 2026-01-12T00:00:00Z"
        raise SimulationInvalid(f"{where}, {name}", value, allowed) from None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.isoformat().replace("+00:00", "Z")


def _named(table: TruthTable, key: tuple[str, ...]) -> str:
    pairs = zip(table.keys, key, strict=True)
    return " ".join(f"{name}={value}" for name, value in pairs) or "the row"


def _differences(
    wanted: Row, row: Mapping[str, str | None], name: str, where: str
) -> Iterator[str]:
    """Yield a sentence for each cell of a row that is wrong."""
    for column, cell in wanted.cells.items():
        given = (row[column] or "").strip()
        if isinstance(cell, str):
            if given.lower() != cell:
                yield f"{name}, {column}: wrong"
            continue
        value = _number(given, f"{where}, {column}")
        if not cell.low <= value <= cell.high:
            yield f"{name}, {column}: wrong {_how_far(cell, value)}"
        if wanted.width is not None:
            yield from _interval_problems(wanted.width, value, row, f"{name}, low and high", where)


def _interval_problems(
    wanted: Figure, value: float, row: Mapping[str, str | None], name: str, where: str
) -> Iterator[str]:
    low, high = (_number(row[column] or "", f"{where}, {column}") for column in ("low", "high"))
    if not low <= value <= high:
        yield f"{name}: the estimate lies outside"
    elif not wanted.low <= high - low <= wanted.high:
        size = "narrow" if high - low < wanted.low else "wide"
        yield f"{name}: too {size} for an interval of 95 %"


def _number(text: str, where: str) -> float:
    try:
        return float(text.strip())
    except ValueError:
        raise SimulationInvalid(where, text, "it must be a number") from None


def _how_far(wanted: Figure, value: float) -> str:
    """Return how wrong a number is, without its direction."""
    half = (wanted.high - wanted.low) / 2
    if half > 0:
        steps, last, size = _TOLERANCES, _FAR_OUT, abs(value - wanted.value) / half
    else:
        steps, last = _STEPS, _FAR_OFF
        size = abs(value - wanted.value) / max(abs(wanted.value), 1.0)
    return next((words for most, words in steps if size < most), last)
