"""Encodings on a real Kafka and a real registry: Confluent's own deserializers read the events."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from clickstream_contract.document import dump_simulation
from clickstream_contract.schemas import schema_text
from clickstream_judge.core.mapping import Column, RecordFormat, Result
from clickstream_judge.shell.decoding import record_decoder
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from foreign_readers import READERS, Unreadable, message_type, object_of, object_of_message
from generators import four_shards, reference, soon
from registries import registry_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from clickstream_judge.shell.decoding import Decode
    from generators import Broker, GeneratorRun

COMMAND = [sys.executable, "-m", "clickstream_generator.command"]
START = ("--start", "2026-11-27T08:00:00Z")
EVENTS = 3_000
_WORKER_EVENTS = 20_000
"""At 1,000 per second: the worker is up before the last is due, also on a busy machine."""
FAULTS = {"corruptPermille": 50, "duplicatePermille": 20, "latePermille": 20}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a simulation that plants faults."""
    document = yaml.safe_load(dump_simulation(four_shards(50, EVENTS)))
    document["spec"]["faults"] = {**FAULTS, "maxLatenessSeconds": 5}
    path = tmp_path_factory.mktemp("simulation") / "simulation.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a registry."""
    yield from registry_url(tmp_path_factory.mktemp("registry"))


