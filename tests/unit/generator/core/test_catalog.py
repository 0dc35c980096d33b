"""The catalog: products, popularity and search terms."""

from __future__ import annotations

import numpy as np
import pytest
from clickstream_contract.countries import LOCALES
from clickstream_contract.currencies import CURRENCIES
from clickstream_contract.simulation import Catalog as CatalogSpec
from clickstream_generator.core.catalog import POPULARITY_EXPONENT, Catalog, build_catalog
from worlds import small_catalog


@pytest.fixture(scope="module")
def shop() -> Catalog:
    """A shop of 300 products in 70 categories: more than there are plain goods."""
    return build_catalog(CatalogSpec(products=300, categories=70), 42)


def test_every_category_has_products(shop: Catalog) -> None:
    """Products are sorted by category, and no category is empty."""
    assert len(shop.category_names) == len(set(shop.category_names)) == 70
    assert (np.diff(shop.product_category) >= 0).all()
    assert set(shop.product_category.tolist()) == set(range(70))
    assert shop.first_product[0] == 0
    assert shop.first_product[-1] == 300
    counts = np.bincount(shop.product_category, minlength=70)
    assert np.diff(shop.first_product).tolist() == counts.tolist()


def test_categories_begin_with_plain_goods(shop: Catalog) -> None:
    """The first 65 categories are goods; the next are the same goods for kids."""
    plain, kids = shop.category_names[:65], shop.category_names[65:]

    assert all(" " not in name for name in plain)
    assert all(name.startswith("Kids ") for name in kids)
    assert {name.removeprefix("Kids ") for name in kids} < set(plain)


def test_popularity_is_a_power_law(shop: Catalog) -> None:
    """The n-th product has the share n ** -1.05 of all looks, in any order of products."""
    wanted = np.arange(1, 301) ** -1.05

    assert POPULARITY_EXPONENT == 1.05
    assert np.allclose(np.sort(shop.popularity)[::-1], wanted / wanted.sum())
    assert not (np.diff(shop.popularity) < 0).all()


def test_cumulative_ends_at_one(shop: Catalog) -> None:
    """The running sum goes from 0 to exactly 1."""
    assert len(shop.cumulative) == 301
    assert (shop.cumulative[0], shop.cumulative[-1]) == (0.0, 1.0)
    assert np.allclose(np.diff(shop.cumulative), shop.popularity)


def test_prices_end_with_99() -> None:
    """A price is whole euros and 99 cents, from 1.99 to 5000.99 euros, around its category's."""
    prices = build_catalog(CatalogSpec(products=50_000, categories=500), 42).price_minor

    assert set((prices % 100).tolist()) == {99}
    assert prices.min() == 199
    assert prices.max() <= 500_099
    assert np.median(np.log(prices / 100)) == pytest.approx(np.log(45), abs=0.1)
    assert np.std(np.log(prices / 100)) == pytest.approx(np.hypot(0.9, 0.45), abs=0.1)


def test_names_tell_quality_and_category(shop: Catalog) -> None:
    """A product's name is a quality, a colour and its category; a brand makes many products."""
    for name, own in zip(shop.product_names, shop.product_category.tolist(), strict=True):
        assert name.endswith(f" {shop.category_names[own]}")
        assert len(name.split()) >= 3
    assert 40 <= len(set(shop.product_brands)) <= 60
    assert len(shop.product_brands) == 300


def test_terms_lead_to_their_category(shop: Catalog) -> None:
    """Each category has eight search terms, all of which name it."""
    assert len(shop.search_terms) == len(shop.term_category) == 560
    for term, category in zip(shop.search_terms, shop.term_category.tolist(), strict=True):
        assert shop.category_names[category].lower() in term
    word = shop.category_names[0].lower()
    terms = list(shop.search_terms[:8])
    assert terms.pop(3).removesuffix(f" {word}") in {name.lower() for name in shop.product_brands}
    assert terms == [
        word, f"cheap {word}", f"best {word}", f"{word} sale", f"{word} gift", f"new {word}",
        f"{word} review",
    ]  # fmt: skip


