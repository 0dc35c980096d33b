"""JSON fragments of events, built once per world.

Owns the JSON of everything that is known before a run: cities, technologies, products, pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.events import EVENT_NAMES

from clickstream_generator.core.byte_columns import texts
from clickstream_generator.core.sessions import PAGES, PAYMENTS, SHIPPING
from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    import pyarrow as pa

    from clickstream_generator.core.catalog import Catalog
    from clickstream_generator.core.world import World

__all__ = ["Fragments", "build_fragments", "members"]

_CART_PAGES = {
    "view_cart": "/cart",
    "begin_checkout": "/checkout",
    "add_shipping_info": "/checkout/shipping",
    "add_payment_info": "/checkout/payment",
    "purchase": "/checkout/thanks",
}


@dataclass(frozen=True)
class Fragments:
    """Pools of JSON members, without commas around them.

    Attributes:
        persona_channels: Persona and channel, at ``persona * channels + channel``.
        cities, technologies, user_agents, arrivals: By number in the world.
        exposures: By place; with a comma in front, or empty without an arm.
        pages, terms, categories, viewed_products: By number; only ``sent_at`` follows.
        products: By number.
        lines_before, lines_after: By product number; a line of an order or a cart before and
            after its quantity, as ``jsonb`` prints it.
        cart_pages: By event code; empty for events without a cart page.
        shipping, payments: By number of the choice.
        currency: The member before ``sent_at`` in every event with a value.
    """

    persona_channels: pa.Array
    cities: pa.Array
    technologies: pa.Array
    user_agents: pa.Array
    arrivals: pa.Array
    exposures: pa.Array
    pages: pa.Array
    terms: pa.Array
    categories: pa.Array
    products: pa.Array
    viewed_products: pa.Array
    lines_before: pa.Array
    lines_after: pa.Array
    cart_pages: pa.Array
    shipping: pa.Array
    payments: pa.Array
    currency: str


def members(**values: Any) -> str:  # noqa: ANN401  any JSON value
    """Return JSON object members without the braces: ``"a":1,"b":"x"``."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))[1:-1]


def build_fragments(world: World) -> Fragments:
    """Return the fragments of a world."""
    shop = world.catalog
    slugs = [name.lower().replace(" ", "-") for name in shop.category_names]
    numbers = range(len(shop.product_names))
    prices = shop.price_minor.tolist()
    currency = members(currency=shop.currency)
    own_category = [shop.category_names[number] for number in shop.product_category.tolist()]
    products = _products(shop, own_category)
    return Fragments(
        persona_channels=texts(
            members(persona=persona.name, channel=channel)
            for persona in world.personas
            for channel in CHANNELS
        ),
        cities=texts(
            members(country=city.country, city=city.name, language=city.language)
            for city in world.cities
        ),
        technologies=texts(
            members(device=row.device, os=row.os, browser=row.browser) for row in world.technologies
        ),
        user_agents=texts(members(user_agent=row.user_agent) for row in world.technologies),
        arrivals=texts(
            members(
                page=way.page,
                **({"referrer": way.referrer} if way.referrer else {}),
                **({"campaign": way.campaign} if way.campaign else {}),
            )
            for way in world.arrivals
        ),
        exposures=texts(
            f",{members(experiments=text)}" if text else "" for text in world.exposures
        ),
        pages=texts(members(page=page) for page in PAGES),
        terms=texts(members(page="/search", search_term=term) for term in shop.search_terms),
        categories=texts(
            members(page=f"/c/{slug}", category=name)
            for slug, name in zip(slugs, shop.category_names, strict=True)
        ),
        products=texts(products),
        viewed_products=texts(
            f"{text},{members(value_minor=price)},{currency}"
            for text, price in zip(products, prices, strict=True)
        ),
        lines_before=texts(
            f'{{"brand": {_text(shop.product_brands[number])},'
            f' "category": {_text(own_category[number])}, "quantity": '
            for number in numbers
        ),
        lines_after=texts(
            f', "product_id": {_text(shop.product_ids[number])}, "price_minor": {prices[number]},'
            f' "product_name": {_text(shop.product_names[number])}}}'
            for number in numbers
        ),
        cart_pages=texts(
            members(page=_CART_PAGES[name]) if name in _CART_PAGES else "" for name in EVENT_NAMES
        ),
        shipping=texts(members(shipping_tier=name) for name in SHIPPING),
        payments=texts(members(payment_type=name) for name in PAYMENTS),
        currency=currency,
    )


def _products(shop: Catalog, own_category: list[str]) -> list[str]:
    """Return the members of each product, by number."""
    return [
        members(
            page=f"/p/{identity}",
            category=category,
            product_id=identity,
            product_name=name,
            brand=brand,
            price_minor=price,
        )
        for identity, category, name, brand, price in zip(
            shop.product_ids,
            own_category,
            shop.product_names,
            shop.product_brands,
            shop.price_minor.tolist(),
            strict=True,
        )
    ]


def _text(value: str) -> str:
    """Return a text as JSON."""
    return json.dumps(value, ensure_ascii=False)
