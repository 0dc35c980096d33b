"""The shop's catalog: categories, products, prices, popularity and search terms.

Popularity follows a power law over all products (Zipf's law with exponent
:data:`POPULARITY_EXPONENT`). Prices are log-normal around a middle price per category.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.countries import LOCALES
from clickstream_contract.currencies import CURRENCIES, MINOR_UNITS
from faker import Faker

from clickstream_generator.core.catalog_words import QUALITIES, WORDS

if TYPE_CHECKING:
    from clickstream_contract.simulation import Catalog as CatalogSpec

    from clickstream_generator.core.catalog_words import Words

__all__ = [
    "POPULARITY_EXPONENT",
    "Catalog",
    "build_catalog",
    "draw_popularity",
    "draw_terms",
    "product_stream",
    "words_of",
]

POPULARITY_EXPONENT = 1.05
_BRANDS, _COLOURS = 60, 80
"""How often Faker is asked; some names come twice."""
_STREAM = 3
"""First number of the random stream's seed; the shards' streams use other numbers."""


@dataclass(frozen=True)
class Catalog:
    """The products of the shop.

    Attributes:
        currency: ISO 4217 code.
        category_names: One per category.
        product_ids: One per product.
        product_names: One per product; products are sorted by category.
        product_brands: One per product.
        product_category: Shape (products,); the category's number.
        price_minor: Shape (products,); minor units of the currency.
        popularity: Shape (products,); share of all product views; the sum is 1.
        cumulative: Shape (products + 1,); running sum of ``popularity``, from 0 to 1.
        first_product: Shape (categories + 1,); number of each category's first product.
        search_terms: Texts; ``term_category`` has each term's category.
    """

    currency: str
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


def build_catalog(spec: CatalogSpec, seed: int) -> Catalog:
    """Return a catalog; the same arguments give the same one.

    Another currency changes only the prices, in proportion to its price level; another locale
    changes only texts.

    Args:
        spec: The numbers of products and categories, the currency and the locale.
        seed: The simulation's seed.
    """
    products, categories = spec.products, spec.categories
    rng = product_stream(seed)
    faker = Faker(LOCALES[spec.locale])
    faker.seed_instance(seed)
    words = words_of(spec)
    names = _category_names(categories, words, rng)
    # Each category has at least one product; the others get a random category.
    category = np.sort(
        np.concatenate([np.arange(categories), rng.integers(0, categories, products - categories)])
    )
    popularity, cumulative = draw_popularity(products, rng)
    middle = np.exp(rng.normal(np.log(45.0), 0.9, categories))
    euros = np.clip(np.exp(rng.normal(np.log(middle[category]), 0.45)), 1.0, 5_000.0)
    prices = np.floor(euros * CURRENCIES[spec.currency])
    brands = tuple(dict.fromkeys(faker.last_name() for _ in range(_BRANDS)))
    brand_of = rng.integers(0, len(brands), products)
    colours = words.colours or tuple(
        dict.fromkeys(_spaced(faker.color_name()) for _ in range(_COLOURS))
    )
    colour_of = rng.integers(0, len(colours), products)
    quality_of = rng.integers(0, len(QUALITIES), products)
    terms, term_category = draw_terms(names, brands, words, rng)
    return Catalog(
        currency=spec.currency,
        category_names=names,
        product_ids=tuple(f"P{number:06d}" for number in range(1, products + 1)),
        product_names=tuple(
            words.product.format(
                quality=QUALITIES[quality], colour=colours[colour], category=names[own]
            )
            for quality, colour, own in zip(quality_of, colour_of, category, strict=True)
        ),
        product_brands=tuple(brands[brand] for brand in brand_of),
        product_category=category.astype(np.int32),
        price_minor=(prices * MINOR_UNITS + 99).astype(np.int64),
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


def words_of(spec: CatalogSpec) -> Words:
    """Return the words of the catalog's language."""
    return WORDS[spec.locale.partition("-")[0]]


def draw_terms(
    names: tuple[str, ...], brands: tuple[str, ...], words: Words, rng: np.random.Generator
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return ``search_terms`` and ``term_category`` of a catalog; see :class:`Catalog`."""
    drawn = [brands[int(rng.integers(0, len(brands)))].lower() for _ in names]
    terms = tuple(
        form.format(word=name.lower(), brand=brand)
        for name, brand in zip(names, drawn, strict=True)
        for form in words.terms
    )
    return terms, np.repeat(np.arange(len(names), dtype=np.int32), len(words.terms))


def _category_names(categories: int, words: Words, rng: np.random.Generator) -> tuple[str, ...]:
    """Return category names: first plain goods, then product lines of these goods."""
    plain = [
        words.category.format(good=good, line=line).strip()
        for line in words.lines
        for good in rng.permutation(words.goods)
    ]
    return tuple(plain[:categories])


def _spaced(name: str) -> str:
    """Return ``DarkSlateGray`` as ``Dark Slate Gray``."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip()
