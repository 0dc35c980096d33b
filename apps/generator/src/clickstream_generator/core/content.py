"""The checksum of an event's content.

:mod:`clickstream_contract.canonical` defines the checksum.
"""

from __future__ import annotations

import google_crc32c
import numpy as np
from clickstream_contract.canonical import CHECKSUM_DIVIDEND, CHECKSUM_OFFSET, sent_at_ending

__all__ = ["content_checksums"]

_FIXED_ENDING = sent_at_ending().encode()


def content_checksums(records: list[bytes], ending: bytes) -> np.ndarray:
    """Return each record's part of the ``content_checksum`` of its minute.

    Args:
        records: Encoded events.
        ending: The last characters of every record: ``sent_at``, which the checksum leaves out.
    """
    crcs = np.fromiter(map(google_crc32c.value, records), dtype=np.int64, count=len(records))
    # Replace the ending in the CRC: if texts differ only in endings of equal length, their CRCs
    # differ by the XOR of the endings' CRCs.
    crcs ^= google_crc32c.value(ending) ^ google_crc32c.value(_FIXED_ENDING)
    return CHECKSUM_DIVIDEND % (CHECKSUM_OFFSET + crcs)
