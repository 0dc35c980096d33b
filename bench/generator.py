"""How fast the generator is, as ratios within one run on one broker.

Owns the comparison: ready-made payloads of the same size through librdkafka (the ceiling),
this generator with everything on, Faker called per event (the usual way), and where the
generator's time goes. ``make bench`` prints it; ``--json`` for machines. It proves nothing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from clickstream_contract.document import parse_simulation
from clickstream_contract.topics import EVENTS
from clickstream_generator.core.faults import FaultPlanter
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.settings import Settings
from clickstream_generator.shell.kafka_sink import Batch, KafkaSink
from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.java import find_java_home
from clickstream_local.kafka import Kafka, create_topics
from clickstream_local.state import StateFolder
from faker import Faker
from rich.console import Console

if TYPE_CHECKING:
    from clickstream_generator.core.faults import Record

SIMULATION = Path(__file__).parents[1] / "k8s" / "simulations" / "storefront.yaml"
EVENTS_MEASURED = 1_000_000
FAKER_EVENTS = 10_000
BITE = 20_000
START_SECONDS = 1_764_000_000.0


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        cache = ArtifactCache.of(os.environ)
        java_home = find_java_home(os.environ, cache_folder(os.environ))
        jars = cache.provide(pinned_artifacts("kafka"), Console(stderr=True))
        kafka = Kafka.start(StateFolder(Path(folder)), java_home, jars)
        try:
            kafka.wait_ready()
            create_topics(kafka.bootstrap_servers)
            figures = measure(kafka.bootstrap_servers)
        finally:
            kafka.process.stop()
    if "--json" in sys.argv:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<32} {value:>14,.3f}")


def measure(bootstrap_servers: str) -> dict[str, float]:
    """Return events per second of each way, their ratios, and shares of the time."""
    settings = Settings(SIMULATION, bootstrap_servers)
    samples = _samples()
    _ceiling(settings, samples)  # the first run finds cold files and sockets
    ceiling = _ceiling(settings, samples)
    ours, shares = _ours(settings)
    usual = _faker(settings)
    return {
        "ceiling_events_per_second": ceiling,
        "generator_events_per_second": ours,
        "faker_events_per_second": usual,
        "generator_to_ceiling": ours / ceiling,
        "generator_to_faker": ours / usual,
        **shares,
    }


def _simulator() -> Simulator:
    text = SIMULATION.read_text(encoding="utf-8")
    simulation = parse_simulation(text).with_overrides(events_per_second=250_000)
    simulator = Simulator(simulation, tuple(range(simulation.spec.shards)), uuid4())
    simulator.begin(START_SECONDS)
    return simulator


def _samples() -> list[Record]:
    simulator = _simulator()
    encoded = simulator.encoder.encode(simulator.take_due(START_SECONDS + 10, BITE), 0)
    return list(zip(encoded.values, encoded.keys, strict=True))


def _ceiling(settings: Settings, samples: list[Record]) -> float:
    """Send the same ready-made records again and again."""
    sink = KafkaSink(settings, EVENTS.name)
    began = time.perf_counter()
    sent = 0
    while sent < EVENTS_MEASURED:
        if sink.has_room(len(samples)):
            sink.send(samples, Batch({}, {}, {}))
            sent += len(samples)
        sink.poll(0.001)
    sink.drain(60, time.monotonic)
    return sent / (time.perf_counter() - began)


def _ours(settings: Settings) -> tuple[float, dict[str, float]]:
    """Simulate, encode, plant and send, as the worker does."""
    simulator = _simulator()
    faults = parse_simulation(SIMULATION.read_text(encoding="utf-8")).spec.faults
    planter = FaultPlanter(42, list(simulator.shards))
    sink = KafkaSink(settings, EVENTS.name)
    seconds = {"simulate": 0.0, "encode": 0.0, "produce": 0.0}
    sent = 0
    began = time.perf_counter()
    while sent < EVENTS_MEASURED:
        first = time.perf_counter()
        events = simulator.take_due(START_SECONDS + 1_000, BITE)
        second = time.perf_counter()
        encoded = simulator.encoder.encode(events, 0)
        third = time.perf_counter()
        planted = planter.plant(events.rows, encoded, faults)
        while not sink.has_room(len(planted.records)):
            sink.poll(0.01)
        sink.send(planted.records, Batch(planted.tally, planted.sent_by_shard, {}))
        sink.poll(0)
        seconds["simulate"] += second - first
        seconds["encode"] += third - second
        seconds["produce"] += time.perf_counter() - third
        sent += len(events)
    sink.drain(60, time.monotonic)
    total = time.perf_counter() - began
    return sent / total, {f"{name}_share": value / total for name, value in seconds.items()}


def _faker(settings: Settings) -> float:
    """Call Faker for each event, as generators usually do."""
    faker = Faker("en_US")
    sink = KafkaSink(settings, EVENTS.name)
    began = time.perf_counter()
    for _ in range(FAKER_EVENTS):
        event = {
            "event_id": faker.uuid4(), "user_id": faker.uuid4(), "session_id": faker.uuid4(),
            "event_time": faker.iso8601(), "city": faker.city(), "country": faker.country_code(),
            "user_agent": faker.user_agent(), "page": faker.uri_path(), "name": faker.word(),
            "price": faker.pyint(), "brand": faker.company(),
        }  # fmt: skip
        record = (json.dumps(event).encode(), event["session_id"].encode())
        sink.send([record], Batch({}, {}, {}))
    sink.drain(60, time.monotonic)
    return FAKER_EVENTS / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
