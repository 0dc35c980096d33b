"""Readers of encoded events by other projects: fastavro, Google's Protobuf, jsonschema-rs.

Owns how a decoded record is compared with JSON: as the JSON object that it is equal to.
"""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
import grpc_tools
import jsonschema_rs
from clickstream_contract.derive import event_json_schema
from clickstream_contract.schemas import RECORD_NAME, avro_schema, protobuf_schema
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_tools import protoc

if TYPE_CHECKING:
    from fastavro.types import Schema
    from google.protobuf.message import Message

__all__ = ["READERS", "Unreadable", "message_type", "object_of", "object_of_message"]

_ENUM_PREFIX = "EVENT_NAME_"


class Unreadable(Exception):
    """A reader cannot decode a record, or the record breaks its schema."""


@cache
def message_type() -> type[Message]:
    """Return the class of the message that protoc makes of the Protobuf schema."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "event.proto").write_text(protobuf_schema(), encoding="utf-8")
        known = Path(grpc_tools.__file__).parent / "_proto"
        code = protoc.main(
            ["protoc", f"-I{folder}", f"-I{known}", f"--descriptor_set_out={folder / 'set'}",
             "--include_imports", "event.proto"]
        )  # fmt: skip
        assert code == 0
        found = descriptor_pb2.FileDescriptorSet.FromString((folder / "set").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in found.file:
        pool.Add(file)
    made: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(RECORD_NAME))
    return made


def object_of(value: object) -> object:
    """Return a value that fastavro has decoded as JSON; absent fields are left out."""
    if isinstance(value, dict):
        return {name: object_of(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [object_of(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value if isinstance(value, int) else str(value)


def object_of_message(message: Message) -> dict[str, Any]:
    """Return a Protobuf message as JSON; absent fields are left out."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name == "items":
            found[field.name] = [object_of_message(line) for line in value]
        elif field.message_type is not None:
            at = Timestamp(seconds=value.seconds, nanos=value.nanos).ToDatetime()
            found[field.name] = at.isoformat(timespec="milliseconds") + "Z"
        elif field.enum_type is not None:
            if value not in field.enum_type.values_by_number:
                raise Unreadable(f"{field.name} has the undeclared number {value}")
            name = field.enum_type.values_by_number[value].name
            found[field.name] = name.removeprefix(_ENUM_PREFIX).lower()
        else:
            found[field.name] = value
    return found


@cache
def _avro() -> Schema:
    return fastavro.parse_schema(avro_schema())


def _read_avro(value: bytes) -> dict[str, Any]:
    stream = BytesIO(value)
    try:
        found = object_of(fastavro.schemaless_reader(stream, _avro(), None))
    except Exception as error:
        raise Unreadable(str(error)) from error
    assert stream.tell() == len(value), "bytes are left over"
    assert isinstance(found, dict)
    return found


def _read_protobuf(value: bytes) -> dict[str, Any]:
    try:
        message = message_type().FromString(value)
    except Exception as error:
        raise Unreadable(str(error)) from error
    return object_of_message(message)


@cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(event_json_schema())


def _read_json(value: bytes) -> dict[str, Any]:
    try:
        found = json.loads(value)
        _validator().validate(found)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise Unreadable(str(error)) from error
    assert isinstance(found, dict)
    return found


READERS = {"avro": _read_avro, "protobuf": _read_protobuf, "json-schema": _read_json}
"""Return a record without a header as a JSON object, or raise :class:`Unreadable`; by encoding."""
