"""Sessions: what each step does to the user, worked out by hand with chosen numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.personas import PERSONAS
from clickstream_contract.tastes import Tastes
from clickstream_generator.core.events import CODE, MAX_CART_LINES, Events
from clickstream_generator.core.journeys import EXIT_CODE, Journeys, compile_journeys
from clickstream_generator.core.sessions import PAGES, PAYMENTS, SHIPPING, Sessions
from clickstream_generator.core.tastes import build_tastes
from randomness import Chosen
from worlds import small_population, small_world

if TYPE_CHECKING:
    from clickstream_generator.core.population import Population
    from clickstream_generator.core.world import World

ONWARD = {name: {"page_view": 1, "exit": 1} for name in CODE}
"""After any step the user looks at a page for numbers below a half, else leaves."""


@pytest.fixture(scope="module")
def world() -> World:
    """Four products for 1, 2, 3 and 4 euros, in two categories."""
    return small_world()


@pytest.fixture(scope="module")
def journeys() -> Journeys:
    """From each step, a page and the exit are equally likely."""
    return compile_journeys(
        [replace(PERSONAS[name], transitions=ONWARD) for name in ("Browser", "Bot")]
    )


class _Shop:
    """One user at a time, led from step to step by the test."""

    def __init__(self, world: World, journeys: Journeys, channel: int = 0) -> None:
        self.population = small_population(channel=channel)
        self.population.sessions[:] = 1
        self.sessions = Sessions()
        self._world, self._journeys = world, journeys
        self._now = 0.0

    def enter(self, *users: int) -> None:
        """Begin sessions."""
        self.population.is_here[list(users)] = True
        self._now += 1.0
        self.sessions.begin(
            np.array(users),
            self.population.persona[list(users)],
            np.full(len(users), self._now),
            self.population,
        )

    def take(self, name: str, *uniform: float, leaves: bool = False, normal: float = 0.0) -> Events:
        """Take a step of every due session, with the given random numbers."""
        self._now += 10_000.0
        due = np.flatnonzero(self.sessions.next_seconds < self._now)
        self.sessions.code[due] = CODE[name]
        numbers = [*uniform, 0.0, 0.0, 0.0][:3]
        each = np.repeat([*numbers, 0.9 if leaves else 0.1], len(due))
        rng = Chosen(*each.tolist(), normal=normal)
        found = self.sessions.step(
            self._now, self._world, self._journeys, self.population, rng, np.zeros(2, dtype=int)
        )
        assert found is not None
        return found

    def look_at(self, product: int) -> None:
        """View one of the four products."""
        at = 0.99 if product % 2 else 0.0
        self.take("search", 0.6 if product >= 2 else 0.1)
        assert (self.take("view_item", at, at, 0.9).rows["subject"] == product).all()

    def add(self, product: int, pieces: int = 1) -> Events:
        """View a product, and add pieces of it to the cart."""
        self.look_at(product)
        return self.take("add_to_cart", (0.0, 0.8, 0.95)[pieces - 1])


@pytest.fixture
def shop(world: World, journeys: Journeys) -> _Shop:
    """A shop with one user."""
    shop = _Shop(world, journeys)
    shop.enter(0)
    return shop


def _step(
    sessions: Sessions, until: float, world: World, journeys: Journeys, population: Population
) -> Events | None:
    return sessions.step(until, world, journeys, population, Chosen(0.1), np.zeros(2, dtype=int))


def test_session_begins_at_its_moment(world: World, journeys: Journeys) -> None:
    """The first event is due at the moment given, and made by a step until after it."""
    sessions, population = Sessions(), small_population()
    sessions.begin(np.array([3, 1]), np.zeros(2), np.array([5.0, 7.0]), population)

    assert sessions.under_way() == 2
    assert _step(sessions, 5.0, world, journeys, population) is None
    first = _step(sessions, 5.001, world, journeys, population)

    assert first is not None
    (row,) = first.rows
    assert (row["time_seconds"], row["user"], row["persona"]) == (5.0, 3, 0)
    assert (row["session_no"], row["session_seq"]) == (1, 1)
    assert row["code"] == CODE["session_start"]
    assert (row["order_row"], row["is_last"]) == (-1, False)
    assert sessions.begun == 2


def test_events_have_the_faults_of_profiles(world: World, journeys: Journeys) -> None:
    """The events of a session have the shares of its profile, and not those of others."""
    sessions, population = Sessions(), small_population()
    sessions.begin(np.array([3, 1]), np.array([1, 0]), np.array([5.0, 7.0]), population)
    faults, plain = np.array([[0, 0, 0], [300, 20, 1]]), np.zeros(2, dtype=int)

    found = sessions.step(8.0, world, journeys, population, Chosen(0.1), plain, faults)

    assert found is not None
    assert dict(zip(found.rows["user"].tolist(), found.rows["faults"].tolist(), strict=True)) == {
        3: [300, 20, 1],
        1: [0, 0, 0],
    }


def test_sessions_are_numbered(shop: _Shop) -> None:
    """Sessions are numbered as they begin, events within each session."""
    shop.enter(1, 4)

    first, second = shop.take("session_start").rows, shop.take("page_view").rows

    assert first["session_no"].tolist() == [1, 2, 3]
    assert first["session_seq"].tolist() == [1, 1, 1]
    assert second["session_seq"].tolist() == [2, 2, 2]
    assert second["persona"].tolist() == [0, 0, 1]


def test_start_tells_number_and_way(world: World, journeys: Journeys) -> None:
    """A session's first event has the number of the session and a way of the user's channel."""
    shop = _Shop(world, journeys, channel=3)
    shop.population.sessions[0] = 7
    shop.enter(0)

    low = shop.take("session_start", 0.49).rows[0]
    high = shop.take("session_start", 0.5).rows[0]

    assert (low["session_number"], low["choice"], high["choice"]) == (7, 6, 7)
    assert shop.take("page_view").rows["session_number"].tolist() == [0]


@pytest.mark.parametrize(
    ("name", "options"),
    [("page_view", PAGES), ("add_shipping_info", SHIPPING), ("add_payment_info", PAYMENTS)],
)
def test_choice_is_even(shop: _Shop, name: str, options: tuple[str, ...]) -> None:
    """Pages, deliveries and payments are chosen evenly from their list."""
    size = len(options)

    found = [int(shop.take(name, at).rows["choice"][0]) for at in (0.0, 1 / size + 0.001, 0.999)]

    assert found == [0, 1, size - 1]


def test_search_chooses_category_and_term(shop: _Shop) -> None:
    """A search draws a category by its share of views, and one of its eight terms."""
    found = [
        int(shop.take("search", *numbers).rows["subject"][0])
        for numbers in ((0.0, 0.0), (0.49, 0.13), (0.5, 0.0), (0.99, 0.99))
    ]

    assert found == [0, 1, 8, 15]


def test_list_after_search_stays(shop: _Shop) -> None:
    """A list after a search is of the category searched for, whatever the numbers."""
    shop.take("search", 0.0)

    assert shop.take("view_item_list", 0.9, 0.9).rows["subject"].tolist() == [0]


def test_list_changes_category(shop: _Shop) -> None:
    """Another list is of the same category for numbers below a half, else drawn."""
    assert shop.take("view_item_list", 0.1, 0.0).rows["subject"].tolist() == [0]
    assert shop.take("view_item_list", 0.9, 0.49).rows["subject"].tolist() == [0]
    assert shop.take("view_item_list", 0.9, 0.5).rows["subject"].tolist() == [1]
    assert shop.take("view_item_list", 0.1, 0.1).rows["subject"].tolist() == [1]


def test_item_is_of_category(shop: _Shop) -> None:
    """An item is drawn in the category at hand, and its value is its price."""
    shop.take("search", 0.6)

    rows = shop.take("view_item", 0.0, 0.0, 0.9).rows

    assert (rows["subject"][0], rows["value_minor"][0]) == (2, 300)
    assert shop.take("view_item", 0.9, 0.0, 0.9).rows["subject"].tolist() == [3]


def test_lost_user_gets_category(shop: _Shop) -> None:
    """Without a category an item's is drawn, and the next list is of it."""
    assert shop.take("view_item", 0.0, 0.0, 0.6).rows["subject"].tolist() == [2]
    assert shop.take("view_item_list", 0.0, 0.0).rows["subject"].tolist() == [1]


