"""The truth about incidents: the orders and the revenue that each costs, computed and not sampled.

Owns the expected difference between a run and the same run without an incident, over the sessions
that begin in the incident's interval. Both runs send the same number of events: with shorter
sessions, more of them begin. Lost tracking changes no session; only its orders are not sent. The
sessions are those of the Markov chain (:mod:`clickstream_generator.core.session_chain`). A later
session begins with the cart that the one before left, before the incident: the shop is much older
than the incident is long.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.rate import Curve

from clickstream_generator.core.journeys import step_probabilities
from clickstream_generator.core.product_shares import (
    category_shares,
    cheaper_shares,
    nearer_shares,
    popular_shares,
)
from clickstream_generator.core.rhythm import Schedule
from clickstream_generator.core.segment_truth import (
    first_and_later,
    later_carts,
    sum_of,
    weights_of,
)
from clickstream_generator.core.session_chain import carts_after, moments
from clickstream_generator.core.sessions import (
    PIECES,
    THINK_CEILING_SECONDS,
    THINK_FLOOR_SECONDS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.incidents import Incident
    from clickstream_contract.personas import Persona
    from clickstream_contract.simulation import StopAfter

    from clickstream_generator.core.behaviour import Behaviour
    from clickstream_generator.core.profiles import Profiles
    from clickstream_generator.core.segment_truth import Weights
    from clickstream_generator.core.session_chain import Moments
    from clickstream_generator.core.world import World

__all__ = [
    "MODEL_SHARE",
    "STANDARD_ERRORS",
    "IncidentTruth",
    "IncidentTruths",
    "incident_truths",
    "line_value_minor",
    "think_mean_seconds",
]

STANDARD_ERRORS = 4.0
"""Of a difference between two runs: what chance may change."""
MODEL_SHARE = 0.01
"""Of what the sessions would bring without the incident: what the chain's assumptions may miss."""
_SAMPLE_SECONDS = 60.0
_NORMAL = np.array([NormalDist().inv_cdf((place + 0.5) / 1_000) for place in range(1_000)])
"""A thousand equally likely values of a standard normal number."""


@dataclass(frozen=True)
class IncidentTruth:
    """The expected loss by an incident, over the sessions that begin in its interval.

    Attributes:
        incident: The incident.
        orders: Number of orders that the incident costs.
        orders_tolerance: The difference between the two runs lies so close to it:
            :data:`STANDARD_ERRORS`, and :data:`MODEL_SHARE` of the orders without the incident.
        revenue_minor, revenue_tolerance_minor: The same of the revenue, in minor units.
    """

    incident: Incident
    orders: float
    orders_tolerance: float
    revenue_minor: float
    revenue_tolerance_minor: float

    def to_json(self, start_seconds: float) -> dict[str, Any]:
        """Return the truth as JSON values, as :mod:`clickstream_contract.run_truths` lists them.

        Args:
            start_seconds: When the live part starts, Unix seconds.
        """
        begin, end = self.incident.span_seconds
        return {
            "incident": self.incident.name,
            "kind": self.incident.kind.value,
            "scope": self.incident.who.text,
            "from_seconds": start_seconds + begin,
            "until_seconds": start_seconds + end,
            "lost_orders": round(self.orders, 2),
            "orders_tolerance": round(self.orders_tolerance, 2),
            "lost_revenue_minor": round(self.revenue_minor),
            "revenue_tolerance_minor": round(self.revenue_tolerance_minor),
        }


@dataclass(frozen=True)
class _Figures:
    """Means over the sessions of a part of the run."""

    events: float
    orders: float
    orders_squared: float
    revenue: float
    revenue_squared: float
    backlog_seconds: float
    """Events to come, summed over the time of a session, at most the length of the incident."""


