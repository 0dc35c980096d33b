"""Event and session ids: the part that names the run.

An id is a UUID of RFC 9562, version 8: 48 bits of the run, 12 bits of the shard and a 62-bit
number. The generator writes the rest (:mod:`clickstream_generator.core.identifiers`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["run_prefix"]


def run_prefix(run_id: UUID) -> str:
    """Return the first 15 characters of all ids of the run: ``HHHHHHHH-HHHH-8``."""
    digest = blake2b(run_id.bytes, digest_size=6).hexdigest()
    return f"{digest[:8]}-{digest[8:]}-8"
