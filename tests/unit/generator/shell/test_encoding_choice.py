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
    EncodingOptions,
    printed_schema,
)
from clickstream_generator.shell.registry import Registry
from simulations import simulator


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

    chosen = EncodingOptions("avro", registry, strategy).choice("json")
    assert chosen == EncodingChoice("avro", registry, subject, is_registering=True)


def test_header_has_the_registry_number() -> None:
    """With a registry, records begin with the number that it has given the schema."""
    answers = httpx.MockTransport(lambda _: httpx.Response(200, content=json.dumps({"id": 258})))
    registry = Registry("http://h:1", transport=answers)

    assert EncodingChoice("protobuf", registry, "s").header("shop").hex() == "000000010200"
    assert EncodingChoice("protobuf").header("shop") == b""


def test_simulation_has_the_default() -> None:
    """Without ``--encoding`` the simulation decides, also with a registry; JSON is as it is."""
    registry = Registry("http://h:1")
    source = simulator(users=8, numbers=(0,)).encoder

    assert EncodingOptions().choice("avro").name == "avro"
    chosen = EncodingOptions(registry=registry).choice("avro")
    assert chosen == EncodingChoice("avro", registry, "{topic}-value")
    assert EncodingOptions("json").choice("avro").name == "json"
    assert EncodingChoice().begin(source, b"") is JSON
    assert EncodingChoice("avro").begin(source, b"") is not JSON


@pytest.mark.parametrize(
    ("name", "url", "strategy", "says"),
    [
        ("xml", None, "topic", "--encoding: 'xml' .* one of json, avro, protobuf, json-schema"),
        ("json-schema", None, "topic", "it takes a registry"),
        ("json", "http://h", "topic", "--registry: .* add --encoding json-schema"),
        ("avro", "h:8081", "topic", "--registry: 'h:8081' .* it must be a URL"),
        ("avro", "http://me:secret@h", "topic", "^--registry: it must be a URL without a user"),
        ("avro", None, "x", "--subject-strategy: 'x'"),
    ],
)
def test_options_must_fit(name: str, url: str | None, strategy: str, says: str) -> None:
    """Options that contradict each other are named; a URL's password is never shown."""
    registry = None if url is None else Registry(url)

    with pytest.raises(SimulationInvalid, match=says) as refused:
        EncodingOptions(name, registry, strategy).choice("json")
    assert "secret" not in str(refused.value)


def test_schema_is_printed() -> None:
    """A schema is printed as its file; JSON as it is has none."""
    assert printed_schema("protobuf") == schema_text("protobuf")
    with pytest.raises(SimulationInvalid, match="--encoding"):
        printed_schema("json")
