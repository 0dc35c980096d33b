"""The truth about segments and arms: by hand, and against the sessions of a day and of 200 seeds.

The intervals are some standard errors wide, because many segments are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.run_truths import EXPERIMENTS, RUN_TRUTHS, RunTruth
from clickstream_generator.core.behaviour import Behaviours
from clickstream_generator.core.events import CODE
from clickstream_generator.core.population import build_population
from clickstream_generator.core.profiles import split_by_arm
from clickstream_generator.core.rhythm import Schedule
from clickstream_generator.core.segment_truth import (
    ATTRIBUTES,
    ArmTruth,
    ArmTruths,
    SegmentTruth,
    arm_truths,
    earlier_sessions,
    segment_truths,
)
from clickstream_generator.core.shard import Shard
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.world import CHANNELS
from lifts import Estimate, estimate
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from clickstream_generator.core.behaviour import Behaviour
    from clickstream_generator.core.population import Population

MIX = "Browser: 500, Shopper: 250, Buyer: 150, Loyal: 50, Bot: 50"
EVENING = START_SECONDS + 7_900
"""In Germany it is 19:12, and 13:12 in the United States."""
CUT_SECONDS = 600
KINDS: list[tuple[str, ...]] = [(), *((name,) for name in ATTRIBUTES), ("device", "channel")]
TOLERANCE = 4.0
"""Standard errors."""


SEEDS = range(200)
FALSE_POSITIVES = (3, 18)
"""Of 200 intervals of 95 %, so many may miss the truth; chance leaves this range once in 100."""


def _behaviour(effects: str, mix: str = MIX, more: str = "") -> Behaviour:
    spec = simulation(more=f"  effects: {effects}\n{more}", mix=mix).spec
    return Behaviours(spec).of(spec)


def test_shares_add_up() -> None:
    """The segments of each attribute are all sessions, and their conversions make that of all."""
    whole, *found = segment_truths(
        _behaviour("{preset: Retail}"), [(), *((name,) for name in ATTRIBUTES)]
    )

    for name in ATTRIBUTES:
        rows = [row for row in found if name in row.segment]
        assert sum(row.share for row in rows) == pytest.approx(1.0)
        assert sum(row.share * row.conversion for row in rows) == pytest.approx(whole.conversion)
        assert sum(row.share * row.events for row in rows) == pytest.approx(whole.events)


def test_segments_differ_only_by_effects() -> None:
    """Without effects, device, channel, country and hour make no difference."""
    behaviour = _behaviour("{preset: None}", mix="Shopper: 1")

    for name in ("device", "channel", "country", "hour"):
        rows = segment_truths(behaviour, [(name,)])
        assert len(rows) > 1
        assert np.ptp([row.conversion for row in rows]) < 1e-12


def test_retail_has_its_order() -> None:
    """Phones convert about half as well as desktops, and channels as the sources say."""
    # Without bots, which are all desktops and never buy.
    behaviour = _behaviour("{preset: Retail}", mix="Browser: 500, Shopper: 250, Buyer: 150")
    kinds = [("device",), ("channel",), ("session",), ("hour",)]
    found = {
        " ".join(row.segment.values()): row.conversion for row in segment_truths(behaviour, kinds)
    }

    assert found["mobile"] / found["desktop"] == pytest.approx(0.55, abs=0.1)
    assert found["mobile"] < found["tablet"] < found["desktop"]
    order = ["email", "direct", "organic_search", "paid_search", "social"]
    assert [found[name] for name in order] == sorted((found[name] for name in order), reverse=True)
    assert found["later"] > 1.5 * found["first"]
    assert found["20"] > found["15"]


def test_range_has_its_truth() -> None:
    """Each range of the run has rows; an overlay changes those of its range."""
    step = "{view_cart: {begin_checkout: 0}, add_to_cart: {begin_checkout: 0}}"
    row = f"{{name: down, when: {{at: 1h, for: 1h}}, transitions: {step}}}"

    found = segment_truths(_behaviour(f"{{preset: None, overlays: [{row}]}}"), [()])

    assert [row.range_number for row in found] == [0, 1, 2]
    assert found[1].conversion < 0.05 * found[0].conversion
    assert found[2].conversion == found[0].conversion


def test_share_of_users_counts() -> None:
    """An overlay for a share of the users moves the conversion by that share of its effect."""
    step = "{view_item: {add_to_cart: 2000}}"

    def conversion(who: str) -> float:
        row = f"{{name: a, who: {who}, transitions: {step}}}"
        (found,) = segment_truths(_behaviour(f"{{preset: None, overlays: [{row}]}}"), [()])
        return found.conversion

    none, every, some = (
        conversion(who)
        for who in ("{os: [iPadOS], browsers: [Edge]}", "{}", "{usersPermille: 250}")
    )
    assert some == pytest.approx(none + 0.25 * (every - none))


def test_earlier_sessions_have_shares() -> None:
    """Shares add up to 1; no user returns twice where none returns, and often where all do."""
    found = earlier_sessions(np.array([0.0, 0.5, 1.0]))

    assert found.sum(axis=1) == pytest.approx(np.ones(3))
    assert found[0, 0] == pytest.approx(1.0)
    assert 0.3 < found[1, 0] < 0.5
    assert found[2, -1] > 0.99


@dataclass
class Day:
    """The sessions of a day, with the truth of each."""

    behaviour: Behaviour
    columns: dict[str, np.ndarray]
    user: np.ndarray
    bought: np.ndarray
    chance: np.ndarray
    """The truth by all attributes of the session."""


def _sessions(rate: int, more: str, hours: tuple[float, float]) -> Day:
    """Return the sessions of one shard of four; hours are after the start."""
    retail = "  effects: {preset: Retail}\n"
    wanted = simulation(f"{{eventsPerSecond: {rate}}}", more + retail, 4_000_000, MIX)
    source = Simulator(wanted, (0,), RUN_ID)
    source.begin(EVENING)
    steps = np.arange(hours[0], hours[1] + 0.01, 0.1)
    rows = np.concatenate([source.take_due(EVENING + 3_600 * at, 10**9).rows for at in steps])
    rows = rows[np.lexsort((rows["session_seq"], rows["session_no"]))]
    first = np.flatnonzero(np.diff(rows["session_no"], prepend=-1))
    bought = np.maximum.reduceat(rows["code"] == CODE["purchase"], first)
    starts = rows[first]
    # Later sessions may be cut off.
    whole = starts["event_time_ms"] < 1_000 * (EVENING + 3_600 * hours[1] - CUT_SECONDS)
    starts, bought = starts[whole], bought[whole]
    shard = source.shards[0]
    columns = _columns(shard.behaviour, shard.population, starts)
    names = [name for name in ATTRIBUTES if name not in {"os", "browser"}]
    joint = {
        tuple(row.segment.values()): row.conversion
        for row in segment_truths(shard.behaviour, [names])
    }
    chance = np.array([joint[key] for key in zip(*(columns[name] for name in names), strict=True)])
    return Day(shard.behaviour, columns, starts["user"], bought, chance)


def _columns(
    behaviour: Behaviour, population: Population, starts: np.ndarray
) -> dict[str, np.ndarray]:
    world, user = behaviour.world, starts["user"]
    technologies = [world.technologies[number] for number in population.technology[user]]
    country = world.countries_of(population.city[user])
    local = starts["event_time_ms"] / 60_000 + world.utc_offset_minutes[country]
    return {
        "device": np.array([row.device for row in technologies]),
        "os": np.array([row.os for row in technologies]),
        "browser": np.array([row.browser for row in technologies]),
        "country": np.array(world.country_codes)[country],
        "channel": np.array(list(CHANNELS))[population.channel[user]],
        "persona": np.array([row.name for row in world.personas])[starts["persona"]],
        "session": np.where(starts["session_number"] == 1, "first", "later"),
        "hour": (local // 60 % 24).astype(int).astype(str),
    }


def _own(day: Day, row: SegmentTruth) -> np.ndarray:
    """Return which sessions belong to a segment."""
    own = np.ones(len(day.user), dtype=bool)
    for name, value in row.segment.items():
        own &= day.columns[name] == value
    return own


def test_sample_lies_within_truth() -> None:
    """Over 200,000 events, so many sessions of each segment buy as the computation says."""
    day = _sessions(400, "", (0.0, 0.7))
    judged = 0
    assert len(day.user) > 20_000

    for row in segment_truths(day.behaviour, KINDS):
        chance = day.chance[_own(day, row)]
        if chance.sum() > 30:
            judged += 1
            spread = np.sqrt((chance * (1 - chance)).sum())
            bought = day.bought[_own(day, row)].sum()
            assert bought == pytest.approx(chance.sum(), abs=TOLERANCE * spread), row
    assert judged > 20


@pytest.mark.slow
def test_million_lies_within_truth() -> None:
    """Over a million events of a day, the conversion of each segment is the computed one.

    Only the specification is known here. Users are independent, but not their sessions.
    """
    day = _sessions(48, "  backfill: {days: 1}\n", (-23.9, 0.0))
    judged = 0
    assert len(day.user) > 100_000

    for row in segment_truths(day.behaviour, [*KINDS, ("persona", "session")]):
        own = _own(day, row)
        sessions = np.count_nonzero(own)
        if sessions * row.conversion > 50:
            judged += 1
            by_user = np.bincount(day.user[own], day.bought[own] - row.conversion)
            error = np.sqrt((by_user**2).sum()) / sessions
            found = day.bought[own].mean()
            assert found == pytest.approx(row.conversion, abs=TOLERANCE * error), row
    assert judged > 50


def _experiment(multiplier: int, who: str = "{}", at: str = "") -> str:
    step = f"{{view_item: {{add_to_cart: {multiplier}}}}}"
    arms = f"[{{name: control}}, {{name: green, transitions: {step}}}]"
    return f"  experiments: [{{name: button, who: {who}, arms: {arms}{at}}}]\n"


def test_arm_is_a_segment() -> None:
    """An arm's sessions convert like those of a run in which its overlay concerns all users."""
    step = "{view_item: {add_to_cart: 1500}}"
    every = f"{{preset: Retail, overlays: [{{name: green, transitions: {step}}}]}}"
    plain, changed = (
        segment_truths(_behaviour(effects), [("device",)])[0]
        for effects in ("{preset: Retail}", every)
    )
    who = "{devices: [mobile], usersPermille: 400}"

    control, green = arm_truths(_behaviour("{preset: Retail}", more=_experiment(1_500, who)))

    assert plain.segment == {"device": "mobile"}
    assert control.conversion == pytest.approx(plain.conversion)
    assert green.conversion == pytest.approx(changed.conversion)
    assert green.lift == pytest.approx(changed.conversion / plain.conversion - 1)
    assert control.share == green.share == pytest.approx(0.2 * plain.share)


