"""The journey: the steps of a session, and which step may follow which.

Owns the table of legal transitions. The generator follows it, the verification checks stored
sessions against it, and the documentation draws its diagram from it. The weights of the transitions
are in :mod:`clickstream_contract.personas`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from clickstream_contract.events import EVENT_NAMES

__all__ = ["EXIT", "START", "TRANSITIONS", "CartNeed", "Transition", "is_legal", "mermaid"]

START = "start"
EXIT = "exit"


class CartNeed(Enum):
    """The state of the cart that a step needs."""

    ANY = "any"
    FILLED = "filled"


@dataclass(frozen=True)
class Transition:
    """One legal step, and the state of the cart that it needs."""

    source: str
    target: str
    cart: CartNeed = CartNeed.ANY


_ANY = CartNeed.ANY
_FILLED = CartNeed.FILLED

_TABLE: dict[str, dict[str, CartNeed]] = {
    START: {"session_start": _ANY},
    "session_start": {
        "page_view": _ANY,
        "search": _ANY,
        "view_item_list": _ANY,
        "view_item": _ANY,
        "view_cart": _FILLED,
        EXIT: _ANY,
    },
    "page_view": {
        "page_view": _ANY,
        "search": _ANY,
        "view_item_list": _ANY,
        "view_item": _ANY,
        "view_cart": _FILLED,
        EXIT: _ANY,
    },
    "search": {"search": _ANY, "view_item_list": _ANY, EXIT: _ANY},
    "view_item_list": {
        "page_view": _ANY,
        "search": _ANY,
        "view_item_list": _ANY,
        "view_item": _ANY,
        "view_cart": _FILLED,
        EXIT: _ANY,
    },
    "view_item": {
        "page_view": _ANY,
        "search": _ANY,
        "view_item_list": _ANY,
        "view_item": _ANY,
        "add_to_cart": _ANY,
        "view_cart": _FILLED,
        EXIT: _ANY,
    },
    "add_to_cart": {
        "page_view": _ANY,
        "search": _ANY,
        "view_item_list": _ANY,
        "view_item": _ANY,
        "view_cart": _FILLED,
        "begin_checkout": _FILLED,
        EXIT: _ANY,
    },
    "remove_from_cart": {
        "page_view": _ANY,
        "view_item_list": _ANY,
        "view_cart": _FILLED,
        "begin_checkout": _FILLED,
        EXIT: _ANY,
    },
    "view_cart": {
        "page_view": _ANY,
        "view_item_list": _ANY,
        "view_item": _ANY,
        "remove_from_cart": _FILLED,
        "begin_checkout": _FILLED,
        EXIT: _ANY,
    },
    "begin_checkout": {"view_cart": _FILLED, "add_shipping_info": _FILLED, EXIT: _ANY},
    "add_shipping_info": {"view_cart": _FILLED, "add_payment_info": _FILLED, EXIT: _ANY},
    "add_payment_info": {"purchase": _FILLED, EXIT: _ANY},
    "purchase": {"page_view": _ANY, "view_item_list": _ANY, EXIT: _ANY},
}

TRANSITIONS: tuple[Transition, ...] = tuple(
    Transition(source, target, need)
    for source, targets in _TABLE.items()
    for target, need in targets.items()
)
"""Every legal step from the start of a session to its end."""


def is_legal(source: str, target: str) -> bool:
    """Return whether ``target`` may follow ``source`` with some state of the cart."""
    return target in _TABLE.get(source, {})


def mermaid() -> str:
    """Return the table as a Mermaid state diagram (https://mermaid.js.org)."""
    names = {START: "[*]", EXIT: "[*]"} | {name: name for name in EVENT_NAMES}
    lines = ["stateDiagram-v2"]
    for step in TRANSITIONS:
        need = " : cart filled" if step.cart is CartNeed.FILLED else ""
        lines.append(f"    {names[step.source]} --> {names[step.target]}{need}")
    return "\n".join(lines)
