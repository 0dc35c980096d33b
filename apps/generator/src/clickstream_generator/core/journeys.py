"""The journey table as arrays, for many sessions at once.

Owns the compiled weights and think times of the profiles, and the exact mean number of events per
session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.journey import EXIT, TRANSITIONS, CartNeed

from clickstream_generator.core.events import CODE, MAX_CART_LINES
from clickstream_generator.core.session_chain import EXIT_CODE, expected_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.personas import Persona

__all__ = ["EXIT_CODE", "Journeys", "compile_journeys", "step_probabilities"]

_NEEDS_CART = {(step.source, step.target) for step in TRANSITIONS if step.cart is CartNeed.FILLED}
_EMPTY, _FILLED, _FULL = range(3)


@dataclass(frozen=True)
class Journeys:
    """The profiles' transition probabilities and think times.

    Attributes:
        probability: Shape (profiles, 3, events, events + 1): probability of the next step, by the
            state of the cart (empty, filled, full) and the step before. The last column is the
            exit.
        cumulative: Cumulative sums of ``probability`` along the last axis.
        expected_events: Shape (profiles,): mean number of events of a session that begins with
            an empty cart.
        think_log_median, think_sigma: Shape (profiles,): of the log-normal time between two steps,
            in seconds.
    """

    probability: np.ndarray
    cumulative: np.ndarray
    expected_events: np.ndarray
    think_log_median: np.ndarray
    think_sigma: np.ndarray

    def next_codes(
        self,
        profile: np.ndarray,
        cart_lines: np.ndarray,
        code: np.ndarray,
        uniform: np.ndarray,
    ) -> np.ndarray:
        """Return the step after ``code``, or :data:`EXIT_CODE`, for numbers in [0, 1)."""
        context = np.where(cart_lines >= MAX_CART_LINES, _FULL, np.minimum(cart_lines, _FILLED))
        bounds = self.cumulative[profile, context, code]
        return (uniform[:, None] >= bounds[:, :-1]).sum(axis=1).astype(np.uint8)


def step_probabilities(personas: Sequence[Persona]) -> np.ndarray:
    """Return ``Journeys.probability``, in the order of ``personas``."""
    probability = np.zeros((len(personas), 3, EXIT_CODE, EXIT_CODE + 1))
    for number, persona in enumerate(personas):
        for source, targets in persona.transitions.items():
            for target, weight in targets.items():
                column = EXIT_CODE if target == EXIT else CODE[target]
                probability[number, :, CODE[source], column] = weight
                if (source, target) in _NEEDS_CART:
                    probability[number, _EMPTY, CODE[source], column] = 0
    probability[:, _FULL, :, CODE["add_to_cart"]] = 0
    total = probability.sum(axis=3, keepdims=True)
    stuck = total[..., 0] == 0
    probability[stuck, EXIT_CODE] = 1.0
    probability /= np.where(total == 0, 1.0, total)
    return probability


def compile_journeys(personas: Sequence[Persona]) -> Journeys:
    """Return the weights and think times as arrays, in the order of ``personas``."""
    probability = step_probabilities(personas)
    cumulative = np.cumsum(probability, axis=3)
    # Without this, rounding could choose a step after the last possible one.
    cumulative[cumulative > 1.0 - 1e-12] = 1.0
    return Journeys(
        probability,
        cumulative,
        np.array([expected_events(table)[0] for table in probability]),
        np.log([persona.think_median_seconds for persona in personas]),
        np.array([persona.think_sigma for persona in personas]),
    )
