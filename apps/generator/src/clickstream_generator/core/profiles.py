"""Profiles: the weights and think times of sessions with the same persona and the same overlays.

Owns the compilation of a simulation's overlays. Each session gets the number of its profile when
it begins, and keeps it. So the weights of a step are one look-up, as without overlays, and the
expected conversion of a session follows from its profile.

The numbers follow from the specification, so every process that carries a shard has the same ones.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.effects import WEEKDAYS
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.effects import Overlay
    from clickstream_contract.personas import Persona

    from clickstream_generator.core.population import Population
    from clickstream_generator.core.world import World

__all__ = [
    "HOURS_PER_WEEK",
    "Profiles",
    "belongs_to",
    "class_sums",
    "compile_profiles",
    "local_hour",
    "weighted",
]

HOURS_PER_WEEK = 168
_EPOCH_WEEKDAY_SHIFT_HOURS = 72
"""1 January 1970 was a Thursday; weeks here begin on Monday."""
_MOST_PROFILES = 4_096
_MOST_COMBINATIONS = 4_000_000
_EVERY_USER = 1_000
_UNCHANGED = 1_000
"""A multiplier of 1, in permille."""
_PERSONA_AXIS = 2


def local_hour(unix_seconds: float, utc_offset_minutes: np.ndarray) -> np.ndarray:
    """Return the local hour of the week of a moment, from Monday 00:00, for each offset."""
    hour = np.floor((unix_seconds + 60.0 * utc_offset_minutes) / 3_600).astype(np.int64)
    return (hour + _EPOCH_WEEKDAY_SHIFT_HOURS) % HOURS_PER_WEEK


@dataclass(frozen=True)
class Profiles:
    """The profiles of one specification.

    Attributes:
        overlays: The overlays.
        personas: Shape (profiles,); the persona with the overlays' weights and think times.
        bases: Shape (profiles,); number of the persona in the world.
        applied: Shape (profiles, overlays); which overlays apply.
        range_starts: When ranges of the run begin, in seconds after its start; the first range
            ends at the first one.
        hour_class, technology_class, country_class, channel_class, return_class: The class of
            each local hour of the week, technology, country, channel, and of first (0) and later
            (1) sessions. Two of a class have the same overlays.
        lookup: The profile, by range, class of hour, persona, class of technology, country and
            channel, class of first or later session, and then, for each overlay with a share of
            the users, whether the user belongs to it.
    """

    overlays: tuple[Overlay, ...]
    personas: tuple[Persona, ...]
    bases: np.ndarray
    applied: np.ndarray
    range_starts: np.ndarray
    hour_class: np.ndarray
    technology_class: np.ndarray
    country_class: np.ndarray
    channel_class: np.ndarray
    return_class: np.ndarray
    lookup: np.ndarray

    @property
    def shared(self) -> tuple[Overlay, ...]:
        """The overlays with a share of the users."""
        return _shared(self.overlays)

    @property
    def member_shares(self) -> list[float]:
        """The shares of the users of the overlays that have one."""
        return [row.who.users_permille / _EVERY_USER for row in self.shared]

    def range_of(self, since_seconds: float) -> int:
        """Return the range of the run at a time after its start, in seconds."""
        return int(np.searchsorted(self.range_starts, since_seconds, side="right"))

    def of(
        self,
        world: World,
        population: Population,
        user: np.ndarray,
        since_seconds: float,
        unix_seconds: float,
    ) -> np.ndarray:
        """Return the profiles of sessions.

        Args:
            world: The run's world.
            population: The users of the shard, with the current sessions counted.
            user: Shape (sessions,); the session's user.
            since_seconds: When the sessions begin, in seconds after the run's start.
            unix_seconds: The same moment.
        """
        country = world.countries_of(population.city[user])
        hour = self.hour_class[local_hour(unix_seconds, world.utc_offset_minutes)]
        found: np.ndarray = self.lookup[
            self.range_of(since_seconds),
            hour[country],
            population.persona[user],
            self.technology_class[population.technology[user]],
            self.country_class[country],
            self.channel_class[population.channel[user]],
            self.return_class[(population.sessions[user] > 1).astype(np.int64)],
            *(
                belongs_to(overlay, population.seed, population.shard, user).astype(np.int64)
                for overlay in self.shared
            ),
        ]
        return found

    def mean_by_group(self, values: np.ndarray, world: World) -> np.ndarray:
        """Return the mean of a figure of the profiles over the sessions of each group.

        Args:
            values: Shape (profiles,).
            world: The run's world, with the shares of technologies, channels and returning users.

        Returns:
            Shape (ranges, classes of hours, groups).
        """
        later = world.return_share
        found = weighted(
            values[self.lookup],
            _exact(class_sums(world.technology_share, self.technology_class)),
            _exact(class_sums(world.channel_share[None], self.channel_class))[0],
            _exact(class_sums(np.stack([1.0 - later, later], axis=1), self.return_class)),
            [np.array([1.0 - share, share]) for share in self.member_shares],
        )
        by_group: np.ndarray = found[
            :, :, world.group_persona, self.country_class[world.group_country]
        ]
        return by_group


def class_sums(shares: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return shares, shape (rows, values), summed by the classes of the values."""
    return np.stack([np.bincount(classes, row) for row in shares])


