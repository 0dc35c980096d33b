"""The shares of the products of a category, against draws and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clickstream_contract.simulation import Catalog as CatalogSpec
from clickstream_contract.tastes import Tastes as TastesSpec
from clickstream_generator.core.catalog import build_catalog
from clickstream_generator.core.product_shares import (
    category_shares,
    cheaper_shares,
    nearer_shares,
    popular_shares,
)
from clickstream_generator.core.tastes import build_tastes
from worlds import small_catalog

_DRAWS = 200_000


def test_shares_by_hand() -> None:
    """Of two draws from a category of 4 to 1, the cheaper one is the first in 24 of 25 cases."""
    shop = small_catalog()

    assert category_shares(shop) == pytest.approx([0.5, 0.5])
    assert popular_shares(shop) == pytest.approx([0.8, 0.2, 0.5, 0.5])
    assert cheaper_shares(shop) == pytest.approx([0.96, 0.04, 0.75, 0.25])


def test_alike_products_keep_popularity() -> None:
    """Between products with one price, nothing is cheaper: popularity decides."""
    shop = replace(small_catalog(), price_minor=np.array([100, 100, 300, 400]))

    assert cheaper_shares(shop) == pytest.approx([0.8, 0.2, 0.75, 0.25])


def test_shares_are_those_of_draws() -> None:
    """The computed shares are the frequencies of the choices that a session makes."""
    spec = CatalogSpec.model_validate({"products": 40, "categories": 4})
    shop = build_catalog(spec, 1)
    tastes = build_tastes(TastesSpec(), shop, 1)
    rng = np.random.default_rng(1)
    category = np.full(_DRAWS, 2)
    first, other = (shop.draw_products(category, rng.random(_DRAWS)) for _ in range(2))
    cheaper = shop.price_minor[other] < shop.price_minor[first]
    level, levels = 0.3, rng.random(_DRAWS)

    for takes_other, wanted in (
        (cheaper, cheaper_shares(shop)),
        (tastes.is_nearer(np.array(level), first, other), nearer_shares(shop, tastes, level)),
        (tastes.is_nearer(levels, first, other), nearer_shares(shop, tastes)),
    ):
        drawn = np.bincount(np.where(takes_other, other, first), minlength=40) / _DRAWS
        inside = shop.product_category == 2
        assert wanted[inside].sum() == pytest.approx(1.0)
        assert drawn[inside] == pytest.approx(wanted[inside], abs=0.006)
