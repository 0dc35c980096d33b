"""Chunks of events that every encoder and converter of a bench gets, with the time of their JSON.

The events' JSON is made in every case, because the ledger's checksum is over it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_generator.benchmarking import Encoded, Events, Simulator

__all__ = ["RATE", "SENT_MS", "encoded_chunks"]

RATE: Final = {"eventsPerSecond": 2_000}
"""The rate of the shop."""
SENT_MS: Final = 1_764_000_000_000
"""The ``sent_at`` of every event, Unix milliseconds."""
_START_SECONDS = 1_764_000_000.0
_CHUNK = 20_000


def encoded_chunks(simulator: Simulator, events: int) -> Iterator[tuple[Events, Encoded, float]]:
    """Return chunks of events, as columns and as JSON, with the JSON's processor time in seconds.

    Args:
        simulator: A simulator at the rate :data:`RATE` that has not begun.
        events: Number of events; the last chunk may add some.
    """
    simulator.begin(_START_SECONDS)
    made = 0
    while made < events:
        chunk = simulator.take_due(_START_SECONDS + events, _CHUNK)
        made += len(chunk)
        began = time.process_time()
        encoded = simulator.encoder.encode(chunk, SENT_MS)
        yield chunk, encoded, time.process_time() - began
