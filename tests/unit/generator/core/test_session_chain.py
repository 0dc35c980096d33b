"""The session's Markov chain: buying, length and the cart that is left, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clickstream_contract.personas import PERSONAS, Weights
from clickstream_generator.core.events import MAX_CART_LINES
from clickstream_generator.core.journeys import compile_journeys
from clickstream_generator.core.session_chain import (
    carts_after,
    conversion,
    expected_events,
    moments,
    views_after_adds,
)

LINES = MAX_CART_LINES + 1
BUYING: Weights = {
    "session_start": {"view_item": 1, "view_cart": 1},
    "view_item": {"add_to_cart": 1, "exit": 1},
    "add_to_cart": {"view_cart": 3, "exit": 1},
    "view_cart": {"begin_checkout": 1, "remove_from_cart": 1, "exit": 2},
    "begin_checkout": {"add_shipping_info": 1},
    "add_shipping_info": {"add_payment_info": 1},
    "add_payment_info": {"purchase": 1},
    "purchase": {"exit": 1},
    "remove_from_cart": {"exit": 1},
}


def _table(weights: Weights) -> np.ndarray:
    persona = replace(PERSONAS["Shopper"], transitions=weights)
    table: np.ndarray = compile_journeys([persona]).probability[0]
    return table


def test_conversion_by_hand() -> None:
    """An empty cart is filled first; a filled one may be looked at at once."""
    found = conversion(_table(BUYING))

    bought_from_cart = 1 / 4
    assert found[0] == pytest.approx(1 / 2 * 3 / 4 * bought_from_cart)
    assert found[1] == pytest.approx(1 / 2 * bought_from_cart + 1 / 2 * found[0])
    # A full cart takes nothing: the user leaves.
    assert found[MAX_CART_LINES] == pytest.approx(1 / 2 * bought_from_cart)


def test_second_purchase_counts_once() -> None:
    """A session with two orders converts once."""
    again = BUYING | {"purchase": {"view_item_list": 1}, "view_item_list": {"view_item": 1}}

    found = conversion(_table(again))

    assert found[0] == pytest.approx(1 / 2 * 3 / 4 * 1 / 4)


def test_length_by_start() -> None:
    """A session that finds a cart has other steps, and so another length."""
    found = expected_events(_table({"session_start": {"view_cart": 1}, "view_cart": {"exit": 1}}))

    assert found.tolist() == pytest.approx([1.0] + [2.0] * MAX_CART_LINES)


def test_cart_is_left() -> None:
    """What is bought or removed is not left; the rest is."""
    found = carts_after(_table(BUYING))

    assert found.shape == (LINES, LINES)
    assert found.sum(axis=1) == pytest.approx(np.ones(LINES))
    # From an empty cart: not added, or bought, or removed again.
    assert found[0, 0] == pytest.approx(1 / 2 + 1 / 2 * 3 / 4 * (1 / 4 + 1 / 4))
    assert found[0, 1] == pytest.approx(1 / 2 * (1 / 4 + 3 / 4 * 1 / 2))


def test_removal_takes_one_line() -> None:
    """A removal leaves one line less in a cart of any size."""
    weights: Weights = {
        "session_start": {"view_cart": 1},
        "view_cart": {"remove_from_cart": 1},
        "remove_from_cart": {"exit": 1},
    }

    found = carts_after(_table(weights))

    assert found[1:, :-1] == pytest.approx(np.eye(MAX_CART_LINES))


def test_moments_by_hand() -> None:
    """Orders, the lines bought and the events have the means and squares of their chances."""
    again = BUYING | {"purchase": {"view_item": 1}}
    weights = {source: dict(row) for source, row in again.items()}
    weights["view_item"] = {"exit": 1}

    found = moments(_table(weights))

    # A cart of two lines is bought at most once: looked at, then one of four ways out of it.
    chance = 1 / 2 * 1 / 4
    assert found.orders[2] == pytest.approx(chance)
    assert found.orders_squared[2] == pytest.approx(chance)
    assert found.lines[2] == pytest.approx(2 * chance)
    assert found.lines_squared[2] == pytest.approx(4 * chance)
    # Two events; three with a removal; seven with a purchase and another view.
    assert found.events[2] == pytest.approx(1 / 2 * 2 + 1 / 2 * (2 / 4 * 2 + 3 / 4 + 7 / 4))
    assert found.survival[[0, 1, 2, 5, 6], 2] == pytest.approx([1, 1 / 2 * 2 / 4, 1 / 8, 1 / 8, 0])


def test_orders_add_up() -> None:
    """A second order of a session counts in the mean, and more in the square."""
    weights: Weights = {
        "session_start": {"view_cart": 1},
        "view_cart": {"begin_checkout": 1},
        "begin_checkout": {"add_shipping_info": 1},
        "add_shipping_info": {"add_payment_info": 1},
        "add_payment_info": {"purchase": 1},
        "purchase": {"view_item_list": 1},
        "view_item_list": {"view_item": 1, "exit": 1},
        "view_item": {"add_to_cart": 1},
        "add_to_cart": {"view_cart": 1},
    }

    found = moments(_table(weights))

    # With a cart, n orders have the chance 1 / 2 ** n.
    assert found.orders[3] == pytest.approx(2.0)
    assert found.orders_squared[3] == pytest.approx(6.0)
    assert found.lines[3] == pytest.approx(3 + 1)
    assert found.events == pytest.approx(expected_events(_table(weights)))


def test_views_after_adds_by_hand() -> None:
    """A view counts if it is the next choice after an addition; a removal in between ends it."""
    weights: Weights = {
        "session_start": {"view_item": 1},
        "view_item": {"add_to_cart": 1, "exit": 1},
        "add_to_cart": {"view_item": 1, "view_cart": 1, "exit": 2},
        "view_cart": {"view_item": 1, "remove_from_cart": 3},
        "remove_from_cart": {"page_view": 1},
        "page_view": {"view_item": 1},
    }

    found = views_after_adds(_table(weights))

    # After an addition: 1/4 a view, 1/16 a view of cart and item, 3/16 a removal and then a view.
    again = 1 / 4 + 1 / 16
    additions = 1 / 2 / (1 - 1 / 2 * (again + 3 / 16))
    # From a nearly empty cart, a full one is too rare to count.
    assert found[0] == pytest.approx(additions * again, rel=1e-3)
    assert found[MAX_CART_LINES] == 0.0
