"""The expected truth of an exercise: conversions and lifts, computed and not sampled.

Owns their tolerances. A conversion is the computed one of a segment or an arm. Its standard error
is that of the run's sessions around the truth; users are independent, but the sessions of one user
are not (Deng, Knoblich and Lu, 2018, https://arxiv.org/abs/1803.06336). The logarithm of a ratio
has the sum of both variances (Katz, Baptista, Azen and Pike, 1978).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.experiments import CONTROL

from clickstream_generator.core.segment_truth import arm_truths, segment_truths
from clickstream_generator.core.truth_table import Row, TruthTable, ratio, share

if TYPE_CHECKING:
    from clickstream_generator.core.exercise import Conversion, ConversionRatio, Lift
    from clickstream_generator.core.played_run import PlayedRun

__all__ = ["conversion_table", "effect_table", "lift_table", "ratio_table"]

_LEAST_ORDERS = 50
"""With fewer, the distribution of a conversion is not near enough to the normal one."""
_NO_EFFECT = 1e-9
"""A lift below it is rounding."""


class _Rate(NamedTuple):
    """A true conversion, with the standard error of an estimate from the run."""

    value: float
    error: float

    @property
    def log_variance(self) -> float:
        """The variance of the logarithm of an estimate."""
        return (self.error / self.value) ** 2


def conversion_table(run: PlayedRun, wanted: Conversion) -> TruthTable:
    """Return the conversion of each value of an attribute, with its interval."""
    rows: dict[tuple[str, ...], Row] = {}
    for value, rate in _segments(run, wanted.by).items():
        figure, width = share(rate.value, rate.error)
        rows[value,] = Row({"conversion": figure}, width)
    return TruthTable((wanted.by,), ("conversion",), rows, has_intervals=True)


def ratio_table(run: PlayedRun, wanted: ConversionRatio) -> TruthTable:
    """Return the conversion of each value of an attribute, divided by that of one of them."""
    rates = _segments(run, wanted.by)
    if wanted.against not in rates:
        allowed = f"one of {', '.join(rates)}"
        raise SimulationInvalid("truth, against", wanted.against, allowed)
    base = rates.pop(wanted.against)
    rows: dict[tuple[str, ...], Row] = {}
    for value, rate in rates.items():
        error = (rate.log_variance + base.log_variance) ** 0.5
        rows[value,] = Row({"ratio": ratio(rate.value / base.value, error)[0]})
    return TruthTable((wanted.by,), ("ratio",), rows)


def lift_table(run: PlayedRun, wanted: Lift) -> TruthTable:
    """Return the lift of each arm but the control, with its interval."""
    lifts = [row for row in arm_truths(run.behaviour) if row.experiment == wanted.experiment]
    if not lifts:
        names = ", ".join(row.name for row in run.behaviour.spec.experiments)
        raise SimulationInvalid("truth, experiment", wanted.experiment, f"one of: {names}")
    _refuse_ranges(run)
    arms = run.session_arms(wanted.experiment)
    rates = {row.arm: _rate(run, arms == row.arm, row.conversion, row.arm) for row in lifts}
    control = rates.pop(CONTROL)
    rows: dict[tuple[str, ...], Row] = {}
    for arm, rate in rates.items():
        error = (rate.log_variance + control.log_variance) ** 0.5
        figure, width = ratio(rate.value / control.value, error, minus=1.0)
        rows[arm,] = Row({"lift": figure}, width)
    return TruthTable(("arm",), ("lift",), rows, has_intervals=True)


def effect_table(run: PlayedRun) -> TruthTable:
    """Return for each experiment whether an arm changes the conversion: ``yes`` or ``no``."""
    _refuse_ranges(run)
    changes: dict[str, bool] = {}
    for row in arm_truths(run.behaviour):
        changes[row.experiment] = changes.get(row.experiment, False) | (abs(row.lift) > _NO_EFFECT)
    if not changes:
        raise SimulationInvalid("spec.experiments", None, "at least one for this exercise")
    rows: dict[tuple[str, ...], Row] = {
        (name,): Row({"effect": "yes" if has else "no"}) for name, has in changes.items()
    }
    return TruthTable(("experiment",), ("effect",), rows)


def _segments(run: PlayedRun, attribute: str) -> dict[str, _Rate]:
    """Return the conversion of each value of an attribute that has sessions."""
    _refuse_ranges(run)
    values = run.session_values(attribute)
    return {
        row.segment[attribute]: _rate(
            run, values == row.segment[attribute], row.conversion, row.segment[attribute]
        )
        for row in segment_truths(run.behaviour, [[attribute]])
    }


def _rate(run: PlayedRun, own: np.ndarray, conversion: float, name: str) -> _Rate:
    """Return a true conversion with the error of its estimate from some sessions.

    Args:
        run: The run.
        own: Shape (sessions,); which sessions count.
        conversion: The true one.
        name: What the sessions have in common, for errors.
    """
    sessions = int(own.sum())
    if sessions * conversion < _LEAST_ORDERS:
        allowed = f"a run with at least {_LEAST_ORDERS} orders of {name}"
        raise SimulationInvalid("spec.stopAfter", f"{sessions * conversion:.0f} orders", allowed)
    bought = run.sessions_with("purchase")[own]
    _, user = np.unique(run.users[run.session_starts][own], return_inverse=True)
    by_user = np.bincount(user, bought - conversion)
    return _Rate(conversion, float(np.sqrt((by_user**2).sum())) / sessions)


def _refuse_ranges(run: PlayedRun) -> None:
    """Raise an error if the conversion changes in the run at some time."""
    if len(run.behaviour.profiles.lookup) > 1:
        allowed = "overlays, experiments and incidents without a time, for this exercise"
        raise SimulationInvalid("spec", "several ranges of time", allowed)
