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
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from foreign_readers import READERS, Unreadable, message_type, object_of, object_of_message
from generators import four_shards
from registries import registry_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from generators import Broker

COMMAND = [sys.executable, "-m", "clickstream_generator.command"]
START = ("--start", "2026-11-27T08:00:00Z")
EVENTS = 3_000
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