def test_arm_has_its_ranges() -> None:
    """An arm has rows for the ranges in which its experiment runs, and no other."""
    rows = arm_truths(_behaviour("{preset: None}", more=_experiment(500, at=", at: 1h, for: 1h")))

    assert [(row.range_number, row.arm) for row in rows] == [(1, "control"), (1, "green")]
    assert (rows[0].experiment, rows[0].lift) == ("button", 0.0)
    assert rows[1].lift < -0.2


def test_arms_come_when_their_range_begins() -> None:
    """Each range's arms come once, when the run reaches it, with history in the first range."""
    more = _experiment(500, at=", at: 1h, for: 1h").replace("[{name", "[{name: always, arms: "
        "[{name: control}, {name: same}]}, {name", 1)  # fmt: skip
    behaviour = _behaviour("{preset: None}", more=f"{more}  backfill: {{days: 2}}\n")
    waiting = ArmTruths(behaviour, START_SECONDS)
    days = START_SECONDS - 2 * 86_400
    begins = (days, START_SECONDS + 3_600, START_SECONDS + 7_200)

    none, first, again, last = (
        waiting.rows_until(moment) for moment in (days - 1, days, begins[1] - 1, np.inf)
    )

    assert (none, again) == ([], [])
    assert first + last == [row.to_json(begins[row.range_number]) for row in arm_truths(behaviour)]
    assert [row["arm"] for row in first] == ["control", "same"]
    assert [(row["arm"], row["from_seconds"]) for row in last if row["experiment"] == "button"] == [
        ("control", begins[1]), ("green", begins[1])
    ]  # fmt: skip


