"""How often each product of a category is viewed, computed and not sampled.

Owns the chances of the choice between two products, by price and by price level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clickstream_generator.core.catalog import Catalog
    from clickstream_generator.core.tastes import Tastes

__all__ = ["category_shares", "cheaper_shares", "nearer_shares", "popular_shares"]

_LEVELS = 64
"""Price levels over which a mean is taken."""


def category_shares(catalog: Catalog) -> np.ndarray:
    """Return each category's share of the choices by popularity, shape (categories,)."""
    return np.add.reduceat(catalog.popularity, catalog.first_product[:-1])


def popular_shares(catalog: Catalog) -> np.ndarray:
    """Return each product's share of its category by popularity, shape (products,)."""
    shares: np.ndarray = catalog.popularity / category_shares(catalog)[catalog.product_category]
    return shares


def cheaper_shares(catalog: Catalog) -> np.ndarray:
    """Return each product's share of its category if the cheaper of two is viewed."""
    return _better_shares(catalog, catalog.price_minor)


def nearer_shares(catalog: Catalog, tastes: Tastes, level: float | None = None) -> np.ndarray:
    """Return each product's share of its category if the nearer of two in price is viewed.

    Args:
        catalog: The catalog.
        tastes: The tastes.
        level: The user's price level; the mean over all users if absent.
    """
    if level is not None:
        return _better_shares(catalog, np.abs(tastes.price_rank - level))
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    found = [nearer_shares(catalog, tastes, float(level)) for level in levels]
    return np.mean(found, axis=0)


def _better_shares(catalog: Catalog, worse: np.ndarray) -> np.ndarray:
    """Return each product's share of its category if the better of two draws is viewed.

    The first draw is kept if both are alike. A product of weight w is viewed if it is drawn first
    and the other is not better, or second and the first is worse: w (S + S'), with S the weight of
    the products that are not better, and S' that of the worse ones.

    Args:
        catalog: The catalog.
        worse: Shape (products,); the smaller, the better.
    """
    category = catalog.product_category
    order = np.lexsort((worse, category))
    weight = popular_shares(catalog)[order]
    sums = np.concatenate([[0.0], np.cumsum(weight)])
    begins = np.flatnonzero(
        np.append(True, (np.diff(worse[order]) != 0) | (np.diff(category[order]) != 0))
    )
    sizes = np.diff(np.append(begins, len(order)))
    first, last = np.repeat(begins, sizes), np.repeat(begins + sizes, sizes)
    end = sums[catalog.first_product[category[order] + 1]]
    found = np.empty(len(order))
    found[order] = weight * (2.0 * end - sums[first] - sums[last])
    return found
