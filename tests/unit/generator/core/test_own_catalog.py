"""A catalog of one's own: the products of a file, and what a wrong line gets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.simulation import Catalog as CatalogSpec
from clickstream_generator.core.own_catalog import (
    Product,
    catalog_of,
    products_from_json,
    products_to_json,
    read_products,
)

CSV = (
    "id,name,category,brand,price,colour\n"
    'A-1,"Lamp, ""big""",Lamps,Wood,19.99,red\n'
    "B-2,Hat,Hats,Sand,7,blue\n"
    "C-3,Lämpchen,Lamps,Stone,0.5,red\n"
)
YAML = """
- {id: A-1, name: 'Lamp, "big"', category: Lamps, brand: Wood, price: 19.99}
- {id: B-2, name: Hat, category: Hats, brand: Sand, price: 7}
- id: C-3
  name: Lämpchen
  category: Lamps
  brand: Stone
  price: "0.50"
"""
PRODUCTS = (
    Product("A-1", 'Lamp, "big"', "Lamps", "Wood", 1999),
    Product("B-2", "Hat", "Hats", "Sand", 700),
    Product("C-3", "Lämpchen", "Lamps", "Stone", 50),
)


@pytest.mark.parametrize(
    ("text", "place"),
    [(CSV, "a.csv"), ("\ufeff" + CSV, "a.txt"), (YAML, "a.yaml"), (YAML, "a.YML")],
)
def test_products_are_read(text: str, place: str) -> None:
    """CSV and YAML give the same products; prices are exact cents, other columns are left out."""
    assert read_products(text, place) == PRODUCTS


def test_products_are_kept_in_a_record() -> None:
    """A run record keeps every product."""
    rows = json.loads(json.dumps(products_to_json(PRODUCTS)))
    assert products_from_json(rows) == PRODUCTS


def test_texts_are_kept_as_they_are() -> None:
    """Ids in another case are two ids; quotes and formulas are texts."""
    text = 'id,name,category,brand,price\na,"=""1""+\\2",@c,-b,1.50\nA,x,@c,-b,0\n'
    found = read_products(text, "a.csv")
    assert found == (Product("a", '="1"+\\2', "@c", "-b", 150), Product("A", "x", "@c", "-b", 0))


def test_catalog_has_the_products() -> None:
    """The catalog is sorted by category, its popularity adds up, and a seed gives the same one."""
    shop, again = catalog_of(PRODUCTS, CatalogSpec(), 1), catalog_of(PRODUCTS, CatalogSpec(), 1)
    assert shop.product_ids == ("A-1", "C-3", "B-2")
    assert shop.category_names == ("Lamps", "Hats")
    assert shop.price_minor.tolist() == [1999, 50, 700]
    assert shop.first_product.tolist() == [0, 2, 3]
    assert np.isclose(shop.popularity.sum(), 1)
    assert (shop.cumulative[0], shop.cumulative[-1]) == (0.0, 1.0)
    assert len(shop.search_terms) == len(shop.term_category) == 16
    assert np.array_equal(shop.popularity, again.popularity)
    assert shop.search_terms == again.search_terms
    assert set(shop.draw_products(np.zeros(20, dtype=int), np.linspace(0, 0.99, 20))) <= {0, 1}


def test_catalog_has_currency_and_language() -> None:
    """Prices stay as in the file, in the simulation's currency; searches are in its language."""
    shop = catalog_of(PRODUCTS, CatalogSpec(currency="SEK", locale="de-DE"), 1)

    assert shop.currency == "SEK"
    assert shop.price_minor.tolist() == [1999, 50, 700]
    assert "lamps günstig" in shop.search_terms


def _line(row: str) -> str:
    return f"id,name,category,brand,price\nP1,Hat,Hats,Sand,5\n{row}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            _line("P2,Hat,Hats,Sand,-5"),
            "a.csv, line 3, price: '-5' is not allowed; a number from 0",
        ),
        (_line("P2,Hat,Hats,Sand,1.999"), "a.csv, line 3, price: '1.999' is not allowed"),
        (_line("P2,Hat,Hats,Sand,cheap"), "a.csv, line 3, price: 'cheap' is not allowed"),
        (_line("P2,Hat,Hats,Sand,NaN"), "a.csv, line 3, price: 'NaN' is not allowed"),
        *[
            (_line(f"P2,Hat,Hats,Sand,{price}"), f"a.csv, line 3, price: '{price}' is not allowed")
            for price in ("1e9", "1e5", "1e999999", "1_0", "+5", "\u0661\u0662", "1.005", 10**12)
        ],
        (_line("P2,Hat,Hats,Sand,9,99"), "line 3: ['P2', 'Hat', 'Hats', 'Sand', '9', ['99']] is"),
        (_line("P1,Cap,Hats,Sand,5"), "a.csv, line 3, id: 'P1' is not allowed; line 2 has it"),
        (_line("P2,Hat,Hats,Sand"), "a.csv, line 3, price: it is missing"),
        (_line("P2,,Hats,Sand,5"), "a.csv, line 3, name: it is missing"),
        (_line(f"{'P' * 33},Hat,Hats,Sand,5"), "at most 32 printable characters"),
        (_line("P2,H\x01t,Hats,Sand,5"), "at most 256 printable characters"),
        (_line('P2,"Hat'), "a.csv, line 3: 'unexpected end of data' is not allowed"),
        ("id,name,category,price\n", "a.csv, line 1: ['id', 'name', 'category', 'price'] is not"),
        ("id,name,category,brand,price\n", "a.csv: 'no product' is not allowed"),
        ("", "a.csv, line 1: [] is not allowed; the column id is missing"),
    ],
)
def test_wrong_csv_is_named(text: str, says: str) -> None:
    """A wrong line is refused with file, line, value and what to do."""
    with pytest.raises(SimulationInvalid) as refused:
        read_products(text, "a.csv")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {id: 1, name: a, category: b, brand: c, price: -1}", "a.yaml, line 1, price: '-1' is"),
        ("- {id: 1, name: a, category: b, brand: c}", "a.yaml, line 1, price: it is missing"),
        ("- {id: [1], name: a, category: b, brand: c, price: 1}", "a.yaml, line 1, id: it is"),
        ("\n- a", "a.yaml, line 2: 'no object' is not allowed"),
        ("id: 1", "a.yaml: 'no list' is not allowed"),
        ("- {id: 1}\n- ]", "a.yaml, line 2: "),
        ("[]", "a.yaml: 'no product' is not allowed"),
    ],
)
def test_wrong_yaml_is_named(text: str, says: str) -> None:
    """A wrong entry is refused with file, line, value and what to do."""
    with pytest.raises(SimulationInvalid) as refused:
        read_products(text, "a.yaml")
    assert says in str(refused.value)


def test_too_many_rows_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many products or categories are refused."""
    rows = "".join(f"P{number},Hat,C{number},Sand,5\n" for number in range(502))
    text = f"id,name,category,brand,price\n{rows}"
    with pytest.raises(SimulationInvalid, match="'502 categories' is not allowed; at most 500"):
        read_products(text, "a.csv")
    monkeypatch.setattr("clickstream_generator.core.own_catalog._MOST_PRODUCTS", 10)
    with pytest.raises(SimulationInvalid, match=r"a.csv, line 12: at most 10 products"):
        read_products(text, "a.csv")
