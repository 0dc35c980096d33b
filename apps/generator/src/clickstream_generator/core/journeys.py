"""The journey table as arrays, for many sessions at once.

Owns the compiled weights of the personas, and the exact mean number of events per session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import EXIT, TRANSITIONS, CartNeed

from clickstream_generator.core.events import CODE, MAX_CART_LINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.personas import Persona

__all__ = ["EXIT_CODE", "Journeys", "compile_journeys"]

EXIT_CODE = len(EVENT_NAMES)
_NEEDS_CART = {(step.source, step.target) for step in TRANSITIONS if step.cart is CartNeed.FILLED}
_EMPTY, _FILLED, _FULL = range(3)


@dataclass(frozen=True)
class Journeys:
    """The personas' transition probabilities.

    Attributes:
        probability: Shape (personas, 3, events, events + 1): probability of the next step, by the
            state of the cart (empty, filled, full) and the step before. The last column is the
            exit.
        cumulative: Cumulative sums of ``probability`` along the last axis.
        expected_events: Shape (personas,): mean number of events of a session that begins with
            an empty cart.
    """

    probability: np.ndarray
    cumulative: np.ndarray
    expected_events: np.ndarray

    def next_codes(
        self,
        persona: np.ndarray,
        cart_lines: np.ndarray,
        code: np.ndarray,
        uniform: np.ndarray,
    ) -> np.ndarray:
        """Return the step after ``code``, or :data:`EXIT_CODE`, for numbers in [0, 1)."""
        context = np.where(cart_lines >= MAX_CART_LINES, _FULL, np.minimum(cart_lines, _FILLED))
        bounds = self.cumulative[persona, context, code]
        return (uniform[:, None] >= bounds[:, :-1]).sum(axis=1).astype(np.uint8)


def compile_journeys(personas: Sequence[Persona]) -> Journeys:
    """Return the personas' weights as arrays, in the order of ``personas``."""
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
    cumulative = np.cumsum(probability, axis=3)
    # Without this, rounding could choose a step after the last possible one.
    cumulative[cumulative > 1.0 - 1e-12] = 1.0
    return Journeys(
        probability,
        cumulative,
        np.array([_expected_events(probability[number]) for number in range(len(personas))]),
    )


def _expected_events(probability: np.ndarray) -> float:
    """Return the mean number of events of a session.

    The step and the number of lines in the cart form an absorbing Markov chain. The expected
    number of steps t solves (I - Q) t = 1 (Kemeny and Snell, Finite Markov Chains, 3.3).
    """
    contexts = MAX_CART_LINES + 1
    size = EXIT_CODE * contexts
    lines = np.arange(contexts)
    context = np.where(lines == MAX_CART_LINES, _FULL, np.minimum(lines, _FILLED))
    source, before, target = np.ogrid[:EXIT_CODE, :contexts, :EXIT_CODE]
    stay = np.zeros((EXIT_CODE, contexts, EXIT_CODE, contexts))
    stay[source, before, target, _lines_after(target, before)] = probability[
        context[before], source, target
    ]
    steps = np.linalg.solve(np.eye(size) - stay.reshape(size, size), np.ones(size))
    return float(steps[CODE["session_start"] * contexts])


def _lines_after(code: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return the number of lines in the cart after each step."""
    change = 1 * (code == CODE["add_to_cart"]) - 1 * (code == CODE["remove_from_cart"])
    after = np.clip(lines + change, 0, MAX_CART_LINES)
    return np.where(code == CODE["purchase"], 0, after)