NAMES = ("Grill", "Jeans")
PRODUCTS = (
    "Light Pale Golden Rod Grill",
    "Original Aquamarine Jeans",
    "Modern Fuchsia Jeans",
    "Urban Orchid Jeans",
)
BRANDS = ("Sanchez", "Sanchez", "Jones", "Coleman")
PRICES = [4199, 6799, 5699, 6399]
CATEGORY = [0, 1, 1, 1]


def test_seed_decides_the_catalog() -> None:
    """The same arguments make the same catalog, in every release; another seed another one."""
    first, again, other = (
        build_catalog(CatalogSpec(products=4, categories=2), seed) for seed in (7, 7, 8)
    )

    assert first.product_names == again.product_names != other.product_names
    assert first.price_minor.tolist() == again.price_minor.tolist()
    assert first.category_names == NAMES
    assert first.product_names == PRODUCTS
    assert first.product_brands == BRANDS
    assert first.price_minor.tolist() == PRICES
    assert first.product_category.tolist() == CATEGORY


def test_smallest_shop_has_one_product() -> None:
    """One product in one category is a shop."""
    shop = build_catalog(CatalogSpec(products=1, categories=1), 0)

    assert shop.cumulative.tolist() == [0.0, 1.0]
    assert shop.first_product.tolist() == [0, 1]
    assert shop.draw_products(np.array([0]), np.array([0.999])).tolist() == [0]


def test_categories_are_drawn_by_looks() -> None:
    """A category is drawn by the looks at all its products, up to the very end."""
    uniform = np.array([0.0, 0.39, 0.4, 0.499, 0.5, 0.74, 0.75, 0.999, 1.0])

    assert small_catalog().draw_categories(uniform).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]


def test_products_are_drawn_within_category() -> None:
    """A product is drawn by its looks among those of its category, up to the very end."""
    category = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    uniform = np.array([0.0, 0.79, 0.81, 1.0, 0.0, 0.49, 0.5, 1.0])

    assert small_catalog().draw_products(category, uniform).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("locale", LOCALES)
def test_locale_changes_texts_only(shop: Catalog, locale: str) -> None:
    """The shop in another locale has other names, and is the same otherwise."""
    own = build_catalog(CatalogSpec(products=300, categories=70, locale=locale), 42)

    assert len(set(own.category_names)) == 70
    assert own.product_names != shop.product_names or locale.startswith("en-")
    assert (own.price_minor == shop.price_minor).all()
    assert (own.popularity == shop.popularity).all()
    assert (own.product_category == shop.product_category).all()
    assert (own.term_category == shop.term_category).all()
    names = (*own.category_names, *own.product_names, *own.product_brands, *own.search_terms)
    assert all(name == name.strip() and "  " not in name and "{" not in name for name in names)
    assert max(map(len, names)) <= 100


def test_shop_speaks_its_language() -> None:
    """A German shop names its goods, and what visitors search for, in German."""
    shop = build_catalog(CatalogSpec(products=65, categories=65, locale="de-DE"), 42)

    place = shop.category_names.index("Rucksack")
    assert shop.product_names[place].startswith("Rucksack ")
    assert "rucksack günstig" in shop.search_terms


@pytest.mark.parametrize("currency", CURRENCIES)
def test_prices_have_their_size(shop: Catalog, currency: str) -> None:
    """A price is that in euros times the price level, to less than one unit."""
    own = build_catalog(CatalogSpec(products=300, categories=70, currency=currency), 42)

    level = CURRENCIES[currency]
    assert own.currency == currency
    assert set((own.price_minor % 100).tolist()) == {99}
    assert (abs(own.price_minor - shop.price_minor * level) <= 100 * level + 100).all()
    assert own.product_names == shop.product_names