def test_arms_end_before_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """No range is returned in part: those with more rows than a record keeps are left out."""
    arms = RunTruth(RUN_TRUTHS[EXPERIMENTS].members, most=3)
    monkeypatch.setitem(RUN_TRUTHS, EXPERIMENTS, arms)
    more = "  incidents: [{name: one, kind: CartFails, at: 1h, for: 1h}]\n"
    waiting = ArmTruths(_behaviour("{preset: None}", more=_experiment(500) + more), START_SECONDS)

    rows = waiting.rows_until(np.inf)

    assert [(row["arm"], row["from_seconds"]) for row in rows] == [
        ("control", START_SECONDS), ("green", START_SECONDS)
    ]  # fmt: skip
    assert waiting.rows_until(np.inf) == []


def test_control_without_orders_has_no_lift() -> None:
    """Arms of a shop that sells nothing have no lift, which JSON could not state as a number."""
    arm = ArmTruth(0, "button", "green", 0.5, 0.0, float("nan"))

    assert arm.to_json(START_SECONDS)["lift"] is None


@dataclass
class Sample:
    """The sessions of a seed: user, arm from 1 on, and whether they bought."""

    user: np.ndarray
    arm: np.ndarray
    bought: np.ndarray

    def estimate(self) -> Estimate:
        """Return the lift as the tables of a pipeline would give it."""
        control, green = (self.arm == number for number in (1, 2))
        return estimate(
            (self.user[control], self.user[green]), (self.bought[control], self.bought[green])
        )


