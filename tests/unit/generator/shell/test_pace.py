"""The pace: the present, or as far as events are known to be due."""

from __future__ import annotations

import numpy as np
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.shell.pace import horizon_seconds
from simulations import START_SECONDS, simulation, simulator

SILENT = "{eventsPerSecond: 10, curve: Steps, steps: [{multiplierPermille: 0, for: 60s}]}"
NOW = START_SECONDS + 5


def test_paced_run_stays_in_the_present() -> None:
    """A paced run makes the events due now."""
    assert horizon_seconds(simulator(users=400), NOW, is_paced=True) == NOW


def test_fast_run_has_something_due() -> None:
    """However slow the rate, a run at full speed always finds its next event."""
    source = simulator("{eventsPerMinute: 1}", users=400)
    for _ in range(5):
        horizon = horizon_seconds(source, NOW, is_paced=False)
        assert len(source.take_due(horizon, 4))


def test_silence_for_ever_has_no_horizon() -> None:
    """A run with no event to come has no horizon, unless a revision wakes it."""
    source = simulator(SILENT, users=400)
    assert np.isinf(horizon_seconds(source, NOW, is_paced=False))

    source.revise(Revision(NOW, NOW, simulation(users=400)))
    horizon = horizon_seconds(source, NOW, is_paced=False)
    source.take_due(horizon, 100)
    assert len(source.take_due(horizon, 100))
