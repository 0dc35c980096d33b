"""Worlds of a few products, places and machines, for tests that compute events by hand.

Owns a very small world, its users, and rows of events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from clickstream_contract.personas import PERSONAS
from clickstream_generator.core.catalog import Catalog
from clickstream_generator.core.events import CODE, EVENT_DTYPE
from clickstream_generator.core.fingerprint import Fingerprint
from clickstream_generator.core.population import Population
from clickstream_generator.core.technology import Technology
from clickstream_generator.core.world import CHANNELS, Arrival, City, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["GROUPS", "event_rows", "small_catalog", "small_population", "small_world"]

_CITIES_PER_COUNTRY = 40
GROUPS = 4
"""Browser in DE, Browser in US, Bot in DE, Bot in US."""


def small_catalog() -> Catalog:
    """Two categories of two products, for 1, 2, 3 and 4 euros."""
    return Catalog(
        currency="EUR",
        category_names=("Lamp", "Kids Hat"),
        product_ids=tuple(f"P{number:06d}" for number in range(1, 5)),
        product_names=("Slim Red Lamp", "Soft Blue Lamp", "Pro Red Hat", "Light Red Hat"),
        product_brands=("Wood", "Stone", "Wood", "Sand"),
        product_category=np.array([0, 0, 1, 1], dtype=np.int32),
        price_minor=np.array([100, 200, 300, 400], dtype=np.int64),
        popularity=np.array([0.4, 0.1, 0.25, 0.25]),
        cumulative=np.array([0.0, 0.4, 0.5, 0.75, 1.0]),
        first_product=np.array([0, 2, 4]),
        search_terms=tuple(f"{name} {place}" for name in ("lamp", "hat") for place in range(8)),
        term_category=np.repeat(np.arange(2, dtype=np.int32), 8),
    )


def small_world() -> World:
    """Browsers and bots from Germany and the United States, in equal parts."""
    personas = (PERSONAS["Browser"], PERSONAS["Bot"])
    arrivals = tuple(
        Arrival(f"/{name}/{way}", referrer, "spring-x" if has_campaign else "")
        for name, (_, referrer, has_campaign) in CHANNELS.items()
        for way in range(2)
    )
    return World(
        personas=personas,
        catalog=small_catalog(),
        cities=tuple(
            City(country, f"{country} {place}", language)
            for country, language in (("DE", "de-DE"), ("US", "en-US"))
            for place in range(_CITIES_PER_COUNTRY)
        ),
        technologies=(
            Technology("mobile", "Android", "Chrome", "agent of a phone", 1.0),
            Technology("desktop", "Linux", "Crawler", "agent of a bot", 1.0, is_crawler=True),
        ),
        arrivals=arrivals,
        first_arrival=np.arange(0, len(arrivals) + 1, 2),
        exposures=("",),
        tastes=None,
        group_persona=np.array([0, 0, 1, 1]),
        group_country=np.array([0, 1, 0, 1]),
        group_weight=np.ones(GROUPS),
        country_weight=np.ones(2),
        utc_offset_minutes=np.array([60, -300]),
        return_share=np.array([0.35, 0.8]),
        price_sense=np.array([0.2, 0.0]),
        fingerprint=Fingerprint("small world", "any streams", {}),
        _technology_bounds=np.array([[1.0, 1.0], [0.0, 1.0]]),
        _channel_bounds=np.cumsum([row[0] for row in CHANNELS.values()]) / 1_000,
    )


def small_population(
    sizes: Sequence[int] = (2, 2, 2, 2), return_share: float = 0.0, channel: int = 0
) -> Population:
    """Return users of the small world's groups, without sessions."""
    size = np.array(sizes)
    users = int(size.sum())
    return Population(
        shard=0,
        seed=42,
        persona=np.repeat([0, 0, 1, 1], size).astype(np.uint8),
        city=np.repeat([0, 40, 1, 41], size).astype(np.int32),
        technology=np.repeat([0, 0, 1, 1], size).astype(np.uint16),
        channel=np.full(users, channel, dtype=np.uint8),
        first_user=np.cumsum(size) - size,
        size=size,
        return_share=np.full(GROUPS, return_share),
        seen=np.zeros(GROUPS, dtype=np.int64),
        sessions=np.zeros(users, dtype=np.int32),
        is_here=np.zeros(users, dtype=bool),
        saved_cart=np.full(users, -1, dtype=np.int32),
    )


def event_rows(*rows: Mapping[str, object]) -> np.ndarray:
    """Build rows of events from their fields; ``name`` is the event's name."""
    built = np.zeros(len(rows), dtype=EVENT_DTYPE)
    built["order_row"] = -1
    for place, given in enumerate(rows):
        for field, value in given.items():
            if field == "name":
                built["code"][place] = CODE[str(value)]
            else:
                built[field][place] = value
    return built
