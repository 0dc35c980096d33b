"""The users of a shard: their traits, and the draw of the next user."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_generator.core.population import Population, build_population
from hypothesis import given
from hypothesis import strategies as st
from randomness import Chosen
from worlds import small_population, small_world

if TYPE_CHECKING:
    from clickstream_generator.core.world import World


@pytest.fixture(scope="module")
def world() -> World:
    """Browsers and bots from two countries."""
    return small_world()


def _draw(population: Population, *group: int, uniform: float = 0.0) -> list[int]:
    return [int(user) for user in population.draw(np.array(group), Chosen(uniform))]


def _leave(population: Population) -> None:
    population.is_here[:] = False


def test_users_are_sorted_by_group(world: World) -> None:
    """Users of a group are adjacent and have its persona and country."""
    population = build_population(world, 1_000, 3, 42)

    assert population.size.sum() == len(population.persona) == 1_000
    assert population.size.min() > 200
    assert population.first_user.tolist() == [0, *np.cumsum(population.size)[:-1]]
    for group, (start, size) in enumerate(zip(population.first_user, population.size, strict=True)):
        own = slice(start, start + size)
        assert set(population.persona[own]) == {world.group_persona[group]}
        assert set(population.city[own] // 40) == {world.group_country[group]}
        assert set(population.technology[own]) == {world.group_persona[group]}
    assert set(population.channel) == set(range(7))
    assert (population.shard, population.seed) == (3, 42)
    assert population.return_share.tolist() == [0.35, 0.35, 0.8, 0.8]


def test_new_users_have_no_session(world: World) -> None:
    """New users have no session, no cart, and are not in the shop."""
    population = build_population(world, 10, 0, 42)

    assert population.seen.tolist() == [0, 0, 0, 0]
    assert set(population.sessions) == {0}
    assert not population.is_here.any()
    assert set(population.saved_cart) == {-1}
    assert population.joined == []


JOINED_CITIES = [13, 18, 17, 0, 28, 4]
CITIES = [29, 2, 28, 3, 0, 20]


def test_seed_and_shard_decide_users(world: World) -> None:
    """The same seed and shard make the same users; others make others."""
    first, again, shard, seed = (
        build_population(world, 200, *key).city.tolist() for key in ((0, 1), (0, 1), (1, 1), (0, 2))
    )

    assert first == again
    assert first != shard
    assert first != seed
    assert first[:6] == CITIES


def test_weight_decides_sizes(world: World) -> None:
    """Groups without weight have no users."""
    unequal = replace(world, group_weight=np.array([3.0, 0.0, 1.0, 0.0]))

    size = build_population(unequal, 4_000, 0, 42).size

    assert size[[1, 3]].tolist() == [0, 0]
    assert size[0] == pytest.approx(3_000, abs=150)


def test_new_users_come_in_order() -> None:
    """Without users who come again, the next user of each group comes, and is here."""
    population = small_population()

    assert _draw(population, 0, 2, 0) == [0, 4, 1]
    assert population.seen.tolist() == [2, 0, 1, 0]
    assert population.sessions.tolist() == [1, 1, 0, 0, 1, 0, 0, 0]
    assert np.flatnonzero(population.is_here).tolist() == [0, 1, 4]
    assert _draw(population, 2) == [5]


def test_known_users_come_again() -> None:
    """A number below the return share draws a returning user."""
    population = small_population(return_share=0.5)
    _draw(population, 0, uniform=0.5)
    _leave(population)

    assert _draw(population, 0, uniform=0.49) == [0]
    assert population.sessions[0] == 2
    _leave(population)
    assert _draw(population, 0, uniform=0.5) == [1]


def test_early_users_come_most() -> None:
    """Of those known, the number's square chooses: the early ones come more often."""
    population = small_population(sizes=(10, 0, 0, 0), return_share=1.0)
    population.seen[0] = 10

    found = []
    for uniform in (0.0, 0.31, 0.32, 0.7, 0.71, 0.999):
        found += _draw(population, 0, uniform=uniform)
        _leave(population)

    assert found == [0, 0, 1, 4, 5, 9]


def test_present_user_is_not_drawn() -> None:
    """If the drawn user is present, the draw is repeated; finally a new user comes."""
    population = small_population(return_share=1.0)
    _draw(population, 0)

    assert _draw(population, 0) == [1]
    assert population.seen[0] == 2


