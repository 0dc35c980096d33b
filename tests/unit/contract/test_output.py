"""The output: which topics a simulation may name, for the parser and for the API server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cel import evaluate
from clickstream_contract.output import MAX_TOPIC_LENGTH, TOPIC, Encoding, EventOutput, Form
from clickstream_contract.resource import resource_definition
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

_NAMES = st.one_of(
    st.sampled_from([EVENTS.name, LEDGER.name, SHARDS.name, "shop", "shop-ledger", ".", "..", ""]),
    st.text("aZ9._-/ \n", max_size=5),
)


def _schema() -> dict[str, Any]:
    (version,) = resource_definition()["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["output"]
    assert isinstance(schema, dict)
    return schema


def _is_accepted_by_server(output: dict[str, str]) -> bool:
    """Return what the API server decides: defaults, then schema, then CEL rules."""
    schema = _schema()
    fields = schema["properties"]
    full = {name: field["default"] for name, field in fields.items() if "default" in field} | output
    for name, value in full.items():
        if value not in fields[name].get("enum", [value]):
            return False
        if "pattern" not in fields[name]:
            continue
        # Go's `$` is the end of the text, Python's is also before a last line break.
        fits = re.fullmatch(fields[name]["pattern"].removesuffix("$"), value)
        if not fits or len(value) > fields[name]["maxLength"]:
            return False
    return all(
        evaluate(rule["rule"], {"self": full}) for rule in schema["x-kubernetes-validations"]
    )


def _is_parsed(output: dict[str, str]) -> bool:
    try:
        EventOutput.model_validate(output)
    except ValidationError:
        return False
    return True


@given(
    topic=st.none() | _NAMES,
    ledger=st.none() | _NAMES,
    encoding=st.none() | st.sampled_from([*Encoding, "xml"]),
    form=st.none() | st.sampled_from([*Form, "Native", ""]),
    registry=st.none() | st.sampled_from(["main", "a" * 63, "a" * 64, "A", "-a", "a.b", ""]),
)
@settings(max_examples=100)
def test_parser_equals_server(
    topic: str | None,
    ledger: str | None,
    encoding: str | None,
    form: str | None,
    registry: str | None,
) -> None:
    """The parser and the API server accept the same outputs."""
    named = {
        "topic": topic, "ledgerTopic": ledger, "encoding": encoding, "form": form,
        "registry": registry,
    }  # fmt: skip
    output = {key: str(name) for key, name in named.items() if name is not None}

    assert _is_parsed(output) == _is_accepted_by_server(output)


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ({"topic": "shop"}, "ledgerTopic"),
        ({"ledgerTopic": "shop"}, "ledgerTopic"),
        ({"topic": "shop", "ledgerTopic": "shop"}, "ledgerTopic"),
        ({"topic": LEDGER.name, "ledgerTopic": "shop"}, "topic"),
        ({"topic": SHARDS.name, "ledgerTopic": "shop"}, "topic"),
        ({"topic": "shop", "ledgerTopic": EVENTS.name}, "ledgerTopic"),
        ({"topic": "shop", "ledgerTopic": SHARDS.name}, "ledgerTopic"),
        ({"topic": "__consumer_offsets", "ledgerTopic": "shop"}, "topic"),
        ({"topic": "shop", "ledgerTopic": "__x"}, "ledgerTopic"),
        ({"form": "ga4"}, "form"),
        ({"form": "cloudevents"}, "form"),
        ({"encoding": "avro"}, "encoding"),
        ({"encoding": "avro", "registry": "main"}, "encoding"),
        ({"registry": "main"}, "registry"),
    ],
)
def test_outputs_share_no_topic(output: dict[str, str], path: str) -> None:
    """An output mixes with none of the project's topics or Kafka's own; errors name the field."""
    with pytest.raises(ValidationError) as caught:
        EventOutput.model_validate(output)

    assert caught.value.errors()[0]["ctx"]["path"] == path
    assert not _is_accepted_by_server(output)


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("a", True), ("A.b_c-9", True), (".a", True), ("...", True), ("-", True),
        ("x" * MAX_TOPIC_LENGTH, True), ("x" * (MAX_TOPIC_LENGTH + 1), False),
        (".", False), ("..", False), ("", False), ("a/b", False), ("a b", False), ("ä", False),
        ("a\n", False),
    ],
)  # fmt: skip
def test_topic_has_kafkas_rules(name: str, is_valid: bool) -> None:  # noqa: FBT001  a case
    """A name has up to 249 of Kafka's characters, and is neither one dot nor two."""
    output = {"topic": name, "ledgerTopic": "shop-ledger"}

    assert _is_parsed(output) is is_valid
    assert bool(re.fullmatch(TOPIC.removesuffix("$"), name)) == (
        is_valid or len(name) > MAX_TOPIC_LENGTH
    )


@pytest.mark.parametrize("registry", [None, "main"])
@pytest.mark.parametrize("encoding", list(Encoding))
def test_registry_fits_the_encoding(encoding: str, registry: str | None) -> None:
    """JSON has no schema, JSON Schema is nothing without a registry, and the binary ones may."""
    output = {"topic": "shop", "ledgerTopic": "shop-ledger", "encoding": encoding}
    if registry is not None:
        output["registry"] = registry
    without, with_one = encoding != "json-schema", encoding != "json"

    assert _is_parsed(output) is (without if registry is None else with_one)
    assert _is_accepted_by_server(output) is _is_parsed(output)


def test_only_the_default_is_stored() -> None:
    """The stream reads the default output, also where it is spelled out, and no other."""
    named = {"topic": EVENTS.name, "ledgerTopic": LEDGER.name}

    assert EventOutput() == EventOutput.model_validate(named)
    assert EventOutput().is_stored
    assert not EventOutput.model_validate({"topic": "a", "ledgerTopic": "b"}).is_stored


def test_forms_are_named() -> None:
    """These words are in files, resources and options; another one would break them."""
    assert [*Encoding] == ["json", "avro", "protobuf", "json-schema"]
    assert [*Form] == ["native", "cloudevents", "segment", "snowplow", "ga4"]
