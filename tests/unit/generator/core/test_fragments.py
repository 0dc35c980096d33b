"""Fragments: the JSON of all that is known before a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.fragments import (
    Fragments,
    build_fragments,
    members,
)
from clickstream_generator.core.sessions import PAGES, PAYMENTS, SHIPPING
from clickstream_generator.core.world import CHANNELS
from hypothesis import given
from hypothesis import strategies as st
from worlds import small_catalog, small_world

if TYPE_CHECKING:
    import pyarrow as pa


@pytest.fixture(scope="module")
def fragments() -> Fragments:
    """Return what events of the small world are made from."""
    return build_fragments(small_world())


def _read(pool: pa.Array, place: int) -> object:
    """Return an entry as a JSON object."""
    return json.loads("{" + str(pool[place]) + "}")


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text() | st.integers() | st.none()))
def test_members_are_json(values: dict[str, object]) -> None:
    """Members in braces are the object, whatever characters the texts have."""
    assert json.loads("{" + members(**values) + "}") == values


def test_members_are_compact() -> None:
    """Members have no spaces, and characters beyond ASCII as they are."""
    assert members(a=1, b="é\n") == '"a":1,"b":"é\\n"'


def test_personas_and_channels_are_indexed(fragments: Fragments) -> None:
    """A user is at persona times channels plus channel."""
    assert len(fragments.persona_channels) == 14
    assert _read(fragments.persona_channels, 6) == {"persona": "Browser", "channel": "affiliate"}
    assert _read(fragments.persona_channels, 7 + 1) == {"persona": "Bot", "channel": "direct"}


def test_places_and_machines(fragments: Fragments) -> None:
    """Cities and machines are at their numbers in the world."""
    assert _read(fragments.cities, 41) == {"country": "US", "city": "US 1", "language": "en-US"}
    assert _read(fragments.technologies, 1) == {
        "device": "desktop", "os": "Linux", "browser": "Crawler",
    }  # fmt: skip
    assert _read(fragments.user_agents, 0) == {"user_agent": "agent of a phone"}


def test_absent_referrer_is_left_out(fragments: Fragments) -> None:
    """An arrival has a referrer and a campaign only if they exist."""
    found = [_read(fragments.arrivals, 2 * place) for place in range(len(CHANNELS))]

    assert found[0] == {"page": "/organic_search/0", "referrer": "https://www.google.com/"}
    assert found[1] == {"page": "/direct/0"}
    assert found[2] == {
        "page": "/paid_search/0",
        "referrer": "https://www.google.com/aclk",
        "campaign": "spring-x",
    }
    assert found[4] == {"page": "/email/0", "campaign": "spring-x"}


def test_looks_have_pages(fragments: Fragments) -> None:
    """Pages, searches and lists have a page and what they are about."""
    assert [_read(fragments.pages, place) for place in range(len(PAGES))] == [
        {"page": page} for page in PAGES
    ]
    assert _read(fragments.terms, 9) == {"page": "/search", "search_term": "hat 1"}
    assert _read(fragments.categories, 1) == {"page": "/c/kids-hat", "category": "Kids Hat"}


PRODUCT = {
    "page": "/p/P000003",
    "category": "Kids Hat",
    "product_id": "P000003",
    "product_name": "Pro Red Hat",
    "brand": "Wood",
    "price_minor": 300,
}


def test_products_have_ids(fragments: Fragments) -> None:
    """A product's id is its number from 1, and names its page."""
    assert len(fragments.products) == 4
    assert _read(fragments.products, 2) == PRODUCT


def test_viewed_product_has_value(fragments: Fragments) -> None:
    """A product looked at is worth its price, in the shop's currency."""
    assert _read(fragments.viewed_products, 2) == {
        **PRODUCT, "value_minor": 300, "currency": "EUR",
    }  # fmt: skip
    assert fragments.currency == '"currency":"EUR"'


def test_order_line_lacks_quantity(fragments: Fragments) -> None:
    """A line of an order is written as ``jsonb`` prints it, around its quantity."""
    line = f"{fragments.lines_before[3]}7{fragments.lines_after[3]}"

    assert line == (
        '{"brand": "Sand", "category": "Kids Hat", "quantity": 7, "product_id": "P000004",'
        ' "price_minor": 400, "product_name": "Light Red Hat"}'
    )


def test_order_line_keeps_its_letters() -> None:
    """Texts of an order line have characters beyond ASCII as they are."""
    shop = replace(small_catalog(), product_brands=("Grün", "Grün", "Grün", "Grün"))

    (line, *_) = build_fragments(replace(small_world(), catalog=shop)).lines_before.to_pylist()
    assert line == '{"brand": "Grün", "category": "Lamp", "quantity": '


def test_checkout_has_pages(fragments: Fragments) -> None:
    """Steps of the checkout have cart pages; other events have none."""
    found = dict(zip(EVENT_NAMES, map(str, fragments.cart_pages), strict=True))

    assert {name: text for name, text in found.items() if text} == {
        "view_cart": '"page":"/cart"',
        "begin_checkout": '"page":"/checkout"',
        "add_shipping_info": '"page":"/checkout/shipping"',
        "add_payment_info": '"page":"/checkout/payment"',
        "purchase": '"page":"/checkout/thanks"',
    }


def test_deliveries_and_payments(fragments: Fragments) -> None:
    """Each choice of delivery or payment has its name."""
    for pool, key, names in (
        (fragments.shipping, "shipping_tier", SHIPPING),
        (fragments.payments, "payment_type", PAYMENTS),
    ):
        assert [_read(pool, place) for place in range(len(names))] == [{key: n} for n in names]
