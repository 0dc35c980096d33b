"""The truth about incidents: against the difference to the same run without them, and by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.personas import PERSONAS
from clickstream_contract.rate import Burst
from clickstream_contract.run_truths import INCIDENTS, RUN_TRUTHS
from clickstream_generator.core.behaviour import Behaviours
from clickstream_generator.core.events import CODE
from clickstream_generator.core.incident_truth import (
    IncidentTruths,
    incident_truths,
    line_value_minor,
    think_mean_seconds,
)
from clickstream_generator.core.simulator import Simulator
from simulations import RUN_ID, START_SECONDS, simulation
from worlds import small_world

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.incident_truth import IncidentTruth

MIX = "Browser: 300, Shopper: 300, Buyer: 300, Loyal: 100"
BEGIN, END = 1_200, 1_800
"""After some minutes, users come back who have carts."""
CUT_SECONDS = 1_200
"""Sessions that begin in the incident end before the run does."""
SHARDS = 4


def _simulation(more: str, rate: int) -> Simulation:
    more = f"  effects: {{preset: Retail}}\n{more}"
    return simulation(f"{{eventsPerSecond: {rate}}}", more, 2_000_000, MIX)


def _incident(kind: str, who: str = "{}", span: str = "at: 20m, for: 10m") -> str:
    return f"{{name: one, kind: {kind}, who: {who}, {span}}}"


def _truths(*incidents: str, rate: int = 100, start: float | None = None) -> list[IncidentTruth]:
    more = f"  incidents: [{', '.join(incidents)}]\n"
    spec = _simulation(more, rate).spec
    return incident_truths(Behaviours(spec).of(spec), start)


@cache
def _made(more: str, rate: int) -> tuple[float, float]:
    """Return orders and revenue, in minor units, of the sessions that begin in the interval.

    Events that are not sent do not count.
    """
    # One of the shards, which has its part of the rate.
    source = Simulator(_simulation(more, SHARDS * rate), (0,), RUN_ID)
    source.begin(START_SECONDS)
    parts = []
    for until in range(60, END + CUT_SECONDS + 1, 60):
        rows = source.take_due(START_SECONDS + until, 10**9).rows
        is_kept = np.isin(rows["code"], [CODE["session_start"], CODE["purchase"]])
        is_kept &= rows["faults"][:, 0] == 0
        parts.append(rows[is_kept][["session_no", "code", "event_time_ms", "value_minor"]])
    rows = np.concatenate(parts)
    session = rows["session_no"]
    is_start = rows["code"] == CODE["session_start"]
    since = rows["event_time_ms"] / 1_000 - START_SECONDS
    inside = session[is_start & (since >= BEGIN) & (since < END)]
    bought = ~is_start & np.isin(session, inside)
    return float(np.count_nonzero(bought)), float(rows["value_minor"][bought].sum())


def _check(kind: str, who: str, rate: int) -> None:
    """Compare the truth with the difference to the run without the incident."""
    incident = _incident(kind, who)
    (truth,) = _truths(incident, rate=rate, start=START_SECONDS)
    orders, revenue = _made("", rate)
    with_orders, with_revenue = _made(f"  incidents: [{incident}]\n", rate)

    assert orders - with_orders == pytest.approx(truth.orders, abs=truth.orders_tolerance)
    assert revenue - with_revenue == pytest.approx(
        truth.revenue_minor, abs=truth.revenue_tolerance_minor
    )


def test_loss_is_the_difference() -> None:
    """A failing checkout costs as many orders as a run without it has more."""
    _check("CheckoutFails", "{}", 60)


def test_lost_tracking_loses_all_orders() -> None:
    """Lost tracking of all users costs every order: more than a failing payment does."""
    (lost,), (down,) = (_truths(_incident(kind)) for kind in ("TrackingLost", "PaymentDown"))
    (phones,), (others,) = (
        _truths(_incident("TrackingLost", f"{{devices: [{devices}]}}"))
        for devices in ("mobile", "desktop, tablet")
    )

    assert lost.orders > down.orders > 10
    assert phones.orders + others.orders == pytest.approx(lost.orders, rel=1e-6)
    assert phones.revenue_minor + others.revenue_minor == pytest.approx(
        lost.revenue_minor, rel=1e-6
    )
    # The runs differ only by the lost orders: their number is that of a Poisson distribution, or a
    # little wider if a session has several.
    chance = lost.orders_tolerance - 0.01 * lost.orders
    assert 1.0 <= chance / (4 * lost.orders**0.5) < 1.2


def test_lost_tracking_hides_other_incidents() -> None:
    """An incident costs no order in the tables while no order reaches them."""
    rows = (
        _incident("TrackingLost"),
        _incident("CheckoutFails", span="at: 22m, for: 1m").replace("one", "two"),
    )

    _, hidden = _truths(*rows)

    assert (hidden.orders, hidden.revenue_minor) == (0.0, 0.0)


def test_nothing_is_lost_twice() -> None:
    """An incident costs nothing while another one already takes every order."""
    rows = (
        _incident("CheckoutFails"),
        _incident("PaymentDown", span="at: 22m, for: 1m").replace("one", "two"),
    )

    first, second = _truths(*rows)

    assert first.orders > 10
    assert second.orders == pytest.approx(0.0, abs=1e-6)
    assert second.revenue_minor == pytest.approx(0.0, abs=1e-3)


def test_loss_grows_with_the_users() -> None:
    """A quarter of the users loses about a quarter of what all lose.

    It is not exact: sessions with a failing checkout are a little shorter, so more of them begin.
    """
    (every,) = _truths(_incident("CheckoutFails"))
    (some,) = _truths(_incident("CheckoutFails", "{usersPermille: 250}"))

    assert some.orders == pytest.approx(0.25 * every.orders, rel=0.05)
    assert some.revenue_minor == pytest.approx(0.25 * every.revenue_minor, rel=0.05)


def test_loss_grows_with_the_traffic() -> None:
    """Twice the events in the interval are twice the loss, by the rate or by a burst."""
    (once,) = _truths(_incident("CartFails"))
    (twice,) = _truths(_incident("CartFails"), rate=200)
    spec = _simulation(f"  incidents: [{_incident('CartFails')}]\n", 100).spec
    burst = Burst.model_validate({"at": "10m", "for": "1h", "multiplierPermille": 2_000})
    rate = spec.rate.model_copy(update={"bursts": (burst,)})
    spec = spec.model_copy(update={"rate": rate})
    (more,) = incident_truths(Behaviours(spec).of(spec))

    assert twice.orders == pytest.approx(2 * once.orders)
    assert more.orders == pytest.approx(2 * once.orders)
    own = twice.orders_tolerance / once.orders_tolerance
    assert 2**0.5 < own < 2


def test_parts_add_up() -> None:
    """An overlay that changes nothing divides the interval, and not its loss."""
    (whole,) = _truths(_incident("SlowPages"), start=START_SECONDS)
    idle = "{preset: Retail, overlays: [{name: idle, when: {at: 22m, for: 1m}}]}"
    more = f"  effects: {idle}\n  incidents: [{_incident('SlowPages')}]\n"
    spec = simulation("{eventsPerSecond: 100}", more, 2_000_000, MIX).spec

    (divided,) = incident_truths(Behaviours(spec).of(spec), START_SECONDS)

    assert divided.orders == pytest.approx(whole.orders, rel=1e-6)
    assert divided.orders_tolerance == pytest.approx(whole.orders_tolerance, rel=1e-6)


def test_hour_counts_with_a_start() -> None:
    """At night less is lost than on average, with a daily curve; without a start, the average."""
    more = f"  incidents: [{_incident('CheckoutFails')}]\n  countries: [{{code: DE, weight: 1}}]\n"
    spec = simulation("{eventsPerSecond: 100, curve: Diurnal}", more, 2_000_000, MIX).spec
    behaviour = Behaviours(spec).of(spec)

    night, mean, evening = (
        incident_truths(behaviour, start)[0].orders
        for start in (START_SECONDS + 10 * 3_600, None, START_SECONDS + 3 * 3_600)
    )

    assert 3 * night < mean < evening


def test_run_ends_an_incident() -> None:
    """What lies after the end of the run costs nothing."""
    rows = _incident("CartFails"), _incident("CartFails", span="at: 2h, for: 1h")
    more = f"  incidents: [{', '.join(rows)}]\n  stopAfter: {{duration: 24m}}\n"
    spec = _simulation(more, 100).spec
    (whole,) = _truths(_incident("CartFails", span="at: 20m, for: 4m"))

    (found,) = incident_truths(Behaviours(spec).of(spec))

    assert found.incident.span_seconds == (1_200.0, 1_440.0)
    assert found.orders == pytest.approx(whole.orders)


def test_drawn_incidents_have_a_truth() -> None:
    """Each incident that the seed draws has its loss, in the order of time."""
    spec = _simulation("  randomIncidents: {perDay: 2, days: 2}\n", 100).spec

    found = incident_truths(Behaviours(spec).of(spec))

    assert tuple(row.incident for row in found) == spec.every_incident
    assert all(row.orders > 0 and row.revenue_minor > 0 for row in found)


def test_line_value_by_hand() -> None:
    """A line has 1.25 pieces on average; the cheaper of two products costs a little less."""
    world = replace(small_world(), price_sense=np.array([0.0, 1.0]))

    mean, square = line_value_minor(world)

    # Two categories, alike often: 100 and 200 as 4 to 1, and 300 and 400.
    plain, cheaper = (120 + 350) / 2, (100 * 0.96 + 200 * 0.04 + 300 * 0.75 + 400 * 0.25) / 2
    assert mean.tolist() == pytest.approx([1.25 * plain, 1.25 * cheaper])
    squares = (100**2 * 0.8 + 200**2 * 0.2 + (300**2 + 400**2) / 2) / 2
    assert square[0] == pytest.approx((0.8 + 4 * 0.15 + 9 * 0.05) * squares)


def test_think_mean_by_hand() -> None:
    """The mean time between two steps is that of the log-normal, within its bounds."""
    persona = replace(PERSONAS["Shopper"], think_median_seconds=10.0, think_sigma=0.5)

    assert think_mean_seconds(persona) == pytest.approx(10 * np.exp(0.125), rel=1e-3)
    assert think_mean_seconds(replace(persona, think_median_seconds=1e6)) == 1_500.0
    assert think_mean_seconds(replace(persona, think_median_seconds=1e-3)) == pytest.approx(0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "who"),
    [
        ("CheckoutFails", "{devices: [desktop]}"),
        ("PaymentDown", "{}"),
        ("CartFails", "{usersPermille: 700}"),
        ("SearchFails", "{}"),
        ("SlowPages", "{}"),
        ("TrackingLost", "{devices: [mobile]}"),
    ],
)
def test_million_events_agree(kind: str, who: str) -> None:
    """Over a million events, the difference to the run without the incident is its loss."""
    _check(kind, who, 400)


def test_incident_comes_when_it_begins() -> None:
    """Each incident is returned once, when the run reaches it, with the loss of its moment."""
    rows = (_incident("CartFails"), _incident("CheckoutFails", span="at: 40m, for: 1m"))
    spec = _simulation(f"  incidents: [{rows[0]}, {rows[1].replace('one', 'two')}]\n", 100).spec
    behaviour = Behaviours(spec).of(spec)
    waiting = IncidentTruths(behaviour, START_SECONDS)
    moments = (START_SECONDS + at for at in (1_199.9, BEGIN, END, np.inf))

    first, second, third, last = (waiting.rows_until(moment) for moment in moments)

    assert (first, third) == ([], [])
    assert second + last == [
        row.to_json(START_SECONDS) for row in incident_truths(behaviour, START_SECONDS)
    ]
    (row,) = second
    assert (row["from_seconds"], row["until_seconds"]) == (
        START_SECONDS + BEGIN,
        START_SECONDS + END,
    )
    assert [(name, isinstance(row[name], str)) for name in row] == [
        (name, kind is str) for name, kind in RUN_TRUTHS[INCIDENTS].members.items()
    ]
