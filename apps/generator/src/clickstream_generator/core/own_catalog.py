"""A catalog of one's own, from a file.

Owns the products of such a file, their checks, and the catalog that is built from them. Popularity
is drawn as for the shop's own products; see :mod:`clickstream_generator.core.catalog`.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from clickstream_contract.currencies import MINOR_UNITS
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import ITEM_FIELDS

from clickstream_generator.core.catalog import (
    Catalog,
    draw_popularity,
    draw_terms,
    product_stream,
    words_of,
)
from clickstream_generator.core.csv_rows import csv_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clickstream_contract.simulation import Catalog as CatalogSpec

__all__ = ["Product", "catalog_of", "products_from_json", "products_to_json", "read_products"]

_COLUMNS = {
    "id": "product_id",
    "name": "product_name",
    "category": "category",
    "brand": "brand",
    "price": "price_minor",
}
"""The columns of a file, each with the event's field."""
_FIELDS = {row.name: row for row in ITEM_FIELDS}
_MOST_PRODUCTS, _MOST_CATEGORIES = 200_000, 500
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class Product:
    """A product.

    Attributes:
        id: The shop's number of it; unique.
        name, category, brand: Texts.
        price_minor: Minor units of the currency.
    """

    id: str
    name: str
    category: str
    brand: str
    price_minor: int


def read_products(text: str, place: str) -> tuple[Product, ...]:
    """Return the products of a CSV file, or of a YAML file with a list of objects.

    Args:
        text: The file's text; YAML if ``place`` ends with ``.yaml`` or ``.yml``.
        place: The file's name.

    Raises:
        SimulationInvalid: Names the file with the line, the value, and what to do.
    """
    rows = _yaml_rows if place.lower().endswith((".yaml", ".yml")) else _csv_rows
    products: list[Product] = []
    lines: dict[str, int] = {}
    for line, row in rows(text, place):
        where = f"{place}, line {line}"
        if len(products) == _MOST_PRODUCTS:
            raise SimulationInvalid(
                where, None, f"at most {_MOST_PRODUCTS:,} products; remove some"
            )
        product = _product(row, where)
        if product.id in lines:
            raise SimulationInvalid(
                f"{where}, id",
                product.id,
                f"line {lines[product.id]} has it already; use each id once",
            )
        lines[product.id] = line
        products.append(product)
    if not products:
        raise SimulationInvalid(place, "no product", f"add lines with {', '.join(_COLUMNS)}")
    categories = len({product.category for product in products})
    if categories > _MOST_CATEGORIES:
        raise SimulationInvalid(
            f"{place}, category", f"{categories} categories", f"at most {_MOST_CATEGORIES}"
        )
    return tuple(products)


def catalog_of(products: Sequence[Product], spec: CatalogSpec, seed: int) -> Catalog:
    """Return the catalog of the products, sorted by category; the same arguments give the same.

    Args:
        products: The products.
        spec: The currency of the prices, and the locale of the search terms.
        seed: The simulation's seed.
    """
    rng = product_stream(seed)
    names = tuple(dict.fromkeys(product.category for product in products))
    number = {name: place for place, name in enumerate(names)}
    listed = sorted(products, key=lambda product: number[product.category])
    category = np.array([number[product.category] for product in listed], dtype=np.int32)
    popularity, cumulative = draw_popularity(len(listed), rng)
    brands = tuple(dict.fromkeys(product.brand for product in listed))
    terms, term_category = draw_terms(names, brands, words_of(spec), rng)
    return Catalog(
        currency=spec.currency,
        category_names=names,
        product_ids=tuple(product.id for product in listed),
        product_names=tuple(product.name for product in listed),
        product_brands=tuple(product.brand for product in listed),
        product_category=category,
        price_minor=np.array([product.price_minor for product in listed], dtype=np.int64),
        popularity=popularity,
        cumulative=cumulative,
        first_product=np.searchsorted(category, np.arange(len(names) + 1)),
        search_terms=terms,
        term_category=term_category,
    )


def products_to_json(products: Iterable[Product]) -> list[tuple[Any, ...]]:
    """Return products as JSON values, for a run record."""
    return [astuple(product) for product in products]


def products_from_json(rows: Iterable[Sequence[Any]]) -> tuple[Product, ...]:
    """Read the values of :func:`products_to_json`."""
    return tuple(
        Product(str(identity), str(name), str(category), str(brand), int(price_minor))
        for identity, name, category, brand, price_minor in rows
    )


def _csv_rows(text: str, place: str) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    return csv_rows(text, place, _COLUMNS)


def _yaml_rows(text: str, place: str) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = place if mark is None else f"{place}, line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "no YAML"
        raise SimulationInvalid(where, problem, "it must be a list of products in YAML") from None
    if not isinstance(root, yaml.SequenceNode):
        raise SimulationInvalid(place, "no list", "it must be a list of products")
    for node in root.value:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise SimulationInvalid(
                f"{place}, line {line}", "no object", f"it must have {', '.join(_COLUMNS)}"
            )
        # The text as it is written counts: YAML would make 007 a number and 1_0.5 another one.
        yield (
            line,
            {
                key.value: value.value if isinstance(value, yaml.ScalarNode) else None
                for key, value in node.value
            },
        )


def _product(row: Mapping[str, str | None], where: str) -> Product:
    """Return the product of one row."""
    texts: dict[str, str] = {}
    for column, field in _COLUMNS.items():
        value = row.get(column)
        if value is None or not value.strip():
            raise SimulationInvalid(f"{where}, {column}", None, "it is missing; add a value")
        texts[column] = value.strip()
        most = _FIELDS[field].max_length
        if column != "price" and (len(texts[column]) > most or not texts[column].isprintable()):
            raise SimulationInvalid(
                f"{where}, {column}", value, f"at most {most} printable characters"
            )
    price_minor = _price_minor(texts.pop("price"), f"{where}, price")
    return Product(**texts, price_minor=price_minor)


def _price_minor(text: str, where: str) -> int:
    """Return a price in minor units."""
    most = _FIELDS["price_minor"].maximum or 0
    # Decimal reads more, such as 1e5, 1_000, NaN or digits of other scripts.
    price_minor = Decimal(text) * MINOR_UNITS if _PRICE.fullmatch(text) else Decimal(-1)
    if price_minor != price_minor.to_integral_value() or not 0 <= price_minor <= most:
        allowed = (
            f"a number from 0 to {most // MINOR_UNITS} with at most two decimals, such as 19.99"
        )
        raise SimulationInvalid(where, text, allowed)
    return int(price_minor)
