"""The world that all shards share: catalog, places, machines, channels, personas, groups.

Owns the pools that Faker fills once, and the order of their entries. The same specification gives
the same world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.document import resolve_personas
from clickstream_contract.effects import OVERLAYS
from clickstream_contract.events import DEVICES
from clickstream_contract.experiments import exposure_texts
from faker import Faker

from clickstream_generator.core.catalog import Catalog, build_catalog
from clickstream_generator.core.fingerprint import Fingerprint, take_fingerprint
from clickstream_generator.core.tastes import Tastes, build_tastes
from clickstream_generator.core.technology import Technology, build_technologies

if TYPE_CHECKING:
    from clickstream_contract.personas import Persona
    from clickstream_contract.simulation import SimulationSpec

__all__ = [
    "CHANNELS",
    "Arrival",
    "City",
    "World",
    "build_world",
    "remix_world",
    "world_with_catalog",
]

_CITIES_PER_COUNTRY = 40
_CAMPAIGNS = 12
_SEASONS = ("spring", "summer", "autumn", "winter", "holiday", "clearance")


@dataclass(frozen=True)
class City:
    """A city that users come from."""

    country: str
    name: str
    language: str


@dataclass(frozen=True)
class Arrival:
    """One way into the shop: the first page, the referrer and the campaign."""

    page: str
    referrer: str
    campaign: str


CHANNELS: dict[str, tuple[int, str, bool]] = {
    "organic_search": (330, "https://www.google.com/", False),
    "direct": (240, "", False),
    "paid_search": (150, "https://www.google.com/aclk", True),
    "social": (110, "https://www.instagram.com/", True),
    "email": (80, "", True),
    "referral": (50, "https://www.idealo.example/compare", False),
    "affiliate": (40, "https://blog.example/best-of", True),
}
"""Channels: weight, referrer, and whether the channel has campaigns."""


@dataclass(frozen=True)
class World:
    """The world: everything that the shards share.

    Attributes:
        personas: Every persona that the simulation could name, so that another mix changes only
            weights and no numbers.
        group_persona, group_country, group_weight: Shape (groups,); a group is a persona in a
            country; its weight is the product of their weights.
        country_weight, utc_offset_minutes: Shape (countries,).
        return_share: Shape (personas,); share of sessions by returning users.
        arrivals: Ways into the shop; those of channel c are ``first_arrival[c]`` to
            ``first_arrival[c + 1] - 1``.
        exposures: The arms in which a session may be, as text; the first one is of none.
        tastes: What single users like; ``None`` for nothing.
        fingerprint: The fingerprint of the world at the start of the run.
    """

    personas: tuple[Persona, ...]
    catalog: Catalog
    cities: tuple[City, ...]
    technologies: tuple[Technology, ...]
    arrivals: tuple[Arrival, ...]
    first_arrival: np.ndarray
    group_persona: np.ndarray
    group_country: np.ndarray
    group_weight: np.ndarray
    country_weight: np.ndarray
    utc_offset_minutes: np.ndarray
    return_share: np.ndarray
    price_sense: np.ndarray
    exposures: tuple[str, ...]
    tastes: Tastes | None
    fingerprint: Fingerprint
    _technology_bounds: np.ndarray
    _channel_bounds: np.ndarray

    def draw_cities(self, country: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return cities of the given countries, early ones more often, for numbers in [0, 1)."""
        rank = (_CITIES_PER_COUNTRY * uniform**2).astype(np.int64)
        return (country * _CITIES_PER_COUNTRY + rank).astype(np.int32)

    def countries_of(self, city: np.ndarray) -> np.ndarray:
        """Return the countries of the given cities."""
        return city // _CITIES_PER_COUNTRY

    @property
    def country_codes(self) -> list[str]:
        """The code of each country."""
        return [city.country for city in self.cities[::_CITIES_PER_COUNTRY]]

    @property
    def technology_share(self) -> np.ndarray:
        """Share of each technology among a persona's users, shape (personas, technologies)."""
        return np.diff(self._technology_bounds, axis=1, prepend=0.0)

    @property
    def channel_share(self) -> np.ndarray:
        """Share of each channel among the users, shape (channels,)."""
        return np.diff(self._channel_bounds, prepend=0.0)

    def draw_technologies(self, persona: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Return technologies that fit the given personas, for numbers in [0, 1)."""
        bounds = self._technology_bounds[persona]
        return (uniform[:, None] >= bounds[:, :-1]).sum(axis=1).astype(np.uint16)

    def draw_channels(self, uniform: np.ndarray) -> np.ndarray:
        """Return channels for numbers in [0, 1)."""
        return np.searchsorted(self._channel_bounds, uniform, side="right").astype(np.uint8)


def build_world(spec: SimulationSpec) -> World:
    """Return the world of a simulation."""
    mix = _mix(spec)
    personas = mix["personas"]
    countries = [COUNTRIES[share.code] for share in spec.countries]
    technologies = build_technologies(_faker("en_US", spec.seed))
    arrivals, first_arrival = _arrivals(spec.seed)
    catalog = build_catalog(spec.catalog, spec.seed)
    cities = tuple(
        City(country.code, name, country.language)
        for country in countries
        for name in _city_names(country.faker_locale, spec.seed)
    )
    described = [replace(persona, doc="") for persona in personas]
    overlays = [*(row for rows in OVERLAYS.values() for row in rows)]
    overlays += [incident.overlay for incident in spec.every_incident]
    effects = [row.model_dump_json() for row in overlays]
    pools: tuple[object, ...] = (
        described, countries, cities, technologies, arrivals, CHANNELS, effects
    )  # fmt: skip
    tastes = build_tastes(spec.tastes, catalog, spec.seed) if spec.tastes else None
    if tastes is not None:
        pools = (*pools, tastes.companions.tolist())
    return World(
        **mix,
        catalog=catalog,
        cities=cities,
        fingerprint=take_fingerprint(catalog, pools),
        technologies=technologies,
        arrivals=arrivals,
        first_arrival=first_arrival,
        group_persona=np.repeat(np.arange(len(personas)), len(countries)),
        group_country=np.tile(np.arange(len(countries)), len(personas)),
        country_weight=np.array([share.weight for share in spec.countries], dtype=float),
        exposures=tuple(exposure_texts(spec.experiments)),
        tastes=tastes,
        utc_offset_minutes=np.array([country.utc_offset_minutes for country in countries]),
        _technology_bounds=np.array(
            [
                _bounds(_technology_weights(technologies, spec, is_crawler=persona.is_crawler))
                for persona in personas
            ]
        ),
        _channel_bounds=_bounds(np.array([row[0] for row in CHANNELS.values()], dtype=float)),
    )


def world_with_catalog(world: World, catalog: Catalog, spec: SimulationSpec) -> World:
    """Return the world of a simulation with another catalog, and so with another fingerprint."""
    fingerprint = take_fingerprint(catalog, (world.fingerprint.world, catalog.product_ids))
    tastes = build_tastes(spec.tastes, catalog, spec.seed) if spec.tastes else None
    return replace(world, catalog=catalog, tastes=tastes, fingerprint=fingerprint)


def remix_world(world: World, spec: SimulationSpec) -> World:
    """Return the world with the personas and weights of a changed specification."""
    return replace(world, **_mix(spec))


def _mix(spec: SimulationSpec) -> dict[str, Any]:
    """Return the parts of a world that may change while the simulation runs."""
    personas = tuple(resolve_personas(spec).values())
    weight = {share.persona: float(share.weight) for share in spec.user_mix}
    country_weight = np.array([share.weight for share in spec.countries], dtype=float)
    return {
        "personas": personas,
        "group_weight": np.outer(
            [weight.get(persona.name, 0.0) for persona in personas], country_weight
        ).ravel(),
        "return_share": np.array([persona.return_permille / 1000 for persona in personas]),
        "price_sense": np.array([persona.price_sense_permille / 1000 for persona in personas]),
    }


def _faker(locale: str, seed: int) -> Faker:
    """Return a Faker that gives the same texts for the same seed."""
    faker = Faker(locale)
    faker.seed_instance(seed)
    return faker


def _city_names(locale: str, seed: int) -> list[str]:
    """Return the names of a country's cities; a name may occur twice."""
    faker = _faker(locale, seed)
    return [faker.city() for _ in range(_CITIES_PER_COUNTRY)]


def _arrivals(seed: int) -> tuple[tuple[Arrival, ...], np.ndarray]:
    """Return the arrivals by channel, and the position of each channel's first one."""
    faker = _faker("en_US", seed)
    # Not Faker's month_name: it draws a date before today, so its result changes every day.
    campaigns = [f"{faker.random_element(_SEASONS)}-{faker.word()}" for _ in range(_CAMPAIGNS)]
    arrivals: list[Arrival] = []
    first = [0]
    for _, referrer, has_campaign in CHANNELS.values():
        pages = ("/", "/sale") if has_campaign else ("/", "/", "/new")
        named = campaigns if has_campaign else [""]
        arrivals += [Arrival(page, referrer, name) for page in pages for name in named]
        first.append(len(arrivals))
    return tuple(arrivals), np.array(first)


def _technology_weights(
    technologies: tuple[Technology, ...], spec: SimulationSpec, *, is_crawler: bool
) -> np.ndarray:
    """Return the weights of technologies for people or for crawlers."""
    devices = {device: getattr(spec.devices, device) for device in DEVICES}
    total = {
        device: sum(
            row.weight for row in technologies if row.device == device and not row.is_crawler
        )
        for device in DEVICES
    }
    return np.array(
        [
            row.weight * (1.0 if is_crawler else devices[row.device] / total[row.device])
            if row.is_crawler == is_crawler
            else 0.0
            for row in technologies
        ]
    )


def _bounds(weights: np.ndarray) -> np.ndarray:
    """Return cumulative shares that end at exactly 1."""
    bounds = np.cumsum(weights) / weights.sum()
    # No number below 1 may reach an entry after the last one with a weight.
    bounds[np.flatnonzero(weights)[-1] :] = 1.0
    return bounds
