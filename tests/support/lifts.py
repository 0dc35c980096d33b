"""The lift of an arm, estimated from sessions as ``mart.experiment_results`` does.

Owns a second form of the view's formula: over the users themselves, not over sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Estimate", "estimate"]

_QUANTILE = 1.959964
"""Of the standard normal distribution, for 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A lift with the ends of its interval."""

    lift: float
    low: float
    high: float


def estimate(
    users: tuple[np.ndarray, np.ndarray], converted: tuple[np.ndarray, np.ndarray]
) -> Estimate:
    """Return the lift of an arm against the control.

    Args:
        users: The user of each session, of the control and of the arm.
        converted: Whether each of these sessions has an order.
    """
    rates, variances = zip(*map(_rate, users, converted), strict=True)
    ratio = rates[1] / rates[0]
    factor = np.exp(_QUANTILE * np.sqrt(sum(variances)))
    return Estimate(ratio - 1, ratio / factor - 1, ratio * factor - 1)


def _rate(user: np.ndarray, converted: np.ndarray) -> tuple[float, float]:
    """Return the share of converted sessions, and the variance of its logarithm."""
    _, place = np.unique(user, return_inverse=True)
    sessions, orders = np.bincount(place), np.bincount(place, converted)
    rate = orders.sum() / sessions.sum()
    residual = orders - rate * sessions
    count = len(sessions)
    return rate, count / (count - 1) * (residual**2).sum() / orders.sum() ** 2
