"""The users of one shard, and the choice of a user for each session.

Owns the users' traits and the choice between a new and a returning user. A user's persona, country,
city, device and channel never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from clickstream_generator.core.world import World

__all__ = ["LOYALTY_EXPONENT", "Population", "build_population"]

_STREAM = 1
LOYALTY_EXPONENT = 2.0
"""Above 1, early users return more often: sessions per user have a heavy tail."""
_REDRAWS = 4


@dataclass
class Population:
    """The users of one shard, sorted by group; a group is a persona in a country.

    Attributes:
        persona, city, technology, channel: Shape (users,); numbers into the world's pools.
        first_user, size: Shape (groups,); first user of each group, and number of its users.
        return_share: Shape (groups,); share of sessions by returning users.
        seen: Shape (groups,); number of the group's users with at least one session.
        sessions: Shape (users,); number of sessions begun by each user.
        is_here: Shape (users,); whether the user has an open session.
        saved_cart: Shape (users,); slot of the user's saved cart, or -1.
        joined: Personas added by a later mix, and their number of users, in order.
    """

    shard: int
    seed: int
    persona: np.ndarray
    city: np.ndarray
    technology: np.ndarray
    channel: np.ndarray
    first_user: np.ndarray
    size: np.ndarray
    return_share: np.ndarray
    seen: np.ndarray
    sessions: np.ndarray
    is_here: np.ndarray
    saved_cart: np.ndarray
    joined: list[tuple[int, int]] = field(default_factory=list)

    def apply_mix(self, world: World) -> None:
        """Apply another mix; add users for each persona that had none."""
        weight = np.bincount(world.group_persona, world.group_weight)
        people = np.bincount(world.group_persona, self.size)
        first_users = len(self.persona) - sum(users for _, users in self.joined)
        for persona in np.flatnonzero((weight > 0) & (people == 0)).tolist():
            self.add_users(
                world, persona, max(1, round(first_users * weight[persona] / weight.sum()))
            )
        self.return_share = world.return_share[world.group_persona]

    def add_users(self, world: World, persona: int, users: int) -> None:
        """Add users of a persona that has none."""
        groups = np.flatnonzero(world.group_persona == persona)
        rng = np.random.default_rng([_STREAM, self.shard, self.seed, persona + 1])
        share = world.country_weight[world.group_country[groups]]
        sizes = rng.multinomial(users, share / share.sum())
        start = len(self.persona)
        self.first_user[groups] = start + np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.size[groups] = sizes
        traits = _traits(world, np.repeat(groups, sizes), rng)
        for name, values in traits.items():
            setattr(self, name, np.concatenate([getattr(self, name), values]))
        self.joined.append((persona, users))

    def draw(self, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Choose a user for each new session, and mark the users as present.

        Args:
            group: Shape (sessions,); the group of each session's user; no group is empty.
            rng: The shard's random stream.
        """
        size = self.size[group]
        wants_new = rng.random(len(group)) >= self.return_share[group]
        chosen = np.full(len(group), -1, dtype=np.int64)
        for _ in range(_REDRAWS):
            open_sessions = np.flatnonzero((chosen < 0) & ~wants_new & (self.seen[group] > 0))
            uniform = rng.random(len(open_sessions)) ** LOYALTY_EXPONENT
            own = group[open_sessions]
            user = self.first_user[own] + (self.seen[own] * uniform).astype(np.int64)
            free = ~self.is_here[user]
            # If two sessions of one round draw the same user, the first one gets the user.
            first = np.zeros(len(user), dtype=bool)
            first[np.unique(user, return_index=True)[1]] = True
            take = free & first
            chosen[open_sessions[take]] = user[take]
            self.is_here[user[take]] = True
        self._assign_new(group, size, chosen)
        rest = np.flatnonzero(chosen < 0)
        # No free user was found: a user of the group opens a second session.
        chosen[rest] = self.first_user[group[rest]] + (size[rest] * rng.random(len(rest))).astype(
            np.int64
        )
        self.is_here[chosen] = True
        np.add.at(self.sessions, chosen, 1)
        return chosen

    def _assign_new(self, group: np.ndarray, size: np.ndarray, chosen: np.ndarray) -> None:
        """Assign the next new users of its group to each session without a user."""
        open_sessions = np.flatnonzero(chosen < 0)
        own = group[open_sessions]
        order = np.argsort(own, kind="stable")
        ordered = own[order]
        starts = np.searchsorted(ordered, ordered, side="left")
        place = np.empty(len(own), dtype=np.int64)
        place[order] = np.arange(len(own)) - starts
        number = self.seen[own] + place
        new = number < size[open_sessions]
        chosen[open_sessions[new]] = self.first_user[own[new]] + number[new]
        np.add.at(self.seen, own[new], 1)


def build_population(world: World, users: int, shard: int, seed: int) -> Population:
    """Return the users of a shard.

    Args:
        world: The world of the run.
        users: Number of users in the shard.
        shard: The shard's number.
        seed: The simulation's seed.
    """
    rng = np.random.default_rng([_STREAM, shard, seed])
    sizes = rng.multinomial(users, world.group_weight / world.group_weight.sum())
    return Population(
        shard=shard,
        seed=seed,
        **_traits(world, np.repeat(np.arange(len(sizes)), sizes), rng),
        first_user=np.cumsum(sizes) - sizes,
        size=sizes,
        return_share=world.return_share[world.group_persona],
        seen=np.zeros(len(sizes), dtype=np.int64),
    )


def _traits(world: World, group: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Return the traits of new users of the given groups."""
    users = len(group)
    persona = world.group_persona[group]
    return {
        "persona": persona.astype(np.uint8),
        "city": world.draw_cities(world.group_country[group], rng.random(users)),
        "technology": world.draw_technologies(persona, rng.random(users)),
        "channel": world.draw_channels(rng.random(users)),
        "sessions": np.zeros(users, dtype=np.int32),
        "is_here": np.zeros(users, dtype=bool),
        "saved_cart": np.full(users, -1, dtype=np.int32),
    }
