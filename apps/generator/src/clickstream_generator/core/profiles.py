"""Profiles: the weights and think times of sessions with the same persona and the same overlays.

Owns the compilation of a simulation's overlays, and the division of the users by hashes: for an
overlay with a share of the users, and for the arms of an experiment. Each session gets the number
of its profile when it begins, and keeps it. So the weights of a step are one look-up, as without
overlays, and the expected conversion of a session follows from its profile.

The numbers follow from the specification, so every process that carries a shard has the same ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.effects import WEEKDAYS
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.user_hash import hash_key, hashed_uniform
from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.effects import Overlay
    from clickstream_contract.experiments import Experiment
    from clickstream_contract.incidents import Incident
    from clickstream_contract.personas import Persona

    from clickstream_generator.core.population import Population
    from clickstream_generator.core.world import World

__all__ = [
    "HOURS_PER_WEEK",
    "Profiles",
    "Split",
    "class_sums",
    "compile_profiles",
    "local_hour",
    "split_by_arm",
    "split_by_incident",
    "split_by_share",
    "weighted",
]

HOURS_PER_WEEK = 168
_EPOCH_WEEKDAY_SHIFT_HOURS = 72
"""1 January 1970 was a Thursday; weeks here begin on Monday."""
_MOST_PROFILES = 4_096
_MOST_OVERLAYS = 56
"""So many bits leave room for the persona in a key of 64."""
_MOST_COMBINATIONS = 4_000_000
_EVERY_USER = 1_000
_EVERY_EVENT = 1_000
_UNCHANGED = 1_000
"""A multiplier of 1, in permille."""
_PERSONA_AXIS = 2


def local_hour(unix_seconds: float, utc_offset_minutes: np.ndarray) -> np.ndarray:
    """Return the local hour of the week of a moment, from Monday 00:00, for each offset."""
    hour = np.floor((unix_seconds + 60.0 * utc_offset_minutes) / 3_600).astype(np.int64)
    return (hour + _EPOCH_WEEKDAY_SHIFT_HOURS) % HOURS_PER_WEEK


@dataclass(frozen=True)
class Split:
    """A division of the users by a hash, which draws no random number.

    Attributes:
        key: What is hashed with the user. Two splits with different keys are independent of each
            other, and of every random stream.
        bounds: Shape (sides - 1,), falling; a user's side is how many of them are above the
            user's number in [0, 1).
        places: Shape (sides,); the overlay that applies only on this side, or -1.
    """

    key: str
    bounds: tuple[float, ...]
    places: tuple[int, ...]

    @property
    def shares(self) -> np.ndarray:
        """The share of the users on each side."""
        return -np.diff([1.0, *self.bounds, 0.0])

    def sides(self, seed: int, shard: int, user: np.ndarray) -> np.ndarray:
        """Return the side of each user of a shard."""
        uniform = hashed_uniform(hash_key(seed, self.key), shard, user)
        found: np.ndarray = (uniform[:, None] < np.array(self.bounds)).sum(axis=1)
        return found


def split_by_share(overlay: Overlay, place: int) -> Split:
    """Return the division into users that an overlay leaves out, and its share of them."""
    return Split(overlay.name, (overlay.who.users_permille / _EVERY_USER,), (-1, place))


def split_by_incident(incident: Incident, place: int) -> Split:
    """Return the division into users that an incident spares, and its share of them."""
    key = f"incident:{incident.name}"
    return Split(key, (incident.who.users_permille / _EVERY_USER,), (-1, place))


def split_by_arm(experiment: Experiment, first_place: int) -> Split:
    """Return the division into users that do not take part, if there are any, and the arms.

    Args:
        experiment: The experiment.
        first_place: The place of its first arm's overlay; those of the others follow.
    """
    weights = [arm.weight for arm in experiment.arms]
    permille = experiment.who.users_permille
    bounds = tuple(
        permille * sum(weights[at:]) / (_EVERY_USER * sum(weights)) for at in range(len(weights))
    )
    places = tuple(range(first_place, first_place + len(weights)))
    key = f"experiment:{experiment.name}"
    if permille == _EVERY_USER:
        return Split(key, bounds[1:], places)
    return Split(key, bounds, (-1, *places))


@dataclass(frozen=True)
class Profiles:
    """The profiles of one specification.

    Attributes:
        overlays: The overlays, then those of the experiments' arms, then one for each effect of
            the incidents.
        incidents: The incidents of each of these effects, in order.
        splits: The divisions of the users.
        personas: Shape (profiles,); the persona with the overlays' weights and think times.
        bases: Shape (profiles,); number of the persona in the world.
        applied: Shape (profiles, overlays); which overlays apply.
        range_starts: When ranges of the run begin, in seconds after its start; the first range
            ends at the first one.
        hour_class, technology_class, country_class, channel_class, return_class: The class of
            each local hour of the week, technology, country, channel, and of first (0) and later
            (1) sessions. Two of a class have the same overlays.
        faults: Shape (profiles, 3); the shares of the events that are lost, late and sent twice,
            in permille. ``None`` without such overlays.
        exposures: Shape (profiles,); the place of the profile's arms in
            :func:`clickstream_contract.experiments.exposure_texts`.
        lookup: The profile, by range, class of hour, persona, class of technology, country and
            channel, class of first or later session, and then the user's side in each split.
    """

    overlays: tuple[Overlay, ...]
    incidents: tuple[tuple[Incident, ...], ...]
    splits: tuple[Split, ...]
    personas: tuple[Persona, ...]
    bases: np.ndarray
    applied: np.ndarray
    range_starts: np.ndarray
    hour_class: np.ndarray
    technology_class: np.ndarray
    country_class: np.ndarray
    channel_class: np.ndarray
    return_class: np.ndarray
    faults: np.ndarray | None
    exposures: np.ndarray
    lookup: np.ndarray

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
            *(split.sides(population.seed, population.shard, user) for split in self.splits),
        ]
        return found

    def without(self, place: int, world: World) -> Profiles:
        """Return the profiles as if the overlay at a place changed nothing."""
        applied = self.applied.copy()
        applied[:, place] = False
        personas = _personas(self.overlays, world, self.bases, applied)
        return replace(self, personas=personas, faults=_faults(self.overlays, applied))

    @property
    def losing(self) -> np.ndarray:
        """Whether each profile loses all of its events, shape (profiles,)."""
        if self.faults is None:
            return np.zeros(len(self.personas), dtype=bool)
        lost: np.ndarray = self.faults[:, 0] == _EVERY_EVENT
        return lost

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
            [split.shares for split in self.splits],
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
        members: Shape (sides,) each; of the users on each side of a split.
    """
    found = values
    for share in reversed(members):
        found = found @ share
    found = np.einsum("rhptkcv,pv->rhptkc", found, visit) @ channel
    total: np.ndarray = np.einsum("rhptk,pt->rhpk", found, technology)
    return total


