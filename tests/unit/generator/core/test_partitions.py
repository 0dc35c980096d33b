"""Partitions of keys: those that Java's default partitioner chooses."""

from __future__ import annotations

import numpy as np
import pytest
from clickstream_generator.core.partitions import partitions_of
from hypothesis import given
from hypothesis import strategies as st

_MASK = 0xFFFFFFFF


def _murmur2(data: bytes) -> int:
    """Return the hash as ``org.apache.kafka.common.utils.Utils.murmur2`` does, byte by byte."""
    found = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * 0x5BD1E995 & _MASK
        word = (word ^ word >> 24) * 0x5BD1E995 & _MASK
        found = (found * 0x5BD1E995 & _MASK) ^ word
    if data[whole:]:
        found = (found ^ int.from_bytes(data[whole:], "little")) * 0x5BD1E995 & _MASK
    found = (found ^ found >> 13) * 0x5BD1E995 & _MASK
    return found ^ found >> 15


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_reference_hash_is_kafkas(key: bytes, hashed: int) -> None:
    """The reference in this file gives what Kafka's own test of murmur2 expects."""
    assert _murmur2(key) == hashed & _MASK


@given(st.lists(st.binary(max_size=37), min_size=1, max_size=20), st.integers(1, 100))
def test_partition_is_javas(keys: list[bytes], partitions: int) -> None:
    """Each key goes to the partition that Java's clients choose, whatever its length."""
    found = partitions_of(keys, partitions)

    assert found.tolist() == [(_murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]


def test_user_keys_are_spread() -> None:
    """User ids fill all partitions evenly."""
    keys = [f"u{number}".encode() for number in range(4_000)]

    counts = np.bincount(partitions_of(keys, 4), minlength=4)

    assert counts.min() > 900