def test_cheaper_item_is_taken(shop: _Shop) -> None:
    """A user with a sense for prices takes the cheaper of two, never the dearer."""
    shop.take("search", 0.6)

    assert shop.take("view_item", 0.9, 0.0, 0.19).rows["subject"].tolist() == [2]
    assert shop.take("view_item", 0.9, 0.0, 0.2).rows["subject"].tolist() == [3]
    assert shop.take("view_item", 0.0, 0.9, 0.19).rows["subject"].tolist() == [2]


@pytest.mark.parametrize(
    ("number", "pieces"), [(0.0, 1), (0.799, 1), (0.8, 2), (0.949, 2), (0.95, 3), (0.999, 3)]
)
def test_pieces_follow_number(shop: _Shop, number: float, pieces: int) -> None:
    """Of a hundred additions 80 are of one piece, 15 of two and 5 of three."""
    shop.look_at(3)

    row = shop.take("add_to_cart", number).rows[0]

    assert (row["subject"], row["quantity"]) == (3, pieces)
    assert (row["value_minor"], row["cart_quantity"]) == (400 * pieces, pieces)


def test_same_item_shares_a_line(shop: _Shop) -> None:
    """More of an item goes into its line, another item into a second line."""
    shop.add(0, 1)
    shop.add(3, 2)
    row = shop.add(0, 3).rows[0]

    shown = shop.take("view_cart")
    cart = shown.rows[0]

    assert cart["order_row"] == 0
    assert shown.line_products[0].tolist() == [0, 3, *(6 * [-1])]
    assert (row["value_minor"], row["cart_quantity"]) == (300, 6)
    assert (cart["value_minor"], cart["cart_quantity"]) == (400 + 800, 6)
    assert shop.sessions.lines.max() == 2
    order = shop.take("purchase")
    assert order.line_products[0].tolist() == [0, 3, *(6 * [-1])]
    assert order.line_quantities[0].tolist() == [4, 2, *(6 * [0])]


