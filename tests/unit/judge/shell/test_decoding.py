"""Decoders: a pipeline's own schemas, from a file or a registry, and records that are damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from clickstream_contract.schemas import protobuf_schema
from clickstream_generator.core.registered_schema import RegisteredSchema
from clickstream_generator.errors import RegistryRefused
from clickstream_judge.core.mapping import Column, RecordFormat, Result
from clickstream_judge.errors import EngineUnusable, JudgeError, MappingInvalid, ResultUnfit
from clickstream_judge.shell import decoding
from clickstream_judge.shell.decoding import record_decoder
from foreign_readers import message_type

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_judge.shell.decoding import Decode

_PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
_TIME = {"type": "long", "logicalType": "timestamp-millis"}
ORDER = {
    "type": "record", "name": "Order", "fields": [
        {"name": "id", "type": ["null", "string"]}, {"name": "at", "type": _TIME},
        {"name": "price", "type": _PRICE},
        {"name": "to", "type": {"type": "record", "name": "To", "fields": [
            {"name": "city", "type": "string"}, {"name": "hash", "type": "bytes"},
        ]}},
    ],
}  # fmt: skip
AT = datetime(2026, 11, 30, 7, 51, 0, 250_000, tzinfo=UTC)
SENT = {"id": "a", "at": AT, "price": Decimal("9.90"), "to": {"city": "Köln", "hash": b"\x00\xff"}}
READ = {
    "id": "a", "at": "2026-11-30T07:51:00.250000+00:00", "price": "9.90",
    "to": {"city": "Köln", "hash": "00ff"},
}  # fmt: skip


def _result(name: str, **more: Any) -> Result:  # noqa: ANN401  a mapping's fields
    columns = {"event_time": Column(column="at")}
    return Result(format=RecordFormat(name), columns=columns, **more)


def _of_file(folder: Path, name: str, schema: str, **more: str) -> Decode:
    (folder / "schema").write_text(schema, encoding="utf-8")
    return record_decoder(_result(name, schema_file="schema", **more), folder)


def _of_registry(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, schemas: dict[int, RegisteredSchema]
) -> Decode:
    """Return a decoder with a registry that has some schemas."""
    monkeypatch.setattr(decoding, "schema_reader", lambda *_: schemas.get)
    return record_decoder(_result(name, registry="http://r"), folder)


def _avro(value: dict[str, Any], schema: Any = None) -> bytes:  # noqa: ANN401
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema or ORDER), value)
    return stream.getvalue()


def test_avro_becomes_plain(tmp_path: Path) -> None:
    """Times, decimals and bytes become texts; inner records stay objects, absent values null."""
    decode = _of_file(tmp_path, "avro", json.dumps(ORDER))

    assert decode(_avro(SENT)) == READ
    assert decode(_avro({**SENT, "id": None})) == {**READ, "id": None}


@pytest.mark.parametrize("name", ["avro", "protobuf"])
def test_damaged_records_have_no_fields(tmp_path: Path, name: str) -> None:
    """A record that is cut, longer, empty or absent is no event."""
    schema, whole = (
        (json.dumps(ORDER), _avro(SENT))
        if name == "avro"
        else (protobuf_schema(), message_type()(event_id="a", user_id="b").SerializeToString())
    )
    more = {} if name == "avro" else {"message": "dev.clickstream.Event"}
    decode = _of_file(tmp_path, name, schema, **more)

    assert decode(whole) is not None
    damaged = [whole[:-1], whole + b"\xff", None, b"\xff\xff\xff\xff"]
    assert [decode(value) for value in damaged] == [None] * 4


def test_numbers_choose_the_schema(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each record names its schema, which may need others; an unknown number is no event."""
    inner = {"type": "enum", "name": "Kind", "symbols": ["page_view"]}
    outer = {"type": "record", "name": "Event", "fields": [{"name": "kind", "type": "Kind"}]}
    decode = _of_registry(monkeypatch, tmp_path, "avro", {
        7: RegisteredSchema("AVRO", json.dumps(ORDER)),
        8: RegisteredSchema("AVRO", json.dumps(outer), {"Kind": json.dumps(inner)}),
    })  # fmt: skip

    assert decode(b"\x00\x00\x00\x00\x07" + _avro(SENT)) == READ
    assert decode(b"\x00\x00\x00\x00\x08\x00") == {"kind": "page_view"}
    assert decode(b"\x00\x00\x00\x00\x09\x00") is None
    assert decode(_avro(SENT)) is None


PROTO = """syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "common/place.proto";
message Ignored { message Inner { string name = 1; } }
message Order {
  enum Kind { KIND_UNSPECIFIED = 0; KIND_PAGE_VIEW = 1; OTHER = 2; }
  string id = 1;
  optional string city = 2;
  int64 shard = 3;
  google.protobuf.Timestamp at = 4;
  Kind kind = 5;
  map<string, int32> tags = 6;
  repeated Kind kinds = 7;
  Place to = 8;
}
"""
PLACE = 'syntax = "proto3"; package shop.v1; message Place { string country = 1; }'