def test_one_session_gets_the_user() -> None:
    """Of two sessions that want the same known user, the first one gets them."""
    population = small_population(return_share=1.0)
    _draw(population, 0)
    _leave(population)

    assert _draw(population, 0, 0) == [0, 1]


def test_redraw_finds_another() -> None:
    """A session that found its user here is drawn again, among those known."""
    population = small_population(sizes=(3, 0, 0, 0), return_share=1.0)
    population.seen[0] = 2
    population.is_here[0] = True

    chosen = population.draw(np.array([0]), Chosen(0.0, 0.0, 0.0, 0.9))

    assert chosen.tolist() == [1]
    assert population.seen[0] == 2


def test_last_user_opens_a_window() -> None:
    """If all users of a group are present, one of them opens a second session."""
    population = small_population(sizes=(2, 1, 1, 1))
    _draw(population, 0, 0)

    assert _draw(population, 0, uniform=0.49) == [0]
    assert _draw(population, 0, uniform=0.5) == [1]
    assert population.sessions[:2].tolist() == [2, 2]
    assert population.seen[0] == 2


@given(st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=6), st.integers(0, 9))
def test_drawn_user_is_of_group(rounds: list[list[int]], seed: int) -> None:
    """A drawn user belongs to the group, is present, and has one session more."""
    population = small_population(sizes=(3, 1, 5, 2), return_share=0.5)
    rng = np.random.default_rng(seed)
    sessions = 0
    for groups in rounds:
        chosen = population.draw(np.array(groups, dtype=np.int64), rng)
        sessions += len(groups)
        group = np.searchsorted(population.first_user, chosen, side="right") - 1
        assert group.tolist() == groups
        assert population.is_here[chosen].all()
        assert population.sessions.sum() == sessions
        assert (population.seen <= population.size).all()
        population.is_here[chosen[::2]] = False


def test_joined_users_come_last(world: World) -> None:
    """A persona without users gets new users by country, after all others."""
    mix = replace(world, group_weight=np.array([1.0, 1.0, 0.0, 0.0]))
    population = build_population(mix, 100, 0, 42)

    population.add_users(world, 1, 60)

    assert population.joined == [(1, 60)]
    assert population.size[2:].sum() == 60
    assert population.size[2:].min() > 15
    assert population.first_user[2:].tolist() == [100, 100 + population.size[2]]
    assert set(population.persona[100:]) == {1}
    assert set(population.city[100 : 100 + population.size[2]] // 40) == {0}
    for name in ("persona", "city", "technology", "channel", "sessions", "is_here", "saved_cart"):
        assert len(getattr(population, name)) == 160
    assert population.city[100:106].tolist() == JOINED_CITIES


def test_country_weights_new_users(world: World) -> None:
    """Users who join are spread over the countries by the countries' weights."""
    uneven = replace(world, country_weight=np.array([1.0, 0.0]))
    population = small_population(sizes=(2, 2, 0, 0))

    population.add_users(uneven, 1, 60)

    assert population.size.tolist() == [2, 2, 60, 0]


def test_another_mix_brings_users(world: World) -> None:
    """A new persona of the mix gets users by its share; the other users stay."""
    population = small_population(sizes=(5, 5, 0, 0))

    population.apply_mix(replace(world, group_weight=np.array([3.0, 3.0, 1.0, 1.0])))

    assert population.joined == [(1, round(10 * 2 / 8))]
    assert population.return_share.tolist() == [0.35, 0.35, 0.8, 0.8]


def test_follow_counts_first_users(world: World) -> None:
    """How many join is reckoned from the first users, not from those who joined before."""
    population = small_population(sizes=(5, 5, 0, 0))
    population.joined.append((7, 8))

    population.apply_mix(replace(world, group_weight=np.array([0.0, 0.0, 1.0, 1.0])))

    assert population.joined[-1] == (1, 2)


def test_same_mix_adds_no_user(world: World) -> None:
    """Personas that have users or no weight bring none; one of little weight brings one."""
    population = small_population(sizes=(5, 5, 0, 0))

    population.apply_mix(replace(world, group_weight=np.array([1.0, 1.0, 0.0, 0.0])))
    assert population.joined == []
    population.apply_mix(replace(world, group_weight=np.array([1e6, 1e6, 1.0, 0.0])))
    assert population.joined == [(1, 1)]
    population.apply_mix(world)
    assert population.joined == [(1, 1)]