def test_line_is_taken_out(shop: _Shop) -> None:
    """A removal takes a whole line out; the last line moves to its place."""
    for product, pieces in ((0, 1), (1, 2), (2, 3)):
        shop.add(product, pieces)

    row = shop.take("remove_from_cart", 0.0).rows[0]

    assert (row["subject"], row["quantity"], row["value_minor"]) == (0, 1, 100)
    assert row["cart_quantity"] == 5
    order = shop.take("purchase")
    assert order.rows["value_minor"].tolist() == [2 * 200 + 3 * 300]
    assert order.line_products[0, :3].tolist() == [2, 1, -1]
    assert order.line_quantities[0, :3].tolist() == [3, 2, 0]


def test_last_line_can_go(shop: _Shop) -> None:
    """The highest number takes the last line, and a cart can become empty."""
    shop.add(0)
    shop.add(3)

    assert shop.take("remove_from_cart", 0.999).rows["subject"].tolist() == [3]
    row = shop.take("remove_from_cart", 0.999).rows[0]
    assert (row["subject"], row["cart_quantity"]) == (0, 0)


def test_purchase_empties_the_cart(shop: _Shop) -> None:
    """An order has the cart's lines and value, and leaves the cart empty."""
    shop.add(1, 2)

    order = shop.take("purchase")
    row = order.rows[0]

    assert (row["order_row"], row["value_minor"], row["cart_quantity"]) == (0, 400, 2)
    assert order.line_products.shape == (1, MAX_CART_LINES)
    after = shop.add(1)
    assert after.rows["cart_quantity"].tolist() == [1]
    assert len(after.line_products) == 0
    assert shop.take("view_cart").rows["value_minor"].tolist() == [200]


def test_orders_are_of_their_sessions(shop: _Shop) -> None:
    """Of several orders at once each purchase has the lines of its order."""
    shop.add(0)
    shop.enter(1)
    shop.add(2)

    order = shop.take("purchase")

    assert order.rows["order_row"].tolist() == [0, 1]
    assert order.line_products[:, :3].tolist() == [[0, 2, -1], [2, -1, -1]]


@pytest.mark.parametrize("name", ["page_view", "search", "view_item_list", "view_item"])
def test_looking_tells_no_cart(shop: _Shop, name: str) -> None:
    """Only events from the cart on say what it holds."""
    shop.add(0)

    assert shop.take(name).rows["cart_quantity"].tolist() == [0]


