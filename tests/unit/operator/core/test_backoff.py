"""How long to wait after a failure."""

from __future__ import annotations

import pytest
from clickstream_operator.core.backoff import LONGEST_SECONDS, pause_seconds


def test_pauses_double() -> None:
    """The whole pause doubles from half a second up to a minute."""
    wholes = [pause_seconds(failures, 1.0) for failures in range(9)]

    assert wholes == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert pause_seconds(10**6, 1.0) == LONGEST_SECONDS == 60.0


@pytest.mark.parametrize("failures", [0, 3, 50])
def test_half_of_it_is_random(failures: int) -> None:
    """The least pause is half the whole one."""
    whole = pause_seconds(failures, 1.0)

    assert pause_seconds(failures, 0.0) == whole / 2
    assert whole / 2 < pause_seconds(failures, 0.5) < whole


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_server_is_not_undercut(chance: float) -> None:
    """What the server asks for is the least pause, up to ten minutes."""
    assert 7.0 <= pause_seconds(0, chance, 7.0) <= 10.5
    assert pause_seconds(9, chance, 1.0) == pause_seconds(9, chance)
    assert 600.0 <= pause_seconds(0, chance, 1e9) <= 630.0
