"""The journey: which step of a session may follow which.

Owns the table of legal transitions. The generator walks it, the checker checks stored
sessions against it, and the diagram in the documentation is drawn from it. How likely each
step is for whom is :mod:`clickstream_contract.personas`; this module knows no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from clickstream_contract.events import EVENT_NAMES

__all__ = ["EXIT", "START", "TRANSITIONS", "CartNeed", "Transition", "is_legal", "mermaid"]

START = "start"
EXIT = "exit"


class CartNeed(Enum):
    """What the cart must hold for a step to be possible."""

    ANY = "any"
    FILLED = "filled"


@dataclass(frozen=True)
class Transition:
    """One legal step, and what it needs."""

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
    """Say whether a session may go from ``source`` to ``target``, whatever the cart holds."""
    return target in _TABLE.get(source, {})


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram (https://mermaid.js.org)."""
    names = {START: "[*]", EXIT: "[*]"} | {name: name for name in EVENT_NAMES}
    lines = ["stateDiagram-v2"]
    for step in TRANSITIONS:
        need = " : cart filled" if step.cart is CartNeed.FILLED else ""
        lines.append(f"    {names[step.source]} --> {names[step.target]}{need}")
    return "\n".join(lines)
