"""The speed of the generator.

Compares, in one run on one broker: prepared payloads of the same size sent with the plain client
(the ceiling); this generator with all features; the same without a broker, on one core and on two;
and Faker called per event for the same fields.
"""

from __future__ import annotations

import gc
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.topics import EVENTS
from clickstream_generator.benchmarking import (
    Batch,
    KafkaSink,
    Simulator,
    plant_faults,
    producer_settings,
)
from clickstream_generator.errors import DrainTimeout
from clickstream_generator.settings import Settings
from confluent_kafka import Producer
from faker import Faker

from clickstream_bench.broker import fresh_broker
from clickstream_bench.shop import shop

if TYPE_CHECKING:
    from clickstream_contract.fields import Field
    from clickstream_generator.benchmarking import CarriedShard, Record

__all__ = ["measure_generator"]

_RATE = {"eventsPerSecond": 1_000_000, "curve": "Weekly"}
_FAULTS = {"duplicatePermille": 1, "latePermille": 1, "corruptPermille": 1}
_EVENTS = 1_000_000
_FAKER_EVENTS = 10_000
_CHUNK = 20_000
_START_SECONDS = 1_764_000_000.0
_DRAIN_SECONDS = 60.0


def measure_generator() -> dict[str, float]:
    """Return events per second of each variant, their ratios, and shares of the time."""
    with fresh_broker() as servers:
        settings = Settings(simulation_file=Path(), bootstrap_servers=servers)
        samples = _samples()
        _ceiling(settings, samples)  # warm up files and sockets
        ceiling = _ceiling(settings, samples)
        ours, shares = _measure(settings, (0, 1, 2, 3))
        usual = _faker(settings)
        two = _side_by_side(settings)
        gc.collect()  # remaining clients would log errors after the broker's end
    alone = _measure(None, (0, 1, 2, 3))[0]
    null_two = _side_by_side(None)
    return {
        "ceiling_events_per_second": ceiling,
        "generator_events_per_second": ours,
        "faker_events_per_second": usual,
        "generator_to_ceiling": ours / ceiling,
        "generator_to_faker": ours / usual,
        **shares,
        "two_processes_events_per_second": two,
        "two_processes_to_one": two / ours,
        "null_sink_events_per_second": alone,
        "null_sink_two_processes_to_one": null_two / alone,
        "bytes_per_event": sum(len(value or b"") + len(key) for value, key in samples)
        / len(samples),
    }


def _begun(numbers: tuple[int, ...]) -> tuple[Simulator, dict[int, CarriedShard]]:
    simulator = Simulator(shop(rate=_RATE, faults=_FAULTS), numbers, uuid4())
    return simulator, simulator.begin(_START_SECONDS)


def _samples() -> list[Record]:
    simulator, _ = _begun((0, 1, 2, 3))
    encoded = simulator.encoder.encode(simulator.take_due(_START_SECONDS + 10, _CHUNK), 0)
    return list(zip(encoded.values, encoded.keys, strict=True))


def _ceiling(settings: Settings, samples: list[Record]) -> float:
    """Return the speed of sending prepared records, with a delivery report for each."""
    producer = Producer(producer_settings(settings))
    delivered = 0

    def count(error: object, _message: object) -> None:
        nonlocal delivered
        delivered += error is None

    began = time.perf_counter()
    sent = 0
    while sent < _EVENTS:
        if len(producer) + len(samples) <= settings.queue_records:
            messages = [{"value": value, "key": key} for value, key in samples]
            sent += producer.produce_batch(EVENTS.name, messages, on_delivery=count)
        producer.poll(0.001)
    producer.flush(_DRAIN_SECONDS)
    return delivered / (time.perf_counter() - began)


def _measure(settings: Settings | None, numbers: tuple[int, ...]) -> tuple[float, dict[str, float]]:
    """Return the generator's speed and time shares; without settings it sends nothing."""
    simulator, carried = _begun(numbers)
    sources = {number: row.fault_source() for number, row in carried.items()}
    sink = KafkaSink(settings, EVENTS.name) if settings else None
    seconds = {"simulate": 0.0, "encode": 0.0, "produce": 0.0}
    sent = 0
    began = time.perf_counter()
    while sent < _EVENTS:
        first = time.perf_counter()
        events = simulator.take_due(_START_SECONDS + 1_000, _CHUNK)
        second = time.perf_counter()
        encoded = simulator.encoder.encode(events, 0)
        planted = plant_faults(events.rows, encoded, sources)
        third = time.perf_counter()
        if sink is not None:
            while not sink.has_room(len(planted.records)):
                sink.poll(0.01)
            sink.send(planted.records, Batch(planted.tally, planted.sent_by_shard))
            sink.poll(0)
        seconds["simulate"] += second - first
        seconds["encode"] += third - second
        seconds["produce"] += time.perf_counter() - third
        sent += len(events)
    deadline = time.monotonic() + _DRAIN_SECONDS
    while sink is not None and not sink.is_idle():
        if time.monotonic() > deadline:
            raise DrainTimeout(sink.in_flight(), _DRAIN_SECONDS)
        sink.poll(0.01)
    total = time.perf_counter() - began
    return sent / total, {f"{name}_share": value / total for name, value in seconds.items()}


def _side_by_side(settings: Settings | None) -> float:
    """Return the total speed of two processes with half of the shards each."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        halves = [pool.submit(_measure, settings, numbers) for numbers in ((0, 1), (2, 3))]
        return sum(half.result()[0] for half in halves)


def _faker(settings: Settings) -> float:
    """Return the speed of calling Faker for each field of each event."""
    faker = Faker("en_US")
    producer = Producer(producer_settings(settings))
    fields = [row for row in EVENT_FIELDS if not row.events or "view_item" in row.events]
    began = time.perf_counter()
    for _ in range(_FAKER_EVENTS):
        event = {row.name: _invented(faker, row) for row in fields}
        producer.produce(EVENTS.name, json.dumps(event).encode(), str(event["user_id"]))
        producer.poll(0)
    producer.flush(_DRAIN_SECONDS)
    return _FAKER_EVENTS / (time.perf_counter() - began)


def _invented(faker: Faker, row: Field) -> Any:  # noqa: ANN401  any JSON value
    """Return a value from Faker's usual provider for such a field."""
    own = {
        "city": faker.city, "country": faker.country_code, "language": faker.language_code,
        "user_agent": faker.user_agent, "page": faker.uri_path, "brand": faker.company,
        "referrer": faker.uri,
    }  # fmt: skip
    if row.name in own:
        return own[row.name]()
    if row.type is FieldType.UUID:
        return faker.uuid4()
    if row.type is FieldType.TIMESTAMP:
        return faker.iso8601()
    if row.type in {FieldType.INTEGER, FieldType.BIGINT}:
        return faker.pyint()
    return faker.word()
