"""The arrival checksum of a shard: when and where its events arrived.

Owns the number that an event adds to its shard's ``arrivals_checksum``. PostgreSQL's
``ops.arrival_of`` returns the same number; the verification sums it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["arrivals_of"]

_BITS = 2**31 - 1
_POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000
"""2000-01-01 as Unix time, the start of PostgreSQL's timestamps."""


def arrivals_of(events: pa.Table, ingested_at: datetime) -> dict[str, list[Any]]:
    """Return the checksum of each run and shard, as values of ``COUNT_SHARDS``.

    Args:
        events: The new events.
        ingested_at: Their ``ingested_at`` in ``raw.events``.
    """
    sent = _microseconds(events["sent_at"])
    (ingested,) = _microseconds(pa.array([ingested_at], pa.timestamp("us", "UTC")))
    place = (sent & _BITS) + 3 * (int(ingested) & _BITS)
    place += 65_537 * (events["kafka_offset"].to_numpy() & _BITS)
    place += 16_777_259 * events["kafka_partition"].to_numpy().astype("int64")
    # An odd factor keeps every change of a place visible, also if two events exchange places.
    factor = 2 * (events["shard_seq"].to_numpy() & (_BITS >> 1)) + 1
    numbers = (place & _BITS) * factor & (2**32 - 1)
    sums = (
        events.select(["run_id", "shard"])
        .append_column("number", pa.array(numbers))
        .group_by(["run_id", "shard"])
        .aggregate([("number", "sum")])
    )
    return {
        "run_ids": sums["run_id"].to_pylist(),
        "shards": sums["shard"].to_pylist(),
        "checksums": sums["number_sum"].to_pylist(),
    }


def _microseconds(moments: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the microseconds since 2000."""
    unix: NDArray[np.int64] = pc.cast(moments, pa.int64()).to_numpy()
    return unix - _POSTGRES_EPOCH_MICROSECONDS
