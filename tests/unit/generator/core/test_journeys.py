"""The journey table as arrays: chances by what the cart holds, and the length of a session."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.personas import PERSONAS, Persona, Weights
from clickstream_generator.core.events import CODE, MAX_CART_LINES
from clickstream_generator.core.journeys import EXIT_CODE, compile_journeys
from hypothesis import given, settings
from hypothesis import strategies as st

EMPTY, FILLED, FULL = range(3)


def _persona(transitions: Weights) -> Persona:
    return replace(PERSONAS["Shopper"], transitions=transitions)


def _length(transitions: Weights) -> float:
    """Return the mean number of events of a session."""
    return float(compile_journeys([_persona(transitions)]).expected_events[0])


def test_weights_become_chances() -> None:
    """A step's probability is its weight relative to those of the same source."""
    journeys = compile_journeys([_persona({"search": {"view_item_list": 3, "exit": 1}})])

    chances = journeys.probability[0, EMPTY, CODE["search"]]
    assert chances[CODE["view_item_list"]] == 0.75
    assert chances[EXIT_CODE] == 0.25
    assert chances.sum() == 1.0
    assert EXIT_CODE == 12


def test_cart_steps_need_a_cart() -> None:
    """A step that needs a filled cart has no chance while the cart is empty."""
    persona = _persona({"page_view": {"view_cart": 1, "search": 1}})

    chances = compile_journeys([persona]).probability[0, :, CODE["page_view"]]

    assert chances[:, CODE["view_cart"]].tolist() == [0.0, 0.5, 0.5]
    assert chances[:, CODE["search"]].tolist() == [1.0, 0.5, 0.5]


def test_full_cart_takes_nothing() -> None:
    """A cart that is full takes no further line."""
    persona = _persona({"view_item": {"add_to_cart": 1, "search": 1}})

    chances = compile_journeys([persona]).probability[0, :, CODE["view_item"]]

    assert chances[:, CODE["add_to_cart"]].tolist() == [0.5, 0.5, 0.0]
    assert chances[:, CODE["search"]].tolist() == [0.5, 0.5, 1.0]


def test_stuck_user_leaves() -> None:
    """Without a possible step the user leaves."""
    persona = _persona({"page_view": {"view_cart": 1}, "search": {"search": 0}})

    probability = compile_journeys([persona]).probability[0]

    assert probability[EMPTY, CODE["page_view"], EXIT_CODE] == 1.0
    assert probability[FILLED, CODE["page_view"], EXIT_CODE] == 0.0
    assert probability[FULL, CODE["search"], EXIT_CODE] == 1.0


def test_highest_number_chooses_a_possible_step() -> None:
    """Sums of chances that rounding leaves below 1 let no number choose an impossible step."""
    equal = _persona({"page_view": dict.fromkeys(EVENT_NAMES[:10], 1)})
    journeys = compile_journeys([*PERSONAS.values(), equal])
    profile, cart, code = (
        axis.ravel() for axis in np.indices(journeys.probability.shape[:3], dtype=np.int64)
    )
    lines = np.array([0, 1, MAX_CART_LINES])[cart]

    found = journeys.next_codes(profile, lines, code, np.full(len(code), np.nextafter(1.0, 0.0)))
    assert (journeys.probability[profile, cart, code, found] > 0).all()
    rare = compile_journeys([_persona({"search": {"view_item": 10**11, "exit": 1}})])
    assert rare.cumulative[0, EMPTY, CODE["search"], EXIT_CODE - 1] < 1.0


def test_next_step_follows_number() -> None:
    """Each step has its stretch of [0, 1), in the order of the events; leaving comes last."""
    persona = _persona({"search": {"search": 1, "view_item_list": 2, "exit": 1}})
    uniform = np.array([0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999])
    nothing = np.zeros(6, dtype=np.int64)

    found = compile_journeys([persona]).next_codes(
        nothing, nothing, np.full(6, CODE["search"]), uniform
    )

    search, items = CODE["search"], CODE["view_item_list"]
    assert found.tolist() == [search, search, items, items, EXIT_CODE, EXIT_CODE]


