"""Profiles: which overlays apply to whose sessions and when, and what they change."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.effects import BROWSERS, CHANNEL_NAMES, SYSTEMS, Effects
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.experiments import Experiment, exposure_texts
from clickstream_contract.incidents import Incident, IncidentKind
from clickstream_generator.core.profiles import (
    Profiles,
    compile_profiles,
    local_hour,
    split_by_arm,
    split_by_incident,
    split_by_share,
)
from clickstream_generator.core.technology import build_technologies
from clickstream_generator.core.world import CHANNELS
from faker import Faker
from worlds import small_population, small_world

if TYPE_CHECKING:
    from clickstream_contract.effects import Overlay

MONDAY = 1_763_942_400.0
"""2025-11-24T00:00:00Z"""
USERS = np.arange(8)
"""Two Browsers in DE, two in US, two Bots in DE, two in US; Germany is an hour before UTC."""


def _overlays(*rows: dict[str, Any]) -> tuple[Overlay, ...]:
    named = [{"name": f"own-{place}", **row} for place, row in enumerate(rows)]
    return Effects.model_validate({"preset": "None", "overlays": named}).overlays


def _profiles(*rows: dict[str, Any]) -> Profiles:
    return compile_profiles(_overlays(*rows), small_world())


def _applied(row: dict[str, Any], since: float = 0.0, moment: float = MONDAY) -> list[int]:
    """Return to which of the users an overlay applies."""
    profiles, population = _profiles(row), small_population()
    population.sessions[:] = [1, 2] * 4
    population.channel[:] = [0, 4] * 4
    found = profiles.of(small_world(), population, USERS, since, moment)
    assert (profiles.bases[found] == population.persona).all()
    return np.flatnonzero(profiles.applied[found, 0]).tolist()


@pytest.mark.parametrize(
    ("who", "users"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"devices": ["mobile"]}, [0, 1, 2, 3]),
        ({"devices": ["mobile", "desktop"]}, [0, 1, 2, 3, 4, 5, 6, 7]),
        ({"devices": ["tablet"]}, []),
        ({"os": ["Linux"]}, [4, 5, 6, 7]),
        ({"browsers": ["Chrome"]}, [0, 1, 2, 3]),
        ({"countries": ["US"]}, [2, 3, 6, 7]),
        ({"channels": ["email", "social"]}, [1, 3, 5, 7]),
        ({"personas": ["Bot"]}, [4, 5, 6, 7]),
        ({"returning": False}, [0, 2, 4, 6]),
        ({"returning": True}, [1, 3, 5, 7]),
        ({"devices": ["mobile"], "countries": ["DE"], "returning": True}, [1]),
    ],
)
def test_overlay_applies_to_its_users(who: dict[str, Any], users: list[int]) -> None:
    """An overlay applies to sessions of the users for whom all of its conditions hold."""
    assert _applied({"who": who}) == users


@pytest.mark.parametrize(
    ("when", "hours", "users"),
    [
        ({"hours": [1]}, 0.0, [0, 1, 4, 5]),
        ({"hours": [19]}, 0.0, [2, 3, 6, 7]),
        ({"hours": [1]}, 1.0, []),
        ({"weekdays": ["Mon"]}, 0.0, [0, 1, 4, 5]),
        ({"weekdays": ["Sun"]}, 0.0, [2, 3, 6, 7]),
        ({"weekdays": ["Mon"], "hours": [2]}, 1.5, [0, 1, 4, 5]),
        ({"weekdays": ["Mon"], "hours": [2]}, 25.5, []),
    ],
)
def test_hours_are_local(when: dict[str, Any], hours: float, users: list[int]) -> None:
    """Hours and days are those of the user's country."""
    assert _applied({"when": when}, moment=MONDAY + 3_600 * hours) == users


