"""The simulator: legal steps, consistent carts, exact times, and the same events per seed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import is_legal
from clickstream_contract.personas import PERSONAS as PRESETS
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.simulator import Simulator
from run_records import shared_worlds
from simulations import RUN_ID, START_SECONDS, events, simulation, simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = (0, 1, 2, 3)


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


def _busier() -> Revision:
    moment = START_SECONDS + 7.3
    wanted = simulation("{eventsPerSecond: 3000}", mix="Browser: 100, Loyal: 300, Bot: 50")
    return Revision(moment, moment, wanted)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """A minute and a half of four kinds of users."""
    return events(simulator(), 90)


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
    """No session takes an illegal step, and none continues after its end."""
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

    There are enough users that none has to open a second window, with another cart.
    """
    source = simulator("{eventsPerSecond: 1200}", users=1_000_000, numbers=(0,))
    carts: dict[str, dict[str, int]] = {}
    orders = 0
    for at in range(10, 301, 10):
        part = source.take_due(START_SECONDS + at, 10**9)
        for text in source.encoder.encode(part, 0).values:
            event = json.loads(text)
            orders += _follow(event, carts)
    assert orders > 100


def _follow(event: dict[str, object], carts: dict[str, dict[str, int]]) -> int:
    """Update the user's cart and compare it; return whether the event is an order."""
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


