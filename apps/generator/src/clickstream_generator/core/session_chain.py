"""The absorbing Markov chain of a session: what a profile's weights make of it on average.

The states are the last step and the number of lines in the cart; the exit is absorbing. Everything
here is exact linear algebra over these states (Kemeny and Snell, Finite Markov Chains, 3), with one
assumption: a product that is added is not in the cart yet.
"""

from __future__ import annotations

import numpy as np
from clickstream_contract.events import EVENT_NAMES

from clickstream_generator.core.events import CODE, MAX_CART_LINES

__all__ = ["EXIT_CODE", "carts_after", "conversion", "expected_events"]

EXIT_CODE = len(EVENT_NAMES)
_EMPTY, _FILLED, _FULL = range(3)
_CONTEXTS = MAX_CART_LINES + 1
_SIZE = EXIT_CODE * _CONTEXTS
_START = CODE["session_start"] * _CONTEXTS
"""The state at the start of a session with an empty cart."""


def expected_events(probability: np.ndarray) -> np.ndarray:
    """Return the mean number of events of a session, by lines in the cart at its start.

    The expected number of steps t solves (I - Q) t = 1.

    Args:
        probability: Shape (3, events, events + 1), as in ``Journeys.probability``.

    Raises:
        LinAlgError: A session could never end.
    """
    steps = np.linalg.solve(np.eye(_SIZE) - _stay(probability), np.ones(_SIZE))
    return steps[_START : _START + _CONTEXTS]


def conversion(probability: np.ndarray) -> np.ndarray:
    """Return the probability that a session has a purchase, by lines in the cart at its start.

    Args:
        probability: Shape (3, events, events + 1).
    """
    stay = _stay(probability)
    bought = np.arange(_SIZE) // _CONTEXTS == CODE["purchase"]
    buys = stay[:, bought].sum(axis=1)
    chance = np.linalg.solve(np.eye(_SIZE) - np.where(bought, 0.0, stay), buys)
    return chance[_START : _START + _CONTEXTS]


def carts_after(probability: np.ndarray) -> np.ndarray:
    """Return the distribution of the lines in the cart at a session's end, by those at its start.

    Args:
        probability: Shape (3, events, events + 1).

    Returns:
        Shape (lines at the start, lines at the end).
    """
    lines = np.arange(_CONTEXTS)
    leaves = np.zeros((EXIT_CODE, _CONTEXTS, _CONTEXTS))
    leaves[:, lines, lines] = probability[_context(lines), :, EXIT_CODE].T
    ends = np.linalg.solve(np.eye(_SIZE) - _stay(probability), leaves.reshape(_SIZE, _CONTEXTS))
    return ends[_START : _START + _CONTEXTS]


def _stay(probability: np.ndarray) -> np.ndarray:
    """Return the probabilities between the states that are not the exit."""
    source, before, target = np.ogrid[:EXIT_CODE, :_CONTEXTS, :EXIT_CODE]
    stay = np.zeros((EXIT_CODE, _CONTEXTS, EXIT_CODE, _CONTEXTS))
    stay[source, before, target, _lines_after(target, before)] = probability[
        _context(before), source, target
    ]
    return stay.reshape(_SIZE, _SIZE)


def _context(lines: np.ndarray) -> np.ndarray:
    """Return whether a cart is empty, filled or full."""
    return np.where(lines == MAX_CART_LINES, _FULL, np.minimum(lines, _FILLED))


def _lines_after(code: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return the number of lines in the cart after each step."""
    change = 1 * (code == CODE["add_to_cart"]) - 1 * (code == CODE["remove_from_cart"])
    after = np.clip(lines + change, 0, MAX_CART_LINES)
    return np.where(code == CODE["purchase"], 0, after)
