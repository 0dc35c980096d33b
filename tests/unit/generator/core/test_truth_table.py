"""The cells of a truth: what an answer may be."""

from __future__ import annotations

import math

import pytest
from clickstream_generator.core.truth_table import Row, TruthTable, exact, ratio, share


def test_exact_figure_has_no_tolerance() -> None:
    """Only the truth is right."""
    figure = exact(7.0)

    assert (figure.low, figure.value, figure.high) == (7.0, 7.0, 7.0)


def test_share_has_four_errors() -> None:
    """A share is right up to four standard errors; its interval of 95 % is 3.92 of them wide."""
    figure, width = share(0.5, 0.01)

    assert (figure.low, figure.high) == pytest.approx((0.46, 0.54))
    assert width.value == pytest.approx(0.0392, abs=1e-4)
    # An interval of 68 % is too narrow, and one of 99.9 % too wide.
    assert 2 * 0.01 < width.low < width.value < width.high < 2 * 3.29 * 0.01


def test_ratio_has_errors_of_its_logarithm() -> None:
    """A ratio and a lift are right up to four standard errors of the logarithm."""
    figure, width = ratio(1.2, 0.05)
    lift, _ = ratio(1.2, 0.05, minus=1.0)

    assert math.log(figure.high / figure.value) == pytest.approx(0.2)
    assert math.log(figure.value / figure.low) == pytest.approx(0.2)
    assert width.value == pytest.approx(1.2 * 2 * math.sinh(1.959964 * 0.05))
    assert (lift.low, lift.value, lift.high) == pytest.approx(
        (figure.low - 1, 0.2, figure.high - 1)
    )


def test_intervals_need_two_columns() -> None:
    """An answer has the keys, the columns, and the ends of intervals if they are needed."""
    rows: dict[tuple[str, ...], Row] = {("a",): Row({"lift": exact(1.0)})}

    assert TruthTable(("arm",), ("lift",), rows).answer_columns == ("arm", "lift")
    table = TruthTable(("arm",), ("lift",), rows, has_intervals=True)
    assert table.answer_columns == ("arm", "lift", "low", "high")
