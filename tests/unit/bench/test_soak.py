"""Memory over time: the sample, and the slope."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from clickstream_bench.soak import _mebibytes, _slope


def test_slope_is_of_the_settled_part() -> None:
    """Memory growth during the warm-up is ignored; later growth counts."""
    filling = [(minute / 10, 100.0 * minute) for minute in range(25)]
    leaking = [(minute / 10, 3_000.0 + 0.7 * minute / 10) for minute in range(25, 100)]

    assert _slope(filling + leaking) == pytest.approx(0.7)


@pytest.mark.parametrize("slope", [0.0, -2.0, 5.5])
def test_slope_is_per_minute(slope: float) -> None:
    """A steady growth has a slope, in both directions."""
    rows = [(minute / 4, 1_000.0 + slope * minute / 4) for minute in range(40)]

    assert _slope(rows) == pytest.approx(slope, abs=1e-9)


def test_children_count_too() -> None:
    """What a process takes includes what it has started."""
    script = (
        "import subprocess, sys\n"
        "block = bytearray(b'x') * (32 << 20)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    before = _mebibytes(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alone, with_child = _mebibytes(child.pid), _mebibytes(os.getpid())
        child.communicate()

    assert alone > 30
    assert with_child > before + 20