def test_messages_are_found_by_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The record's indexes name the message; numbers without presence are there, texts are not."""
    schema = RegisteredSchema("PROTOBUF", PROTO, {"common/place.proto": PLACE})
    decode = _of_registry(monkeypatch, tmp_path, "protobuf", {1: schema})
    body = (
        b"\x0a\x01a\x22\x0b\x08\x80\x9b\xb0\xd3\x06\x10\x80\xe5\x9aw"
        b"\x28\x01\x32\x05\x0a\x01x\x10\x05\x3a\x02\x01\x02\x42\x04\x0a\x02DE"
    )

    found = dict(decode(b"\x00\x00\x00\x00\x01\x02\x02" + body) or {})
    assert str(found.pop("at")).startswith("2026-")
    assert found == {
        "id": "a", "shard": 0, "kind": "page_view", "tags": {"x": 5},
        "kinds": ["page_view", "OTHER"], "to": {"country": "DE"},
    }  # fmt: skip
    assert decode(b"\x00\x00\x00\x00\x01\x04\x00\x00\x0a\x01n") == {"name": "n"}
    assert decode(b"\x00\x00\x00\x00\x01\x02\x02") == {"shard": 0, "tags": {}, "kinds": []}
    for wrong in (b"\x02\x08", b"\xff\xff", b"", b"\x04\x00"):
        assert decode(b"\x00\x00\x00\x00\x01" + wrong) is None


def test_message_is_named(tmp_path: Path) -> None:
    """A file with several messages needs the name of one; a file with one message does not."""
    with pytest.raises(MappingInvalid, match=r"result\.message: name one of .*\.Event"):
        _of_file(tmp_path, "protobuf", protobuf_schema())
    with pytest.raises(MappingInvalid, match=r"result\.message: 'x' cannot be used; name one of"):
        _of_file(tmp_path, "protobuf", protobuf_schema(), message="x")

    assert _of_file(tmp_path, "protobuf", PLACE)(b"\x0a\x02DE") == {"country": "DE"}


@pytest.mark.parametrize(
    ("name", "schema", "part"),
    [
        ("avro", "{", "result.schema_file: no schema of Avro ("),
        ("avro", '{"type": "record"}', "result.schema_file: no schema of Avro ("),
        ("protobuf", "message", "result.schema_file: protoc does not read it"),
        ("protobuf", json.dumps(ORDER), "result.schema_file: protoc does not read it"),
    ],
)
def test_wrong_schemas_are_named(tmp_path: Path, name: str, schema: str, part: str) -> None:
    """A file without a schema of the format is named."""
    with pytest.raises(ResultUnfit) as refused:
        _of_file(tmp_path, name, schema)

    assert part in str(refused.value)


def test_absent_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is named with the field."""
    with pytest.raises(MappingInvalid, match=r"^result\.schema_file: 'lost' .*name the file"):
        record_decoder(_result("avro", schema_file="lost"), tmp_path)


def test_registry_with_another_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Records of another encoding than the mapping says are no damaged records."""
    decode = _of_registry(
        monkeypatch, tmp_path, "avro", {1: RegisteredSchema("PROTOBUF", protobuf_schema())}
    )

    with pytest.raises(ResultUnfit, match=r"result\.format: schema 1 .* the type PROTOBUF"):
        decode(b"\x00\x00\x00\x00\x01\x00")


def test_references_stay_in_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A schema whose imports lead out of its folder writes no file there."""
    schema = RegisteredSchema("PROTOBUF", PLACE, {"../../escaped.proto": PLACE})
    decode = _of_registry(monkeypatch, tmp_path, "protobuf", {1: schema})

    with pytest.raises(ResultUnfit, match=r"a file '../../escaped.proto' outside"):
        decode(b"\x00\x00\x00\x00\x01\x00")


@pytest.mark.parametrize(
    ("registry", "part"),
    [
        ("r:8081", "result.registry: 'r:8081' is not allowed; it must be a URL"),
        ("http://me:secret@r", "use result.registry_username and result.registry_password_file"),
    ],
)
def test_registry_needs_a_url(tmp_path: Path, registry: str, part: str) -> None:
    """An address that is no URL, or that has a password, is named; the password is not shown."""
    with pytest.raises(MappingInvalid) as refused:
        record_decoder(_result("avro", registry=registry), tmp_path)

    assert part in str(refused.value)
    assert "secret" not in str(refused.value)


def test_refusing_registry_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a registry refuses is one sentence, with the mapping's field."""

    def refuse(_number: int) -> None:
        raise RegistryRefused("http://r", "refuses the user (no)", "check result.registry_username")

    monkeypatch.setattr(decoding, "schema_reader", lambda *_: refuse)
    decode = record_decoder(_result("avro", registry="http://r"), tmp_path)
    with pytest.raises(EngineUnusable) as refused:
        decode(b"\x00\x00\x00\x00\x01\x00")

    assert str(refused.value) == (
        "schema registry: http://r refuses the user (no); check result.registry_username"
    )


@pytest.mark.parametrize(
    ("name", "package"), [("avro", "fastavro"), ("protobuf", "grpc_tools.protoc")]
)
def test_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, package: str
) -> None:
    """Without the package that decodes, the sentence names the extra to install."""

    def missing(module: str) -> None:
        raise ImportError(module)

    monkeypatch.setattr(decoding, "import_module", missing)
    with pytest.raises(JudgeError, match=rf"{package} .*install clickstream-judge\[{name}\]"):
        _of_file(tmp_path, name, "{}")
