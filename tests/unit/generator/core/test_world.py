"""The world: places, machines and channels, the same for the same specification."""

from __future__ import annotations

import numpy as np
import pytest
from clickstream_contract.document import resolve_personas
from clickstream_generator.core.world import CHANNELS, World, build_world, remix_world
from simulations import simulation
from worlds import small_world

COUNTRIES = "  countries: [{code: JP, weight: 3}, {code: DE, weight: 1}]\n"
DEVICES = "  devices: {mobile: 1, desktop: 3, tablet: 0}\n"


@pytest.fixture(scope="module")
def world() -> World:
    """A world of two countries and two kinds of devices."""
    mix = "Browser: 300, Bot: 100"
    return build_world(simulation(more=COUNTRIES + DEVICES, mix=mix).spec)


def _persona(world: World, name: str) -> int:
    return [row.name for row in world.personas].index(name)


def test_groups_are_personas_in_countries(world: World) -> None:
    """Each persona has a group per country, weighted by both."""
    weight = world.group_weight.reshape(len(world.personas), 2)

    assert [row.name for row in world.personas] == list(resolve_personas(simulation().spec))
    assert world.group_persona.tolist() == [number // 2 for number in range(14)]
    assert world.group_country.tolist() == 7 * [0, 1]
    assert weight[_persona(world, "Browser")].tolist() == [900.0, 300.0]
    assert weight[_persona(world, "Bot")].tolist() == [300.0, 100.0]
    assert weight.sum() == 1_600.0
    assert world.country_weight.tolist() == [3.0, 1.0]
    assert world.utc_offset_minutes.tolist() == [540, 60]


def test_personas_become_numbers(world: World) -> None:
    """The personas' numbers are shares, and the logarithm of seconds."""
    buyer = _persona(world, "Buyer")

    assert world.return_share[buyer] == 0.65
    assert world.price_sense[buyer] == 0.1


def test_country_has_forty_cities(world: World) -> None:
    """Each country has 40 cities in the order of the countries, with its language."""
    assert len(world.cities) == 80
    assert {(row.country, row.language) for row in world.cities[:40]} == {("JP", "ja-JP")}
    assert {(row.country, row.language) for row in world.cities[40:]} == {("DE", "de-DE")}
    assert len({row.name for row in world.cities[40:]}) > 30


def test_first_cities_are_largest() -> None:
    """A city is drawn by the square of the number: the first quarter has half of all."""
    country = np.array([0, 0, 0, 1, 1])
    uniform = np.array([0.0, 0.159, 0.5, 0.5, 0.9999])

    found = small_world().draw_cities(country, uniform)

    assert found.tolist() == [0, 1, 10, 50, 79]
    assert found.dtype == np.int32


def test_channels_are_drawn_by_weight() -> None:
    """A channel is drawn by its weight of a thousand, in the order of the table."""
    assert [row[0] for row in CHANNELS.values()] == [330, 240, 150, 110, 80, 50, 40]
    uniform = np.array([0.0, 0.3299, 0.3301, 0.5699, 0.5701, 0.9599, 0.9601, 0.9999])

    assert small_world().draw_channels(uniform).tolist() == [0, 0, 1, 1, 2, 5, 6, 6]


def test_world_draws_its_channels(world: World) -> None:
    """A built world has the bounds of the channels' weights."""
    uniform = np.array([0.0, 0.3299, 0.3301, 0.9599, 0.9601, 0.9999])

    assert world.draw_channels(uniform).tolist() == [0, 0, 1, 5, 6, 6]


def test_machines_fit_the_persona(world: World) -> None:
    """People have machines by the simulation's devices, crawlers have crawlers."""
    uniform = np.linspace(0, 1 - 1e-9, 10_000)
    people = np.full(10_000, _persona(world, "Browser"))
    bots = np.full(10_000, _persona(world, "Bot"))

    machines = [world.technologies[at] for at in world.draw_technologies(people, uniform)]
    crawlers = [world.technologies[at] for at in world.draw_technologies(bots, uniform)]

    assert np.mean([row.device == "mobile" for row in machines]) == pytest.approx(0.25, abs=1e-3)
    assert np.mean([row.device == "desktop" for row in machines]) == pytest.approx(0.75, abs=1e-3)
    assert not any(row.is_crawler for row in machines)
    windows = [row.os == "Windows" for row in machines if row.device == "desktop"]
    assert np.mean(windows) == pytest.approx(0.7, abs=2e-3)
    names = [row.user_agent.split("; ")[1].split("/")[0] for row in crawlers]
    assert sorted(names.count(name) for name in set(names)) == pytest.approx(3 * [3_333], abs=1)


def test_last_number_stays_in_pool(world: World) -> None:
    """The highest number below 1 draws the last machine possible, not one of weight 0."""
    person = np.array([_persona(world, "Browser")])

    (machine,) = world.draw_technologies(person, np.array([np.nextafter(1.0, 0.0)]))

    assert world.technologies[machine].device == "desktop"
    assert not world.technologies[machine].is_crawler


def test_ways_in_are_by_channel(world: World) -> None:
    """Each channel has its pages and its referrer; a campaign only where one led there."""
    for place, (_, referrer, has_campaign) in enumerate(CHANNELS.values()):
        ways = world.arrivals[world.first_arrival[place] : world.first_arrival[place + 1]]
        assert {way.referrer for way in ways} == {referrer}
        assert all(bool(way.campaign) == has_campaign for way in ways)
        if has_campaign:
            assert len(ways) == 24
            assert [way.page for way in ways] == [*(12 * ["/"]), *(12 * ["/sale"])]
            assert [way.campaign for way in ways[:12]] == [way.campaign for way in ways[12:]]
        else:
            assert [way.page for way in ways] == ["/", "/", "/new"]
    assert len(world.arrivals) == world.first_arrival[-1] == 4 * 24 + 3 * 3
    assert world.first_arrival[0] == 0


def test_only_listed_channels_have_campaigns() -> None:
    """Paid search, social, email and affiliates lead by campaigns."""
    led = [name for name, (_, _, has_campaign) in CHANNELS.items() if has_campaign]

    assert led == ["paid_search", "social", "email", "affiliate"]
    assert [name for name, (_, referrer, _) in CHANNELS.items() if not referrer] == [
        "direct",
        "email",
    ]


def test_seed_decides_the_world(world: World) -> None:
    """The same specification makes the same world, another seed another one."""
    spec = simulation(more=COUNTRIES + DEVICES, mix="Browser: 300, Bot: 100").spec

    again = build_world(spec)
    other = build_world(spec.model_copy(update={"seed": 43}))

    assert again.cities == world.cities != other.cities
    assert again.arrivals == world.arrivals != other.arrivals
    assert again.technologies == world.technologies != other.technologies
    assert again.catalog.product_names == world.catalog.product_names
    assert again.catalog.product_names != other.catalog.product_names


def test_another_mix_keeps_the_rest(world: World) -> None:
    """Another mix changes personas and weights, and nothing else."""
    own = "  personas: [{name: Buyer, basedOn: Buyer, returnPermille: 7}]\n"
    spec = simulation(more=COUNTRIES + own, mix="Buyer: 5").spec

    changed = remix_world(world, spec)

    buyer = _persona(changed, "Buyer")
    assert changed.return_share[buyer] == 0.007
    assert changed.group_weight.reshape(-1, 2)[buyer].tolist() == [15.0, 5.0]
    assert changed.group_weight.sum() == 20.0
    assert changed.technologies is world.technologies
    assert changed.arrivals is world.arrivals
