"""Broken records: what the faults do to bytes. Readers of each encoding: ``test_encodings.py``."""

from __future__ import annotations

import json

import pytest
from clickstream_contract.events import MAX_EVENT_BYTES
from clickstream_generator.core.breaks import (
    CORRUPT_FAULTS,
    break_binary,
    break_json,
    break_json_schema,
)
from clickstream_generator.core.wire import AVRO, PROTOBUF
from simulations import START_SECONDS, simulator

HEADER = b"\x00\x00\x00\x00\x07"


@pytest.fixture(scope="module")
def value() -> bytes:
    """Return the JSON of an event."""
    source = simulator(users=8, numbers=(0,))
    return source.encoder.encode(source.take_due(START_SECONDS + 60, 1), 0).values[0]


@pytest.mark.parametrize("fault", CORRUPT_FAULTS)
def test_faults_change_every_record(fault: str, value: bytes) -> None:
    """Each fault changes the record in each encoding, in the same way each time."""
    for wire in (AVRO, PROTOBUF):
        whole = break_binary("corrupt_oversized", value, wire, HEADER) or b""
        sound = HEADER + whole[len(HEADER) + MAX_EVENT_BYTES :]
        found = break_binary(fault, value, wire, HEADER)
        assert found != sound
        assert found == break_binary(fault, value, wire, HEADER)
    assert break_json(fault, value) != value
    assert break_json_schema(fault, value, HEADER) != HEADER + value


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("corrupt_wrong_type", {"session_seq": "many"}),
        ("corrupt_unknown_value", {"event_name": "teleport"}),
        ("corrupt_unknown_version", {"schema_version": 99}),
        ("corrupt_oversized", {"padding": "x" * MAX_EVENT_BYTES}),
    ],
)
def test_fault_changes_one_field(fault: str, change: dict[str, object], value: bytes) -> None:
    """A fault of one field leaves every other field of the JSON as it was."""
    assert json.loads(break_json(fault, value) or b"") == {**json.loads(value), **change}


def test_fault_takes_one_field(value: bytes) -> None:
    """A record without a required field has all the others."""
    rest = json.loads(break_json("corrupt_missing_field", value) or b"")

    assert {**rest, "user_id": json.loads(value)["user_id"]} == json.loads(value)


def test_page_has_the_record(value: bytes) -> None:
    """A record that is no JSON is an HTML page with the record's fields."""
    page = (break_json("corrupt_not_json", value) or b"").decode()

    assert json.loads("{" + page.removeprefix("<html>").removesuffix("</html>") + "}") == (
        json.loads(value)
    )


@pytest.mark.parametrize("fault", CORRUPT_FAULTS)
def test_page_has_no_header(fault: str, value: bytes) -> None:
    """A broken record of a registry's format has its header, but for a page and no value."""
    has_header = (break_json_schema(fault, value, HEADER) or b"").startswith(HEADER)

    assert has_header == (fault not in {"corrupt_not_json", "corrupt_no_value"})


def test_oversized_record_is_padded(value: bytes) -> None:
    """An oversized record is longer than the longest event, and no other one is."""
    for wire in (AVRO, PROTOBUF):
        sizes = {
            name: len(break_binary(name, value, wire, HEADER) or b"") for name in CORRUPT_FAULTS
        }
        oversized = {name for name, size in sizes.items() if size > MAX_EVENT_BYTES}
        assert oversized == {"corrupt_oversized"}


def test_header_has_an_unknown_version(value: bytes) -> None:
    """A record of an unknown version has another first byte, and is otherwise whole."""
    found = break_binary("corrupt_unknown_version", value, AVRO, HEADER) or b""

    assert (found[:1], found[1:5]) == (b"c", HEADER[1:])


def test_bare_nul_is_no_json(value: bytes) -> None:
    """The schema's JSON has a NUL as a control character, which JSON does not allow."""
    found = break_json_schema("corrupt_nul", value, HEADER) or b""

    with pytest.raises(json.JSONDecodeError, match="control character"):
        json.loads(found[len(HEADER) :])