def compile_profiles(
    effects: tuple[Overlay, ...],
    world: World,
    experiments: Sequence[Experiment] = (),
    incidents: Sequence[Incident] = (),
) -> Profiles:
    """Return the profiles of the overlays, of the experiments' arms and of the incidents.

    Raises:
        SimulationInvalid: They divide the sessions into too many profiles.
    """
    steady = (*effects, *(arm for experiment in experiments for arm in experiment.overlays))
    groups = _by_effect(incidents)
    overlays = (*steady, *(rows[0].overlay for rows in groups))
    parts = {"spec.effects": effects, "spec.experiments": experiments, "spec.incidents": incidents}
    path = ", ".join(name for name, rows in parts.items() if rows)
    if len(overlays) > _MOST_OVERLAYS:
        raise _too_many(path, overlays)
    splits = _splits(effects, experiments, groups)
    spans = [
        *([overlay.when.span_seconds] for overlay in steady),
        *([row.span_seconds for row in rows] for rows in groups),
    ]
    edges = [edge for rows in spans for span in rows for edge in span]
    starts = np.unique([edge for edge in edges if np.isfinite(edge)])
    ranges, weekly, personas, *others = _conditions(overlays, spans, world, starts)
    hours, hour_class = _classes(weekly)
    places = range(len(overlays))
    kept, classes = zip(*map(_classes, others), strict=True)
    members = [
        np.array([[at not in split.places or at == own for own in split.places] for at in places])
        for split in splits
    ]
    sides = [ranges, hours, personas, *kept, *members]
    size = math.prod(side.shape[1] for side in sides)
    if size > _MOST_COMBINATIONS:
        raise _too_many(path, overlays)
    mask = np.zeros([side.shape[1] for side in sides], dtype=np.int64)
    for place in places:
        applies = reduce(np.multiply.outer, [side[place] for side in sides])
        mask |= applies.astype(np.int64) << place
    count = len(world.personas)
    number = np.arange(count).reshape(-1, *(1 for _ in sides[_PERSONA_AXIS + 1 :]))
    keys, inverse = np.unique(mask * count + number, return_inverse=True)
    if len(keys) > _MOST_PROFILES:
        raise _too_many(path, overlays)
    applied = (keys[:, None] // count >> np.arange(len(overlays))) & 1 == 1
    return Profiles(
        overlays=overlays,
        incidents=groups,
        splits=splits,
        personas=_personas(overlays, world, keys % count, applied),
        bases=keys % count,
        applied=applied,
        range_starts=starts,
        hour_class=hour_class,
        technology_class=classes[0],
        country_class=classes[1],
        channel_class=classes[2],
        return_class=classes[3],
        faults=_faults(overlays, applied),
        exposures=_exposures(applied[:, len(effects) :], experiments),
        lookup=inverse.reshape(mask.shape).astype(np.uint16),
    )


def _by_effect(incidents: Sequence[Incident]) -> tuple[tuple[Incident, ...], ...]:
    """Return the incidents with the same effect together, so that they share their profiles."""
    found: dict[object, list[Incident]] = {}
    for incident in incidents:
        found.setdefault(incident.effect, []).append(incident)
    return tuple(map(tuple, found.values()))


def _conditions(
    overlays: tuple[Overlay, ...],
    spans: Sequence[Sequence[tuple[float, float]]],
    world: World,
    starts: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Return where each overlay applies, shape (overlays, values), for each axis of the look-up.

    Args:
        overlays: The overlays.
        spans: When each of them begins and ends, perhaps several times, in seconds.
        world: The run's world.
        starts: When ranges of the run begin.
    """
    moments = np.concatenate([[-np.inf], starts])
    hours = np.arange(HOURS_PER_WEEK)
    ranges, weekly, visits, technologies = [], [], [], []
    for overlay, own in zip(overlays, spans, strict=True):
        who, when = overlay.who, overlay.when
        inside = [(moments >= begin) & (moments < end) for begin, end in own]
        ranges.append(np.any(inside, axis=0))
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


def _splits(
    effects: Sequence[Overlay],
    experiments: Sequence[Experiment],
    groups: Sequence[Sequence[Incident]],
) -> tuple[Split, ...]:
    """Return the divisions of the users: those of overlays, of experiments and of incidents."""
    found = [
        split_by_share(overlay, place)
        for place, overlay in enumerate(effects)
        if overlay.who.users_permille < _EVERY_USER
    ]
    place = len(effects)
    for experiment in experiments:
        found.append(split_by_arm(experiment, place))
        place += len(experiment.arms)
    found += [
        split_by_incident(rows[0], place + at)
        for at, rows in enumerate(groups)
        if rows[0].who.users_permille < _EVERY_USER
    ]
    return tuple(found)


def _faults(overlays: Sequence[Overlay], applied: np.ndarray) -> np.ndarray | None:
    """Return the shares of faults of each profile; see :class:`Profiles`.

    Args:
        overlays: The overlays.
        applied: Shape (profiles, overlays); which of them apply.
    """
    shares = np.array([overlay.faults.shares for overlay in overlays], dtype=np.int64)
    if not shares.any():
        return None
    found: np.ndarray = np.minimum(applied @ shares, _EVERY_EVENT).astype(np.uint16)
    return found


def _exposures(arms: np.ndarray, experiments: Sequence[Experiment]) -> np.ndarray:
    """Return the place of each profile's arms among the combinations of all experiments.

    Args:
        arms: Shape (profiles, arms of all experiments); which arms apply.
        experiments: The experiments.
    """
    found, first = np.zeros(len(arms), dtype=np.int64), 0
    for experiment in experiments:
        size = len(experiment.arms)
        digit = arms[:, first : first + size] @ np.arange(1, size + 1)
        found, first = found * (size + 1) + digit, first + size
    return found


def _personas(
    overlays: Sequence[Overlay], world: World, bases: np.ndarray, applied: np.ndarray
) -> tuple[Persona, ...]:
    """Return each profile's persona with its overlays; see :class:`Profiles`."""
    return tuple(
        _with_overlays(world.personas[base], [overlays[at] for at in np.flatnonzero(row).tolist()])
        for base, row in zip(bases.tolist(), applied, strict=True)
    )


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


def _too_many(path: str, overlays: tuple[Overlay, ...]) -> SimulationInvalid:
    return SimulationInvalid(
        path,
        len(overlays),
        f"at most {_MOST_OVERLAYS} overlays, arms and incidents with different effects, which "
        f"divide the sessions into at most {_MOST_PROFILES} kinds; use fewer, or more of the same "
        "conditions",
    )