def weighted(
    values: np.ndarray,
    technology: np.ndarray,
    channel: np.ndarray,
    visit: np.ndarray,
    members: Sequence[np.ndarray],
) -> np.ndarray:
    """Return a figure summed over all axes of a look-up but range, hour, persona and country.

    Args:
        values: In the shape of ``Profiles.lookup``.
        technology: Shape (personas, classes); the weights of the classes.
        channel: Shape (classes,).
        visit: Shape (personas, classes); of first and later sessions.
        members: Shape (2,) each; of users that do not belong to an overlay, and of those that do.
    """
    found = values
    for share in reversed(members):
        found = found @ share
    found = np.einsum("rhptkcv,pv->rhptkc", found, visit) @ channel
    total: np.ndarray = np.einsum("rhptk,pt->rhpk", found, technology)
    return total


def belongs_to(overlay: Overlay, seed: int, shard: int, user: np.ndarray) -> np.ndarray:
    """Return which users belong to the overlay's share of the users.

    It follows from the overlay's name, so the shares of two overlays are independent of each other
    and of every random stream.
    """
    name = hashlib.blake2b(f"{seed}:{overlay.name}".encode(), digest_size=8).digest()
    number = user.astype(np.uint64) | np.uint64(shard << 32)
    # SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
    mixed = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.frombuffer(name, "<u8")
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) * 2.0**-53 < overlay.who.users_permille / 1_000


