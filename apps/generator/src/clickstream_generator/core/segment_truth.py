"""The truth about segments and arms: how many of their sessions buy, computed and not sampled.

Owns the expectation over everything that is random in a session. The steps are an absorbing Markov
chain (:mod:`clickstream_generator.core.session_chain`). A later session of a user may begin with a
cart that the session before left; how many sessions a user had before follows from how users are
chosen (:mod:`clickstream_generator.core.population`). Assumed is a run in which some users have not
come yet, at a rate without bursts and steps, over whole weeks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import isnan, lgamma, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.events import DEVICES
from clickstream_contract.experiments import CONTROL
from clickstream_contract.run_truths import EXPERIMENTS, RUN_TRUTHS

from clickstream_generator.core.population import LOYALTY_EXPONENT
from clickstream_generator.core.profiles import HOURS_PER_WEEK, class_sums, weighted
from clickstream_generator.core.session_chain import carts_after, conversion, expected_events
from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickstream_generator.core.behaviour import Behaviour

__all__ = [
    "ATTRIBUTES",
    "ArmTruth",
    "ArmTruths",
    "SegmentTruth",
    "Weights",
    "arm_truths",
    "count_segments",
    "earlier_sessions",
    "first_and_later",
    "later_carts",
    "segment_truths",
    "sum_of",
    "weights_of",
]

ATTRIBUTES = (
    "device", "os", "browser", "country", "channel", "persona", "session", "hour"
)  # fmt: skip
"""What divides sessions into segments; ``session`` is ``first`` or ``later``."""
_MOST_EARLIER = 120
"""After so many sessions the cart that a session begins with has its long-run distribution."""
_DRAWS = 4_000
_DIGITS = 9
_SECONDS_PER_DAY = 86_400
_SESSIONS = ("first", "later")
_FIRST, _LATER = range(2)


@dataclass(frozen=True)
class SegmentTruth:
    """The expectation of a segment's sessions.

    Attributes:
        range_number: The range of the run, in which the same overlays apply.
        segment: The value of each attribute; empty for all sessions.
        share: Share of all sessions.
        conversion: Share of its sessions with at least one purchase.
        events: Mean number of events of its sessions.
    """

    range_number: int
    segment: dict[str, str]
    share: float
    conversion: float
    events: float


@dataclass(frozen=True)
class ArmTruth:
    """The expectation of the sessions in an arm of an experiment.

    Attributes:
        range_number: The range of the run, in which the same overlays apply.
        experiment, arm: Their names.
        share: Share of all sessions.
        conversion: Share of its sessions with at least one purchase.
        lift: Its conversion relative to that of the control, minus 1; not a number if the control
            never converts.
    """

    range_number: int
    experiment: str
    arm: str
    share: float
    conversion: float
    lift: float

    def to_json(self, begin_seconds: float) -> dict[str, Any]:
        """Return the truth as JSON values, as :mod:`clickstream_contract.run_truths` lists them.

        Args:
            begin_seconds: When the range begins, Unix seconds.
        """
        has_lift = self.arm != CONTROL and not isnan(self.lift)
        return {
            "experiment": self.experiment,
            "arm": self.arm,
            "from_seconds": begin_seconds,
            "share": round(self.share, _DIGITS),
            "conversion": round(self.conversion, _DIGITS),
            "lift": round(self.lift, _DIGITS) if has_lift else None,
        }


@dataclass(frozen=True)
class Weights:
    """The weights of the values of each attribute; a segment sets some to zero.

    Attributes:
        week: Shape (hours of the week, personas, countries), by local time.
        technology: Shape (personas, technologies).
        channel: Shape (channels,).
        visit: Shape (personas, 2); of first and later sessions.
    """

    week: np.ndarray
    technology: np.ndarray
    channel: np.ndarray
    visit: np.ndarray


@dataclass(frozen=True)
class _Chains:
    """What each profile's chain gives, by lines in the cart at the start of a session."""

    conversion: np.ndarray  # (profiles, lines)
    events: np.ndarray  # (profiles, lines)
    carts: np.ndarray  # (profiles, lines, lines)


