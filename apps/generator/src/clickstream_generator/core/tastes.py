"""Tastes: the categories and prices that a user likes, and the products that go together.

Owns how ``spec.tastes`` changes the choice of a category and of a product. What a user likes
follows from a hash of seed, shard and user; which products go together follows from the seed. So
nothing is stored, and each choice uses only numbers that the step draws without tastes too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.user_hash import hash_key, hashed_uniform

if TYPE_CHECKING:
    from clickstream_contract.tastes import Tastes as TastesSpec

    from clickstream_generator.core.catalog import Catalog

__all__ = ["Tastes", "build_tastes", "spare_uniform"]

_STREAM = 5
"""First number of the random stream's seed; those of users and of faults have others."""
_HIGH_BITS = 2.0**20
"""A choice hardly depends on the bits of its number after the first 20."""

_SMALLEST = 1e-9


def spare_uniform(uniform: np.ndarray) -> np.ndarray:
    """Return a second number in [0, 1) for each, from the 33 bits that the first hardly needs."""
    scaled = uniform * _HIGH_BITS
    return scaled - np.floor(scaled)


@dataclass(frozen=True)
class Tastes:
    """What the users of a run like.

    Attributes:
        category_share: Share of the choices of a category that are of a favourite.
        price_share: Share of the views that are of the one of two products nearer in price.
        together_share: Share of the views after an item in the cart that are of a companion.
        keys: Shape (1 + favourites,); of the hashes of the price level and of each favourite.
        price_rank: Shape (products,); rank of the price within the category, in (0, 1).
        companions: Shape (products, companions); the products that go with each product.
    """

    category_share: float
    price_share: float
    together_share: float
    keys: np.ndarray
    price_rank: np.ndarray
    companions: np.ndarray

    def draw(
        self, catalog: Catalog, shard: int, user: np.ndarray, uniform: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return categories, for the share a favourite and else by popularity, and price levels.

        Args:
            catalog: The shop's catalog.
            shard: The shard of the users.
            user: Shape (choices + views,); who chooses a category, then whose level is wanted.
            uniform: Shape (choices,); in [0, 1).

        Returns:
            Shapes (choices,) and (views,).
        """
        # One hash for both: a step has few rows, so NumPy's cost is per call.
        count, favourites = len(uniform), len(self.keys) - 1
        place = np.zeros(len(user), dtype=np.int64)
        scale = favourites / max(self.category_share, _SMALLEST)
        place[:count] = np.minimum(1.0 + uniform * scale, favourites)
        hashed = hashed_uniform(self.keys[place], shard, user)
        popular = (uniform - self.category_share) / max(1.0 - self.category_share, _SMALLEST)
        numbers = np.where(popular < 0.0, hashed[:count], popular)
        return catalog.draw_categories(numbers), hashed[count:]

    def favourites(self, catalog: Catalog, shard: int, user: np.ndarray) -> np.ndarray:
        """Return the favourite categories of users, shape (users, favourites).

        Each is drawn by popularity, so that all users together choose categories by popularity. A
        category that is drawn twice is liked twice as much.
        """
        drawn = [hashed_uniform(key, shard, user) for key in self.keys[1:]]
        return catalog.draw_categories(np.stack(drawn, axis=1))

    def price_levels(self, shard: int, user: np.ndarray) -> np.ndarray:
        """Return the price levels of users: the rank in each category that they like most."""
        return hashed_uniform(self.keys[0], shard, user)

    def is_nearer(self, level: np.ndarray, first: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return whether the other product is nearer to the price level than the first."""
        nearer: np.ndarray = np.abs(self.price_rank[other] - level) < np.abs(
            self.price_rank[first] - level
        )
        return nearer

    def companions_of(self, product: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return a companion of each product, for numbers from 0 up to the share."""
        number = self.companions.shape[1]
        place = (uniform * (number / max(self.together_share, _SMALLEST))).astype(np.int64)
        return self.companions[product, np.minimum(place, number - 1)]


def build_tastes(spec: TastesSpec, catalog: Catalog, seed: int) -> Tastes:
    """Return the tastes of a run.

    Args:
        spec: The strengths.
        catalog: The shop's catalog.
        seed: The simulation's seed.
    """
    return Tastes(
        category_share=spec.category_permille / 1_000,
        price_share=spec.price_permille / 1_000,
        together_share=spec.together_permille / 1_000,
        keys=np.array(
            [
                hash_key(seed, f"taste:{name}")
                for name in ("price", *(f"category:{at}" for at in range(spec.categories)))
            ]
        ),
        price_rank=_price_rank(catalog),
        companions=_companions(len(catalog.price_minor), spec.companions, seed),
    )


def _price_rank(catalog: Catalog) -> np.ndarray:
    """Return the rank of each product's price within its category, in (0, 1)."""
    category, products = catalog.product_category, len(catalog.price_minor)
    rank = np.empty(products)
    rank[np.lexsort((catalog.price_minor, category))] = np.arange(products)
    first, size = catalog.first_product[:-1], np.diff(catalog.first_product)
    ranks: np.ndarray = (rank - first[category] + 0.5) / size[category]
    return ranks


def _companions(products: int, wanted: int, seed: int) -> np.ndarray:
    """Return different companions for each product, at most all others; a lone one has itself."""
    rng = np.random.default_rng([_STREAM, products, seed])
    count = min(wanted, max(1, products - 1))
    step = rng.integers(1, max(2, products), (products, count))
    while (twice := np.flatnonzero((np.diff(np.sort(step, axis=1), axis=1) == 0).any(axis=1))).size:
        step[twice] = rng.integers(1, max(2, products), (len(twice), count))
    return ((np.arange(products)[:, None] + step) % products).astype(np.int32)
