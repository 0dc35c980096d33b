"""The shop that is measured."""

from __future__ import annotations

import pytest
from clickstream_bench.shop import shop
from clickstream_contract.errors import SimulationInvalid


def test_shop_is_always_the_same() -> None:
    """Users, catalog, seed and shards are fixed, so that figures are comparable."""
    simulation = shop(rate={"eventsPerSecond": 5})

    assert simulation.name == "bench"
    assert simulation.spec.seed == 42
    assert (simulation.spec.users, simulation.spec.shards) == (200_000, 4)
    assert (simulation.spec.catalog.products, simulation.spec.catalog.categories) == (1_000, 25)
    assert {row.persona: row.weight for row in simulation.spec.user_mix} == {
        "Browser": 400, "Shopper": 270, "Researcher": 100, "Buyer": 110, "BargainHunter": 70,
        "Loyal": 40, "Bot": 10,
    }  # fmt: skip


def test_fields_may_be_replaced() -> None:
    """A benchmark's fields override the fixed ones."""
    simulation = shop(rate={"eventsPerMinute": 90}, users=1_000_000, stopAfter={"events": 7})

    assert simulation.spec.rate.per_second == 1.5
    assert simulation.spec.users == 1_000_000
    assert simulation.spec.stop_after is not None
    assert simulation.spec.stop_after.events == 7


def test_rate_must_be_named() -> None:
    """A shop without a rate is none."""
    with pytest.raises(SimulationInvalid, match=r"spec\.rate"):
        shop()
