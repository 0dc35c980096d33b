"""Tastes: whom they concern, how often, and what goes together."""

from __future__ import annotations

import numpy as np
import pytest
from clickstream_contract.simulation import Catalog as CatalogSpec
from clickstream_contract.tastes import Tastes as TastesSpec
from clickstream_generator.core.catalog import Catalog, build_catalog
from clickstream_generator.core.product_shares import category_shares
from clickstream_generator.core.tastes import Tastes, build_tastes, spare_uniform

USERS = np.arange(20_000)


def _shop(products: int = 300) -> Catalog:
    spec = {"products": products, "categories": min(12, products)}
    return build_catalog(CatalogSpec.model_validate(spec), 7)


def _tastes(shop: Catalog, **changes: int) -> Tastes:
    return build_tastes(TastesSpec.model_validate(changes), shop, 7)


def test_favourites_are_by_popularity() -> None:
    """All users together like categories by popularity, and each user a few of them."""
    shop = _shop()

    found = _tastes(shop).favourites(shop, 0, USERS)

    shares = np.bincount(found.ravel(), minlength=12) / found.size
    assert found.shape == (len(USERS), 3)
    assert shares == pytest.approx(category_shares(shop), abs=0.01)
    assert abs(np.corrcoef(found[:, 0], found[:, 1])[0, 1]) < 0.03


@pytest.mark.parametrize("permille", [0, 250, 1_000])
def test_categories_have_their_share(permille: int) -> None:
    """The stated share of choices is of a favourite, the rest by popularity."""
    shop = _shop()
    tastes = _tastes(shop, categories=2, categoryPermille=permille)
    count = 100_000
    user = np.append(np.full(count, 5), [6, 7])
    uniform = np.random.default_rng(1).random(count)

    found, levels = tastes.draw(shop, 3, user, uniform)

    liked = np.bincount(tastes.favourites(shop, 3, user[:1])[0], minlength=12) / 2
    share = permille / 1_000
    wanted = (1.0 - share) * category_shares(shop) + share * liked
    assert np.bincount(found, minlength=12) / count == pytest.approx(wanted, abs=0.006)
    assert levels.tolist() == tastes.price_levels(3, user[-2:]).tolist()


def test_users_differ_and_stay() -> None:
    """What a user likes follows from seed, shard and user, and from nothing else."""
    shop = _shop()
    tastes = _tastes(shop)
    levels = tastes.price_levels(0, USERS)

    assert levels.mean() == pytest.approx(0.5, abs=0.01)
    assert (tastes.price_levels(0, USERS[::-1])[::-1] == levels).all()
    assert abs(np.corrcoef(tastes.price_levels(1, USERS), levels)[0, 1]) < 0.03
    other = build_tastes(TastesSpec(), shop, 8)
    assert abs(np.corrcoef(other.price_levels(0, USERS), levels)[0, 1]) < 0.03
    assert (other.companions != tastes.companions).mean() > 0.9


@pytest.mark.parametrize(("products", "count"), [(300, 4), (11, 4), (5, 4), (3, 2), (2, 1)])
def test_companions_are_others(products: int, count: int) -> None:
    """Each product has different companions, which are other products."""
    found = _tastes(_shop(products)).companions

    assert found.shape == (products, count)
    for product, companions in enumerate(found.tolist()):
        assert len({product, *companions}) == count + 1
        assert all(0 <= companion < products for companion in companions)


def test_lone_product_goes_with_itself() -> None:
    """In a shop with one product, it is its companion."""
    assert _tastes(_shop(1)).companions.tolist() == [[0]]


def test_companions_are_equally_likely() -> None:
    """Numbers up to the share choose each companion alike often."""
    shop = _shop()
    tastes = _tastes(shop, togetherPermille=400)
    product = np.full(4_000, 17)

    found = tastes.companions_of(product, np.arange(4_000) / 10_000)

    counts = [np.count_nonzero(found == companion) for companion in tastes.companions[17]]
    assert counts == [1_000] * 4


def test_nearer_is_by_rank() -> None:
    """The price level is a rank within the category: the nearer of two ranks is chosen."""
    shop = _shop()
    tastes = _tastes(shop)
    first, last = shop.first_product[2:4]
    order = first + np.argsort(shop.price_minor[first:last], kind="stable")

    assert (np.diff(tastes.price_rank[order]) > 0).all()
    cheap, dear = order[:1], order[-1:]
    for level, is_dear in ((0.0, False), (0.99, True)):
        assert tastes.is_nearer(np.array([level]), cheap, dear).tolist() == [is_dear]
        assert tastes.is_nearer(np.array([level]), dear, cheap).tolist() == [not is_dear]
    assert not tastes.is_nearer(np.array([0.5]), dear, dear).any()


def test_spare_numbers_are_independent() -> None:
    """The second numbers are even, and say nothing about the first ones."""
    uniform = np.random.default_rng(1).random(100_000)

    found = spare_uniform(uniform)

    assert np.histogram(found, 10, (0.0, 1.0))[0] == pytest.approx(np.full(10, 10_000), rel=0.05)
    assert abs(np.corrcoef(uniform, found)[0, 1]) < 0.015
