"""The users of one shard: who they are, and who comes next.

Owns users' lasting traits and the choice between a new user and one who comes again. A
user has one persona, country, city, device and channel for ever. It does not know what they
do in the shop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from clickstream_generator.core.world import World

__all__ = ["Population", "build_population"]

_STREAM = 1
_LOYALTY_EXPONENT = 2.0
"""Of those who come again, the early ones come more often: a heavy tail of sessions per user."""
_REDRAWS = 4


@dataclass
class Population:
    """The users of one shard, sorted by group; a group is a persona in a country.

    Attributes:
        persona, city, technology, channel: Shape (users,); numbers into the world's pools.
        first_user, size: Shape (groups,); where each group's users begin, and how many.
        return_share: Shape (groups,); share of sessions by somebody seen before.
        seen: Shape (groups,); how many of the group have come at least once.
        sessions: Shape (users,); how often each has come.
        is_here: Shape (users,); whether the user is in the shop at this moment.
        saved_cart: Shape (users,); row of the cart left behind, or -1.
        joined: Personas that came with a later mix, with their users, in order.
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

    def follow(self, world: World) -> None:
        """Take up another mix: a persona that nobody had so far brings users of its own."""
        weight = np.bincount(world.group_persona, world.group_weight)
        people = np.bincount(world.group_persona, self.size)
        first_users = len(self.persona) - sum(users for _, users in self.joined)
        for persona in np.flatnonzero((weight > 0) & (people == 0)).tolist():
            self.join(world, persona, max(1, round(first_users * weight[persona] / weight.sum())))
        self.return_share = world.return_share[world.group_persona]

    def join(self, world: World, persona: int, users: int) -> None:
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
        """Choose a user for each session that begins, and note that they are here.

        Args:
            group: Shape (sessions,); the group that each comes from, none of them empty.
            rng: The shard's random stream.
        """
        size = self.size[group]
        wants_new = rng.random(len(group)) >= self.return_share[group]
        chosen = np.full(len(group), -1, dtype=np.int64)
        for _ in range(_REDRAWS):
            open_sessions = np.flatnonzero((chosen < 0) & ~wants_new & (self.seen[group] > 0))
            uniform = rng.random(len(open_sessions)) ** _LOYALTY_EXPONENT
            own = group[open_sessions]
            user = self.first_user[own] + (self.seen[own] * uniform).astype(np.int64)
            free = ~self.is_here[user]
            # Two sessions of one round may want the same user: the first gets them.
            first = np.zeros(len(user), dtype=bool)
            first[np.unique(user, return_index=True)[1]] = True
            take = free & first
            chosen[open_sessions[take]] = user[take]
            self.is_here[user[take]] = True
        self._admit_new(group, size, chosen)
        rest = np.flatnonzero(chosen < 0)
        # Everybody of the group is here or was asked: some open a second window.
        chosen[rest] = self.first_user[group[rest]] + (size[rest] * rng.random(len(rest))).astype(
            np.int64
        )
        self.is_here[chosen] = True
        np.add.at(self.sessions, chosen, 1)
        return chosen

    def _admit_new(self, group: np.ndarray, size: np.ndarray, chosen: np.ndarray) -> None:
        """Give the sessions without a user the next ones of their group, while there are any."""
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
    """Make the users of a shard.

    Args:
        world: Personas, countries and pools.
        users: How many users the shard has.
        shard: Its number.
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
    """Draw new users of the given groups; none of them has ever come."""
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
