"""The absorbing Markov chain of a session: what a profile's weights make of it on average.

The states are the last step and the number of lines in the cart; the exit is absorbing. Everything
here is exact linear algebra over these states (Kemeny and Snell, Finite Markov Chains, 3), with one
assumption: a product that is added is not in the cart yet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from clickstream_contract.events import EVENT_NAMES

from clickstream_generator.core.events import CODE, MAX_CART_LINES

__all__ = [
    "EXIT_CODE",
    "Moments",
    "carts_after",
    "conversion",
    "expected_events",
    "moments",
    "views_after_adds",
]

EXIT_CODE = len(EVENT_NAMES)
_EMPTY, _FILLED, _FULL = range(3)
_CONTEXTS = MAX_CART_LINES + 1
_SIZE = EXIT_CODE * _CONTEXTS
_STEPS = 200
"""Longer sessions are too rare to count."""
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


@dataclass(frozen=True)
class Moments:
    """Figures of a session, by lines in the cart at its start; means, of shape (lines,).

    Attributes:
        events: Of the number of events.
        orders, orders_squared: Of the number of purchases.
        lines, lines_squared: Of the number of lines bought in all purchases.
        survival: Shape (steps, lines); the chance of more than 1, 2, ... events.
    """

    events: np.ndarray
    orders: np.ndarray
    orders_squared: np.ndarray
    lines: np.ndarray
    lines_squared: np.ndarray
    survival: np.ndarray


def moments(probability: np.ndarray) -> Moments:
    """Return the moments of a session.

    A sum of rewards r over the steps of a chain has the mean m = N (P r) and the mean square
    N (P r^2 + 2 P r m), with the fundamental matrix N = (I - Q)^-1 (Kemeny and Snell, 3.3, for
    r = 1).

    Args:
        probability: Shape (3, events, events + 1), as in ``Journeys.probability``.
    """
    stay = _stay(probability)
    fundamental = np.linalg.inv(np.eye(_SIZE) - stay)
    starts = slice(_START, _START + _CONTEXTS)
    buys = np.where(np.arange(_SIZE) // _CONTEXTS == CODE["purchase"], stay, 0.0)

    def rewarded(reward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = fundamental @ (reward * buys.sum(axis=1))
        square = reward**2 * buys.sum(axis=1) + 2.0 * reward * (buys @ mean)
        return mean[starts], (fundamental @ square)[starts]

    orders, orders_squared = rewarded(np.ones(_SIZE))
    lines, lines_squared = rewarded((np.arange(_SIZE) % _CONTEXTS).astype(float))
    survival = np.empty((_STEPS, _CONTEXTS))
    alive = np.ones(_SIZE)
    for step in survival:
        alive = stay @ alive
        step[:] = alive[starts]
    events = fundamental.sum(axis=1)[starts]
    return Moments(events, orders, orders_squared, lines, lines_squared, survival)


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


def views_after_adds(probability: np.ndarray) -> np.ndarray:
    """Return how often a product is put in the cart and then one is viewed, by lines at the start.

    That is the mean number of events add_to_cart in a session after which view_item comes before
    add_to_cart, remove_from_cart and purchase.

    Args:
        probability: Shape (3, events, events + 1), as in ``Journeys.probability``.
    """
    stay = _stay(probability)
    code = np.arange(_SIZE) // _CONTEXTS
    views, adds = code == CODE["view_item"], code == CODE["add_to_cart"]
    ends = views | adds | np.isin(code, [CODE["remove_from_cart"], CODE["purchase"]])
    viewed = np.linalg.solve(np.eye(_SIZE) - np.where(ends, 0.0, stay), stay[:, views].sum(axis=1))
    counts = np.linalg.solve(np.eye(_SIZE) - stay, stay @ np.where(adds, viewed, 0.0))
    return counts[_START : _START + _CONTEXTS]


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
