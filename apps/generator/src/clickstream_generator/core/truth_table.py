"""The truth of an exercise as a table: what each cell of an answer may be.

Owns the rows of a truth, exact figures and figures with a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["QUANTILE", "STANDARD_ERRORS", "Figure", "Row", "TruthTable", "exact", "ratio", "share"]

STANDARD_ERRORS = 4.0
"""How far an estimate may be from the truth: chance alone exceeds it once in 16,000 times."""
QUANTILE = 1.959964
"""Of the standard normal distribution, for intervals of 95 %."""
_WIDTH_FACTOR = 1.5
"""How much wider or narrower an interval may be; one of 68 % is half as wide."""


@dataclass(frozen=True)
class Figure:
    """A number that an answer should have.

    Attributes:
        value: The truth.
        low, high: An answer from ``low`` to ``high`` is right.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """The truth of one row of an answer.

    Attributes:
        cells: A figure or a word for each column.
        width: The width of an interval of 95 %, if the answer needs one: from the column ``low`` to
            the column ``high``, around the first cell.
    """

    cells: Mapping[str, Figure | str]
    width: Figure | None = None


@dataclass(frozen=True)
class TruthTable:
    """The truth of an exercise.

    Attributes:
        keys: The columns that name a row; none if there is only one row.
        columns: The columns with cells.
        rows: The rows by their keys' values.
        has_intervals: Whether the answer needs the columns ``low`` and ``high``.
    """

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Mapping[tuple[str, ...], Row]
    has_intervals: bool = field(default=False)

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return (*self.keys, *self.columns, *(("low", "high") if self.has_intervals else ()))


def exact(value: float) -> Figure:
    """Return a figure without a tolerance."""
    return Figure(value, value, value)


def share(value: float, error: float) -> tuple[Figure, Figure]:
    """Return the figure of a share with its standard error, and the width of its interval."""
    far = STANDARD_ERRORS * error
    return Figure(value, value - far, value + far), _width(2 * QUANTILE * error)


def ratio(value: float, log_error: float, minus: float = 0.0) -> tuple[Figure, Figure]:
    """Return the figure of a ratio, and the width of its interval.

    Args:
        value: The ratio.
        log_error: The standard error of its logarithm.
        minus: What is subtracted from the ratio; 1 for a lift.
    """
    far = exp(STANDARD_ERRORS * log_error)
    near = exp(QUANTILE * log_error)
    figure = Figure(value - minus, value / far - minus, value * far - minus)
    return figure, _width(value * (near - 1 / near))


def _width(width: float) -> Figure:
    return Figure(width, width / _WIDTH_FACTOR, width * _WIDTH_FACTOR)
