"""The statistics of simulated events: lengths, conversion, popularity, and the hours of the day.

They are taken over some hundred thousand events. Each tolerance is a few standard errors of the
estimate at this size; what is expected follows exactly from the tables, by absorbing Markov chains
(Kemeny and Snell, Finite Markov Chains, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.events import CODE, MAX_CART_LINES
from clickstream_generator.core.journeys import EXIT_CODE
from clickstream_generator.core.simulator import Simulator
from simulations import RUN_ID, START_SECONDS, events, simulation, simulator

PERSONAS = ("Browser", "Researcher", "Shopper", "Buyer", "BargainHunter", "Loyal", "Bot")
MIX = ", ".join(f"{name}: 100" for name in PERSONAS)


def test_sessions_have_expected_length() -> None:
    """The mean of finished sessions of each persona is the exact expectation, within 5 %."""
    source = simulator("{eventsPerSecond: 1600}", users=2_000_000, numbers=(0,))
    rows = events(source, 900, 50)
    behaviour = source.shards[0].behaviour
    expected = behaviour.journeys.expected_events
    names = [persona.name for persona in behaviour.world.personas]
    ended = rows[rows["is_last"]]
    # Sessions begun late are cut by the end of the run: judge those of the first half.
    begun = rows[
        (rows["session_seq"] == 1) & (rows["event_time_ms"] < (START_SECONDS + 450) * 1000)
    ]
    for persona in map(names.index, ("Browser", "Shopper", "Buyer")):
        early = set(
            zip(begun["shard"][begun["persona"] == persona].tolist(),
                begun["session_no"][begun["persona"] == persona].tolist(), strict=True)
        )  # fmt: skip
        own = ended[ended["persona"] == persona]
        lengths = [
            length
            for shard, number, length in zip(
                own["shard"].tolist(), own["session_no"].tolist(), own["session_seq"].tolist(),
                strict=True,
            )
            if (shard, number) in early
        ]  # fmt: skip
        assert np.mean(lengths) == pytest.approx(expected[persona], rel=0.05)


def test_popularity_follows_power_law() -> None:
    """Looks per product fall with the rank by the exponent of the catalog."""
    source = simulator("{eventsPerSecond: 1200}", users=400_000, numbers=(0,))
    rows = events(source, 600, 50)
    shop = source.shards[0].behaviour.world.catalog
    names = [persona.name for persona in source.shards[0].behaviour.world.personas]
    looks = np.bincount(
        rows["subject"][
            (rows["code"] == CODE["view_item"]) & (rows["persona"] != names.index("Bot"))
        ],
        minlength=len(shop.price_minor),
    )

    share = looks / looks.sum()
    top = np.argsort(shop.popularity)[::-1][:50]
    assert np.corrcoef(np.log(share[top]), np.log(shop.popularity[top]))[0, 1] > 0.97


@dataclass
class Sample:
    """Many events, whole sessions together, and what the simulation knew of them."""

    source: Simulator
    rows: np.ndarray
    first: np.ndarray
    """Positions of the first events of sessions."""
    cart: np.ndarray
    """Pieces in the cart after each event."""
    is_whole: np.ndarray
    """Whether the session of each event began and ended within the sample, with an empty cart."""

    def of(self, name: str) -> int:
        """Return the number of a persona."""
        return [own.name for own in self.source.shards[0].behaviour.world.personas].index(name)


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Twenty-five minutes of all personas in equal parts, from a town too large to know."""
    source = Simulator(
        simulation("{eventsPerSecond: 1000}", mix=MIX, users=4_000_000), (0,), RUN_ID
    )
    source.begin(START_SECONDS)
    rows = events(source, 1_500, 500)
    rows = rows[np.lexsort((rows["session_seq"], rows["session_no"], rows["shard"]))]
    assert len(rows) > 350_000
    session = rows["session_no"] * 4 + rows["shard"]
    first = np.flatnonzero(np.concatenate([[True], session[1:] != session[:-1]]))
    length = np.diff(np.append(first, len(rows)))
    has_cart = rows["code"] >= CODE["add_to_cart"]
    place = np.where(has_cart, np.arange(len(rows)), 0)
    place[first] = np.where(has_cart[first], place[first], first)
    latest = np.maximum.accumulate(place)
    cart = np.where(rows["code"][latest] == CODE["purchase"], 0, rows["cart_quantity"][latest])
    ended = np.repeat(np.maximum.reduceat(rows["is_last"], first), length)
    fresh = np.repeat(rows["session_number"][first] == 1, length)
    early = np.repeat(rows["event_time_ms"][first] < 1000 * (START_SECONDS + 1_000), length)
    return Sample(source, rows, first, cart, ended & fresh & early)