@pytest.mark.parametrize(
    ("persona", "normal", "seconds"),
    [(0, 0.0, 9.0), (4, 0.0, 0.8), (0, 1.0, 9.0 * np.exp(0.9)), (0, 9.0, 1_500.0), (0, -9.0, 0.2)],
)
def test_thinking_takes_time(
    world: World, journeys: Journeys, persona: int, normal: float, seconds: float
) -> None:
    """The next event comes after the persona's log-normal time, from 0.2 s to 25 minutes."""
    shop = _Shop(world, journeys)
    shop.enter(persona)

    before = shop.take("page_view", normal=normal).rows["time_seconds"][0]

    assert shop.sessions.next_seconds.min() - before == pytest.approx(seconds)


def test_next_step_follows_journey(shop: _Shop) -> None:
    """The next step is the journey's for the number, and a session ends with the exit."""
    assert not shop.take("search").rows["is_last"][0]
    assert shop.sessions.code[0] == CODE["page_view"]
    assert shop.take("search", leaves=True).rows["is_last"].tolist() == [True]
    assert shop.sessions.code[0] == EXIT_CODE
    assert shop.sessions.under_way() == 0
    assert not shop.population.is_here[0]


def test_left_cart_is_found_again(shop: _Shop) -> None:
    """A user who leaves a filled cart finds it in the next session."""
    shop.add(1, 2)
    shop.take("page_view", leaves=True)
    assert shop.population.saved_cart[0] >= 0

    shop.enter(0)

    assert shop.population.saved_cart[0] == -1
    cart = shop.take("view_cart").rows[0]
    assert (cart["cart_quantity"], cart["value_minor"]) == (2, 400)
    assert (cart["session_no"], cart["session_seq"]) == (2, 1)


def test_empty_cart_is_not_kept(shop: _Shop) -> None:
    """A session that ends with an empty cart frees its slot."""
    free = len(shop.sessions.free)
    shop.take("page_view", leaves=True)

    assert len(shop.sessions.free) == free + 1
    assert shop.population.saved_cart[0] == -1


def test_new_session_has_empty_cart(shop: _Shop) -> None:
    """A slot that was another user's is empty for the next one, without a category."""
    shop.add(1)
    shop.take("purchase", leaves=True)
    shop.enter(5)

    assert shop.take("view_cart").rows["cart_quantity"].tolist() == [0]
    assert shop.take("view_item_list", 0.6, 0.0).rows["subject"].tolist() == [1]


def test_second_window_starts_empty(shop: _Shop) -> None:
    """Two sessions of one user at once: the first has the cart that was kept."""
    shop.add(1, 3)
    shop.take("page_view", leaves=True)

    shop.enter(0, 0)

    rows = shop.take("view_cart").rows
    assert rows[np.argsort(rows["session_no"])]["cart_quantity"].tolist() == [3, 0]


def test_one_kept_cart_per_user(shop: _Shop) -> None:
    """Of two windows left at once one cart is kept, and the other's slot is free again."""
    free = len(shop.sessions.free) + 1
    shop.enter(0)
    shop.add(1)
    shop.take("page_view", leaves=True)

    assert len(shop.sessions.free) == free - 1
    assert shop.population.saved_cart[0] not in shop.sessions.free


def test_later_cart_replaces_kept_one(shop: _Shop) -> None:
    """A cart saved by a second session replaces the one saved before."""
    free = len(shop.sessions.free) + 1
    shop.enter(0)
    shop.add(2)
    slots = np.flatnonzero(np.isfinite(shop.sessions.next_seconds))
    shop.sessions.next_seconds[slots[1]] += 1e9
    shop.take("page_view", leaves=True)
    shop.sessions.next_seconds[slots[1]] -= 1e9
    assert shop.population.saved_cart[0] == slots[0]

    shop.take("page_view", leaves=True)

    assert shop.population.saved_cart[0] == slots[1]
    assert len(shop.sessions.free) == free - 1


