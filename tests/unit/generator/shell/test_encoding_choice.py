"""The choice of an encoding: which options fit together, and the first bytes of records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import EventOutput
from clickstream_contract.schemas import schema_text
from clickstream_generator.core.encodings import JSON
from clickstream_generator.settings import PREFIX, Settings
from clickstream_generator.shell.encoding_choice import (
    EncodingChoice,
    EncodingOptions,
    printed_schema,
    worker_encoding,
)
from clickstream_generator.shell.registry import Registry, variable_name
from simulations import simulator

if TYPE_CHECKING:
    from pathlib import Path


def _output(encoding: str = "avro", **more: str) -> EventOutput:
    topics = {"topic": "shop", "ledgerTopic": "shop-ledger"}
    return EventOutput.model_validate({**topics, "encoding": encoding, **more})


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

    chosen = EncodingOptions("avro", registry, strategy).choice(EventOutput())
    assert chosen == EncodingChoice("avro", registry, subject, is_registering=True)


def test_header_has_the_registry_number() -> None:
    """With a registry, records begin with the number that it has given the schema."""
    text = json.dumps({"id": 258}).encode()
    answers = httpx.MockTransport(lambda _: httpx.Response(200, content=iter([text])))
    registry = Registry("http://h:1", transport=answers)

    assert EncodingChoice("protobuf", registry, "s").header("shop").hex() == "000000010200"
    assert EncodingChoice("protobuf").header("shop") == b""


def test_simulation_has_the_default() -> None:
    """Without ``--encoding`` the simulation decides, also with a registry; JSON is as it is."""
    registry = Registry("http://h:1")
    source = simulator(users=8, numbers=(0,)).encoder

    assert EncodingOptions().choice(_output()).name == "avro"
    chosen = EncodingOptions(registry=registry).choice(_output())
    assert chosen == EncodingChoice("avro", registry, "{topic}-value")
    assert EncodingOptions("json").choice(_output()).name == "json"
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
        EncodingOptions(name, registry, strategy).choice(EventOutput())
    assert "secret" not in str(refused.value)


def test_schema_is_printed() -> None:
    """A schema is printed as its file; JSON as it is has none."""
    assert printed_schema("protobuf") == schema_text("protobuf")
    with pytest.raises(SimulationInvalid, match="--encoding"):
        printed_schema("json")


def test_named_registry_needs_an_address() -> None:
    """A file's registry is a name: a command without its URL or another encoding sends nothing."""
    output = _output("json-schema", registry="main")

    with pytest.raises(
        SimulationInvalid, match=r"spec\.output\.registry: 'main' .* add --registry"
    ):
        EncodingOptions().choice(output)
    assert EncodingOptions("avro").choice(output).registry is None
    registry = Registry("http://h:1")
    chosen = EncodingOptions(registry=registry).choice(output)
    assert chosen == EncodingChoice("json-schema", registry, "{topic}-value")


def _settings(folder: Path, **more: Any) -> Settings:  # noqa: ANN401  values of settings
    return Settings(
        simulation_file=folder / "simulation.yaml", bootstrap_servers="localhost:9092", **more
    )


def test_worker_uses_registry_of_settings(tmp_path: Path) -> None:
    """A worker asks the registry of its settings, as their user, if the simulation names one."""
    (tmp_path / "username").write_text("me\n", encoding="utf-8")
    files = {
        "registry_username_file": tmp_path / "username",
        "registry_password_file": tmp_path / "password",
        "registry_ca_file": tmp_path / "ca.crt",
    }
    settings = _settings(tmp_path, registry="https://h:1", registry_no_register=True, **files)

    chosen = worker_encoding(_output(registry="main"), settings)
    registry = Registry(
        "https://h:1", "me", tmp_path / "password", tmp_path / "ca.crt", setting=variable_name
    )
    assert chosen == EncodingChoice("avro", registry, "{topic}-value", is_registering=False)
    assert worker_encoding(_output(), settings) == EncodingChoice("avro")
    named = _settings(tmp_path, registry="http://h", registry_username="you")
    chosen = worker_encoding(_output(registry="main"), named)
    assert (chosen.registry, chosen.is_registering) == (
        Registry("http://h", "you", setting=variable_name), True
    )  # fmt: skip


def test_worker_needs_the_registrys_address(tmp_path: Path) -> None:
    """Without an address, or with one that is no URL, the text names the variable."""
    output = _output(registry="main")

    with pytest.raises(SettingsInvalid, match=f"{PREFIX}REGISTRY is not set.* registry main of"):
        worker_encoding(output, _settings(tmp_path))
    for url, says in (("h:1", "'h:1'"), ("http://me:secret@h", f"use {PREFIX}REGISTRY_USERNAME")):
        with pytest.raises(SimulationInvalid, match=f"{PREFIX}REGISTRY: .*{says}") as refused:
            worker_encoding(output, _settings(tmp_path, registry=url))
        assert "secret" not in str(refused.value)
