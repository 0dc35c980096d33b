"""Patience counts the time in which a process ran, not that in which it was stopped."""

from __future__ import annotations

import time

import pytest
from clickstream_streaming.shell.patience import Patience


@pytest.mark.parametrize(
    ("looks", "is_over"),
    [
        ([0.0], False),
        ([10.0], False),
        ([10.1], True),
        ([4.0, 10.0], False),
        ([4.0, 10.1], True),
    ],
)
def test_time_passes(monkeypatch: pytest.MonkeyPatch, looks: list[float], is_over: bool) -> None:  # noqa: FBT001  a case
    """The seconds are over when the clock says so, however often it is looked at."""
    clock = iter([0.0, *looks])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    patience = Patience(10.0)

    assert [patience.is_over() for _ in looks][-1] == is_over


def test_stop_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour in which the process was stopped takes 30 seconds of its patience."""
    clock = iter([0.0, 1.0, 3_601.0, 3_669.0, 3_670.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    patience = Patience(61.5)

    assert [patience.is_over() for _ in range(4)] == [False, False, False, True]