def _run(file: Path, *arguments: str, code: int = 0) -> str:
    """Run the generator to its end, and return what it says."""
    done = subprocess.run(
        [*COMMAND, str(file), *START, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def _send(broker: Broker, file: Path, topic: str, *options: str, code: int = 0) -> str:
    kafka = ("--output", f"kafka:{broker.servers}", "--topic", topic, "--create-topics")
    return _run(file, *kafka, *options, code=code)


def _without_time(events: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps({**event, "sent_at": ""}, sort_keys=True) for event in events)


def _sound(values: list[bytes | None], read: Callable[[bytes], Any]) -> list[dict[str, Any]]:
    """Return the records that a reader can decode."""
    found = []
    for value in values:
        try:
            if value is not None:
                found.append(read(value))
        except Exception:  # noqa: BLE001, S112  each reader has errors of its own
            continue
    return found


def _deserializer(encoding: str, client: SchemaRegistryClient) -> Callable[[bytes], Any]:
    """Return Confluent's deserializer, as a function from a record to JSON."""
    context = SerializationContext("topic", MessageField.VALUE)
    if encoding == "avro":
        avro = AvroDeserializer(client)
        return lambda value: object_of(avro(value, context))
    if encoding == "protobuf":
        protobuf = ProtobufDeserializer(message_type(), {"use.deprecated.format": False})
        return lambda value: object_of_message(protobuf(value, context))
    found = JSONDeserializer(schema_text("json-schema"))
    return lambda value: found(value, context)


def _judges_decoder(encoding: str, registry: str, folder: Path) -> Decode:
    """Return the judge's decoder of records with the numbers of a registry."""
    columns = {"event_time": Column(column="event_time")}
    result = Result(format=RecordFormat(encoding), registry=registry, columns=columns)
    return record_decoder(result, folder)


def _corrupt_records(truth: Path) -> int:
    """Return how many corrupt records the ledger counts; the last entry of a minute holds."""
    rows = {}
    for line in (truth / "ledger.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        rows[row["shard"], row["kind"], row["minute"]] = row
    return sum(count for row in rows.values() for name, count in row.items() if "corrupt_" in name)


def _read_plain(value: bytes) -> dict[str, Any]:
    """Return a record without a schema; JSON allows the NUL that the other encodings refuse."""
    event = READERS["json-schema"](value)
    if "\0" in event["city"]:
        raise Unreadable("city has a NUL")
    return event


@pytest.fixture(scope="module")
def sound_json(broker: Broker, file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the sound events of the run, as JSON without a schema has them."""
    truth = tmp_path_factory.mktemp("plain") / "truth"
    _send(broker, file, "plain", "--truth", str(truth))
    values = [value for _, value in broker.read("plain")]
    read = _sound(values, _read_plain)
    assert len(values) - len(read) == _corrupt_records(truth)
    return _without_time(read)


@pytest.mark.parametrize("encoding", ["avro", "protobuf"])
def test_bare_records_are_read(
    broker: Broker, file: Path, tmp_path: Path, sound_json: list[str], encoding: str
) -> None:
    """Without a registry, foreign readers read the sound records; the ledger counts the others."""
    topic, truth = f"bare-{encoding}", tmp_path / "truth"
    _send(broker, file, topic, "--encoding", encoding, "--truth", str(truth))

    values = [value for _, value in broker.read(topic)]
    read = _sound(values, READERS[encoding])
    assert _without_time(read) == sound_json
    assert len(values) - len(read) == _corrupt_records(truth) > 50


@pytest.mark.slow
@pytest.mark.parametrize("encoding", list(READERS))
def test_confluent_reads_the_events(
    broker: Broker,
    registry: str,
    file: Path,
    tmp_path: Path,
    sound_json: list[str],
    encoding: str,
) -> None:
    """Confluent's deserializers read the sound records; the ledger counts the others."""
    truth = tmp_path / "truth"
    options = ("--encoding", encoding, "--registry", registry, "--truth", str(truth))
    _send(broker, file, encoding, *options)

    values = [value for _, value in broker.read(encoding)]
    with SchemaRegistryClient({"url": registry}) as client:
        read = _sound(values, _deserializer(encoding, client))
        subjects = client.get_subjects()
    assert _without_time(read) == sound_json
    assert len(values) - len(read) == _corrupt_records(truth) > 50
    assert f"{encoding}-value" in subjects
    if encoding != "json-schema":
        decode = _judges_decoder(encoding, registry, tmp_path)
        decoded = {fields["event_id"] for fields in map(decode, values) if fields}
        assert {row["event_id"] for row in read} <= decoded
    again = ("--append", "--registry-no-register", "--events", "10")
    _send(broker, file, encoding, "--encoding", encoding, "--registry", registry, *again)


@pytest.mark.slow
def test_refusals_send_nothing(broker: Broker, registry: str, file: Path) -> None:
    """An unknown subject, another schema and a wrong URL are one line each, and send nothing."""

    def refused(*options: str, url: str = registry) -> str:
        return _send(
            broker, file, "r", "--encoding", "avro", "--events", "10", "--registry", url, *options,
            code=1,
        )  # fmt: skip

    unknown = refused("--registry-no-register")
    assert "has no subject r-value" in unknown
    done = httpx.post(f"{registry}/subjects/r-value/versions", json={"schema": '"string"'})
    done.raise_for_status()
    other = refused("--registry-no-register")
    assert "has another schema for subject r-value" in other
    done = httpx.put(f"{registry}/config/r-value", json={"compatibility": "BACKWARD"})
    done.raise_for_status()
    incompatible = refused()
    assert "refuses the schema of subject r-value as incompatible" in incompatible
    wrong = refused(url=f"{registry}/none")
    assert "does not answer as a schema registry" in wrong
    silent = refused(url="http://127.0.0.1:9")
    assert "does not answer" in silent
    for text in (unknown, other, incompatible, wrong, silent):
        assert text.count("\n") == 1
    assert broker.read("r") == []


def _worker_run(
    broker: Broker, begin: Callable[..., GeneratorRun], topic: str, encoding: str, start: datetime
) -> GeneratorRun:
    """Prepare a run whose simulation names a registry; its topics exist."""
    output = f"topic: {topic}, ledgerTopic: {topic}-ledger, encoding: {encoding}, registry: main"
    for name in (topic, f"{topic}-ledger"):
        broker.add_topic(name, 2)
    late = "  faults: {latePermille: 20, maxLatenessSeconds: 3}\n"
    simulation = four_shards(1_000, _WORKER_EVENTS, f"  output: {{{output}}}\n{late}")
    return begin(simulation, start_time=start.isoformat())


@pytest.mark.slow
@pytest.mark.parametrize("encoding", list(READERS))
def test_killed_worker_uses_the_registry(
    broker: Broker, begin: Callable[..., GeneratorRun], registry: str, encoding: str
) -> None:
    """Confluent's deserializers read every event of a killed worker, late ones too, unaltered."""
    topic = f"worker-{encoding}"
    start = soon()
    run = _worker_run(broker, begin, topic, encoding, start)
    worker = run.start(registry=registry)
    worker.wait_until_sent(0)
    worker.kill()
    run.start(registry=registry).must_end(180)

    with SchemaRegistryClient({"url": registry}) as client:
        read = _deserializer(encoding, client)
        found = [read(value or b"") for _, value in broker.read(topic)]
        assert len(client.get_versions(f"{topic}-value")) == 1
    expected = [
        json.loads(value) for value in reference(run.simulation, run.run_id, start.timestamp())
    ]
    assert set(_without_time(found)) == set(_without_time(expected))
    minutes = [row for (_, kind, _), row in run.ledger().items() if kind == "minute"]
    assert sum(row["events"] for row in minutes) == len(expected) == _WORKER_EVENTS


@pytest.mark.slow
def test_refused_worker_sends_nothing(
    broker: Broker, begin: Callable[..., GeneratorRun], registry: str
) -> None:
    """A worker without an answer, a subject or a compatible schema ends with 6, and says why."""
    run = _worker_run(broker, begin, "w", "avro", soon())

    def said(**settings: str) -> str:
        worker = run.start(**settings)
        worker.must_end(60, code=6)
        return worker.process.log_file.read_text("utf-8").splitlines()[-1]

    assert "does not answer" in said(registry="http://127.0.0.1:9")
    assert "has no subject w-value" in said(registry=registry, registry_no_register="true")
    schema = {"schema": '"string"'}
    httpx.post(f"{registry}/subjects/w-value/versions", json=schema).raise_for_status()
    level = {"compatibility": "BACKWARD"}
    httpx.put(f"{registry}/config/w-value", json=level).raise_for_status()
    assert "refuses the schema of subject w-value as incompatible" in said(registry=registry)
    assert broker.read("w") == broker.read("w-ledger") == []
    httpx.delete(f"{registry}/subjects/w-value").raise_for_status()
    run.start(registry=registry).must_end(180)
    assert len(run.ledger()) > 0