@pytest.mark.parametrize("name", PERSONAS)
def test_steps_follow_the_table(sample: Sample, name: str) -> None:
    """From each step, by what the cart holds, the shares of the next ones are the table's."""
    rows, persona = sample.rows, sample.of(name)
    table = sample.source.shards[0].behaviour.journeys.probability[persona]
    after = np.full(len(rows), EXIT_CODE)
    inner = ~rows["is_last"][:-1] & (rows["session_no"][1:] == rows["session_no"][:-1])
    after[:-1][inner] = rows["code"][1:][inner]
    known = rows["is_last"].copy()
    known[:-1] |= inner
    fresh = np.repeat(
        rows["session_number"][sample.first] == 1,
        np.diff(np.append(sample.first, len(rows))),
    )
    judged = 0
    for context, filled in ((0, False), (1, True)):
        for code in range(EXIT_CODE):
            own = (rows["persona"] == persona) & (rows["code"] == code) & known & fresh
            own &= (sample.cart > 0) == filled
            count = np.count_nonzero(own)
            if count < 400:
                continue
            judged += 1
            found = np.bincount(after[own], minlength=EXIT_CODE + 1) / count
            wanted = table[context, code]
            allowed = 5 * np.sqrt(wanted * (1 - wanted) / count) + 0.003
            assert (np.abs(found - wanted) <= allowed).all(), (EVENT_NAMES[code], filled)
    assert judged >= 2


