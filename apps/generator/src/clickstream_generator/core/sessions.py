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
from clickstream_generator.core.tastes import spare_uniform

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
        faults: np.ndarray | None = None,
    ) -> Events | None:
        """Return the next event of each session that is due, or ``None`` if none is due.

        Args:
            until_seconds: Events before it are due, in simulated time.
            world: The run's world.
            journeys: The weights and think times of each profile.
            population: The users of the shard.
            rng: The shard's random stream.
            exposures: Shape (profiles,); the text of each profile's arms, by its place.
            faults: Shape (profiles, 3); see ``Profiles.faults``.
        """
        slot = np.flatnonzero(self.next_seconds < until_seconds)
        if not len(slot):
            return None
        uniform = rng.random((4, len(slot)))
        rows = self._rows(slot)
        if faults is not None:
            rows["faults"] = faults[self.profile[slot]]
        self._choose(slot, rows, uniform, world, population.shard)
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
        self, slot: np.ndarray, rows: np.ndarray, uniform: np.ndarray, world: World, shard: int
    ) -> None:
        """Choose the subjects of searches, lists, items and pages."""
        code = rows["code"]
        searches, lists, views = (
            np.flatnonzero(code == CODE[name]) for name in ("search", "view_item_list", "view_item")
        )
        own, numbers = slot[views], uniform[:3, views]
        # With tastes, a view needs more numbers than the step draws.
        spare = numbers if world.tastes is None else spare_uniform(numbers)
        lost = np.flatnonzero(self.category[own] < 0)
        first_list, first_view = len(searches), len(searches) + len(lists)
        drawn, levels = self._draw_categories(
            (slot[searches], slot[lists], own[lost], own),
            np.concatenate([uniform[0, searches], uniform[0, lists], spare[2, lost]]),
            world,
            shard,
        )
        category = drawn[:first_list]
        self.category[slot[searches]] = category
        rows["subject"][searches] = category * TERMS_PER_CATEGORY + (
            TERMS_PER_CATEGORY * uniform[1, searches]
        ).astype(np.int32)
        before = self.category[slot[lists]]
        stays = (before >= 0) & (
            (self.previous[slot[lists]] == CODE["search"]) | (uniform[1, lists] < _STAY_IN_CATEGORY)
        )
        category = np.where(stays, before, drawn[first_list:first_view])
        self.category[slot[lists]] = category
        rows["subject"][lists] = category
        self.category[own[lost]] = drawn[first_view:]
        product = self._choose_products(own, rows["persona"][views], numbers, spare, world, levels)
        self.product[own] = product
        rows["subject"][views] = product
        rows["value_minor"][views] = world.catalog.price_minor[product]
        for name, options in (
            ("page_view", PAGES),
            ("add_shipping_info", SHIPPING),
            ("add_payment_info", PAYMENTS),
        ):
            at = np.flatnonzero(code == CODE[name])
            rows["choice"][at] = (len(options) * uniform[0, at]).astype(np.uint16)

    def _draw_categories(
        self, slots: tuple[np.ndarray, ...], uniform: np.ndarray, world: World, shard: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a category for each slot that chooses one, and the price levels of the viewers.

        Args:
            slots: The slots that choose a category, and then those that view an item.
            uniform: Shape (choices,); in [0, 1).
            world: The run's world.
            shard: The shard of the users.
        """
        if world.tastes is None:
            return world.catalog.draw_categories(uniform), np.empty(0)
        user = self.user[np.concatenate(slots)]
        return world.tastes.draw(world.catalog, shard, user, uniform)

    def _choose_products(
        self,
        own: np.ndarray,
        persona: np.ndarray,
        uniform: np.ndarray,
        spare: np.ndarray,
        world: World,
        level: np.ndarray,
    ) -> np.ndarray:
        """Return the item that each slot views, within its category or as a companion.

        Args:
            own: Shape (views,); the slots.
            persona: Shape (views,).
            uniform: Shape (3, views); in [0, 1).
            spare: Shape (3, views); further such numbers, with tastes.
            world: The run's world.
            level: Shape (views,); the users' price levels, with tastes.
        """
        shop, tastes = world.catalog, world.tastes
        product = shop.draw_products(self.category[own], uniform[0])
        other = shop.draw_products(self.category[own], uniform[1])
        takes_other = (uniform[2] < world.price_sense[persona]) & (
            shop.price_minor[other] < shop.price_minor[product]
        )
        if tastes is None:
            return np.where(takes_other, other, product)
        near, together, _ = spare
        takes_other = np.where(
            near < tastes.price_share, tastes.is_nearer(level, product, other), takes_other
        )
        product = np.where(takes_other, other, product)
        at = np.flatnonzero(together < tastes.together_share)
        at = at[self._lines_of_viewed(own[at]).any(axis=1)]
        if at.size:
            product[at] = tastes.companions_of(self.product[own[at]], together[at])
            self.category[own[at]] = shop.product_category[product[at]]
        return product

    def _lines_of_viewed(self, own: np.ndarray) -> np.ndarray:
        """Return which lines of the carts have the item viewed last, shape (slots, lines)."""
        filled = np.arange(MAX_CART_LINES) < self.lines[own][:, None]
        return (self.line_products[own] == self.product[own][:, None]) & filled

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
        same = self._lines_of_viewed(own)
        known = same.any(axis=1)
        line = np.where(known, same.argmax(axis=1), self.lines[own])
        before = np.where(known, self.line_quantities[own, line % MAX_CART_LINES], 0)
        self.line_products[own, line] = product
        self.line_quantities[own, line] = before + pieces
        self.lines[own] += ~known
        value = world.catalog.price_minor[product] * pieces
        self.value_minor[own] += value
        if world.tastes is not None:
            # The user has found something: what follows is of another choice.
            self.category[own] = -1
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