def compile_profiles(overlays: tuple[Overlay, ...], world: World) -> Profiles:
    """Return the profiles of the overlays.

    Raises:
        SimulationInvalid: The overlays divide the sessions into too many profiles.
    """
    edges = [edge for overlay in overlays for edge in overlay.when.span_seconds]
    starts = np.unique([edge for edge in edges if np.isfinite(edge)])
    ranges, weekly, personas, *others = _conditions(overlays, world, starts)
    hours, hour_class = _classes(weekly)
    kept, classes = zip(*map(_classes, others), strict=True)
    members = [
        np.array([[other is not overlay, True] for other in overlays])
        for overlay in _shared(overlays)
    ]
    sides = [ranges, hours, personas, *kept, *members]
    size = math.prod(side.shape[1] for side in sides)
    if size > _MOST_COMBINATIONS:
        raise _too_many(overlays)
    mask = np.zeros([side.shape[1] for side in sides], dtype=np.int64)
    for place in range(len(overlays)):
        applies = reduce(np.multiply.outer, [side[place] for side in sides])
        mask |= applies.astype(np.int64) << place
    count = len(world.personas)
    number = np.arange(count).reshape(-1, *(1 for _ in sides[_PERSONA_AXIS + 1 :]))
    keys, inverse = np.unique(mask * count + number, return_inverse=True)
    if len(keys) > _MOST_PROFILES:
        raise _too_many(overlays)
    applied = (keys[:, None] // count >> np.arange(len(overlays))) & 1 == 1
    return Profiles(
        overlays=overlays,
        personas=tuple(
            _with_overlays(
                world.personas[key % count], [overlays[at] for at in np.flatnonzero(row)]
            )
            for key, row in zip(keys.tolist(), applied, strict=True)
        ),
        bases=keys % count,
        applied=applied,
        range_starts=starts,
        hour_class=hour_class,
        technology_class=classes[0],
        country_class=classes[1],
        channel_class=classes[2],
        return_class=classes[3],
        lookup=inverse.reshape(mask.shape).astype(np.uint16),
    )


def _conditions(
    overlays: tuple[Overlay, ...], world: World, starts: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return where each overlay applies, shape (overlays, values), for each axis of the look-up."""
    moments = np.concatenate([[-np.inf], starts])
    hours = np.arange(HOURS_PER_WEEK)
    ranges, weekly, visits, technologies = [], [], [], []
    for overlay in overlays:
        who, when = overlay.who, overlay.when
        begin, end = when.span_seconds
        ranges.append((moments >= begin) & (moments < end))
        days = [WEEKDAYS.index(name) for name in when.weekdays]
        weekly.append(_in(hours % 24, when.hours) & _in(hours // 24, days))
        visits.append([who.returning is not True, who.returning is not False])
        technologies.append(
            _in([row.device for row in world.technologies], who.devices)
            & _in([row.os for row in world.technologies], who.os)
            & _in([row.browser for row in world.technologies], who.browsers)
        )
    conditions = [overlay.who for overlay in overlays]
    names = [persona.name for persona in world.personas]
    codes, channels = world.country_codes, list(CHANNELS)
    return (
        _table(ranges, len(moments)),
        _table(weekly, HOURS_PER_WEEK),
        _table([_in(names, who.personas) for who in conditions], len(names)),
        _table(technologies, len(world.technologies)),
        _table([_in(codes, who.countries) for who in conditions], len(codes)),
        _table([_in(channels, who.channels) for who in conditions], len(channels)),
        _table(visits, 2),
    )


def _in(values: Sequence[Any] | np.ndarray, wanted: Sequence[Any]) -> np.ndarray:
    """Return which values are wanted; all of them if nothing is named."""
    return np.isin(values, wanted) if len(wanted) else np.ones(len(values), dtype=bool)


def _table(rows: list[Any], size: int) -> np.ndarray:
    return np.array(rows, dtype=bool).reshape(len(rows), size)


def _classes(applies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different columns, and which of them each column is."""
    # With a row that is always there: without overlays there is one class.
    columns = np.vstack([np.ones(applies.shape[1], dtype=bool), applies])
    kept, inverse = np.unique(columns, axis=1, return_inverse=True)
    return kept[1:], inverse.reshape(-1)


def _exact(shares: np.ndarray) -> np.ndarray:
    """Return shares that add up to exactly 1, as those of a run without overlays always did."""
    return shares / shares.sum(axis=1, keepdims=True)


def _shared(overlays: tuple[Overlay, ...]) -> tuple[Overlay, ...]:
    return tuple(row for row in overlays if row.who.users_permille < _EVERY_USER)


def _with_overlays(persona: Persona, overlays: Sequence[Overlay]) -> Persona:
    """Return the persona with the overlays' multipliers; the same object without any."""
    transitions = dict(persona.transitions)
    think_seconds = persona.think_median_seconds
    for overlay in overlays:
        for source, multipliers in overlay.transitions.items():
            # Weights stay whole numbers: only their ratio within a source counts.
            transitions[source] = {
                target: weight * multipliers.get(target, _UNCHANGED)
                for target, weight in transitions.get(source, {}).items()
            }
        think_seconds *= overlay.think_permille / _UNCHANGED
    return replace(persona, transitions=transitions, think_median_seconds=think_seconds)


def _too_many(overlays: tuple[Overlay, ...]) -> SimulationInvalid:
    return SimulationInvalid(
        "spec.effects.overlays",
        len(overlays),
        f"overlays that divide the sessions into at most {_MOST_PROFILES} kinds; use fewer, or "
        "more of the same conditions",
    )
