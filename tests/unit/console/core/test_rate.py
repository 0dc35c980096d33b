"""A rate from totals that were seen at moments."""

from __future__ import annotations

import pytest
from clickstream_console.core.rate import RateWindow
from hypothesis import given
from hypothesis import strategies as st


def _rates(window: RateWindow, *totals: tuple[float, int]) -> list[float | None]:
    return [window.add(at, total) for at, total in totals]


def test_first_total_has_no_rate() -> None:
    """A rate takes two totals at different moments."""
    assert _rates(RateWindow(), (5.0, 1_000)) == [None]


def test_rate_is_per_second() -> None:
    """The rate is the growth of the total over the time between first and last total."""
    totals = [(0.0, 1_000), (5.0, 1_500), (10.0, 1_500)]

    assert _rates(RateWindow(10), *totals) == [None, 100.0, 50.0]


def test_window_length_is_kept() -> None:
    """Totals that lie a window or more before the newest one do not count; one remains."""
    exact, early = RateWindow(10), RateWindow(10)

    assert _rates(exact, (0.0, 0), (2.0, 100), (12.0, 110)) == [None, 50.0, 1.0]
    assert _rates(early, (0.0, 0), (2.1, 105), (12.0, 120)) == [None, 50.0, 10.0]


def test_old_totals_bridge_a_gap() -> None:
    """After a gap longer than the window the total before it is the first one."""
    assert _rates(RateWindow(10), (0.0, 0), (100.0, 200)) == [None, 2.0]
    assert _rates(RateWindow(10), (0.0, 0), (50.0, 0), (100.0, 200)) == [None, 0.0, 4.0]


def test_window_is_twelve_seconds() -> None:
    """Without another length a window is twelve seconds long."""
    assert _rates(RateWindow(), (0.0, 0), (1.0, 100), (13.0, 112)) == [None, 100.0, 1.0]
    assert _rates(RateWindow(), (0.0, 0), (1.25, 125), (13.0, 130)) == [None, 100.0, 10.0]


def test_falling_total_restarts() -> None:
    """A total that goes down is another run's; one that stays is not."""
    window = RateWindow(10)

    assert _rates(window, (0.0, 100), (1.0, 100), (2.0, 99), (3.0, 109)) == [None, 0.0, None, 10.0]


def test_clock_set_back_restarts() -> None:
    """A moment that is not after the last one begins a new window."""
    assert _rates(RateWindow(10), (5.0, 100), (4.0, 200), (5.0, 210)) == [None, None, 10.0]
    assert _rates(RateWindow(10), (5.0, 100), (5.0, 200), (6.0, 230)) == [None, None, 30.0]


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_steady_growth_is_exact(per_second: int, seconds: int) -> None:
    """A total that grows steadily has that rate, however long it is watched."""
    window = RateWindow(10)

    rates = _rates(window, *((float(at), at * per_second) for at in range(seconds)))

    assert rates[1:] == [pytest.approx(per_second)] * (seconds - 1)
