"""The parts of event and session ids after the run: shard and number.

Owns their layout within the id, of which :mod:`clickstream_contract.identifiers` has the rest. The
same event of the same run always has the same id, so a duplicate is recognised by its id.
"""

from __future__ import annotations

import numpy as np

__all__ = ["MAX_SHARDS", "TAIL_BYTES", "write_tails"]

MAX_SHARDS = 4096
TAIL_BYTES = 21
"""Length of the part after the run: ``SSS-VXXX-XXXXXXXXXXXX``."""

_DIGITS = np.frombuffer(b"".join(b"%02x" % number for number in range(256)), dtype=np.uint16)
"""Both hexadecimal digits of a byte as one number: NumPy looks up numbers faster than rows."""
_SHARDS = np.frombuffer(
    b"".join(b"%03x" % number for number in range(MAX_SHARDS)), dtype=np.uint8
).reshape(MAX_SHARDS, 3)
_VARIANT = np.uint64(0x8000_0000_0000_0000)


def write_tails(target: np.ndarray, shard: np.ndarray, number: np.ndarray) -> None:
    """Write the last 21 characters of ids.

    Args:
        target: Shape (ids, 21), bytes; written in place.
        shard: Shape (ids,); from 0 to 4095.
        number: Shape (ids,); from 1 to 2**62 - 1.
    """
    target[:, :3] = _SHARDS.take(shard, axis=0)
    target[:, 3] = target[:, 8] = ord("-")
    octets = (number.astype(np.uint64) | _VARIANT).astype(">u8").view(np.uint8)
    text = _DIGITS.take(octets).view(np.uint8).reshape(-1, 16)
    target[:, 4:8] = text[:, :4]
    target[:, 9:21] = text[:, 4:]