def _chain(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return chances to buy at all, and to ever fill a cart, by step and lines in the cart."""
    contexts = MAX_CART_LINES + 1
    size = EXIT_CODE * contexts
    stay = np.zeros((size, size))
    buys, fills = np.zeros(size), np.zeros(size)
    for lines in range(contexts):
        context = 2 if lines == MAX_CART_LINES else min(lines, 1)
        for source in range(EXIT_CODE):
            at = source * contexts + lines
            for target in range(EXIT_CODE):
                chance = probability[context, source, target]
                if target == CODE["purchase"]:
                    buys[at] += chance
                    continue
                if target == CODE["add_to_cart"]:
                    fills[at] += chance
                after = lines
                if target == CODE["add_to_cart"]:
                    after = min(lines + 1, MAX_CART_LINES)
                elif target == CODE["remove_from_cart"]:
                    after = max(lines - 1, 0)
                stay[at, target * contexts + after] += chance
    unfilled = stay.copy()
    added = np.arange(size) // contexts == CODE["add_to_cart"]
    unfilled[:, added] = 0
    return (
        np.linalg.solve(np.eye(size) - stay, buys),
        np.linalg.solve(np.eye(size) - unfilled, fills),
    )


@pytest.mark.parametrize("name", PERSONAS)
def test_conversion_follows_from_table(sample: Sample, name: str) -> None:
    """Of first sessions, so many buy, and so many put something into a cart."""
    rows, persona = sample.rows, sample.of(name)
    probability = sample.source.shards[0].behaviour.journeys.probability[persona]
    buy, fill = (
        chances[CODE["session_start"] * (MAX_CART_LINES + 1)] for chances in _chain(probability)
    )
    first = sample.first[sample.is_whole[sample.first]]
    sessions = np.count_nonzero(rows["persona"][first] == persona)
    for code, wanted in ((CODE["purchase"], buy), (CODE["add_to_cart"], fill)):
        own = sample.is_whole & (rows["persona"] == persona) & (rows["code"] == code)
        found = len(np.unique(rows["session_no"][own] * 4 + rows["shard"][own])) / sessions
        # Long sessions are cut by the end of the sample a little more often than short ones.
        allowed = 5 * np.sqrt(wanted * (1 - wanted) / sessions) + 0.05 * wanted
        assert abs(found - wanted) <= allowed, (EVENT_NAMES[code], found, wanted)
    assert sessions > 300


def test_left_cart_is_found_again(sample: Sample) -> None:
    """A returning user finds the saved cart, with the same pieces."""
    rows = sample.rows
    user = rows["user"].astype(np.int64) * 4 + rows["shard"]
    left = np.flatnonzero(rows["is_last"] & (sample.cart > 0))
    assert len(left) > 500
    later = sample.first[rows["session_number"][sample.first] > 1]
    shown = 0
    held = dict(zip(user[left].tolist(), left.tolist(), strict=True))
    for place in later.tolist():
        before = held.get(int(user[place]))
        steps = rows[place : place + 2]
        if before is None or len(steps) < 2 or steps["session_seq"][-1] != 2:
            continue
        is_next = rows["session_number"][place] == _session_number(rows, before) + 1
        if is_next and steps["code"][1] == CODE["view_cart"]:
            assert steps["cart_quantity"][1] == sample.cart[before]
            shown += 1
    assert shown > 3


def _session_number(rows: np.ndarray, place: int) -> int:
    return int(rows["session_number"][place - int(rows["session_seq"][place]) + 1])


@pytest.mark.parametrize("name", PERSONAS)
def test_people_come_again(sample: Sample, name: str) -> None:
    """Once there are some to come again, the share of returning sessions is the persona's."""
    rows, persona = sample.rows, sample.of(name)
    world = sample.source.shards[0].behaviour.world
    first = sample.first[rows["event_time_ms"][sample.first] > 1000 * (START_SECONDS + 750)]
    own = first[rows["persona"][first] == persona]
    found = np.mean(rows["session_number"][own] > 1)
    wanted = float(world.return_share[persona])
    assert abs(found - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / len(own)) + 0.02


@dataclass
class Day:
    """A day of history and a minute after it, of three countries, as one of four shards has it."""

    source: Simulator
    rows: np.ndarray
    midnight_seconds: float


@pytest.fixture(scope="module")
def day() -> Day:
    """Browsers in Germany, the United States and Japan, by their hours of the day."""
    more = (
        "  countries: [{code: DE, weight: 1}, {code: US, weight: 1}, {code: JP, weight: 1}]\n"
        "  backfill: {days: 1}\n"
    )
    rate = "{eventsPerSecond: 12, curve: Diurnal}"
    source = Simulator(simulation(rate, more, 1_000_000, "Browser: 1"), (0,), RUN_ID)
    midnight = START_SECONDS - START_SECONDS % 86_400
    source.begin(midnight)
    return Day(source, source.take_due(midnight + 60, 10**9).rows, midnight)


@pytest.mark.slow
def test_day_keeps_its_mean(day: Day) -> None:
    """With a daily curve the day's mean is the rate, and the peak is well above the trough."""
    history = day.rows["event_time_ms"] < 1000 * day.midnight_seconds

    germans = _country(day) == 0
    hours = np.bincount(day.rows["event_time_ms"][germans] // 3_600_000 % 24, minlength=24)
    assert np.count_nonzero(history) == pytest.approx(86_400 * 12 / 4, rel=0.002)
    assert hours.max() > 2 * hours.min()


@pytest.mark.slow
def test_history_meets_the_present(day: Day) -> None:
    """History begins a day ago, runs in order of time, and leads into the live stream."""
    moments = day.rows["event_time_ms"] / 1000

    assert moments[0] == pytest.approx(day.midnight_seconds - 86_400, abs=1)
    assert moments[-1] == pytest.approx(day.midnight_seconds + 60, abs=1)
    assert np.diff(moments).min() >= 0
    assert np.diff(moments).max() < 2


def _country(day: Day) -> np.ndarray:
    """Return the place of each event's country in the simulation."""
    shard = day.source.shards[0]
    cities = len(shard.behaviour.world.cities) // 3
    found: np.ndarray = shard.population.city[day.rows["user"]] // cities
    return found


@pytest.mark.slow
def test_each_country_has_its_evening(day: Day) -> None:
    """Sessions per hour follow the personas' hours in the local time of each country."""
    starts = (day.rows["session_seq"] == 1) & (
        day.rows["event_time_ms"] < 1000 * day.midnight_seconds
    )
    country, rows = _country(day)[starts], day.rows[starts]
    world = day.source.shards[0].behaviour.world
    hourly = np.array(next(row for row in world.personas if row.name == "Browser").hourly)
    peaks = []
    for place, offset in enumerate(world.utc_offset_minutes.tolist()):
        hour = (rows["event_time_ms"][country == place] // 60_000 + offset) // 60 % 24
        found = np.bincount(hour, minlength=24)
        wanted = hourly / hourly.sum()
        assert np.abs(found / found.sum() - wanted).max() < 0.01
        utc = np.bincount(rows["event_time_ms"][country == place] // 3_600_000 % 24, minlength=24)
        peaks.append(int(utc.argmax()))
    assert len(set(peaks)) == 3
