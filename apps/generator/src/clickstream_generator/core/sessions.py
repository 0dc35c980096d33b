"""Open sessions: their state, and one step of many sessions at once.

Owns the state of a session - cart, category, last item viewed - and how each step of the journey
changes it. A session that ends with a filled cart keeps its slot; the user's next session continues
with that cart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.events import CODE, EVENT_DTYPE, MAX_CART_LINES, Events
from clickstream_generator.core.journeys import EXIT_CODE

if TYPE_CHECKING:
    from clickstream_generator.core.journeys import Journeys
    from clickstream_generator.core.population import Population
    from clickstream_generator.core.world import World

__all__ = [
    "PAGES",
    "PAYMENTS",
    "PIECES",
    "SHIPPING",
    "TERMS_PER_CATEGORY",
    "THINK_CEILING_SECONDS",
    "THINK_FLOOR_SECONDS",
    "Sessions",
]

PAGES = ("/", "/sale", "/new", "/account", "/account/orders", "/help", "/about", "/blog")
SHIPPING = ("standard", "standard", "standard", "express", "pickup")
"""Kinds of delivery; a kind listed twice is chosen twice as often."""
PAYMENTS = ("card", "card", "card", "paypal", "paypal", "invoice", "voucher")
TERMS_PER_CATEGORY = 8

_NEVER = np.inf
THINK_FLOOR_SECONDS = 0.2
THINK_CEILING_SECONDS = 1_500.0
"""Below 30 minutes, after which analytics tools end a session."""
_STAY_IN_CATEGORY = 0.5
PIECES = np.array([0.80, 0.95])
"""A draw below the first: one piece; below the second: two; else three."""
_FIRST_SLOTS = 1024


def _never() -> np.ndarray:
    return np.full(_FIRST_SLOTS, _NEVER)


def _column(dtype: str, *shape: int) -> np.ndarray:
    return np.zeros((_FIRST_SLOTS, *shape), dtype=dtype)


@dataclass
class Sessions:
    """The open sessions, one row per slot; a slot is a session, a saved cart, or free.

    Attributes:
        next_seconds: When the slot's next event is due, in simulated time.
        free: Free slots; the last one is used first.
        begun: Number of sessions begun so far; it numbers the sessions.
    """

    next_seconds: np.ndarray = field(default_factory=_never)
    code: np.ndarray = field(default_factory=partial(_column, "u1"))
    previous: np.ndarray = field(default_factory=partial(_column, "u1"))
    persona: np.ndarray = field(default_factory=partial(_column, "u1"))
    profile: np.ndarray = field(default_factory=partial(_column, "u2"))
    user: np.ndarray = field(default_factory=partial(_column, "i4"))
    session_no: np.ndarray = field(default_factory=partial(_column, "i8"))
    session_seq: np.ndarray = field(default_factory=partial(_column, "i4"))
    category: np.ndarray = field(default_factory=partial(_column, "i4"))
    product: np.ndarray = field(default_factory=partial(_column, "i4"))
    lines: np.ndarray = field(default_factory=partial(_column, "i1"))
    value_minor: np.ndarray = field(default_factory=partial(_column, "i8"))
    line_products: np.ndarray = field(default_factory=partial(_column, "i4", MAX_CART_LINES))
    line_quantities: np.ndarray = field(default_factory=partial(_column, "i4", MAX_CART_LINES))
    free: np.ndarray = field(default_factory=partial(np.arange, _FIRST_SLOTS - 1, -1, -1))
    begun: int = 0

    def begin(
        self,
        user: np.ndarray,
        profile: np.ndarray,
        at_seconds: np.ndarray,
        population: Population,
    ) -> None:
        """Begin sessions of the given profiles; their first event is due at ``at_seconds``."""
        slot = population.saved_cart[user].astype(np.int64)
        # A second session of the same user starts with an empty cart.
        first = np.zeros(len(user), dtype=bool)
        first[np.unique(user, return_index=True)[1]] = True
        slot[~first] = -1
        population.saved_cart[user] = -1
        fresh = np.flatnonzero(slot < 0)
        self._make_room(len(fresh))
        kept = len(self.free) - len(fresh)
        slot[fresh] = self.free[kept:][::-1]
        self.free = self.free[:kept]
        self.lines[slot[fresh]] = 0
        self.value_minor[slot[fresh]] = 0
        self.next_seconds[slot] = at_seconds
        self.code[slot] = CODE["session_start"]
        self.persona[slot] = population.persona[user]
        self.profile[slot] = profile
        self.user[slot] = user
        self.session_no[slot] = self.begun + 1 + np.arange(len(user))
        self.session_seq[slot] = 0
        self.category[slot] = -1
        self.begun += len(user)

    def open_slots(self) -> np.ndarray:
        """Return the slots of the open sessions."""
        return np.flatnonzero(self.next_seconds < _NEVER)

    def under_way(self) -> int:
        """Return the number of open sessions."""
        return len(self.open_slots())

    def step(
        self,
        until_seconds: float,
        world: World,
        journeys: Journeys,
        population: Population,
        rng: np.random.Generator,
        exposures: np.ndarray,
    ) -> Events | None:
        """Return the next event of each session that is due, or ``None`` if none is due.

        Args:
            until_seconds: Events before it are due, in simulated time.
            world: The run's world.
            journeys: The weights and think times of each profile.
            population: The users of the shard.
            rng: The shard's random stream.
            exposures: Shape (profiles,); the text of each profile's arms, by its place.
        """
        slot = np.flatnonzero(self.next_seconds < until_seconds)
        if not len(slot):
            return None
        uniform = rng.random((4, len(slot)))
        rows = self._rows(slot)
        self._choose(slot, rows, uniform, world)
        products, quantities = self._shop(slot, rows, uniform, world)
        if (starts := np.flatnonzero(rows["code"] == CODE["session_start"])).size:
            user = rows["user"][starts]
            rows["subject"][starts] = exposures[self.profile[slot[starts]]]
            rows["session_number"][starts] = population.sessions[user]
            channel = population.channel[user]
            ways = world.first_arrival[channel + 1] - world.first_arrival[channel]
            rows["choice"][starts] = world.first_arrival[channel] + (
                ways * uniform[0, starts]
            ).astype(np.int64)
        self._plan_next(slot, rows, uniform[3], rng, journeys)
        self._end(slot[rows["is_last"]], population)
        return Events(rows, products, quantities)

    def _rows(self, slot: np.ndarray) -> np.ndarray:
        """Return the events with the fields that do not depend on the step."""
        rows = np.zeros(len(slot), dtype=EVENT_DTYPE)
        self.session_seq[slot] += 1
        rows["time_seconds"] = self.next_seconds[slot]
        rows["session_no"] = self.session_no[slot]
        rows["session_seq"] = self.session_seq[slot]
        rows["user"] = self.user[slot]
        rows["persona"] = self.persona[slot]
        rows["code"] = self.code[slot]
        rows["order_row"] = -1
        return rows

    def _choose(
        self, slot: np.ndarray, rows: np.ndarray, uniform: np.ndarray, world: World
    ) -> None:
        """Choose the subjects of searches, lists, items and pages."""
        code = rows["code"]
        shop = world.catalog
        at = np.flatnonzero(code == CODE["search"])
        category = shop.draw_categories(uniform[0, at])
        self.category[slot[at]] = category
        rows["subject"][at] = category * TERMS_PER_CATEGORY + (
            TERMS_PER_CATEGORY * uniform[1, at]
        ).astype(np.int32)
        at = np.flatnonzero(code == CODE["view_item_list"])
        stays = (self.category[slot[at]] >= 0) & (
            (self.previous[slot[at]] == CODE["search"]) | (uniform[1, at] < _STAY_IN_CATEGORY)
        )
        category = np.where(stays, self.category[slot[at]], shop.draw_categories(uniform[0, at]))
        self.category[slot[at]] = category
        rows["subject"][at] = category
        at = np.flatnonzero(code == CODE["view_item"])
        own = slot[at]
        lost = self.category[own] < 0
        self.category[own[lost]] = shop.draw_categories(uniform[2, at[lost]])
        product = shop.draw_products(self.category[own], uniform[0, at])
        other = shop.draw_products(self.category[own], uniform[1, at])
        cheaper = (uniform[2, at] < world.price_sense[rows["persona"][at]]) & (
            shop.price_minor[other] < shop.price_minor[product]
        )
        product = np.where(cheaper, other, product)
        self.product[own] = product
        rows["subject"][at] = product
        rows["value_minor"][at] = shop.price_minor[product]
        for name, options in (
            ("page_view", PAGES),
            ("add_shipping_info", SHIPPING),
            ("add_payment_info", PAYMENTS),
        ):
            at = np.flatnonzero(code == CODE[name])
            rows["choice"][at] = (len(options) * uniform[0, at]).astype(np.uint16)

    def _shop(
        self, slot: np.ndarray, rows: np.ndarray, uniform: np.ndarray, world: World
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change the carts, set their values, and return the lines of orders and whole carts."""
        code = rows["code"]
        at = np.flatnonzero(code == CODE["add_to_cart"])
        self._put_in(slot[at], rows, at, uniform[0, at], world)
        at = np.flatnonzero(code == CODE["remove_from_cart"])
        self._take_out(slot[at], rows, at, uniform[0, at], world)
        at = np.flatnonzero(code >= CODE["add_to_cart"])
        own = slot[at]
        filled = np.arange(MAX_CART_LINES) < self.lines[own][:, None]
        rows["cart_quantity"][at] = np.where(filled, self.line_quantities[own], 0).sum(axis=1)
        whole = at[code[at] >= CODE["view_cart"]]
        rows["value_minor"][whole] = self.value_minor[slot[whole]]
        shown = whole[self.lines[slot[whole]] > 0]
        own = slot[shown]
        rows["order_row"][shown] = np.arange(len(shown))
        filled = np.arange(MAX_CART_LINES) < self.lines[own][:, None]
        products = np.where(filled, self.line_products[own], -1)
        quantities = np.where(filled, self.line_quantities[own], 0)
        bought = slot[code == CODE["purchase"]]
        self.lines[bought] = 0
        self.value_minor[bought] = 0
        return products, quantities

    def _put_in(
        self,
        own: np.ndarray,
        rows: np.ndarray,
        at: np.ndarray,
        uniform: np.ndarray,
        world: World,
    ) -> None:
        """Add the viewed item to the cart, as a new line or to its existing line."""
        pieces = 1 + np.searchsorted(PIECES, uniform, side="right")
        product = self.product[own]
        places = np.arange(MAX_CART_LINES)
        same = (self.line_products[own] == product[:, None]) & (places < self.lines[own][:, None])
        known = same.any(axis=1)
        line = np.where(known, same.argmax(axis=1), self.lines[own])
        before = np.where(known, self.line_quantities[own, line % MAX_CART_LINES], 0)
        self.line_products[own, line] = product
        self.line_quantities[own, line] = before + pieces
        self.lines[own] += ~known
        value = world.catalog.price_minor[product] * pieces
        self.value_minor[own] += value
        rows["subject"][at] = product
        rows["quantity"][at] = pieces
        rows["value_minor"][at] = value

    def _take_out(
        self,
        own: np.ndarray,
        rows: np.ndarray,
        at: np.ndarray,
        uniform: np.ndarray,
        world: World,
    ) -> None:
        """Remove one line from the cart; the last line moves to its place."""
        line = (self.lines[own] * uniform).astype(np.int64)
        product = self.line_products[own, line]
        pieces = self.line_quantities[own, line]
        last = self.lines[own].astype(np.int64) - 1
        self.line_products[own, line] = self.line_products[own, last]
        self.line_quantities[own, line] = self.line_quantities[own, last]
        self.lines[own] -= 1
        value = world.catalog.price_minor[product] * pieces
        self.value_minor[own] -= value
        rows["subject"][at] = product
        rows["quantity"][at] = pieces
        rows["value_minor"][at] = value

    def _plan_next(
        self,
        slot: np.ndarray,
        rows: np.ndarray,
        uniform: np.ndarray,
        rng: np.random.Generator,
        journeys: Journeys,
    ) -> None:
        """Choose each session's next step and its time."""
        profile = self.profile[slot]
        following = journeys.next_codes(profile, self.lines[slot], rows["code"], uniform)
        think_seconds = np.exp(
            journeys.think_log_median[profile]
            + journeys.think_sigma[profile] * rng.standard_normal(len(slot))
        )
        rows["is_last"] = following == EXIT_CODE
        self.previous[slot] = rows["code"]
        self.code[slot] = following
        self.next_seconds[slot] = np.where(
            rows["is_last"],
            _NEVER,
            rows["time_seconds"]
            + np.clip(think_seconds, THINK_FLOOR_SECONDS, THINK_CEILING_SECONDS),
        )

    def _end(self, slot: np.ndarray, population: Population) -> None:
        """End sessions; a filled cart is saved for the user."""
        user = self.user[slot]
        population.is_here[user] = False
        keeps = self.lines[slot] > 0
        replaced = population.saved_cart[user[keeps]]
        population.saved_cart[user[keeps]] = slot[keeps]
        # If a user ends two sessions at once, the later slot's cart is kept.
        kept = population.saved_cart[user[keeps]] == slot[keeps]
        gone = [slot[~keeps], slot[keeps][~kept], replaced[replaced >= 0]]
        self.free = np.concatenate([self.free, *(np.unique(part) for part in gone)])

    def _make_room(self, wanted: int) -> None:
        """Double the slots until ``wanted`` are free."""
        while len(self.free) < wanted:
            old = len(self.next_seconds)
            for entry in fields(self):
                column = getattr(self, entry.name)
                if entry.name in {"free", "begun"}:
                    continue
                grown = np.zeros((2 * old, *column.shape[1:]), dtype=column.dtype)
                grown[:old] = column
                if entry.name == "next_seconds":
                    grown[old:] = _NEVER
                setattr(self, entry.name, grown)
            self.free = np.concatenate([np.arange(2 * old - 1, old - 1, -1), self.free])