QUICK = "{preset: Retail, overlays: [{name: quick, thinkPermille: 10}]}"
"""Sessions of a few seconds: thinking does not change the conversion."""


def _sample(behaviour: Behaviour, seed: int, rate: int = 4_000) -> Sample:
    """Return the sessions of users and draws of a seed, except those that the end may cut off."""
    source = Shard(
        number=0,
        shards=1,
        behaviour=behaviour,
        population=build_population(behaviour.world, 20_000, 0, seed),
        schedule=Schedule(
            simulation(f"{{eventsPerSecond: {rate}}}").spec.rate,
            behaviour.rhythm,
            start_seconds=START_SECONDS,
            origin_after_seconds=0.0,
        ),
        rng=np.random.default_rng([0, seed]),
    )
    rows = source.take(14 * rate).rows
    rows = rows[np.lexsort((rows["session_seq"], rows["session_no"]))]
    first = np.flatnonzero(np.diff(rows["session_no"], prepend=-1))
    bought = np.maximum.reduceat(rows["code"] == CODE["purchase"], first)
    starts = rows[first]
    whole = starts["event_time_ms"] < 1_000 * (START_SECONDS + 8)
    return Sample(starts["user"][whole], starts["subject"][whole], bought[whole])


def test_equal_arms_seldom_differ() -> None:
    """Of 200 divisions of the same sessions into equal arms, about 5 % show a difference."""
    behaviour = _behaviour(QUICK, more=_experiment(1_000))
    (experiment,) = behaviour.spec.experiments
    split, sample = split_by_arm(experiment, 0), _sample(behaviour, 42)
    assert (sample.arm == 1 + split.sides(42, 0, sample.user)).all()

    found = [
        Sample(sample.user, 1 + split.sides(seed, 0, sample.user), sample.bought).estimate()
        for seed in SEEDS
    ]

    wrong = sum(not row.low <= 0.0 <= row.high for row in found)
    assert FALSE_POSITIVES[0] <= wrong <= FALSE_POSITIVES[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("multiplier", "lift"), [(1_000, 0.0), (1_110, 0.05), (1_235, 0.1), (1_510, 0.2)]
)
def test_intervals_cover_the_truth(multiplier: int, lift: float) -> None:
    """Of the intervals of 200 seeds, about 95 % cover the computed lift."""
    behaviour = _behaviour(QUICK, more=_experiment(multiplier))
    truth = arm_truths(behaviour)[1].lift
    assert truth == pytest.approx(lift, abs=0.005)

    found = [_sample(behaviour, seed).estimate() for seed in SEEDS]

    missed = sum(not row.low <= truth <= row.high for row in found)
    assert FALSE_POSITIVES[0] <= missed <= FALSE_POSITIVES[1]
    log = np.log1p([row.lift for row in found]) - np.log1p(truth)
    error = log.std() / np.sqrt(len(found))
    assert log.mean() == pytest.approx(0.0, abs=3 * error)
