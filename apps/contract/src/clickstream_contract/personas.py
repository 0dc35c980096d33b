"""Personas: how likely each step is for whom, how fast they go, and when they come.

Owns the presets that a simulation's ``userMix`` names. Weights are relative to the other
steps possible at that moment: a step that needs a filled cart does not count while the cart
is empty (:mod:`clickstream_contract.journey` says which). It does not know who walks.
"""

from __future__ import annotations

from dataclasses import dataclass

from clickstream_contract.journey import EXIT

__all__ = ["PERSONAS", "Persona", "Weights"]

Weights = dict[str, dict[str, int]]
"""Weight of each next step, by the step before."""

_EVENING = (
    12,
    7,
    4,
    3,
    3,
    5,
    12,
    25,
    38,
    45,
    50,
    55,
    62,
    58,
    52,
    52,
    56,
    64,
    76,
    92,
    100,
    90,
    60,
    30,
)
_OFFICE = (
    6,
    4,
    3,
    3,
    3,
    6,
    15,
    35,
    70,
    92,
    100,
    95,
    98,
    88,
    85,
    82,
    75,
    60,
    48,
    45,
    42,
    34,
    22,
    12,
)
_FLAT = (100,) * 24


@dataclass(frozen=True)
class Persona:
    """One kind of visitor."""

    name: str
    doc: str
    transitions: Weights
    think_median_seconds: float
    """Median of the log-normal time between two steps."""
    think_sigma: float
    """Sigma of that distribution's logarithm."""
    return_permille: int
    """Of 1000 sessions, how many are by somebody who has been here before, in the long run."""
    price_sense_permille: int
    """Of 1000 items looked at, how many were the cheaper of two that they had in mind."""
    hourly: tuple[int, ...]
    """Relative traffic in each of the 24 local hours."""
    weekend_permille: int
    """Traffic on Saturday and Sunday against a weekday, in permille."""
    is_crawler: bool = False
    """A program: it says so in its user agent."""


def _base() -> Weights:
    """Return the steps of somebody who looks around with some intent."""
    return {
        "session_start": {
            "page_view": 480,
            "search": 160,
            "view_item_list": 170,
            "view_item": 160,
            "view_cart": 120,
            EXIT: 30,
        },
        "page_view": {
            "page_view": 120,
            "search": 220,
            "view_item_list": 330,
            "view_item": 150,
            "view_cart": 50,
            EXIT: 180,
        },
        "search": {"search": 140, "view_item_list": 800, EXIT: 60},
        "view_item_list": {
            "page_view": 40,
            "search": 90,
            "view_item_list": 190,
            "view_item": 560,
            "view_cart": 20,
            EXIT: 120,
        },
        "view_item": {
            "page_view": 40,
            "search": 80,
            "view_item_list": 280,
            "view_item": 250,
            "add_to_cart": 150,
            "view_cart": 30,
            EXIT: 200,
        },
        "add_to_cart": {
            "page_view": 60,
            "search": 70,
            "view_item_list": 220,
            "view_item": 160,
            "view_cart": 350,
            "begin_checkout": 60,
            EXIT: 80,
        },
        "remove_from_cart": {
            "page_view": 80,
            "view_item_list": 260,
            "view_cart": 350,
            "begin_checkout": 100,
            EXIT: 210,
        },
        "view_cart": {
            "page_view": 60,
            "view_item_list": 170,
            "view_item": 90,
            "remove_from_cart": 140,
            "begin_checkout": 350,
            EXIT: 190,
        },
        "begin_checkout": {"view_cart": 90, "add_shipping_info": 720, EXIT: 190},
        "add_shipping_info": {"view_cart": 40, "add_payment_info": 820, EXIT: 140},
        "add_payment_info": {"purchase": 870, EXIT: 130},
        "purchase": {"page_view": 120, "view_item_list": 80, EXIT: 800},
    }


def _shaped(changes: Weights) -> Weights:
    """Return the base with single weights replaced; 0 takes a step away."""
    return {source: targets | changes.get(source, {}) for source, targets in _base().items()}


