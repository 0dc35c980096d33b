"""The journey: which steps are legal, and what they need."""

from __future__ import annotations

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import EXIT, START, TRANSITIONS, CartNeed, is_legal, mermaid


def test_every_event_is_connected() -> None:
    """From the start there is a way to each event, and from each a way on."""
    sources = {step.source for step in TRANSITIONS}
    targets = {step.target for step in TRANSITIONS}

    assert sources == {START, *EVENT_NAMES}
    assert targets == {EXIT, *EVENT_NAMES}


def test_every_event_is_reached() -> None:
    """Walking from the start reaches every event, and the exit."""
    reached = {START}
    while more := {step.target for step in TRANSITIONS if step.source in reached} - reached:
        reached |= more

    assert reached == {START, EXIT, *EVENT_NAMES}


@pytest.mark.parametrize("name", [name for name in EVENT_NAMES if name != START])
def test_every_event_may_be_last(name: str) -> None:
    """A user may leave after any event."""
    assert is_legal(name, EXIT)


@pytest.mark.parametrize(
    ("source", "target", "legal"),
    [
        (START, "session_start", True),
        (START, "page_view", False),
        ("view_item", "add_to_cart", True),
        ("search", "add_to_cart", False),
        ("search", "purchase", False),
        ("add_payment_info", "purchase", True),
        ("purchase", "add_to_cart", False),
        (EXIT, "page_view", False),
        ("nothing", "page_view", False),
    ],
)
def test_legal_steps_are_known(source: str, target: str, legal: bool) -> None:  # noqa: FBT001
    """Only the steps of the table are legal, and an unknown source has none."""
    assert is_legal(source, target) is legal


def test_checkout_needs_a_filled_cart() -> None:
    """Steps to the cart, through the checkout and to the purchase need something in the cart."""
    filled = {step.target for step in TRANSITIONS if step.cart is CartNeed.FILLED}
    free = {step.target for step in TRANSITIONS if step.cart is CartNeed.ANY}

    assert filled == {
        "view_cart",
        "remove_from_cart",
        "begin_checkout",
        "add_shipping_info",
        "add_payment_info",
        "purchase",
    }
    assert not filled & free


def test_diagram_shows_every_step() -> None:
    """The diagram has a line for each step; start and exit are Mermaid's dot."""
    lines = mermaid().splitlines()

    assert lines[:2] == ["stateDiagram-v2", "    [*] --> session_start"]
    assert len(lines) == 1 + len(TRANSITIONS)
    assert "    session_start --> view_cart : cart filled" in lines
    assert lines[-1] == "    purchase --> [*]"
