"""How fast the outputs are: real runs, read from what they say."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from clickstream_bench import outputs
from clickstream_bench.outputs import measure_outputs
from clickstream_bench.shop import shop

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def test_each_output_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every output has a speed, a share of Kafka's, and files have a size; Kafka is a stand-in."""

    @contextmanager
    def nowhere() -> Iterator[str]:
        yield "127.0.0.1:9"

    speed = outputs._speed

    def without_kafka(command: list[str]) -> float:
        return 7.0 if command[-1].startswith("kafka:") else speed(command)

    monkeypatch.setattr(outputs, "shop", partial(shop, users=2_000))
    monkeypatch.setattr(outputs, "fresh_broker", nowhere)
    monkeypatch.setattr(outputs, "_speed", without_kafka)
    monkeypatch.setattr(outputs, "measure_encodings", lambda events: {"avro_time_to_json": events})
    monkeypatch.setattr(outputs, "measure_forms", lambda events: {"ga4_to_native": events})
    figures = measure_outputs(2_000)

    assert figures["kafka_events_per_second"] == 7.0
    assert figures["avro_time_to_json"] == figures["ga4_to_native"] == 2_000
    assert 0 < figures["seconds_to_first_event"] < 60
    for name in ("stdout", "jsonl", "csv", "parquet"):
        assert figures[f"{name}_events_per_second"] > 0
        assert figures[f"{name}_to_kafka"] == figures[f"{name}_events_per_second"] / 7
    for name in ("jsonl", "csv", "parquet"):
        assert 10 < figures[f"{name}_bytes_per_event"] < 800


def test_speed_is_the_run_s_own() -> None:
    """The speed is the last one that the run says."""
    says = "import sys; sys.stderr.write('5 events/s\\n1,234 events of x, 56,789 events/s\\n')"

    assert outputs._speed([sys.executable, "-c", says]) == 56_789
