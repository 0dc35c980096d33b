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
        keys: Keys of one length, a multiple of 4 bytes.
        partitions: Number of the topic's partitions.
    """
    length = len(keys[0])
    words = np.frombuffer(b"".join(keys), dtype="<u4").reshape(len(keys), length // _WORD)
    found = np.full(len(keys), _SEED ^ length, dtype=np.uint32)
    for column in range(words.shape[1]):
        word = words[:, column] * _M
        word ^= word >> np.uint32(24)
        found = found * _M ^ word * _M
    found ^= found >> np.uint32(13)
    found *= _M
    found ^= found >> np.uint32(15)
    return (found & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)
