"""The hash of a user: SplitMix64, even and without a random stream."""

from __future__ import annotations

import numpy as np
import pytest
from clickstream_generator.core.user_hash import hash_key, hashed_uniform

_MASK = 2**64 - 1


def _by_hand(key: int, shard: int, user: int) -> float:
    mixed = (((shard << 32 | user) + 1) * 0x9E3779B97F4A7C15 + key) & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return ((mixed ^ mixed >> 31) >> 11) / 2**53


def test_hash_is_splitmix() -> None:
    """The numbers are those of the published algorithm, in whole numbers."""
    keys = np.array([hash_key(42, name) for name in ("one", "two")])
    user = np.array([0, 9_999_999], dtype=np.int32)

    found = hashed_uniform(keys, 4_095, user)

    assert found.tolist() == [
        _by_hand(int(key), 4_095, int(number)) for key, number in zip(keys, user, strict=True)
    ]


def test_keys_are_independent() -> None:
    """The numbers of users are even, and those of another key or shard say nothing about them."""
    user = np.arange(100_000)
    key = hash_key(42, "one")

    found = hashed_uniform(key, 3, user)

    counts, _ = np.histogram(found, 10, (0.0, 1.0))
    assert counts / len(user) == pytest.approx(np.full(10, 0.1), abs=0.005)
    for other in (
        hashed_uniform(hash_key(42, "two"), 3, user),
        hashed_uniform(hash_key(43, "one"), 3, user),
        hashed_uniform(key, 4, user),
    ):
        assert abs(np.corrcoef(found, other)[0, 1]) < 0.015
