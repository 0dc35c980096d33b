"""The speed of the encodings, in one process and without an output.

Each chunk of events is encoded in turn by every encoder, so that all of them see the same machine.
"""

from __future__ import annotations

import time
from uuid import uuid4

from clickstream_contract.output import Encoding
from clickstream_generator.benchmarking import Simulator, encoding_of

from clickstream_bench.chunks import RATE, SENT_MS, encoded_chunks
from clickstream_bench.shop import shop

__all__ = ["measure_encodings"]


def measure_encodings(events: int) -> dict[str, float]:
    """Return events per second of each encoding, its time against JSON, and its size in bytes.

    Args:
        events: Number of events for each encoding.
    """
    simulator = Simulator(shop(rate=RATE), (0, 1, 2, 3), uuid4())
    encodings = {name: encoding_of(name, simulator.encoder, b"\x00" * 5) for name in Encoding}
    seconds = dict.fromkeys(Encoding, 0.0)
    sizes = dict.fromkeys(Encoding, 0)
    made = 0
    for chunk, encoded, json_seconds in encoded_chunks(simulator, events):
        made += len(chunk)
        for name, encoding in encodings.items():
            began = time.process_time()
            values = encoding.encode(chunk, encoded, SENT_MS)
            seconds[name] += json_seconds + time.process_time() - began
            sizes[name] += sum(map(len, values))
    keys = {name: name.replace("-", "_") for name in Encoding}
    return {
        **{f"{key}_encoded_per_second": made / seconds[name] for name, key in keys.items()},
        **{
            f"{key}_time_to_json": seconds[name] / seconds[Encoding.JSON]
            for name, key in keys.items()
            if name is not Encoding.JSON
        },
        **{f"{key}_bytes_per_record": sizes[name] / made for name, key in keys.items()},
    }
