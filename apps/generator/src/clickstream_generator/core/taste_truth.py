"""The truth about tastes: how often the best recommender is right, computed and not sampled.

Owns the test of a recommender and its expectation. The test: a product is put in the cart, and the
next event of the session that views, adds, removes or buys a product is a view. Is it of one of ten
recommended products? With t, g and p the shares of companions, favourites and prices, the chance of
product x after product a is

    t [x goes with a] / companions + (1 - t) q(c) d(x)

for a user who chooses the category c of x with the chance q(c), g for the favourites and else by
popularity, and views x in its category with the chance d(x): for the share p the nearer of two in
price, for the persona's price sense the cheaper of two, else by popularity. Assumed is that the
product in the cart was chosen without a companion.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.product_shares import (
    category_shares,
    cheaper_shares,
    nearer_shares,
    popular_shares,
)
from clickstream_generator.core.segment_truth import (
    first_and_later,
    later_carts,
    sum_of,
    weights_of,
)
from clickstream_generator.core.session_chain import carts_after, views_after_adds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_generator.core.behaviour import Behaviour
    from clickstream_generator.core.tastes import Tastes
    from clickstream_generator.core.world import World

__all__ = [
    "RECOMMENDED",
    "RecommenderTruth",
    "UserTaste",
    "ViewChances",
    "recommender_truths",
    "user_tastes",
]

RECOMMENDED = 10
"""Number of products that a recommender names."""
_MOST_USERS, _MOST_CHANCES = 500, 1_000_000
"""The mean is over so many users; over fewer for a large catalog."""
_BLOCK = 10_000


@dataclass(frozen=True)
class UserTaste:
    """What a user likes.

    Attributes:
        user_id: As in the events.
        categories: The favourite categories, with the share of each among the choices of one.
        price_level: The rank of the price in each category that the user likes most, in [0, 1).
    """

    user_id: str
    categories: dict[str, float]
    price_level: float


@dataclass(frozen=True)
class RecommenderTruth:
    """The hit rate of a recommender in the test.

    Attributes:
        recommender: ``popular`` names the products with most views, ``companions`` knows also which
            products go together, ``best`` knows also what each user likes.
        hit_rate: Share of the views that are of one of its products.
        margin: Its hit rate less that of ``popular``.
    """

    recommender: str
    hit_rate: float
    margin: float


class ViewChances:
    """The chances of each product in a view that no companion takes.

    Args:
        world: The run's world, with tastes.
        tastes: Its tastes.
    """

    def __init__(self, world: World, tastes: Tastes) -> None:
        shop = world.catalog
        self._world, self._tastes = world, tastes
        self._category = category_shares(shop)
        self._plain, self._cheaper = popular_shares(shop), cheaper_shares(shop)

    def of_user(self, shard: int, user: int, persona: int) -> np.ndarray:
        """Return the chances for a user, shape (products,)."""
        shop, tastes = self._world.catalog, self._tastes
        number = np.array([user])
        liked = tastes.favourites(shop, shard, number)[0]
        likes = np.bincount(liked, minlength=len(self._category)) / len(liked)
        category = (1.0 - tastes.category_share) * self._category + tastes.category_share * likes
        level = float(tastes.price_levels(shard, number)[0])
        return self._within(category, nearer_shares(shop, tastes, level), persona)

    def of_all(self, persona: int) -> np.ndarray:
        """Return the mean of the chances over all users of a persona, shape (products,)."""
        nearer = nearer_shares(self._world.catalog, self._tastes)
        return self._within(self._category, nearer, persona)

    def _within(self, category: np.ndarray, nearer: np.ndarray, persona: int) -> np.ndarray:
        sense, price = self._world.price_sense[persona], self._tastes.price_share
        own = (1.0 - sense) * self._plain + sense * self._cheaper
        chances: np.ndarray = category[self._world.catalog.product_category] * (
            (1.0 - price) * own + price * nearer
        )
        return chances


def user_tastes(behaviour: Behaviour, tastes: Tastes) -> Iterator[UserTaste]:
    """Yield what each user likes, with the favourite liked most first; shard by shard."""
    spec, shop = behaviour.spec, behaviour.world.catalog
    for shard in range(spec.shards):
        numbers = range(shard, spec.users, spec.shards)
        for start in range(0, len(numbers), _BLOCK):
            block = numbers[start : start + _BLOCK]
            user = np.array(block) // spec.shards
            liked = tastes.favourites(shop, shard, user).tolist()
            levels = tastes.price_levels(shard, user).tolist()
            for number, categories, level in zip(block, liked, levels, strict=True):
                shares = {
                    shop.category_names[category]: count / len(categories)
                    for category, count in Counter(categories).most_common()
                }
                yield UserTaste(f"u{number}", shares, level)


def recommender_truths(behaviour: Behaviour, tastes: Tastes) -> list[RecommenderTruth]:
    """Return the truth of each recommender, before the first overlay for some time begins.

    Raises:
        SimulationInvalid: No session can have a view in the test.
    """
    world, spec = behaviour.world, behaviour.spec
    chances = ViewChances(world, tastes)
    shares = _persona_shares(behaviour)
    personas = np.flatnonzero(shares).tolist()
    everyone = sum(shares[persona] * chances.of_all(persona) for persona in personas)
    popular = np.argsort(-everyone, kind="stable")[:RECOMMENDED]
    share, companions = tastes.together_share, tastes.companions
    after = np.zeros(len(everyone))
    np.add.at(after, companions, everyone[:, None] / companions.shape[1])
    popular_rate = (share * after + (1.0 - share) * everyone)[popular].sum()
    best_rate = 0.0
    most = int(np.clip(_MOST_CHANCES // len(everyone), 20, _MOST_USERS))
    for persona in personas:
        count = min(spec.users, ceil(shares[persona] * most))
        rates = []
        for number in np.linspace(0, spec.users - 1, count).astype(int).tolist():
            user, shard = divmod(number, spec.shards)
            own = chances.of_user(shard, user, persona)
            rates.append(own @ _best_rates(own, tastes))
        best_rate += shares[persona] * np.mean(rates)
    hit_rates = {
        "popular": popular_rate,
        "companions": everyone @ _best_rates(everyone, tastes),
        "best": best_rate,
    }
    return [
        RecommenderTruth(name, float(rate), float(rate - popular_rate))
        for name, rate in hit_rates.items()
    ]


def _best_rates(chances: np.ndarray, tastes: Tastes) -> np.ndarray:
    """Return the sum of the highest chances after each product, shape (products,).

    Args:
        chances: Shape (products,); of a view that no companion takes.
        tastes: The tastes.
    """
    companions, share = tastes.companions, tastes.together_share
    other = (1.0 - share) * chances
    highest = np.argsort(-other, kind="stable")[:RECOMMENDED]
    # A companion that is among the highest counts once.
    twice = (companions[:, :, None] == highest).any(axis=1)
    found = np.concatenate(
        [
            np.where(twice, 0.0, other[highest]),
            other[companions] + share / companions.shape[1],
        ],
        axis=1,
    )
    if found.shape[1] > RECOMMENDED:
        found = np.partition(found, -RECOMMENDED, axis=1)[:, -RECOMMENDED:]
    rates: np.ndarray = found.sum(axis=1)
    return rates


def _persona_shares(behaviour: Behaviour) -> np.ndarray:
    """Return each persona's share of the views in the test, shape (personas,)."""
    tables = behaviour.journeys.probability
    weights = weights_of(behaviour, 0)
    carts = np.array([carts_after(table) for table in tables])
    begins = later_carts(behaviour, 0, weights, carts)
    views = np.array([views_after_adds(table) for table in tables])
    figures = first_and_later(behaviour, 0, views, begins)
    numbers = np.arange(len(behaviour.world.personas))
    found = np.array(
        [
            sum_of(
                behaviour,
                figures,
                replace(weights, week=weights.week * (numbers == persona)[:, None]),
            )
            for persona in numbers
        ]
    )
    if not found.sum():
        names = [share.persona for share in behaviour.spec.user_mix]
        allowed = "a persona that views a product after it put one in the cart"
        raise SimulationInvalid("spec.userMix", names, allowed)
    return found / found.sum()
