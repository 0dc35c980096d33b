"""Numbers that follow from a user, and draw nothing from a random stream.

Owns the hash of seed, key, shard and user. Numbers with different keys are independent of each
other, and of every random stream.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["hash_key", "hashed_uniform"]

_ONE, _GAMMA = np.uint64(1), np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST_SHIFT, _UNUSED_BITS = np.uint64(31), np.uint64(11)


def hash_key(seed: int, key: str) -> np.uint64:
    """Return the number with which the users of a seed are hashed for a purpose."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, "<u8")[0]


def hashed_uniform(key: np.uint64 | np.ndarray, shard: int, user: np.ndarray) -> np.ndarray:
    """Return a number in [0, 1) for each user of a shard, by SplitMix64.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.

    Args:
        key: From :func:`hash_key`; one for all users, or one for each.
        shard: The shard.
        user: Shape (users,); numbers within the shard.
    """
    mixed = user.astype(np.uint64)
    mixed |= np.uint64(shard << 32)
    mixed += _ONE
    mixed *= _GAMMA
    mixed += key
    for shift, factor in _ROUNDS:
        mixed ^= mixed >> shift
        mixed *= factor
    mixed ^= mixed >> _LAST_SHIFT
    uniform: np.ndarray = (mixed >> _UNUSED_BITS) * 2.0**-53
    return uniform