@pytest.mark.parametrize(
    ("when", "since", "applies"),
    [
        ({}, -9.0, True),
        ({"at": "10s"}, 9.9, False),
        ({"at": "10s"}, 10.0, True),
        ({"at": "10s", "for": "5s"}, 14.9, True),
        ({"at": "10s", "for": "5s"}, 15.0, False),
        ({"for": "5s"}, -0.1, False),
        ({"for": "5s"}, 0.0, True),
    ],
)
def test_range_has_its_bounds(when: dict[str, Any], since: float, applies: bool) -> None:  # noqa: FBT001  a parameter
    """A range begins with its first moment and ends before the last; history is before it."""
    assert bool(_applied({"when": when}, since)) == applies


def test_overlays_know_every_name() -> None:
    """Overlays may name each system, browser and channel of the generator's users, and no other."""
    technologies = build_technologies(Faker())

    assert {row.os for row in technologies} == set(SYSTEMS)
    assert {row.browser for row in technologies} == set(BROWSERS)
    assert tuple(CHANNELS) == CHANNEL_NAMES


def test_no_overlay_changes_nothing() -> None:
    """Without overlays, each persona is its profile."""
    profiles = _profiles()

    assert profiles.personas == small_world().personas
    assert profiles.bases.tolist() == [0, 1]
    assert profiles.lookup.ravel().tolist() == [0, 1]


def test_multipliers_are_multiplied() -> None:
    """Of two overlays that apply, a step has the product of their multipliers."""
    step = {"view_item": {"add_to_cart": 500}}
    profiles = _profiles({"transitions": step}, {"transitions": step, "thinkPermille": 1_500})

    persona, base = profiles.personas[0], small_world().personas[0]

    weights, plain = persona.transitions["view_item"], base.transitions["view_item"]
    assert weights["add_to_cart"] / weights["exit"] == pytest.approx(
        0.25 * plain["add_to_cart"] / plain["exit"]
    )
    assert persona.transitions["search"] == base.transitions["search"]
    assert persona.think_median_seconds == pytest.approx(1.5 * base.think_median_seconds)


def test_shares_are_independent() -> None:
    """An overlay has its share of the users, whatever the shares of another one are."""
    one, two = _overlays({"who": {"usersPermille": 300}}, {"who": {"usersPermille": 500}})
    users = np.arange(100_000)

    first, second = (split_by_share(row, 0).sides(42, 0, users) == 1 for row in (one, two))

    assert first.mean() == pytest.approx(0.3, abs=0.006)
    assert second.mean() == pytest.approx(0.5, abs=0.006)
    assert (first & second).mean() == pytest.approx(0.15, abs=0.006)
    for seed, shard in ((43, 0), (42, 1)):
        other = split_by_share(one, 0).sides(seed, shard, users) == 1
        assert (first & other).mean() == pytest.approx(0.09, abs=0.006)


def test_users_stay_in_their_share() -> None:
    """The same users belong to an overlay in every release, also after a run is resumed."""
    (one,) = _overlays({"who": {"usersPermille": 300}})

    found = np.flatnonzero(split_by_share(one, 0).sides(42, 3, np.arange(40)))
    assert found.tolist() == [4, 5, 21, 22, 27, 31, 34, 35]


def test_arms_have_their_shares() -> None:
    """Each arm has its share of those who take part, whatever the arms of another experiment."""
    arms = [{"name": "control"}, {"name": "a"}, {"name": "b", "weight": 2}]
    one, two = (
        Experiment.model_validate({"name": name, "arms": arms, "who": {"usersPermille": permille}})
        for name, permille in (("one", 800), ("two", 1_000))
    )
    users = np.arange(100_000)

    first, second = (split_by_arm(row, 0) for row in (one, two))

    assert first.places == (-1, 0, 1, 2)
    assert second.places == (0, 1, 2)
    sides = [split.sides(42, 0, users) for split in (first, second)]
    for split, side in zip((first, second), sides, strict=True):
        found = np.bincount(side) / len(users)
        assert found == pytest.approx(split.shares, abs=0.006)
    assert first.shares == pytest.approx([0.2, 0.2, 0.2, 0.4])
    joint = np.bincount(3 * sides[0] + sides[1], minlength=12) / len(users)
    assert joint == pytest.approx(np.outer(first.shares, second.shares).ravel(), abs=0.006)


