"""Chunks of events: as many as asked for, with their JSON and its time."""

from __future__ import annotations

import json
from uuid import UUID

from clickstream_bench.chunks import RATE, encoded_chunks
from clickstream_bench.shop import shop
from clickstream_generator.benchmarking import Simulator


def test_chunks_have_their_json() -> None:
    """Events come with their JSON, in the same order, and with the time that it took."""
    simulator = Simulator(shop(rate=RATE, users=2_000), (0, 1, 2, 3), UUID(int=7))

    chunks = list(encoded_chunks(simulator, 100))
    assert sum(len(events) for events, _, _ in chunks) >= 100
    for events, encoded, seconds in chunks:
        found = [json.loads(value)["shard_seq"] for value in encoded.values]
        assert found == events.rows["shard_seq"].tolist()
        assert seconds >= 0
