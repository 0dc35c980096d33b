"""The partition of a key, as Kafka's Java client chooses it.

Owns Java's default partitioner for keys, for many keys at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["partitions_of"]

_SEED = 0x9747B28C
_M = np.uint32(0x5BD1E995)
_WORD = 4


def partitions_of(keys: Sequence[bytes], partitions: int) -> np.ndarray:
    """Return the partition of each key.

    MurmurHash2 as in ``org.apache.kafka.common.utils.Utils.murmur2``, without its sign.

    Args:
        keys: The keys; there is work for each length that occurs, so few lengths are fast.
        partitions: Number of the topic's partitions.
    """
    lengths = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
    longest = int(lengths.max(initial=0))
    # NumPy pads shorter keys with zeros, and the last word of a key is hashed as if padded.
    width = max(_WORD, -(-longest // _WORD) * _WORD)
    words = np.array(keys, dtype=f"S{width}").view("<u4").reshape(len(keys), width // _WORD)
    found = np.empty(len(keys), dtype=np.uint32)
    for length in np.unique(lengths).tolist():
        at = np.flatnonzero(lengths == length)
        found[at] = _hashes(words[at], length)
    return (found & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)


def _hashes(words: np.ndarray, length: int) -> np.ndarray:
    """Return the hashes of keys of one length, given as words of 4 bytes."""
    found = np.full(len(words), _SEED ^ length, dtype=np.uint32)
    whole, rest = divmod(length, _WORD)
    for column in range(whole):
        word = words[:, column] * _M
        word ^= word >> np.uint32(24)
        found = found * _M ^ word * _M
    if rest:
        found = (found ^ words[:, whole]) * _M
    found ^= found >> np.uint32(13)
    found *= _M
    found ^= found >> np.uint32(15)
    return found
