"""The simulation: legal, adding up, on time, and the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.journey import is_legal
from clickstream_generator.core.events import CODE
from clickstream_generator.core.identifiers import run_prefix
from clickstream_streaming.core.checks import run_prefix as checked_prefix
from simulations import RUN_ID, START_SECONDS, events, simulator


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Ten minutes of four kinds of visitors."""
    return events(simulator(), 600)


def _by_session(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort((rows["session_seq"], rows["session_no"], rows["shard"]))]


def test_numbers_have_no_gap(rows: np.ndarray) -> None:
    """Each shard counts 1, 2, 3; so does each session."""
    for shard in range(4):
        numbers = rows["shard_seq"][rows["shard"] == shard]
        assert np.array_equal(numbers, np.arange(1, len(numbers) + 1))
    ordered = _by_session(rows)
    same = (np.diff(ordered["session_no"]) == 0) & (np.diff(ordered["shard"]) == 0)
    assert (np.diff(ordered["session_seq"])[same] == 1).all()
    assert (ordered["session_seq"][1:][~same] == 1).all()


def test_every_step_is_legal(rows: np.ndarray) -> None:
    """No session takes a step that the journey does not know, and none goes on after its end."""
    ordered = _by_session(rows)
    same = (np.diff(ordered["session_no"]) == 0) & (np.diff(ordered["shard"]) == 0)
    pairs = set(
        zip(ordered["code"][:-1][same].tolist(), ordered["code"][1:][same].tolist(), strict=True)
    )

    assert len(pairs) > 40
    for source, target in pairs:
        assert is_legal(EVENT_NAMES[source], EVENT_NAMES[target])
    assert not ordered["is_last"][:-1][same].any()


def test_carts_add_up() -> None:
    """What is removed was in the cart, what is bought was in it, and values are sums.

    There are enough users that nobody has to open a second window, with a cart of its own.
    """
    source = simulator(users=2_000_000)
    carts: dict[str, dict[str, int]] = {}
    orders = 0
    for at in range(10, 301, 10):
        part = source.take_due(START_SECONDS + at, 10**9)
        for text in source.encoder.encode(part, 0).values:
            event = json.loads(text)
            orders += _follow(event, carts)
    assert orders > 500


def _follow(event: dict[str, object], carts: dict[str, dict[str, int]]) -> int:
    """Keep the visitor's cart as a shop would, and compare; say whether it was an order."""
    cart = carts.setdefault(str(event["user_id"]), {})
    product, name = str(event.get("product_id")), event["event_name"]
    if name == "add_to_cart":
        cart[product] = cart.get(product, 0) + int(str(event["quantity"]))
    elif name == "remove_from_cart":
        assert cart.pop(product) == event["quantity"]
    if "cart_quantity" in event:
        assert event["cart_quantity"] == sum(cart.values())
    if name == "purchase":
        items = event["items"]
        assert isinstance(items, list)
        assert {item["product_id"]: item["quantity"] for item in items} == cart
        total = sum(item["quantity"] * item["price_minor"] for item in items)
        assert event["value_minor"] == total
        cart.clear()
        return 1
    return 0