class IncidentTruths:
    """The truths of a run's incidents, by time; each is computed when the run reaches it.

    The first incident of an effect takes some tenths of a second, the others less.

    Args:
        behaviour: The behaviour of a specification.
        start_seconds: When the live part starts, Unix seconds; the mean over the week if absent.
    """

    def __init__(self, behaviour: Behaviour, start_seconds: float | None = None) -> None:
        self._behaviour = behaviour
        self._start_seconds = start_seconds
        self._tables = _Tables(behaviour.world)
        self._calm: dict[int, Behaviour] = {}
        profiles = behaviour.profiles
        first = len(profiles.overlays) - len(profiles.incidents)
        placed = [
            (row, place)
            for place, incidents in enumerate(profiles.incidents, start=first)
            for row in _within_run(incidents, behaviour.spec.stop_after)
        ]
        self._waiting = deque(sorted(placed, key=lambda pair: pair[0].span_seconds))

    def rows_until(self, unix_seconds: float) -> list[dict[str, Any]]:
        """Return the incidents that have begun, each once, as JSON values.

        Args:
            unix_seconds: The moment that the run has reached; needs the start of the run.
        """
        assert self._start_seconds is not None  # noqa: S101  the mean over the week has no moments
        begun = self.begun_by(unix_seconds - self._start_seconds)
        return [row.to_json(self._start_seconds) for row in begun]

    def begun_by(self, since_seconds: float) -> list[IncidentTruth]:
        """Return the truths of the incidents that have begun, each once.

        Args:
            since_seconds: Seconds after the start.
        """
        found = []
        while self._waiting and self._waiting[0][0].at_seconds <= since_seconds:
            found.append(self._truth(*self._waiting.popleft()))
        return found

    def _truth(self, incident: Incident, place: int) -> IncidentTruth:
        behaviour = self._behaviour
        if place not in self._calm:
            profiles = behaviour.profiles.without(place, behaviour.world)
            self._calm[place] = replace(behaviour, profiles=profiles)
        return _truth(behaviour, self._calm[place], incident, self._start_seconds, self._tables)


def incident_truths(
    behaviour: Behaviour, start_seconds: float | None = None
) -> list[IncidentTruth]:
    """Return the truth of each incident, by time.

    Args:
        behaviour: The behaviour of a specification.
        start_seconds: As for :class:`IncidentTruths`.
    """
    return IncidentTruths(behaviour, start_seconds).begun_by(np.inf)


def _within_run(incidents: Sequence[Incident], stop_after: StopAfter | None) -> list[Incident]:
    """Return the incidents that begin before the run ends, cut off at its end."""
    lasts = stop_after.duration_seconds if stop_after else None
    if lasts is None:
        return list(incidents)
    return [
        row.model_copy(update={"for_seconds": min(row.for_seconds, lasts - row.at_seconds)})
        for row in incidents
        if row.at_seconds < lasts
    ]