PERSONAS: dict[str, Persona] = {
    persona.name: persona
    for persona in (
        Persona(
            "Browser",
            "Looks around, hardly ever buys.",
            _shaped(
                {
                    "session_start": {EXIT: 90},
                    "page_view": {EXIT: 260},
                    "view_item_list": {EXIT: 170},
                    "view_item": {"add_to_cart": 35, EXIT: 260},
                    "view_cart": {"begin_checkout": 120, EXIT: 340},
                    "begin_checkout": {EXIT: 420},
                }
            ),
            9.0,
            0.9,
            350,
            200,
            _EVENING,
            1250,
        ),
        Persona(
            "Researcher",
            "Compares many items and comes back to buy.",
            _shaped(
                {
                    "session_start": {"search": 420, EXIT: 20},
                    "view_item": {"view_item": 420, "add_to_cart": 70, EXIT: 90},
                    "view_item_list": {"view_item": 700, EXIT: 60},
                    "view_cart": {"begin_checkout": 180},
                }
            ),
            16.0,
            1.0,
            600,
            500,
            _EVENING,
            900,
        ),
        Persona(
            "Shopper",
            "Fills a cart, buys now and then.",
            _base(),
            8.0,
            0.9,
            500,
            300,
            _EVENING,
            1150,
        ),
        Persona(
            "Buyer",
            "Knows what to buy and buys it.",
            _shaped(
                {
                    "session_start": {"search": 380, "view_item": 300, "page_view": 180, EXIT: 10},
                    "view_item": {"add_to_cart": 430, EXIT: 70},
                    "add_to_cart": {"view_cart": 420, "begin_checkout": 260, EXIT: 20},
                    "view_cart": {"begin_checkout": 640, "remove_from_cart": 60, EXIT: 50},
                    "begin_checkout": {EXIT: 60},
                    "add_shipping_info": {EXIT: 40},
                    "add_payment_info": {EXIT: 30},
                }
            ),
            6.0,
            0.8,
            650,
            100,
            _OFFICE,
            800,
        ),
        Persona(
            "BargainHunter",
            "Looks for the cheap, fills carts and leaves them.",
            _shaped(
                {
                    "session_start": {"view_item_list": 420},
                    "view_item_list": {"view_item_list": 330, "view_item": 480},
                    "view_item": {"add_to_cart": 190},
                    "view_cart": {"remove_from_cart": 330, "begin_checkout": 160, EXIT: 300},
                }
            ),
            7.0,
            0.9,
            550,
            900,
            _EVENING,
            1350,
        ),
        Persona(
            "Loyal",
            "Comes back often, buys with ease.",
            _shaped(
                {
                    "session_start": {"view_item_list": 300, "view_cart": 240, EXIT: 10},
                    "view_item": {"add_to_cart": 300, EXIT: 120},
                    "view_cart": {"begin_checkout": 560, EXIT: 80},
                    "begin_checkout": {EXIT: 90},
                    "add_payment_info": {EXIT: 60},
                }
            ),
            7.0,
            0.8,
            900,
            100,
            _EVENING,
            1100,
        ),
        Persona(
            "Bot",
            "Crawls lists and items at a machine's pace, day and night.",
            _shaped(
                {
                    "session_start": {
                        "page_view": 100,
                        "search": 0,
                        "view_item_list": 800,
                        "view_item": 100,
                        "view_cart": 0,
                        EXIT: 0,
                    },
                    "page_view": {
                        "page_view": 0,
                        "search": 0,
                        "view_item_list": 900,
                        "view_item": 95,
                        "view_cart": 0,
                        EXIT: 5,
                    },
                    "view_item_list": {
                        "page_view": 0,
                        "search": 0,
                        "view_item_list": 400,
                        "view_item": 590,
                        "view_cart": 0,
                        EXIT: 10,
                    },
                    "view_item": {
                        "page_view": 0,
                        "search": 0,
                        "view_item_list": 300,
                        "view_item": 670,
                        "add_to_cart": 0,
                        "view_cart": 0,
                        EXIT: 30,
                    },
                }
            ),
            0.8,
            0.25,
            800,
            0,
            _FLAT,
            1000,
            is_crawler=True,
        ),
    )
}
"""The presets, by name."""