def segment_truths(behaviour: Behaviour, attributes: Sequence[Sequence[str]]) -> list[SegmentTruth]:
    """Return the truth of each segment, for each range of the run.

    Args:
        behaviour: The behaviour of a specification.
        attributes: Of each kind of segment, some of :data:`ATTRIBUTES`; a segment has one value of
            each. Without one, all sessions are the segment.
    """
    found, chains = [], _chains(behaviour)
    for number in range(len(behaviour.profiles.lookup)):
        weights = weights_of(behaviour, number)
        chances, lengths = _figures(behaviour, number, weights, chains)
        ones = np.ones_like(chances)
        total = sum_of(behaviour, ones, weights)
        for names in attributes:
            for values in product(*(_values(behaviour, name) for name in names)):
                segment = dict(zip(names, values, strict=True))
                own = _narrowed(behaviour, weights, segment)
                if share := sum_of(behaviour, ones, own):
                    conversion_rate = sum_of(behaviour, chances, own) / share
                    mean = sum_of(behaviour, lengths, own) / share
                    found.append(
                        SegmentTruth(number, segment, share / total, conversion_rate, mean)
                    )
    return found


class ArmTruths:
    """The truths of a run's arms, by time; those of a range are computed when the run reaches it.

    Args:
        behaviour: The behaviour of a specification.
        start_seconds: When the live part starts, Unix seconds.
    """

    def __init__(self, behaviour: Behaviour, start_seconds: float) -> None:
        backfill = behaviour.spec.backfill
        history_seconds = backfill.days * _SECONDS_PER_DAY if backfill else 0
        ranges = [-history_seconds, *behaviour.profiles.range_starts]
        self._behaviour = behaviour
        self._waiting = deque(
            enumerate(start_seconds + np.array(ranges if behaviour.spec.experiments else []))
        )
        self._left = RUN_TRUTHS[EXPERIMENTS].most

    @cached_property
    def _known(self) -> _Chains:
        return _chains(self._behaviour)

    def rows_until(self, unix_seconds: float) -> list[dict[str, Any]]:
        """Return the arms of the ranges that have begun, each once, as JSON values.

        A range whose rows would be more than a run record keeps ends the list.

        Args:
            unix_seconds: The moment that the run has reached.
        """
        found: list[dict[str, Any]] = []
        while self._waiting and self._waiting[0][1] <= unix_seconds:
            number, begin_seconds = self._waiting.popleft()
            rows = _arms_of_range(self._behaviour, number, self._known)
            self._left -= len(rows)
            if self._left < 0:
                self._waiting.clear()
            else:
                found += [row.to_json(float(begin_seconds)) for row in rows]
        return found


def arm_truths(behaviour: Behaviour) -> list[ArmTruth]:
    """Return the truth of each arm, for each range of the run in which its experiment runs."""
    chains = _chains(behaviour)
    ranges = range(len(behaviour.profiles.lookup))
    return [row for number in ranges for row in _arms_of_range(behaviour, number, chains)]


def _arms_of_range(behaviour: Behaviour, number: int, chains: _Chains) -> list[ArmTruth]:
    """Return the truth of each arm of the experiments that run in a range of the run."""
    profiles, found = behaviour.profiles, []
    weights = weights_of(behaviour, number)
    chances, _ = _figures(behaviour, number, weights, chains)
    total = sum_of(behaviour, np.ones_like(chances), weights)
    applied = profiles.applied[np.take(profiles.lookup[number], profiles.return_class, axis=5)]
    place = len(behaviour.spec.effects.every)
    for experiment in behaviour.spec.experiments:
        control = 0.0
        for arm in experiment.arms:
            inside = applied[..., place]
            place += 1
            if share := sum_of(behaviour, inside.astype(float), weights):
                rate = sum_of(behaviour, inside * chances, weights) / share
                control = rate if arm.name == CONTROL else control
                lift = rate / control - 1.0 if control else float("nan")
                found.append(ArmTruth(number, experiment.name, arm.name, share / total, rate, lift))
    return found


def count_segments(behaviour: Behaviour, attributes: Sequence[Sequence[str]]) -> int:
    """Return how many segments there are at most, over all ranges of the run."""
    counts = (prod(len(_values(behaviour, name)) for name in names) for names in attributes)
    return len(behaviour.profiles.lookup) * sum(counts)


