"""The simulation against its own tables, as statistics over a million events.

Each tolerance is a few standard errors of the estimate at this size; what is expected follows
exactly from the tables, by absorbing Markov chains (Kemeny and Snell, Finite Markov Chains, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.events import CODE, MAX_CART_LINES
from clickstream_generator.core.journeys import EXIT_CODE
from clickstream_generator.core.simulator import Simulator
from simulations import RUN_ID, START_SECONDS, events, simulation

PERSONAS = ("Browser", "Researcher", "Shopper", "Buyer", "BargainHunter", "Loyal", "Bot")
MIX = ", ".join(f"{name}: 100" for name in PERSONAS)


@dataclass
class Sample:
    """A million events, whole visits together, and what the simulation knew of them."""

    source: Simulator
    rows: np.ndarray
    first: np.ndarray
    """Positions of the first events of visits."""
    cart: np.ndarray
    """Pieces in the cart after each event."""
    is_whole: np.ndarray
    """Whether the visit of each event began and ended within the sample, with an empty cart."""

    def of(self, name: str) -> int:
        """Return the number of a persona."""
        return [own.name for own in self.source.shards[0].behaviour.world.personas].index(name)


@pytest.fixture(scope="module")
def sample() -> Sample:
    """An hour of all personas in equal parts, from a town too large to know."""
    source = Simulator(
        simulation("{eventsPerSecond: 300}", mix=MIX, users=3_000_000), (0, 1, 2, 3), RUN_ID
    )
    source.begin(START_SECONDS)
    rows = events(source, 3_600, 600)
    rows = rows[np.lexsort((rows["session_seq"], rows["session_no"], rows["shard"]))]
    assert len(rows) > 1_000_000
    visit = rows["session_no"] * 4 + rows["shard"]
    first = np.flatnonzero(np.concatenate([[True], visit[1:] != visit[:-1]]))
    length = np.diff(np.append(first, len(rows)))
    told = rows["code"] >= CODE["add_to_cart"]
    place = np.where(told, np.arange(len(rows)), 0)
    place[first] = np.where(told[first], place[first], first)
    latest = np.maximum.accumulate(place)
    cart = np.where(rows["code"][latest] == CODE["purchase"], 0, rows["cart_quantity"][latest])
    ended = np.repeat(np.maximum.reduceat(rows["is_last"], first), length)
    fresh = np.repeat(rows["visit_number"][first] == 1, length)
    early = np.repeat(rows["event_time_ms"][first] < 1000 * (START_SECONDS + 2_400), length)
    return Sample(source, rows, first, cart, ended & fresh & early)


@pytest.mark.parametrize("name", PERSONAS)
def test_steps_are_as_frequent_as_the_table_says(sample: Sample, name: str) -> None:
    """From each step, by what the cart holds, the shares of the next ones are the table's."""
    rows, persona = sample.rows, sample.of(name)
    table = sample.source.shards[0].behaviour.journeys.probability[persona]
    after = np.full(len(rows), EXIT_CODE)
    inner = ~rows["is_last"][:-1] & (rows["session_no"][1:] == rows["session_no"][:-1])
    after[:-1][inner] = rows["code"][1:][inner]
    known = rows["is_last"].copy()
    known[:-1] |= inner
    fresh = np.repeat(
        rows["visit_number"][sample.first] == 1,
        np.diff(np.append(sample.first, len(rows))),
    )
    judged = 0
    for context, filled in ((0, False), (1, True)):
        for code in range(EXIT_CODE):
            own = (rows["persona"] == persona) & (rows["code"] == code) & known & fresh
            own &= (sample.cart > 0) == filled
            count = np.count_nonzero(own)
            if count < 1_000:
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
def test_conversion_is_what_follows_from_the_table(sample: Sample, name: str) -> None:
    """Of first visits, so many buy, and so many put something into a cart."""
    rows, persona = sample.rows, sample.of(name)
    probability = sample.source.shards[0].behaviour.journeys.probability[persona]
    buy, fill = (
        chances[CODE["session_start"] * (MAX_CART_LINES + 1)] for chances in _chain(probability)
    )
    first = sample.first[sample.is_whole[sample.first]]
    visits = np.count_nonzero(rows["persona"][first] == persona)
    for code, wanted in ((CODE["purchase"], buy), (CODE["add_to_cart"], fill)):
        own = sample.is_whole & (rows["persona"] == persona) & (rows["code"] == code)
        found = len(np.unique(rows["session_no"][own] * 4 + rows["shard"][own])) / visits
        # Long visits are cut by the end of the sample a little more often than short ones.
        allowed = 5 * np.sqrt(wanted * (1 - wanted) / visits) + 0.05 * wanted
        assert abs(found - wanted) <= allowed, (EVENT_NAMES[code], found, wanted)
    assert visits > 1_000


