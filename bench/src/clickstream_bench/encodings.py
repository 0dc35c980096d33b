"""The speed of the encodings, in one process and without an output.

Each chunk of events is encoded in turn by every encoder, so that all of them see the same machine.
The events' JSON is made in every encoding, because the ledger's checksum is over it.
"""

from __future__ import annotations

import time
from uuid import uuid4

from clickstream_generator.core.encodings import ENCODINGS, encoding_of
from clickstream_generator.core.simulator import Simulator

from clickstream_bench.shop import shop

__all__ = ["measure_encodings"]

_RATE = {"eventsPerSecond": 2_000}
_START_SECONDS = 1_764_000_000.0
_CHUNK = 20_000
_SENT_MS = 1_764_000_000_000


def measure_encodings(events: int) -> dict[str, float]:
    """Return events per second of each encoding, its time against JSON, and its size in bytes.

    Args:
        events: Number of events for each encoding.
    """
    simulator = Simulator(shop(rate=_RATE), (0, 1, 2, 3), uuid4())
    simulator.begin(_START_SECONDS)
    encodings = {name: encoding_of(name, simulator.encoder, b"\x00" * 5) for name in ENCODINGS}
    seconds = dict.fromkeys(ENCODINGS, 0.0)
    sizes = dict.fromkeys(ENCODINGS, 0)
    made = 0
    while made < events:
        chunk = simulator.take_due(_START_SECONDS + events, _CHUNK)
        made += len(chunk)
        began = time.process_time()
        encoded = simulator.encoder.encode(chunk, _SENT_MS)
        json_seconds = time.process_time() - began
        for name, encoding in encodings.items():
            began = time.process_time()
            values = encoding.encode(chunk, encoded, _SENT_MS)
            seconds[name] += json_seconds + time.process_time() - began
            sizes[name] += sum(map(len, values))
    keys = {name: name.replace("-", "_") for name in ENCODINGS}
    return {
        **{f"{key}_encoded_per_second": made / seconds[name] for name, key in keys.items()},
        **{
            f"{key}_time_to_json": seconds[name] / seconds["json"]
            for name, key in keys.items()
            if name != "json"
        },
        **{f"{key}_bytes_per_record": sizes[name] / made for name, key in keys.items()},
    }