def _values(behaviour: Behaviour, attribute: str) -> list[str]:
    """Return the values of an attribute."""
    world = behaviour.world
    technologies = world.technologies
    return {
        "device": list(DEVICES),
        "os": list(dict.fromkeys(row.os for row in technologies)),
        "browser": list(dict.fromkeys(row.browser for row in technologies)),
        "country": world.country_codes,
        "channel": list(CHANNELS),
        "persona": [persona.name for persona in world.personas],
        "session": list(_SESSIONS),
        "hour": [str(hour) for hour in range(24)],
    }[attribute]


def _narrowed(behaviour: Behaviour, weights: Weights, segment: Mapping[str, str]) -> Weights:
    """Return the weights with those of other segments set to zero."""
    world = behaviour.world
    week, technology, channel, visit = (
        weights.week.copy(),
        weights.technology.copy(),
        weights.channel.copy(),
        weights.visit.copy(),
    )
    for attribute, value in segment.items():
        if attribute == "country":
            week *= [code == value for code in world.country_codes]
        elif attribute == "channel":
            channel *= [name == value for name in CHANNELS]
        elif attribute == "persona":
            week *= np.array([row.name == value for row in world.personas])[:, None]
        elif attribute == "session":
            visit *= [value == name for name in _SESSIONS]
        elif attribute == "hour":
            week *= (np.arange(HOURS_PER_WEEK) % 24 == int(value))[:, None, None]
        else:
            technology *= [getattr(row, attribute) == value for row in world.technologies]
    return Weights(week, technology, channel, visit)