def test_carts_left_behind_are_found_again(sample: Sample) -> None:
    """Whoever left a cart and comes again has it; the pieces are the same."""
    rows = sample.rows
    user = rows["user"].astype(np.int64) * 4 + rows["shard"]
    left = np.flatnonzero(rows["is_last"] & (sample.cart > 0))
    assert len(left) > 1_000
    later = sample.first[rows["visit_number"][sample.first] > 1]
    shown = 0
    held = dict(zip(user[left].tolist(), left.tolist(), strict=True))
    for place in later.tolist():
        before = held.get(int(user[place]))
        steps = rows[place : place + 2]
        if before is None or len(steps) < 2 or steps["session_seq"][-1] != 2:
            continue
        is_next = rows["visit_number"][place] == _visit_number(rows, before) + 1
        if is_next and steps["code"][1] == CODE["view_cart"]:
            assert steps["cart_quantity"][1] == sample.cart[before]
            shown += 1
    assert shown > 10


def _visit_number(rows: np.ndarray, place: int) -> int:
    return int(rows["visit_number"][place - int(rows["session_seq"][place]) + 1])


@pytest.mark.parametrize("name", PERSONAS)
def test_people_come_again_as_often_as_they_should(sample: Sample, name: str) -> None:
    """Once there are some to come again, the share of returning visits is the persona's."""
    rows, persona = sample.rows, sample.of(name)
    world = sample.source.shards[0].behaviour.world
    first = sample.first[rows["event_time_ms"][sample.first] > 1000 * (START_SECONDS + 1_800)]
    own = first[rows["persona"][first] == persona]
    found = np.mean(rows["visit_number"][own] > 1)
    wanted = float(world.return_share[persona])
    assert abs(found - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / len(own)) + 0.02


def test_each_country_has_its_own_evening() -> None:
    """Visits per hour follow the personas' hours in the local time of each country."""
    more = (
        "  countries: [{code: DE, weight: 1}, {code: US, weight: 1}, {code: JP, weight: 1}]\n"
        "  backfill: {days: 1}\n"
    )
    rate = "{eventsPerSecond: 12, curve: Diurnal}"
    source = Simulator(simulation(rate, more, 1_000_000, "Browser: 1"), (0, 1, 2, 3), RUN_ID)
    midnight = START_SECONDS - START_SECONDS % 86_400
    source.begin(midnight)
    rows = source.take_due(midnight, 10**9).rows
    rows = rows[rows["session_seq"] == 1]
    behaviour = source.shards[0].behaviour
    cities = len(behaviour.world.cities) // 3
    country = np.empty(len(rows), dtype=np.int64)
    for number, shard in source.shards.items():
        at = rows["shard"] == number
        country[at] = shard.population.city[rows["user"][at]] // cities
    hourly = np.array(next(p for p in behaviour.world.personas if p.name == "Browser").hourly)
    peaks = []
    for place, offset in enumerate(behaviour.world.utc_offset_minutes.tolist()):
        hour = (rows["event_time_ms"][country == place] // 60_000 + offset) // 60 % 24
        found = np.bincount(hour, minlength=24)
        wanted = hourly / hourly.sum()
        assert np.abs(found / found.sum() - wanted).max() < 0.006
        utc = np.bincount(rows["event_time_ms"][country == place] // 3_600_000 % 24, minlength=24)
        peaks.append(int(utc.argmax()))
    assert len(set(peaks)) == 3
