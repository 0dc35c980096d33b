"""The truth about tastes, against recommenders that are tested on the events of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.behaviour import Behaviour, Behaviours
from clickstream_generator.core.events import CODE
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.taste_truth import (
    RECOMMENDED,
    RecommenderTruth,
    ViewChances,
    recommender_truths,
    user_tastes,
)
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.tastes import Tastes

MIX = "Shopper: 300, Buyer: 500, Loyal: 200"
EVENTS = 1_000_000
STRENGTHS = "{categories: 3, companions: 4, togetherPermille: 300}"
NOTHING = "{categoryPermille: 0, pricePermille: 0, togetherPermille: 0}"
CHOICES = [CODE[name] for name in ("view_item", "add_to_cart", "remove_from_cart", "purchase")]
LEARNED_SHARE = 0.7
ORACLE_VIEWS = 3_000
PRIOR_VIEWS = 40.0
"""Popularity counts as much as so many views after each product."""


def _simulation(tastes: str, events: int = EVENTS, mix: str = MIX) -> Simulation:
    more = f"  tastes: {tastes}\n  stopAfter: {{events: {events}}}\n"
    return simulation("{eventsPerSecond: 1000}", more, 20_000, mix)


def _behaviour(tastes: str, mix: str = MIX) -> tuple[Behaviour, Tastes]:
    spec = _simulation(tastes, mix=mix).spec
    behaviour = Behaviours(spec).of(spec)
    assert behaviour.world.tastes is not None
    return behaviour, behaviour.world.tastes


class _Tested:
    """The views of the test in the last part of the events, and what the first part teaches.

    Attributes:
        put, views: Shape (views,); rows of the product put in the cart, and of the next one viewed.
        popular: The products with most views.
        learned: Shape (products, recommended); those viewed most after each product.
    """

    def __init__(self, tastes: str, events: int) -> None:
        wanted = _simulation(tastes, events)
        source = Simulator(wanted, tuple(range(wanted.spec.shards)), RUN_ID)
        source.begin(START_SECONDS)
        parts = []
        while not source.is_over():
            rows = source.take_due(START_SECONDS + 2 * events / 1_000, 50_000).rows
            parts.append(rows[np.isin(rows["code"], CHOICES)])
        rows = np.concatenate(parts)
        rows = rows[np.lexsort((rows["shard_seq"], rows["session_no"], rows["shard"]))]
        follows = (rows["session_no"][1:] == rows["session_no"][:-1]) & (
            rows["shard"][1:] == rows["shard"][:-1]
        )
        viewed = rows["code"] == CODE["view_item"]
        at = np.flatnonzero(follows & viewed[1:] & (rows["code"][:-1] == CODE["add_to_cart"]))
        early = rows["shard_seq"] < LEARNED_SHARE * events / wanted.spec.shards
        products = wanted.spec.catalog.products
        counts = np.bincount(rows["subject"][early & viewed], minlength=products)
        after = np.zeros((products, products))
        first = at[early[at + 1]]
        np.add.at(after, (rows["subject"][first], rows["subject"][first + 1]), 1.0)
        self.popular = np.argsort(-counts, kind="stable")[:RECOMMENDED]
        self.learned = np.argsort(-(after + PRIOR_VIEWS * counts / counts.sum()), axis=1)
        self.learned = self.learned[:, :RECOMMENDED]
        late = at[~early[at + 1]]
        self.put, self.views = rows[late], rows[late + 1]

    def rate(self, recommended: np.ndarray) -> float:
        """Return the hit rate of the products recommended for each view."""
        return float((recommended == self.views["subject"][:, None]).any(axis=1).mean())

    def tolerance(self) -> float:
        """Return four standard errors of a hit rate, at most."""
        return float(4 * 0.5 / np.sqrt(len(self.views)))


def _oracle(behaviour: Behaviour, tastes: Tastes, tested: _Tested, at: np.ndarray) -> np.ndarray:
    """Return what the best recommender names, which knows the truth, shape (views, recommended)."""
    chances, found = ViewChances(behaviour.world, tastes), []
    share = tastes.together_share
    for put, view in zip(tested.put[at], tested.views[at], strict=True):
        own = (1.0 - share) * chances.of_user(
            *(int(view[name]) for name in ("shard", "user", "persona"))
        )
        companions = tastes.companions[put["subject"]]
        own[companions] += share / len(companions)
        found.append(np.argsort(-own)[:RECOMMENDED])
    return np.array(found)


def _truths(behaviour: Behaviour, tastes: Tastes) -> dict[str, RecommenderTruth]:
    return {row.recommender: row for row in recommender_truths(behaviour, tastes)}


@pytest.mark.slow
def test_recommenders_have_their_margin() -> None:
    """Over a million events, each recommender has the hit rate that the truth computes.

    One that counts the views after each product in the first 70 % of the events has most of the
    margin of one that knows which products go together.
    """
    behaviour, tastes = _behaviour(STRENGTHS)
    truths, tested = _truths(behaviour, tastes), _Tested(STRENGTHS, EVENTS)

    popular = tested.rate(np.tile(tested.popular, (len(tested.views), 1)))
    learned = tested.rate(tested.learned[tested.put["subject"]])
    at = np.linspace(0, len(tested.views) - 1, ORACLE_VIEWS).astype(int)
    best = (_oracle(behaviour, tastes, tested, at) == tested.views["subject"][at, None]).sum()
    best /= len(at)

    assert len(tested.views) > 5_000
    assert popular == pytest.approx(truths["popular"].hit_rate, abs=tested.tolerance())
    assert best == pytest.approx(truths["best"].hit_rate, abs=4 * 0.5 / np.sqrt(ORACLE_VIEWS))
    margin = truths["companions"].margin
    assert 0.15 < margin < truths["best"].margin
    assert 0.75 * margin < learned - popular < margin + tested.tolerance()


@pytest.mark.slow
def test_no_tastes_have_no_margin() -> None:
    """If all strengths are 0, no recommender beats popularity, in the truth or in the events."""
    behaviour, tastes = _behaviour(NOTHING)
    truths, tested = _truths(behaviour, tastes), _Tested(NOTHING, EVENTS // 2)

    popular = tested.rate(np.tile(tested.popular, (len(tested.views), 1)))
    learned = tested.rate(tested.learned[tested.put["subject"]])

    assert [row.margin for row in truths.values()] == pytest.approx([0.0] * 3, abs=1e-9)
    assert popular == pytest.approx(truths["popular"].hit_rate, abs=tested.tolerance())
    assert learned <= popular + tested.tolerance() / 4


def test_users_have_their_tastes() -> None:
    """Each user is named once as in the events, with favourites whose shares add up to 1."""
    behaviour, tastes = _behaviour(STRENGTHS)
    spec, shop = behaviour.spec, behaviour.world.catalog

    found = {row.user_id: row for row in user_tastes(behaviour, tastes)}

    assert sorted(found) == sorted(f"u{number}" for number in range(spec.users))
    for number in (0, 5, spec.users - 1):
        user, shard = divmod(number, spec.shards)
        row, own = found[f"u{number}"], np.array([user])
        liked = [shop.category_names[at] for at in tastes.favourites(shop, shard, own)[0]]
        assert row.categories == {name: liked.count(name) / 3 for name in liked}
        assert row.price_level == tastes.price_levels(shard, own)[0]
    assert {len(row.categories) for row in found.values()} == {1, 2, 3}


def test_chances_add_up() -> None:
    """The chances of all products are 1, and their mean over users is that of all users."""
    behaviour, tastes = _behaviour(STRENGTHS)
    chances = ViewChances(behaviour.world, tastes)

    everyone = chances.of_all(0)
    mean = np.mean([chances.of_user(0, user, 0) for user in range(1_000)], axis=0)

    assert everyone.sum() == pytest.approx(1.0)
    assert mean.sum() == pytest.approx(1.0)
    assert mean == pytest.approx(everyone, abs=0.02)


def test_bots_have_no_test() -> None:
    """Users who put nothing in a cart cannot test a recommender."""
    behaviour, tastes = _behaviour(STRENGTHS, "Bot: 1")

    with pytest.raises(SimulationInvalid) as refused:
        recommender_truths(behaviour, tastes)

    assert refused.value.path == "spec.userMix"