def test_slots_grow_with_sessions(world: World, journeys: Journeys) -> None:
    """More sessions than slots double the slots; none is lost and each keeps its state."""
    sessions = Sessions()
    population = small_population(sizes=(3_000, 0, 0, 0))
    population.sessions[:] = 1
    sessions.begin(np.arange(1_000), np.zeros(1_000), np.arange(1_000.0), population)
    later = np.arange(1_000, 3_000)
    sessions.begin(later, np.zeros(2_000), later.astype(float), population)

    assert sessions.under_way() == 3_000
    assert len(sessions.next_seconds) == len(sessions.line_products) == 4_096
    assert len(sessions.free) == 1_096
    assert sessions.begun == 3_000
    found = _step(sessions, 1e9, world, journeys, population)
    assert found is not None
    rows = found.rows[np.argsort(found.rows["time_seconds"])]
    assert rows["user"].tolist() == list(range(3_000))
    assert rows["session_no"].tolist() == list(range(1, 3_001))


def test_choices_have_their_shares() -> None:
    """Standard delivery and cards are named three times: they are chosen most."""
    assert SHIPPING == ("standard", "standard", "standard", "express", "pickup")
    assert PAYMENTS == ("card", "card", "card", "paypal", "paypal", "invoice", "voucher")
    assert PAGES[0] == "/"


@pytest.fixture
def fond(world: World, journeys: Journeys) -> _Shop:
    """A shop whose users always view a companion of what is in the cart."""
    strengths = {"categoryPermille": 0, "pricePermille": 0, "companions": 1}
    spec = Tastes.model_validate({**strengths, "togetherPermille": 1_000})
    tastes = replace(
        build_tastes(spec, world.catalog, 1), companions=np.array([[2], [3], [0], [1]])
    )
    shop = _Shop(replace(world, tastes=tastes), journeys)
    shop.enter(0)
    return shop


def test_companion_follows_the_cart(fond: _Shop) -> None:
    """The first view after a product was put in the cart is of its companion, also after a list."""
    fond.add(0)
    fond.take("view_item_list", 0.1)

    assert fond.take("view_item", 0.99, 0.99, 0.9).rows["subject"].tolist() == [2]
    # The companion is not in the cart: the next view is of its category.
    assert fond.take("view_item", 0.99, 0.99, 0.9).rows["subject"].tolist() == [3]
    slot = fond.sessions.open_slots()
    assert fond.sessions.category[slot].tolist() == [1]


def test_removed_product_has_no_companion(fond: _Shop) -> None:
    """What was taken out of the cart again brings no companion."""
    fond.add(0)
    fond.take("remove_from_cart")
    fond.take("view_item_list", 0.1)

    assert fond.take("view_item", 0.99, 0.99, 0.9).rows["subject"].tolist() == [1]


def test_cart_ends_the_category(fond: _Shop, shop: _Shop) -> None:
    """With tastes, a list after a product was put in the cart is of a new choice of category."""
    for one, category in ((fond, 1), (shop, 0)):
        one.add(0)
        # The second number lets the list stay in the session's category, if it has one.
        assert one.take("view_item_list", 0.9, 0.1).rows["subject"].tolist() == [category]


def test_saved_cart_brings_companions(fond: _Shop) -> None:
    """A later session that continues with the cart has its companion; a fresh slot has none."""
    fond.add(0)
    fond.take("page_view", leaves=True)
    fond.enter(0, 1)
    fond.take("session_start")

    found = fond.take("view_item", 0.0, 0.0, 0.0).rows

    assert dict(zip(found["user"].tolist(), found["subject"].tolist(), strict=True)) == {0: 2, 1: 0}


def test_nearer_product_is_viewed(world: World, journeys: Journeys) -> None:
    """With the full share, the nearer of two in price is viewed, whatever is cheaper."""
    strengths = {"categoryPermille": 0, "pricePermille": 1_000, "togetherPermille": 0}
    tastes = build_tastes(Tastes.model_validate(strengths), world.catalog, 1)
    shop = _Shop(replace(world, tastes=tastes), journeys)
    users = list(range(8))
    shop.enter(*users)
    shop.take("search", 0.1)

    # Drawn are the cheap one, and then the dear one of the two products of the category.
    found = shop.take("view_item", 0.0, 0.99, 0.0).rows

    levels = tastes.price_levels(0, np.array(users))
    assert found["subject"].tolist() == (levels > 0.5).astype(int).tolist()
    assert 0 < found["subject"].sum() < len(users)
