"""The choice of an encoding: which options fit together, and the first bytes of records."""

from __future__ import annotations

import json

import httpx
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.schemas import schema_text
from clickstream_generator.core.encodings import JSON
from clickstream_generator.shell.encoding_choice import (
    EncodingChoice,
    encoding_choice,
    printed_schema,
)
from clickstream_generator.shell.output import parse_output
from clickstream_generator.shell.registry import Registry
from simulations import simulator

KAFKA = parse_output("kafka:h:1")


def _chosen(name: str, registry: Registry | None) -> EncodingChoice:
    found = encoding_choice(name, KAFKA, registry)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [
        ("topic", "{topic}-value"),
        ("record", "dev.clickstream.Event"),
        ("topic-record", "{topic}-dev.clickstream.Event"),
    ],
)
def test_strategy_names_the_subject(strategy: str, subject: str) -> None:
    """The subject is of the topic, of the record, or of both."""
    registry = Registry("http://h:1")

    chosen = encoding_choice("avro", KAFKA, registry, strategy=strategy)
    assert chosen == EncodingChoice("avro", registry, subject, is_registering=True)


def test_header_has_the_registry_number() -> None:
    """With a registry, records begin with the number that it has given the schema."""
    answers = httpx.MockTransport(lambda _: httpx.Response(200, content=json.dumps({"id": 258})))
    registry = Registry("http://h:1", transport=answers)

    assert _chosen("protobuf", registry).header("shop").hex() == "000000010200"
    assert _chosen("protobuf", None).header("shop") == b""


def test_default_is_json() -> None:
    """Without options the simulation decides, and a choice without a name is JSON as it is."""
    assert encoding_choice(None, KAFKA, None) is None
    source = simulator(users=8, numbers=(0,)).encoder

    assert EncodingChoice().begin(source, b"") is JSON
    assert EncodingChoice("avro").begin(source, b"") is not JSON


@pytest.mark.parametrize(
    ("name", "output", "url", "options", "says"),
    [
        ("xml", "kafka", None, {}, "--encoding: 'xml' .* one of json, avro, protobuf, json-schema"),
        ("avro", "stdout", None, {}, "--encoding: 'avro' .* only Kafka takes it"),
        ("avro", "parquet:x", None, {}, "only Kafka takes it, and --output is parquet:x"),
        ("json-schema", "kafka", None, {}, "it takes a registry"),
        ("json", "kafka", "http://h", {}, "--registry: .* add --encoding json-schema"),
        ("avro", "kafka", "h:8081", {}, "--registry: 'h:8081' .* it must be a URL"),
        ("avro", "kafka", "http://me:secret@h", {}, "^--registry: it must be a URL without a user"),
        ("avro", "kafka", None, {"strategy": "x"}, "--subject-strategy: 'x'"),
        ("avro", "kafka", None, {"is_registering": False}, "--registry-no-register: add --reg"),
    ],
)
def test_options_must_fit(
    name: str, output: str, url: str | None, options: dict[str, object], says: str
) -> None:
    """Options that contradict each other are named; a URL's password is never shown."""
    registry = None if url is None else Registry(url)

    with pytest.raises(SimulationInvalid, match=says) as refused:
        encoding_choice(name, parse_output(output), registry, **options)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_schema_is_printed() -> None:
    """A schema is printed as its file; JSON as it is has none."""
    assert printed_schema("protobuf") == schema_text("protobuf")
    with pytest.raises(SimulationInvalid, match="--encoding"):
        printed_schema("json")
