"""What the content of events adds to the checksums of their minutes.

Owns the way from a record to its number, as :mod:`clickstream_contract.canonical` defines it.
"""

from __future__ import annotations

import google_crc32c
import numpy as np
from clickstream_contract.canonical import CHECKSUM_DIVIDEND, CHECKSUM_OFFSET, sent_at_ending

__all__ = ["content_checksums"]

_FIXED_ENDING = sent_at_ending().encode()


def content_checksums(records: list[bytes], ending: bytes) -> np.ndarray:
    """Return what each record adds to the ``content_checksum`` of its minute.

    Args:
        records: Encoded events.
        ending: How each of them ends: its ``sent_at``, which the checksum does not cover.
    """
    crcs = np.fromiter(map(google_crc32c.value, records), dtype=np.int64, count=len(records))
    # Texts that differ only in an ending of one length have CRCs that differ by the same bits.
    crcs ^= google_crc32c.value(ending) ^ google_crc32c.value(_FIXED_ENDING)
    return CHECKSUM_DIVIDEND % (CHECKSUM_OFFSET + crcs)