@pytest.mark.parametrize("rate", [1, 50, 777, 3_000])
def test_rate_is_exact(rate: int) -> None:
    """Every ten seconds have the requested number of events, in order of time."""
    rows = events(simulator(f"{{eventsPerSecond: {rate}}}"), 60)

    second = rows["event_time_ms"] // 1000 - int(START_SECONDS)
    assert len(rows) == 60 * rate
    assert np.abs(np.bincount(second // 10, minlength=6) - 10 * rate).max() <= 1
    for shard in range(4):
        assert (np.diff(rows["event_time_ms"][rows["shard"] == shard]) >= 0).all()


def test_burst_multiplies_its_level() -> None:
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


@pytest.mark.parametrize(
    ("stop", "count"), [("{events: 12345}", 12_345), ("{duration: 7s}", 14_000)]
)
def test_run_ends_exactly(stop: str, count: int) -> None:
    """``stopAfter`` means that many events, or that much time, over all shards."""
    source = simulator(more=f"  stopAfter: {stop}\n")

    rows = source.take_due(START_SECONDS + 1_000, 10**9).rows

    assert len(rows) == count
    assert source.is_over()


@pytest.mark.parametrize("more", ["", "  tastes: {}\n"])
def test_workers_make_same_bytes(more: str) -> None:
    """A shard's events do not depend on who carries it, nor on the size of the chunks."""

    def lines(numbers: tuple[int, ...], chunk: int) -> list[bytes]:
        source = simulator("{eventsPerSecond: 500}", more, numbers=numbers)
        found: list[bytes] = []
        for _ in range(200):
            part = source.take_due(START_SECONDS + 20, chunk)
            found += source.encoder.encode(part, 0).values
        return found

    alone = sorted(lines((0, 1, 2, 3), 10**9))
    apart = sorted(line for number in range(4) for line in lines((number,), 777))

    assert len(alone) == 10_000
    assert apart == alone


_DIGEST = """
import datetime
import faker.providers.date_time

class LaterDay(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=4000)

faker.providers.date_time.datetime = LaterDay
from test_simulator import digest
print(digest())
"""


def digest() -> str:
    """Return the digest of the first events of a simulation."""
    source, found = simulator(), hashlib.sha256()
    for at in range(1, 11):
        for line in source.encoder.encode(source.take_due(START_SECONDS + at, 10**9), 0).values:
            found.update(line)
    return found.hexdigest()


def test_seed_decides_bytes_anywhere() -> None:
    """Another process, time zone, hash seed or day: the same bytes."""
    here = Path(__file__).parent
    folders = [str(here), str(here.parents[2] / "support")]

    found = subprocess.check_output(
        [sys.executable, "-c", _DIGEST],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(folders),
            "PYTHONHASHSEED": "1",
            "TZ": "Asia/Tokyo",
        },
        text=True,
    )

    assert found.strip() == digest()


def test_no_effects_make_former_bytes() -> None:
    """Without effects and tastes, the events are those of the versions that had neither."""
    assert digest() == "f4598fae95b9fd9138419b7fae586ce7a062da4e5b5fa6425a55970344ccaf85"


def test_start_states_the_arms() -> None:
    """Equal arms change nothing but the field of a session's start, the same for each user."""
    more = "  experiments: [{name: one, arms: [{name: control}, {name: b}], at: 10s}]\n"
    plain, divided = (
        [
            json.loads(value)
            for value in source.encoder.encode(source.take_due(START_SECONDS + 20, 10**9), 0).values
        ]
        for source in (simulator(), simulator(more=more))
    )

    stated = [event.pop("experiments", None) for event in divided]

    assert divided == plain
    arms: dict[str, set[str]] = {}
    for event, text in zip(plain, stated, strict=True):
        if text is not None:
            assert event["event_name"] == "session_start"
            arms.setdefault(event["user_id"], set()).add(text)
    assert all(len(texts) == 1 for texts in arms.values())
    assert {text for texts in arms.values() for text in texts} == {"one=control", "one=b"}
    began = [event["event_time"] for event, text in zip(plain, stated, strict=True) if text]
    others = [
        event["event_time"]
        for event, text in zip(plain, stated, strict=True)
        if event["event_name"] == "session_start" and text is None
    ]
    assert 0.3 < len(began) / (len(began) + len(others)) < 0.6
    assert min(began) > sorted(others)[len(others) // 2]


def test_effects_change_open_sessions() -> None:
    """An edit of the effects concerns sessions under way too, but no step that is chosen."""
    source = simulator()
    step = "{add_payment_info: {purchase: 0}}"
    effects = f"  effects: {{preset: None, overlays: [{{name: down, transitions: {step}}}]}}\n"
    moment = START_SECONDS + 30
    source.revise(Revision(moment, moment, simulation(more=effects)))

    rows = events(source, 60)

    bought = rows["event_time_ms"][rows["code"] == EVENT_NAMES.index("purchase")] / 1_000
    assert np.count_nonzero(bought < moment) > 40
    assert np.count_nonzero(bought > moment + 10) < 10


def test_effects_apply_in_their_range() -> None:
    """A session keeps the overlays with which it began: in the range, none looks at an item."""
    step = "{session_start: {page_view: 0, search: 0, view_item_list: 0, view_item: 0}}"
    row = f"{{name: gone, when: {{at: 20s, for: 20s}}, transitions: {step}}}"
    effects = f"  effects: {{preset: None, overlays: [{row}]}}\n"

    rows = events(simulator(more=effects), 60)

    second = (rows["event_time_ms"] - 1_000 * START_SECONDS) / 1_000
    starts = rows[rows["code"] == 0]
    began = second[rows["code"] == 0]
    within, without = (began > 23) & (began < 39), (began < 19) | (began > 43)
    empty = starts["session_number"] == 1
    assert starts["is_last"][within & empty].all()
    assert starts["is_last"][without & empty].mean() < 0.1
    assert len(rows) == 60 * 2_000


def _lines(namespace: str | None, run_id: UUID = RUN_ID) -> list[dict[str, Any]]:
    """Return the first events of a simulation in a namespace."""
    wanted = simulation("{eventsPerSecond: 200}", users=400)
    source = Simulator(wanted.model_copy(update={"namespace": namespace}), NUMBERS, run_id)
    source.begin(START_SECONDS)
    due = source.take_due(START_SECONDS + 60, 10**9)
    return [json.loads(line) for line in source.encoder.encode(due, 0).values]


def test_namespace_changes_no_behaviour() -> None:
    """The seed alone drives the random streams: under one run id only the name differs."""
    plain, named = _lines(None), _lines("blue")

    assert [event | {"simulation": "blue/tested"} for event in plain] == named


def test_namespaces_share_no_id() -> None:
    """Each resource has a uid, which is its run id: only users have one id in two namespaces."""
    first, second = (UUID(f"6f1b2c3d-0000-4000-8000-00000000000{number}") for number in (1, 2))
    blue, red = _lines("blue", first), _lines("red", second)

    for field in ("event_id", "session_id", "order_id"):
        ids, others = ({event[field] for event in of if field in event} for of in (blue, red))
        assert len(ids) == len(others) > 0
        assert not ids & others
    assert [event["user_id"] for event in blue] == [event["user_id"] for event in red]
    assert {event["simulation"] for event in (*blue, *red)} == {"blue/tested", "red/tested"}


def test_endless_change_is_refused() -> None:
    """By the numbers of a cart, which the way to the exit in the table does not show."""
    steps = dict.fromkeys(PRESETS["Browser"].transitions["page_view"], 0)
    steps |= {"page_view": 1, "view_cart": 1}
    table = ", ".join(f"{name}: {weight}" for name, weight in steps.items())
    own = f"{{name: Odd, basedOn: Browser, transitions: {{page_view: {{{table}}}}}}}"

    with pytest.raises(SimulationInvalid, match="path to the exit"):
        simulator().check(simulation(more=f"  personas: [{own}]\n"))


def test_start_changes_only_times() -> None:
    """Except for times, two runs of one specification are equal, whenever they begin."""

    def lines(start: float) -> list[bytes]:
        source = Simulator(simulation(), NUMBERS, RUN_ID)
        source.begin(start)
        found = []
        for at in range(1, 11):
            part = source.take_due(start + at, 10**9)
            found += source.encoder.encode(part, 0).values
        return [re.sub(rb'"event_time":"[^"]*"', b"", line) for line in sorted(found)]

    assert lines(START_SECONDS) == lines(START_SECONDS + 12_345.678901)


def test_change_takes_effect_without_gap() -> None:
    """Rate and mix change at one moment on all shards; a new persona brings its users."""
    source = simulator()
    source.revise(_busier())
    rows = events(source, 60)

    early = rows["event_time_ms"] / 1000 < START_SECONDS + 7.3
    assert np.count_nonzero(early) == 2000 * 7.3
    assert np.count_nonzero(~early) == pytest.approx(3000 * 52.7, abs=1)
    for number in NUMBERS:
        own = rows["shard_seq"][rows["shard"] == number]
        assert np.array_equal(own, np.arange(1, len(own) + 1))
    names = [persona.name for persona in source.shards[0].behaviour.world.personas]
    starts = rows[(rows["session_seq"] == 1) & (rows["event_time_ms"] / 1000 > START_SECONDS + 12)]
    share = np.bincount(starts["persona"], minlength=len(names)) / len(starts)
    assert share[names.index("Loyal")] == pytest.approx(300 / 450, abs=0.03)
    assert share[names.index("Buyer")] == 0


def test_shed_events_leave_no_gap() -> None:
    """After a stall the run continues in the present; shed events get no numbers."""
    source = simulator()
    before = source.take_due(START_SECONDS + 5, 10**9).rows
    source.revise(source.shedding(START_SECONDS + 15))
    after = np.concatenate([source.take_due(START_SECONDS + 20, 10**9).rows for _ in range(2)])

    rows = np.concatenate([before, after])
    assert source.shed_events == pytest.approx(20_000, abs=2)
    assert len(rows) == pytest.approx(20_000, abs=4)
    for number in NUMBERS:
        own = rows["shard_seq"][rows["shard"] == number]
        assert np.array_equal(own, np.arange(1, len(own) + 1))
    # What was due at the very moment of the cut may still have gone out.
    assert np.count_nonzero(after["event_time_ms"] < 1000 * (START_SECONDS + 15)) <= len(NUMBERS)


def test_no_change_overtakes_another() -> None:
    """A change that comes while another is still ahead waits for its turn."""
    source = simulator()
    assert source.earliest_revision_seconds() == 0
    source.revise(_busier())
    assert source.earliest_revision_seconds() == _busier().from_seconds
    source.take_due(START_SECONDS + 8, 10**9)
    source.take_due(START_SECONDS + 8, 10**9)
    assert source.earliest_revision_seconds() == 0


def test_lag_is_of_next_event() -> None:
    """Before the first event is due nothing lags; afterwards the next event's lateness does."""
    source = simulator("{eventsPerSecond: 4}")

    assert source.lag_seconds(START_SECONDS) == 0.0
    assert source.lag_seconds(START_SECONDS + 10.125) == pytest.approx(10.0)
    assert source.reached_seconds(START_SECONDS + 10.125) == pytest.approx(START_SECONDS + 0.125)
    source.take_due(START_SECONDS + 10, 10**9)
    assert source.lag_seconds(START_SECONDS + 10) == 0.0


def test_chunk_has_its_size() -> None:
    """A chunk is dealt evenly to the shards, the earliest events first; the rest comes next."""
    source = simulator("{eventsPerSecond: 400}")

    first = source.take_due(START_SECONDS + 10, 100)
    rest = source.take_due(START_SECONDS + 10, 10**9)

    assert np.bincount(first.rows["shard"]).tolist() == pytest.approx([25, 25, 25, 25], abs=1)
    assert len(first) + len(rest) == 4_000
    assert first.rows["event_time_ms"].max() <= rest.rows["event_time_ms"].min()
    assert len(source.take_due(START_SECONDS + 10, 10**9)) == 0


def test_smallest_chunk_makes_progress() -> None:
    """Asked for fewer events than there are shards, the shards still advance."""
    source = simulator("{eventsPerSecond: 400}")

    assert 1 <= len(source.take_due(START_SECONDS + 1, 1)) <= 4


def test_stopped_run_is_over() -> None:
    """A stopped run ends after the events taken."""
    source = simulator("{eventsPerSecond: 400}")
    source.take_due(START_SECONDS + 1, 10**9)
    assert not source.is_over()

    source.stop()

    assert source.is_over()
    assert len(source.take_due(START_SECONDS + 9, 10**9)) == 0
    assert source.lag_seconds(START_SECONDS + 9) == 0.0


def test_target_is_of_shards_carried() -> None:
    """The rate wanted is the part of the shards that the process carries."""
    steps = "[{for: 5s, multiplierPermille: 1000}, {for: 5s, multiplierPermille: 3000}]"
    source = simulator(f"{{eventsPerSecond: 8, curve: Steps, steps: {steps}}}", numbers=(1, 2))

    assert source.target_events_per_second(START_SECONDS + 4) == 4.0
    assert source.target_events_per_second(START_SECONDS + 6) == 12.0


def test_users_are_dealt_to_shards() -> None:
    """Users are dealt to the shards in turn, so that none is lost."""
    source = simulator("{eventsPerSecond: 4}", users=10)

    assert [len(shard.population.persona) for shard in source.shards.values()] == [3, 3, 2, 2]


def test_live_part_follows_history() -> None:
    """The live part begins at the given moment, with history before it."""
    source = simulator("{eventsPerSecond: 4}", "  backfill: {days: 2}\n", users=10)

    assert source.live_from_seconds == START_SECONDS
    assert source.reached_seconds(START_SECONDS) == pytest.approx(
        START_SECONDS - 2 * 86_400 + 0.125
    )


def test_sessions_under_way_are_counted() -> None:
    """Each shard reports how many sessions are open."""
    source = simulator("{eventsPerSecond: 400}")
    assert source.sessions_under_way() == dict.fromkeys(NUMBERS, 0)

    source.take_due(START_SECONDS + 5, 10**9)

    assert all(count > 10 for count in source.sessions_under_way().values())


def test_revision_is_for_named_shards() -> None:
    """A revision for some shards leaves the others as they are."""
    source = simulator("{eventsPerSecond: 400}")
    assert not source.has_pending_revisions()

    source.revise(_busier(), (1,))

    assert source.has_pending_revisions()
    assert [len(shard.pending) for shard in source.shards.values()] == [0, 1, 0, 0]
    assert source.earliest_revision_seconds() == START_SECONDS + 7.3


def test_replay_comes_in_chunks() -> None:
    """A replay hands out at most 20,000 events at a time, up to the number and not beyond."""
    source = simulator("{eventsPerSecond: 20000}", numbers=(0,))

    assert [len(source.replay(0, 20_001)) for _ in range(3)] == [20_000, 1, 0]


def test_replay_applies_revisions() -> None:
    """A replay stops at a revision and continues under it."""
    source, direct = simulator("{eventsPerSecond: 400}"), simulator("{eventsPerSecond: 400}")
    direct.revise(_busier())
    source.revise(_busier())
    rows = direct.take_due(START_SECONDS + 7.3, 10**9).rows

    assert len(source.replay(2, 2_000)) == np.count_nonzero(rows["shard"] == 2)
    assert source.shards[2].made < 2_000
    assert len(source.replay(2, 2_000)) > 0
    assert source.shards[2].made == 2_000


def test_shedding_counts_own_shards() -> None:
    """A process counts as shed only the events of the shards that it carries."""
    source = simulator("{eventsPerSecond: 400}", numbers=(0, 3))
    source.take_due(START_SECONDS + 1, 10**9)

    revision = source.shedding(START_SECONDS + 3)

    assert revision.from_seconds == START_SECONDS + 3
    assert START_SECONDS + 1 <= revision.until_seconds <= START_SECONDS + 1.02
    assert revision.simulation.spec == source.first.spec
    assert source.shed_events == pytest.approx(400, abs=3)


def test_granted_events_are_never_shed() -> None:
    """Events that an earlier holder may have made are made again; the others are left out."""
    source = simulator("{eventsPerSecond: 400}", users=64)
    source.take_due(START_SECONDS + 5, 10**9)

    source.revise(source.shedding(START_SECONDS + 15, not_before=START_SECONDS + 9))
    rows = np.concatenate([source.take_due(START_SECONDS + 20, 10**9).rows for _ in range(2)])

    times = rows["event_time_ms"] / 1_000 - START_SECONDS
    assert np.count_nonzero(times < 9) == pytest.approx(4 * 400, abs=4)
    assert np.count_nonzero((times > 9) & (times < 15)) <= len(source.shards)
    assert source.shed_events == pytest.approx(6 * 400, abs=2)


def test_next_event_is_known() -> None:
    """The next event is that of the shard whose turn it is, in the middle of its time."""
    source = simulator("{eventsPerSecond: 40}", users=400)

    assert source.following_seconds() == pytest.approx(START_SECONDS + 0.5 / 40, abs=1e-6)
    source.take_due(START_SECONDS + 1, 10**9)
    assert source.following_seconds() == pytest.approx(START_SECONDS + 40.5 / 40, abs=1e-6)
