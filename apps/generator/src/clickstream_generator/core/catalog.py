"""The shop's catalog: categories, products, prices, popularity and search terms.

Popularity follows a power law over all products (Zipf's law with exponent
:data:`POPULARITY_EXPONENT`). Prices are log-normal around a middle price per category.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from faker import Faker

__all__ = [
    "POPULARITY_EXPONENT",
    "Catalog",
    "build_catalog",
    "draw_popularity",
    "draw_terms",
    "product_stream",
]

POPULARITY_EXPONENT = 1.05
_TERMS_PER_CATEGORY = 8
_BRANDS = 60
_STREAM = 3
"""First number of the random stream's seed; the shards' streams use other numbers."""

_GOODS = (
    "Backpack",
    "Belt",
    "Blanket",
    "Bottle",
    "Bowl",
    "Camera",
    "Candle",
    "Chair",
    "Charger",
    "Clock",
    "Coat",
    "Cushion",
    "Desk",
    "Drill",
    "Dress",
    "Drone",
    "Earbuds",
    "Frame",
    "Gloves",
    "Grill",
    "Guitar",
    "Hat",
    "Headphones",
    "Helmet",
    "Jacket",
    "Jeans",
    "Kettle",
    "Keyboard",
    "Knife",
    "Lamp",
    "Laptop",
    "Mat",
    "Mixer",
    "Monitor",
    "Mouse",
    "Mug",
    "Notebook",
    "Pan",
    "Perfume",
    "Phone",
    "Planter",
    "Printer",
    "Puzzle",
    "Router",
    "Rug",
    "Sandals",
    "Scarf",
    "Shelf",
    "Shirt",
    "Skirt",
    "Sneakers",
    "Socks",
    "Sofa",
    "Speaker",
    "Sunglasses",
    "Sweater",
    "Tablet",
    "Tent",
    "Toaster",
    "Towel",
    "Tripod",
    "Umbrella",
    "Vase",
    "Wallet",
    "Watch",
)
_LINES = ("", "Kids", "Outdoor", "Travel", "Office", "Sport", "Vintage", "Luxury")
_QUALITIES = (
    "Classic",
    "Compact",
    "Deluxe",
    "Essential",
    "Everyday",
    "Foldable",
    "Handmade",
    "Light",
    "Modern",
    "Original",
    "Premium",
    "Pro",
    "Slim",
    "Soft",
    "Solid",
    "Urban",
)


@dataclass(frozen=True)
class Catalog:
    """The products of the shop.

    Attributes:
        category_names: One per category.
        product_ids: One per product.
        product_names: One per product; products are sorted by category.
        product_brands: One per product.
        product_category: Shape (products,); the category's number.
        price_minor: Shape (products,); cents.
        popularity: Shape (products,); share of all product views; the sum is 1.
        cumulative: Shape (products + 1,); running sum of ``popularity``, from 0 to 1.
        first_product: Shape (categories + 1,); number of each category's first product.
        search_terms: Texts; ``term_category`` has each term's category.
    """

    category_names: tuple[str, ...]
    product_ids: tuple[str, ...]
    product_names: tuple[str, ...]
    product_brands: tuple[str, ...]
    product_category: np.ndarray
    price_minor: np.ndarray
    popularity: np.ndarray
    cumulative: np.ndarray
    first_product: np.ndarray
    search_terms: tuple[str, ...]
    term_category: np.ndarray

    def draw_categories(self, uniform: np.ndarray) -> np.ndarray:
        """Return categories by their share of product views, for numbers in [0, 1)."""
        at = np.searchsorted(self.cumulative, uniform, side="right") - 1
        return self.product_category[np.minimum(at, len(self.price_minor) - 1)]

    def draw_products(self, category: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return products of the given categories by popularity, for numbers in [0, 1)."""
        low = self.cumulative[self.first_product[category]]
        high = self.cumulative[self.first_product[category + 1]]
        at = np.searchsorted(self.cumulative, low + (high - low) * uniform, side="right") - 1
        return np.clip(at, self.first_product[category], self.first_product[category + 1] - 1)


def build_catalog(products: int, categories: int, seed: int) -> Catalog:
    """Return a catalog; the same arguments give the same one.

    Args:
        products: How many products, at least one per category.
        categories: How many categories.
        seed: The simulation's seed.
    """
    rng = product_stream(seed)
    faker = Faker("en_US")
    faker.seed_instance(seed)
    names = _category_names(categories, rng)
    # Each category has at least one product; the others get a random category.
    category = np.sort(
        np.concatenate([np.arange(categories), rng.integers(0, categories, products - categories)])
    )
    popularity, cumulative = draw_popularity(products, rng)
    middle = np.exp(rng.normal(np.log(45.0), 0.9, categories))
    euros = np.clip(np.exp(rng.normal(np.log(middle[category]), 0.45)), 1.0, 5_000.0)
    brands = tuple(dict.fromkeys(faker.last_name() for _ in range(_BRANDS)))
    brand_of = rng.integers(0, len(brands), products)
    colours = tuple(dict.fromkeys(_spaced(faker.color_name()) for _ in range(80)))
    colour_of = rng.integers(0, len(colours), products)
    quality_of = rng.integers(0, len(_QUALITIES), products)
    terms, term_category = draw_terms(names, brands, rng)
    return Catalog(
        category_names=names,
        product_ids=tuple(f"P{number:06d}" for number in range(1, products + 1)),
        product_names=tuple(
            f"{_QUALITIES[quality]} {colours[colour]} {names[own]}"
            for quality, colour, own in zip(quality_of, colour_of, category, strict=True)
        ),
        product_brands=tuple(brands[brand] for brand in brand_of),
        product_category=category.astype(np.int32),
        price_minor=(np.floor(euros) * 100 + 99).astype(np.int64),
        popularity=popularity,
        cumulative=cumulative,
        first_product=np.searchsorted(category, np.arange(categories + 1)),
        search_terms=terms,
        term_category=term_category,
    )


def product_stream(seed: int) -> np.random.Generator:
    """Return the random stream of the catalog."""
    return np.random.default_rng([_STREAM, seed])


def draw_popularity(products: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return ``popularity`` and ``cumulative`` of a catalog; see :class:`Catalog`."""
    ranks = rng.permutation(products) + 1.0
    popularity = ranks**-POPULARITY_EXPONENT
    popularity /= popularity.sum()
    cumulative = np.concatenate([[0.0], np.cumsum(popularity)])
    cumulative[-1] = 1.0
    return popularity, cumulative


def draw_terms(
    names: tuple[str, ...], brands: tuple[str, ...], rng: np.random.Generator
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return ``search_terms`` and ``term_category`` of a catalog; see :class:`Catalog`."""
    terms = tuple(term for name in names for term in _terms(name, brands, rng))
    return terms, np.repeat(np.arange(len(names), dtype=np.int32), _TERMS_PER_CATEGORY)


def _category_names(categories: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Return category names: first plain goods, then product lines of these goods."""
    plain = [f"{line} {good}".strip() for line in _LINES for good in rng.permutation(_GOODS)]
    return tuple(plain[:categories])


def _spaced(name: str) -> str:
    """Return ``DarkSlateGray`` as ``Dark Slate Gray``."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip()


def _terms(category: str, brands: tuple[str, ...], rng: np.random.Generator) -> list[str]:
    """Return the search terms for a category."""
    word = category.lower()
    brand = brands[int(rng.integers(0, len(brands)))].lower()
    return [
        word,
        f"cheap {word}",
        f"best {word}",
        f"{brand} {word}",
        f"{word} sale",
        f"{word} gift",
        f"new {word}",
        f"{word} review",
    ]