def test_user_stays_in_an_arm() -> None:
    """A user's arm follows from seed, experiment and user, not from the other users."""
    rows = {"name": "one", "arms": [{"name": "control"}, {"name": "a"}]}
    split = split_by_arm(Experiment.model_validate(rows), 0)

    assert split.sides(42, 0, USERS).tolist() == [0, 0, 1, 1, 1, 0, 1, 0]
    assert split.sides(42, 0, USERS[3:5]).tolist() == split.sides(42, 0, USERS)[3:5].tolist()


def test_exposure_is_the_arm() -> None:
    """The text of a profile has the arms whose overlays apply to it, and no other."""
    rows: list[dict[str, Any]] = [
        {"name": "one", "arms": [{"name": "control"}, {"name": "a"}], "at": "10s", "for": "5s"},
        {
            "name": "two",
            "arms": [{"name": "control"}, {"name": "b", "thinkPermille": 2_000}],
            "who": {"devices": ["mobile"], "usersPermille": 800},
        },
    ]
    experiments = [Experiment.model_validate(row) for row in rows]
    profiles = compile_profiles((), small_world(), experiments)
    texts = exposure_texts(experiments)

    def found(since: float) -> list[str]:
        number = profiles.of(small_world(), small_population(), USERS, since, MONDAY)
        return [texts[place] for place in profiles.exposures[number]]

    one, two = (
        split.sides(small_population().seed, small_population().shard, USERS)
        for split in profiles.splits
    )
    names = [["one=control", "one=a"][side] for side in one]
    others = [["", "two=control", "two=b"][side] * (at < 4) for at, side in enumerate(two)]
    assert len(set(others)) == 3
    assert found(0.0) == others
    assert found(12.0) == [",".join(filter(None, pair)) for pair in zip(names, others, strict=True)]
    base = small_world().personas[0].think_median_seconds
    slow = [persona.think_median_seconds > base for persona in profiles.personas]
    chosen = profiles.of(small_world(), small_population(), USERS[:4], 0.0, MONDAY)
    assert [slow[at] for at in chosen] == [text == "two=b" for text in others[:4]]


def _incident(name: str, at: str, **changes: Any) -> Incident:  # noqa: ANN401  any field
    row = {"name": name, "kind": "SlowPages", "at": at, "for": "5s"}
    return Incident.model_validate({**row, **changes})


def test_incidents_share_profiles() -> None:
    """Incidents of one kind and scope have one overlay, which applies while one of them lasts."""
    who = {"devices": ["mobile"]}
    rows = [_incident("a", "10s", who=who), _incident("b", "30s", who=who)]
    profiles = compile_profiles(_overlays({}), small_world(), (), rows)

    def slow(since: float) -> list[int]:
        number = profiles.of(small_world(), small_population(), USERS, since, MONDAY)
        return np.flatnonzero(profiles.applied[number, 1]).tolist()

    assert len(profiles.overlays) == 2
    assert profiles.incidents == (tuple(rows),)
    assert [slow(since) for since in (9.9, 15.0, 29.9, 35.0)] == [[]] * 4
    assert [slow(since) for since in (10.0, 14.9, 30.0)] == [[0, 1, 2, 3]] * 3


def test_incident_has_its_share() -> None:
    """Two incidents for a share of the users concern different users, chosen by the name."""
    rows = [_incident(name, "10s", who={"usersPermille": 500}) for name in ("a", "b")]
    profiles = compile_profiles((), small_world(), (), rows)

    number = profiles.of(small_world(), small_population(), USERS, 10.0, MONDAY)

    seed, shard = small_population().seed, small_population().shard
    sides = [split_by_incident(row, 0).sides(seed, shard, USERS).tolist() for row in rows]
    assert profiles.applied[number].T.astype(int).tolist() == sides
    assert sides[0] != sides[1]


