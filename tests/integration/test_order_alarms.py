"""``mart.order_alarms``: too few orders for the sessions of a shop, found without the truth."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.events import CODE
from clickstream_generator.core.simulator import Simulator
from run_records import shared_worlds
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from databases import Database

pytestmark = pytest.mark.services

START = datetime.fromtimestamp(START_SECONDS, UTC)
MIX = "Browser: 300, Shopper: 300, Buyer: 300, Loyal: 100"
SESSIONS = {"mobile": 30, "desktop": 20}
"""Per minute; one in ten has an order."""
Minutes = dict[tuple[int, str], tuple[int, int]]
"""The session starts and orders of a minute after the start and a device."""


def _drawn(
    hours: int,
    seed: int,
    kept: Mapping[str, float] | None = None,
    traffic: tuple[float, ...] = (1.0,),
) -> Minutes:
    """Draw the figures of a shop.

    Args:
        hours: Length.
        seed: Seed.
        kept: The share of its orders that a device keeps in the third hour.
        traffic: The factors of the hours, again and again.
    """
    chance = np.random.default_rng(seed)
    found = {}
    for minute in range(60 * hours):
        factor = traffic[minute // 60 % len(traffic)]
        for device, mean in SESSIONS.items():
            share = (kept or {}).get(device, 1.0) if minute // 60 == 2 else 1.0
            sessions, orders = chance.poisson((factor * mean, factor * mean / 10 * share)).tolist()
            found[minute, device] = sessions, orders
    return found


def _store(database: Database, minutes: Minutes, shop: str = "shop") -> None:
    counts = {f"{name}_events": "0" for name in EVENT_NAMES}
    columns = ["minute", "simulation", "country", "device", "channel", "events", "revenue_minor"]
    rows = "".join(
        "\t".join(
            [
                (START + timedelta(minutes=minute)).isoformat(),
                *(shop, "DE", device, "email", "0", "0", str(minute % 2)),
                *(
                    counts | {"session_start_events": str(sessions), "purchase_events": str(orders)}
                ).values(),
            ]
        )
        + "\n"
        for (minute, device), (sessions, orders) in minutes.items()
    )
    names = ", ".join([*columns, "writer", *counts])
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.copy_expert(
            f"COPY mart.traffic_minute_by_writer ({names}) FROM STDIN", StringIO(rows)
        )


def _alarms(database: Database, hours: int = 6) -> list[tuple[str, str, float, float]]:
    """Return the alarms: shop, device, and begin and end in minutes after the start."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(
            "SELECT simulation, device, began_at, ended_at FROM mart.order_alarms(%s, %s)",
            (START, START + timedelta(hours=hours)),
        )
        return [
            (shop, device, *((moment - START).total_seconds() / 60 for moment in span))
            for shop, device, *span in cursor.fetchall()
        ]


def test_calm_shop_has_no_alarm(database: Database) -> None:
    """Chance alone raises no alarm, in a large shop or in one with few orders."""
    _store(database, _drawn(24, seed=1))
    _store(database, _drawn(24, seed=1, traffic=(0.02,)), "small")

    assert _alarms(database, hours=24) == []


def test_device_without_orders_is_found(database: Database) -> None:
    """A device that loses its orders is found, and so is the shop; the other device is not."""
    _store(database, _drawn(4, seed=2), "calm")
    _store(database, _drawn(4, seed=2, kept={"mobile": 0.0}))

    found = _alarms(database)

    assert {(shop, device) for shop, device, *_ in found} == {("shop", "mobile"), ("shop", "all")}
    assert all(120 < begin < 135 and begin < end <= 195 for *_, begin, end in found)


def test_alarm_has_its_worst_minutes(database: Database) -> None:
    """An alarm says how many orders there were, and how many were expected."""
    _store(database, _drawn(4, seed=3, kept={"mobile": 0.0, "desktop": 0.0}))

    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(
            "SELECT orders, expected_orders FROM mart.order_alarms(%s, %s) WHERE device = 'all'",
            (START, START + timedelta(hours=3)),
        )
        ((orders, expected),) = cursor.fetchall()

    assert orders < 10
    assert expected == pytest.approx(15 * sum(SESSIONS.values()) / 10, rel=0.25)


def test_larger_traffic_is_no_alarm(database: Database) -> None:
    """Twice the sessions with twice the orders are no alarm, nor are half of both."""
    _store(database, _drawn(24, seed=4, traffic=(4, 8, 4, 2, 4, 1)))

    assert _alarms(database, hours=24) == []


def test_simulated_incidents_are_found(database: Database) -> None:
    """The detector finds incidents of a simulation, and nothing else."""
    incidents = (
        "{name: payment, kind: PaymentDown, at: 90m, for: 30m}",
        "{name: cart, kind: CartFails, who: {devices: [mobile]}, at: 180m, for: 30m}",
    )
    more = f"  incidents: [{', '.join(incidents)}]\n"
    with shared_worlds():
        source = Simulator(simulation("{eventsPerSecond: 200}", more, 1_000_000, MIX), (0,), RUN_ID)
    source.begin(START_SECONDS)
    counts: Counter[tuple[int, int]] = Counter()
    for until in range(1, 241):
        rows = source.take_due(START_SECONDS + 60 * until, 10**9).rows
        minutes = (rows["event_time_ms"] // 60_000 - int(START_SECONDS) // 60).tolist()
        counts.update(zip(minutes, rows["code"].tolist(), strict=True))
    _store(
        database,
        {
            (minute, "mobile"): (
                counts[minute, CODE["session_start"]],
                counts[minute, CODE["purchase"]],
            )
            for minute in range(240)
        },
    )

    found = [(begin, end) for _, device, begin, end in _alarms(database) if device == "all"]

    assert len(found) == 2
    (first, _), (second, _) = found
    assert 90 <= first < 105
    assert 180 <= second < 200