@pytest.mark.parametrize("rate", [1, 50, 777, 5_000])
def test_the_rate_is_exact(rate: int) -> None:
    """In every ten seconds there are as many events as asked for, and in order of time."""
    rows = events(simulator(f"{{eventsPerSecond: {rate}}}"), 60)

    second = rows["event_time_ms"] // 1000 - int(START_SECONDS)
    assert len(rows) == 60 * rate
    assert np.abs(np.bincount(second // 10, minlength=6) - 10 * rate).max() <= 1
    for shard in range(4):
        assert (np.diff(rows["event_time_ms"][rows["shard"] == shard]) >= 0).all()


def test_bursts_and_steps_change_the_rate_when_they_should() -> None:
    """A burst multiplies the level of its time and nothing else."""
    rate = (
        "{eventsPerSecond: 100, curve: Steps, steps: [{for: 20s, multiplierPermille: 500},"
        " {for: 20s, multiplierPermille: 2000}], bursts: [{at: 50s, for: 10s,"
        " multiplierPermille: 3000}]}"
    )
    rows = events(simulator(rate), 70)

    second = rows["event_time_ms"] // 1000 - int(START_SECONDS)
    counts = np.bincount(second // 10, minlength=7)
    assert np.abs(counts - [500, 500, 2000, 2000, 2000, 6000, 2000]).max() <= 1


def test_a_day_has_its_evening_and_its_mean() -> None:
    """With a daily curve the day's mean is the rate, and the peak is well above the trough."""
    source = simulator("{eventsPerMinute: 60, curve: Diurnal}", "  backfill: {days: 1}\n")
    rows = source.take_due(START_SECONDS, 10**9).rows

    hours = np.bincount((rows["event_time_ms"] // 3_600_000) % 24, minlength=24)
    assert abs(len(rows) - 86_400) <= 100
    assert hours.max() > 2 * hours.min()


def test_history_meets_the_present_without_a_seam() -> None:
    """Backfill begins days ago, runs in order of time, and goes on into the live stream."""
    source = simulator("{eventsPerMinute: 120}", "  backfill: {days: 1}\n")
    rows = source.take_due(START_SECONDS + 60, 10**9).rows

    moments = np.sort(rows["event_time_ms"]) / 1000
    assert len(rows) == 2 * (86_400 + 60)
    assert moments[0] < START_SECONDS - 86_399
    assert np.diff(moments).max() < 0.6


@pytest.mark.parametrize(
    ("stop", "count"), [("{events: 12345}", 12_345), ("{duration: 7s}", 14_000)]
)
def test_a_run_ends_exactly_where_it_should(stop: str, count: int) -> None:
    """``stopAfter`` means that many events, or that much time, over all shards."""
    source = simulator(more=f"  stopAfter: {stop}\n")

    rows = source.take_due(START_SECONDS + 1_000, 10**9).rows

    assert len(rows) == count
    assert source.is_over()


def test_one_worker_or_four_make_the_same_bytes() -> None:
    """A shard's events do not depend on who carries it, nor on the size of the bites."""

    def lines(numbers: tuple[int, ...], bite: int) -> list[bytes]:
        source = simulator(numbers=numbers)
        found: list[bytes] = []
        for _ in range(200):
            part = source.take_due(START_SECONDS + 20, bite)
            found += source.encoder.encode(part, 0).values
        return found

    alone = sorted(lines((0, 1, 2, 3), 10**9))
    apart = sorted(line for number in range(4) for line in lines((number,), 777))

    assert len(alone) == 40_000
    assert apart == alone


_DIGEST = """
import datetime
import hashlib
import os
import faker.providers.date_time

class LaterDay(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=int(os.environ["DAYS_LATER"]))

faker.providers.date_time.datetime = LaterDay
from simulations import START_SECONDS, simulator
source = simulator()
digest = hashlib.sha256()
for at in range(1, 501):
    for line in source.encoder.encode(source.take_due(START_SECONDS + at, 10**9), 0).values:
        digest.update(line)
print(digest.hexdigest())
"""


def test_the_same_seed_makes_the_same_bytes_anywhere() -> None:
    """Another process, time zone, hash seed or day: the same million events."""
    support = str(Path(__file__).parents[2] / "support")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _DIGEST],
            env={
                **os.environ,
                "PYTHONPATH": support,
                "TZ": zone,
                "PYTHONHASHSEED": seed,
                "DAYS_LATER": days,
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for zone, seed, days in (("UTC", "0", "0"), ("Asia/Tokyo", "1", "4000"))
    ]
    found = {process.communicate()[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0]
    assert len(found) == 1
    assert len(found.pop().strip()) == len(hashlib.sha256().hexdigest())


def test_an_encoded_event_is_what_the_contract_says() -> None:
    """Each event has the fields of its name, all of them, in the types of the contract."""
    source = simulator()
    part = source.take_due(START_SECONDS + 300, 10**9)
    encoded = source.encoder.encode(part, 1_764_000_000_123)
    seen = set()
    for text, key in list(zip(encoded.values, encoded.keys, strict=True))[::7]:
        event = json.loads(text)
        name = event["event_name"]
        seen.add(name)
        allowed = {row.name for row in EVENT_FIELDS if not row.events or name in row.events}
        needed = {row.name for row in EVENT_FIELDS if row.name in allowed and row.required}
        assert needed <= event.keys() <= allowed
        assert key.decode() == event["session_id"]
        assert event["sent_at"] == "2025-11-24T16:00:00.123Z"
        for row in EVENT_FIELDS:
            if row.name in event:
                _check_type(row.type, event[row.name])
        for line in event.get("items", []):
            assert line.keys() == {row.name for row in ITEM_FIELDS}
    assert seen == set(EVENT_NAMES)


def _check_type(kind: FieldType, value: object) -> None:
    if kind in {FieldType.INTEGER, FieldType.BIGINT}:
        assert type(value) is int
    elif kind is FieldType.UUID:
        assert str(UUID(str(value))) == value
    elif kind is FieldType.ITEMS:
        assert isinstance(value, list)
    else:
        assert isinstance(value, str)


def test_checker_and_generator_agree_on_ids() -> None:
    """Both derive the same prefix from a run."""
    assert run_prefix(RUN_ID) == checked_prefix(RUN_ID)


def test_visits_are_as_long_as_the_table_says() -> None:
    """The mean of finished visits of each persona is the exact expectation, within 5 %."""
    source = simulator("{eventsPerSecond: 4000}", users=2_000_000)
    rows = events(source, 900, 50)
    behaviour = source.shards[0].behaviour
    expected = behaviour.journeys.expected_events
    names = [persona.name for persona in behaviour.world.personas]
    ended = rows[rows["is_last"]]
    # Visits begun late are cut by the end of the run: judge those of the first half.
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


def test_popularity_follows_the_power_law() -> None:
    """Looks per product fall with the rank by the exponent of the catalogue."""
    source = simulator(users=500_000)
    rows = events(source, 600, 50)
    shop = source.shards[0].behaviour.world.catalogue
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