def test_profiles_without_an_overlay() -> None:
    """Without one overlay, the personas have only the changes of the others."""
    rows = _overlays({"thinkPermille": 2_000}, {"thinkPermille": 3_000})
    profiles = compile_profiles(rows, small_world())

    found = profiles.without(0, small_world())

    base = [persona.think_median_seconds for persona in small_world().personas]
    seconds = [
        row.think_median_seconds / base[at]
        for row, at in zip(found.personas, found.bases, strict=True)
    ]
    assert seconds == pytest.approx([3.0, 3.0])
    assert (found.lookup == profiles.lookup).all()


def test_mean_is_over_sessions() -> None:
    """A group's mean counts devices, channels, later sessions and shares as often as they are."""
    profiles = _profiles({"who": {"channels": ["email"], "returning": True, "usersPermille": 250}})

    found = profiles.mean_by_group(profiles.applied[:, 0].astype(float), small_world())

    assert found.shape == (1, 1, 4)
    assert found[0, 0].tolist() == pytest.approx(
        [0.08 * later * 0.25 for later in (0.35, 0.35, 0.8, 0.8)]
    )


def test_too_many_profiles_are_refused() -> None:
    """Overlays that divide the users into too many kinds are refused, not compiled."""
    rows = [{"who": {"usersPermille": 500}} for _ in range(13)]

    with pytest.raises(SimulationInvalid, match="at most 4096 kinds") as caught:
        _profiles(*rows)
    assert caught.value.path == "spec.effects"
    assert len(_profiles(*rows[:11]).personas) == 4096


def test_lost_tracking_marks_profiles() -> None:
    """Profiles lose events where lost tracking applies, and are as before without it."""
    world = small_world()
    rows = (
        _incident("failing", "10s", kind="CheckoutFails"),
        _incident("lost", "10s", kind="TrackingLost", who={"countries": ["DE"]}),
    )
    profiles = compile_profiles(_overlays({"who": {"devices": ["mobile"]}}), world, (), rows)

    assert profiles.losing.tolist() == profiles.applied[:, 2].tolist()
    assert 0 < np.count_nonzero(profiles.losing) < len(profiles.losing)
    for place, expected in ((1, profiles.losing), (2, np.zeros(len(profiles.losing), dtype=bool))):
        assert profiles.without(place, world).losing.tolist() == expected.tolist()
    assert not compile_profiles((), world, (), rows[:1]).losing.any()


def test_shares_of_faults_add_up() -> None:
    """A profile has the faults of all its overlays, at most those of all events."""
    world = small_world()
    mobile, german = (
        {"who": {"devices": ["mobile"]}, "faults": {"lossPermille": 600, "latePermille": 30}},
        {"who": {"countries": ["DE"]}, "faults": {"lossPermille": 700, "duplicatePermille": 5}},
    )

    profiles = compile_profiles(_overlays(mobile, german), world)

    assert profiles.faults is not None
    found = {
        tuple(applied): tuple(shares)
        for applied, shares in zip(profiles.applied.tolist(), profiles.faults.tolist(), strict=True)
    }
    assert found == {
        (False, False): (0, 0, 0),
        (True, False): (600, 30, 0),
        (False, True): (700, 0, 5),
        (True, True): (1_000, 30, 5),
    }
    assert compile_profiles(_overlays({"who": {"devices": ["mobile"]}}), world).faults is None


def test_too_many_incidents_are_refused() -> None:
    """More incidents with different effects than a key has bits are refused."""
    rows = [
        _incident(f"a{place}", "10s", kind=kind, who={"countries": [country]})
        for place, (kind, country) in enumerate(product(IncidentKind, list(COUNTRIES)[:12]))
    ]

    with pytest.raises(
        SimulationInvalid, match="at most 56 overlays, arms and incidents"
    ) as caught:
        compile_profiles((), small_world(), (), rows)
    assert caught.value.path == "spec.incidents"
    assert compile_profiles((), small_world(), (), rows[:56])


def test_week_begins_on_monday() -> None:
    """An hour of the week is counted from Monday 00:00, local time."""
    assert local_hour(MONDAY, np.array([0, 60, -300])).tolist() == [0, 1, 163]
