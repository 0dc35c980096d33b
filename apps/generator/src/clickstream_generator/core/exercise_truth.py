"""The truth of an exercise, by its kind.

Owns which computation a kind of truth has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.behaviour import Behaviours
from clickstream_generator.core.counted_truth import (
    funnel_table,
    gap_sessions_table,
    ledger_table,
    user_sessions_table,
)
from clickstream_generator.core.exercise import (
    Conversion,
    ConversionRatio,
    Effect,
    Funnel,
    GapSessions,
    Ledger,
    Lift,
    UserSessions,
)
from clickstream_generator.core.expected_truth import (
    conversion_table,
    effect_table,
    lift_table,
    ratio_table,
)
from clickstream_generator.core.incident_score import Interval
from clickstream_generator.core.incident_truth import incident_truths

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.exercise import TableTruth
    from clickstream_generator.core.played_run import PlayedRun
    from clickstream_generator.core.truth_table import TruthTable

__all__ = ["incident_intervals", "truth_table"]


def truth_table(run: PlayedRun, truth: TableTruth) -> TruthTable:  # noqa: PLR0911  one for each kind
    """Return the truth of an exercise whose answer has rows.

    Args:
        run: The run of the exercise.
        truth: Its kind.

    Raises:
        SimulationInvalid: The simulation has no such truth.
    """
    match truth:
        case Conversion():
            return conversion_table(run, truth)
        case ConversionRatio():
            return ratio_table(run, truth)
        case Lift():
            return lift_table(run, truth)
        case Effect():
            return effect_table(run)
        case Ledger():
            return ledger_table(run, truth)
        case Funnel():
            return funnel_table(run, truth)
        case GapSessions():
            return gap_sessions_table(run, truth)
        case UserSessions():
            return user_sessions_table(run)


def incident_intervals(simulation: Simulation, start_seconds: float) -> list[Interval]:
    """Return the intervals of a run's incidents, in Unix seconds.

    Args:
        simulation: The simulation.
        start_seconds: When its live part starts, Unix seconds.

    Raises:
        SimulationInvalid: It has no incident.
    """
    spec = simulation.spec
    truths = incident_truths(Behaviours(spec).of(spec), start_seconds)
    if not truths:
        raise SimulationInvalid("spec.incidents", None, "at least one for this exercise")
    return [
        Interval(start_seconds + begin, start_seconds + end, is_absolute=True)
        for begin, end in (row.incident.span_seconds for row in truths)
    ]