class _Tables:
    """The figures of profiles; equal chains are solved once.

    Args:
        world: The run's world.
    """

    def __init__(self, world: World) -> None:
        self._line_value = line_value_minor(world)
        self._known: dict[bytes, tuple[Moments, np.ndarray]] = {}

    def of(
        self, behaviour: Behaviour, number: int, lasts_seconds: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the figures and the changes of carts of the profiles of a range.

        Args:
            behaviour: The behaviour.
            number: The range.
            lasts_seconds: The length of the incident.

        Returns:
            Shape (profiles, figures, lines), with the figures in the order of ``_Figures``, and
            shape (profiles, lines, lines); 0 for the profiles of other ranges.
        """
        profiles = behaviour.profiles
        losing = profiles.losing
        used = np.unique(profiles.lookup[number])
        personas = [profiles.personas[profile] for profile in used]
        figures, carts = [], []
        for profile, persona, table in zip(
            used, personas, step_probabilities(personas), strict=True
        ):
            row, cart = self._solved(table)
            mean, square = self._line_value[:, profiles.bases[profile]]
            # The k-th event after the first comes after k times to think, on average.
            since = think_mean_seconds(persona) * np.arange(1, len(row.survival) + 1)
            backlog = np.minimum(since, lasts_seconds) @ row.survival
            sent = np.array(
                [row.orders, row.orders_squared, mean * row.lines, square * row.lines_squared]
            )
            if losing[profile]:
                sent[:] = 0.0
            figures.append([row.events, *sent, backlog])
            carts.append(cart)
        return (
            _spread(np.array(figures), used, profiles),
            _spread(np.array(carts), used, profiles),
        )

    def _solved(self, table: np.ndarray) -> tuple[Moments, np.ndarray]:
        key = table.tobytes()
        if key not in self._known:
            self._known[key] = moments(table), carts_after(table)
        return self._known[key]


def _spread(values: np.ndarray, used: np.ndarray, profiles: Profiles) -> np.ndarray:
    """Return values of some profiles as a table of all of them."""
    found = np.zeros((len(profiles.personas), *values.shape[1:]))
    found[used] = values
    return found


def _truth(
    behaviour: Behaviour,
    calm: Behaviour,
    incident: Incident,
    start_seconds: float | None,
    cache: _Tables,
) -> IncidentTruth:
    """Return the truth of an incident; ``calm`` is the behaviour without it."""
    begin, end = incident.span_seconds
    starts = behaviour.profiles.range_starts
    edges = [begin, *starts[(starts > begin) & (starts < end)].tolist(), end]
    orders = orders_variance = calm_orders = 0.0
    revenue = revenue_variance = calm_revenue = 0.0
    for since, until in pairwise(edges):
        number = behaviour.profiles.range_of(since)
        weights = weights_of(behaviour, number, _bin_weight(behaviour, since, until, start_seconds))
        calm_figures, carts = cache.of(calm, number, end - begin)
        # Earlier sessions began at any hour, and before the incident.
        begins = later_carts(calm, number, weights_of(behaviour, number), carts)
        without, within = (
            _figures(behaviour, number, figures, begins, weights)
            for figures in (calm_figures, cache.of(behaviour, number, end - begin)[0])
        )
        events = _events(behaviour, since, until, start_seconds)
        sessions = events / without.events
        # The events of sessions that are open at the begin and at the end of the incident.
        rate = events / (until - since)
        taken = events
        taken -= rate * without.backlog_seconds / without.events * (since == begin)
        taken += rate * within.backlog_seconds / within.events * (until == end)
        # Lost tracking leaves both runs with the same sessions: they differ by the lost ones.
        changed = sessions if incident.loses_events else taken / within.events
        sign = -1.0 if incident.loses_events else 1.0
        calm_orders += sessions * without.orders
        calm_revenue += sessions * without.revenue
        orders += sessions * without.orders - changed * within.orders
        revenue += sessions * without.revenue - changed * within.revenue
        orders_variance += (
            sessions * without.orders_squared + sign * changed * within.orders_squared
        )
        revenue_variance += (
            sessions * without.revenue_squared + sign * changed * within.revenue_squared
        )
    # A difference of equal variances may be a little below 0 by rounding.
    return IncidentTruth(
        incident,
        orders,
        STANDARD_ERRORS * max(orders_variance, 0.0) ** 0.5 + MODEL_SHARE * calm_orders,
        revenue,
        STANDARD_ERRORS * max(revenue_variance, 0.0) ** 0.5 + MODEL_SHARE * calm_revenue,
    )


def _figures(
    behaviour: Behaviour, number: int, figures: np.ndarray, begins: np.ndarray, weights: Weights
) -> _Figures:
    """Return the means of figures, shape (profiles, figures, lines), over a range's sessions."""
    ones = np.ones(figures[:, 0].shape)
    means = [
        sum_of(behaviour, first_and_later(behaviour, number, values, begins), weights)
        for values in (ones, *np.moveaxis(figures, 1, 0))
    ]
    return _Figures(*(mean / means[0] for mean in means[1:]))


def _events(behaviour: Behaviour, since: float, until: float, start_seconds: float | None) -> float:
    """Return how many events are due between two times after the start."""
    rate = behaviour.spec.rate
    if start_seconds is None and rate.curve in {Curve.DIURNAL, Curve.WEEKLY}:
        rate = rate.model_copy(update={"curve": Curve.CONSTANT})
    schedule = Schedule(rate, behaviour.rhythm, start_seconds or 0.0)
    return schedule.events_by(schedule.start_seconds + until) - schedule.events_by(
        schedule.start_seconds + since
    )


def _bin_weight(
    behaviour: Behaviour, since: float, until: float, start_seconds: float | None
) -> np.ndarray | float:
    """Return how much of each bin of the week lies between two times after the start."""
    if start_seconds is None:
        return 1.0
    count = max(1, round((until - since) / _SAMPLE_SECONDS))
    moments_seconds = start_seconds + since + (until - since) * (np.arange(count) + 0.5) / count
    rhythm = behaviour.rhythm
    return np.bincount(rhythm.bin_of(moments_seconds), minlength=len(rhythm.level)) / count


def think_mean_seconds(persona: Persona) -> float:
    """Return the mean time between two steps of a session."""
    seconds = persona.think_median_seconds * np.exp(persona.think_sigma * _NORMAL)
    return float(np.clip(seconds, THINK_FLOOR_SECONDS, THINK_CEILING_SECONDS).mean())


def line_value_minor(world: World) -> np.ndarray:
    """Return the mean value of a line that is put into a cart, and the mean of its square.

    The product is one of its category by popularity; for the share of the views that are sensitive
    to the price, it is the cheaper of two, and for that of :mod:`clickstream_generator.core.tastes`
    the nearer of two in price. Companions are left out.

    Returns:
        Shape (2, personas), in minor units and their square.
    """
    shop, tastes = world.catalog, world.tastes
    pieces = np.diff([0.0, *PIECES, 1.0])
    number = np.arange(1, len(pieces) + 1)
    category = category_shares(shop)[shop.product_category]
    sense = world.price_sense[:, None]
    shares = (1.0 - sense) * popular_shares(shop) + sense * cheaper_shares(shop)
    if tastes is not None:
        nearer = nearer_shares(shop, tastes)
        shares = (1.0 - tastes.price_share) * shares + tastes.price_share * nearer
    value = shop.price_minor.astype(float)
    return np.array(
        [(category * shares) @ value**power * (pieces @ number**power) for power in (1, 2)]
    )