def weights_of(behaviour: Behaviour, number: int, bin_weight: np.ndarray | float = 1.0) -> Weights:
    """Return the weights of all sessions in a range of the run.

    Args:
        behaviour: The behaviour.
        number: The range.
        bin_weight: Shape (bins,); how much of each bin of the week counts; all alike if a number.
    """
    world, rhythm = behaviour.world, behaviour.rhythm
    shares = np.diff(rhythm.group_bounds, axis=1, prepend=0.0)
    sessions = shares * (bin_weight * rhythm.level / rhythm.expected_events[number])[:, None]
    minutes = (np.arange(len(sessions)) + 0.5) * 7 * 1_440 / len(sessions)
    local = minutes[:, None] + world.utc_offset_minutes[world.group_country]
    hour = (local // 60).astype(np.int64) % HOURS_PER_WEEK
    week = np.zeros((HOURS_PER_WEEK, len(world.personas), len(world.country_codes)))
    np.add.at(week, (hour, world.group_persona[None], world.group_country[None]), sessions)
    later = world.return_share
    return Weights(
        week / week.sum(),
        world.technology_share,
        world.channel_share,
        np.stack([1.0 - later, later], axis=1),
    )


def sum_of(behaviour: Behaviour, values: np.ndarray, weights: Weights) -> float:
    """Return a figure, in the shape of a range's look-up, summed with the weights."""
    profiles = behaviour.profiles
    found = weighted(
        values[None],
        class_sums(weights.technology, profiles.technology_class),
        class_sums(weights.channel[None], profiles.channel_class)[0],
        weights.visit,
        [split.shares for split in profiles.splits],
    )
    return float((found[0] * _by_class(behaviour, weights.week)).sum())


def _by_class(behaviour: Behaviour, week: np.ndarray) -> np.ndarray:
    """Return the weights of hours and countries, summed by their classes."""
    profiles = behaviour.profiles
    hours, countries = profiles.lookup.shape[1], profiles.lookup.shape[4]
    found = np.zeros((hours, week.shape[1], countries))
    place = (
        profiles.hour_class[:, None, None],
        np.arange(week.shape[1])[None, :, None],
        profiles.country_class[None, None, :],
    )
    np.add.at(found, place, week)
    return found


def _chains(behaviour: Behaviour) -> _Chains:
    tables = behaviour.journeys.probability
    return _Chains(
        np.array([conversion(table) for table in tables]),
        np.array([expected_events(table) for table in tables]),
        np.array([carts_after(table) for table in tables]),
    )


def _figures(
    behaviour: Behaviour, number: int, weights: Weights, chains: _Chains
) -> tuple[np.ndarray, np.ndarray]:
    """Return conversion and mean number of events of a range's sessions.

    Returns:
        As :func:`first_and_later` does.
    """
    begins = later_carts(behaviour, number, weights, chains.carts)
    return (
        first_and_later(behaviour, number, chains.conversion, begins),
        first_and_later(behaviour, number, chains.events, begins),
    )


def first_and_later(
    behaviour: Behaviour, number: int, values: np.ndarray, begins: np.ndarray
) -> np.ndarray:
    """Return a figure of a range's sessions, with first and later sessions always apart.

    Args:
        behaviour: The behaviour.
        number: The range.
        values: Shape (profiles, lines); by lines in the cart at the start.
        begins: As :func:`later_carts` returns it.

    Returns:
        In the shape of the range's look-up.
    """
    first, later = _lookups(behaviour, number)
    return np.stack([values[first][..., 0], (values[later] * begins).sum(axis=-1)], axis=5)


def _lookups(behaviour: Behaviour, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the profiles of a range's first and later sessions."""
    profiles = behaviour.profiles
    lookup = np.take(profiles.lookup[number], profiles.return_class, axis=5)
    return np.take(lookup, _FIRST, axis=5), np.take(lookup, _LATER, axis=5)


def later_carts(
    behaviour: Behaviour, number: int, weights: Weights, carts: np.ndarray
) -> np.ndarray:
    """Return the distribution of the lines in the cart at the start of later sessions.

    Args:
        behaviour: The behaviour.
        number: The range.
        weights: Its weights.
        carts: Shape (profiles, lines, lines); how a session changes the cart.

    Returns:
        Shape (1, personas, ..., lines); the axes of a look-up but ranges and sessions.
    """
    profiles = behaviour.profiles
    first, later = _lookups(behaviour, number)
    hours = _by_class(behaviour, weights.week)
    hours = hours / np.maximum(hours.sum(axis=0), 1e-300)
    # An hour of a user's earlier sessions is as likely as traffic makes it.
    spread = hours[:, :, None, :, None].reshape(
        *hours.shape[:2], 1, hours.shape[2], 1, *(1 for _ in profiles.splits), 1, 1
    )
    left = (carts[first] * spread).sum(axis=0)[..., 0, :]
    again = (carts[later] * spread).sum(axis=0)
    return _carts_of_later(left, again, behaviour)


def _carts_of_later(left: np.ndarray, again: np.ndarray, behaviour: Behaviour) -> np.ndarray:
    """Return the distribution of the lines in the cart at the start of later sessions.

    Args:
        left: Shape (personas, ..., lines); the cart after a user's first session.
        again: Shape (personas, ..., lines, lines); how a later session changes it.
        behaviour: The behaviour.
    """
    share = earlier_sessions(behaviour.world.return_share)
    found, now = np.zeros_like(left), left
    for count in range(share.shape[1]):
        found += share[:, count].reshape(-1, *(1 for _ in left.shape[1:])) * now
        now = np.einsum("...i,...ij->...j", now, again)
    return found


def earlier_sessions(return_share: np.ndarray) -> np.ndarray:
    """Return how many sessions a returning user had after the first one.

    With k = LOYALTY_EXPONENT, a returning user is the one at the place u ** k of all who came so
    far, in the order of their first sessions, for u in [0, 1). Each later session of the group drew
    this user with a chance that fell as others came. Over all of them, the user was drawn
    r / (1 - r) / (k - 1) * (u ** (1 - k) - 1) times on average, with the share r of sessions by
    returning users. The draws are independent, so it is a Poisson number.

    Args:
        return_share: Shape (personas,).

    Returns:
        Shape (personas, numbers); the last number means that many or more.
    """
    u = (np.arange(_DRAWS) + 0.5) / _DRAWS
    odds = return_share / np.maximum(1.0 - return_share, 1e-6) / (LOYALTY_EXPONENT - 1.0)
    mean = np.clip(odds[:, None] * (u ** (1.0 - LOYALTY_EXPONENT) - 1.0), 1e-12, 1e6)
    counts = np.arange(_MOST_EARLIER)
    factorial = np.array([lgamma(count + 1.0) for count in counts])
    log = counts[:, None, None] * np.log(mean) - mean - factorial[:, None, None]
    share = np.exp(log).mean(axis=2).T
    return np.concatenate([share, 1.0 - share.sum(axis=1, keepdims=True)], axis=1)