def test_cart_decides_the_context() -> None:
    """A cart is empty without a line, full with eight, and filled in between."""
    persona = _persona({"view_item": {"add_to_cart": 1, "view_cart": 1}})
    lines = np.array([0, 1, 7, 8])
    start = np.zeros(4, dtype=np.int64)

    found = compile_journeys([persona, persona]).next_codes(
        start, lines, np.full(4, CODE["view_item"]), np.full(4, 0.6)
    )

    adds, views = CODE["add_to_cart"], CODE["view_cart"]
    assert found.tolist() == [adds, views, views, views]
    low = compile_journeys([persona]).next_codes(
        start, lines, np.full(4, CODE["view_item"]), np.full(4, 0.4)
    )
    assert low.tolist() == [adds, adds, adds, views]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 1_000_000), min_size=3, max_size=3), st.floats(0, 1 - 2**-53))
def test_impossible_step_is_never_taken(weights: list[int], uniform: float) -> None:
    """A step of weight 0 is never taken, for any weights and number."""
    targets = dict(zip(("page_view", "view_item_list", "exit"), weights, strict=True))
    start = np.zeros(1, dtype=np.int64)

    (found,) = compile_journeys([_persona({"search": targets})]).next_codes(
        start, start, np.array([CODE["search"]]), np.array([uniform])
    )

    possible = [
        EXIT_CODE if name == "exit" else CODE[name] for name, weight in targets.items() if weight
    ]
    assert found in (possible or [EXIT_CODE])


@pytest.mark.parametrize(
    ("transitions", "events"),
    [
        ({}, 1.0),
        ({"session_start": {"session_start": 1, "exit": 1}}, 2.0),
        ({"session_start": {"page_view": 1, "exit": 3}}, 1.25),
        # Eight lines fill the cart, and then nothing is left to do.
        ({"session_start": {"add_to_cart": 1}, "add_to_cart": {"add_to_cart": 1}}, 9.0),
        # The one line is taken out again, and an empty cart is not looked at.
        (
            {
                "session_start": {"add_to_cart": 1},
                "add_to_cart": {"remove_from_cart": 1},
                "remove_from_cart": {"view_cart": 1},
                "view_cart": {"search": 1},
            },
            3.0,
        ),
        # A removal from an empty cart leaves it empty.
        (
            {
                "session_start": {"remove_from_cart": 1},
                "remove_from_cart": {"view_cart": 1},
            },
            2.0,
        ),
        # A purchase empties the cart.
        (
            {
                "session_start": {"add_to_cart": 1},
                "add_to_cart": {"purchase": 1},
                "purchase": {"page_view": 1},
                "page_view": {"view_cart": 1},
            },
            4.0,
        ),
        # A step that is none of these leaves it as it is.
        (
            {
                "session_start": {"add_to_cart": 1},
                "add_to_cart": {"page_view": 1},
                "page_view": {"view_cart": 1},
            },
            4.0,
        ),
    ],
)
def test_length_follows_from_table(transitions: Weights, events: float) -> None:
    """The mean number of events is exact, also where the cart decides what follows."""
    assert _length(transitions) == pytest.approx(events)


def test_personas_keep_their_order() -> None:
    """Each persona has a table, in the given order."""
    short, long = _persona({}), _persona({"session_start": {"page_view": 1}})

    journeys = compile_journeys([long, short, long])

    assert journeys.expected_events.tolist() == pytest.approx([2.0, 1.0, 2.0])
    assert journeys.think_log_median == pytest.approx(np.log([8.0] * 3))
    assert journeys.think_sigma.tolist() == [0.9] * 3
    assert journeys.cumulative.shape == (3, 3, 12, 13)
    assert (journeys.cumulative[..., -1] == 1.0).all()


def test_endless_session_is_an_error() -> None:
    """A table whose sessions never end has no mean length."""
    with pytest.raises(np.linalg.LinAlgError):
        compile_journeys([_persona({"session_start": {"session_start": 1}})])
