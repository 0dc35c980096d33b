"""Decoders of a topic's records: JSON, Avro and Protobuf.

Owns where schemas come from, a registry or a file, and how they are compiled. A record that cannot
be decoded is no event.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.api import schema_reader
from clickstream_generator.errors import RegistryRefused

from clickstream_judge.core.mapping import RecordFormat
from clickstream_judge.core.topic_records import plain, record_fields, split_header, split_indexes
from clickstream_judge.errors import EngineUnusable, MappingInvalid, ResultUnfit

if TYPE_CHECKING:
    from clickstream_generator.core.registered_schema import RegisteredSchema

    from clickstream_judge.core.mapping import Result

__all__ = ["Decode", "record_decoder"]

Decode = Callable[[bytes | None], Mapping[str, Any] | None]
"""Returns the fields of a record's value; ``None`` if it is no event."""

_Read = Callable[[int], "RegisteredSchema | None"]
_SCHEMA_FILE = "result.schema_file"


def record_decoder(result: Result, folder: Path) -> Decode:
    """Return the decoder of a topic's records.

    Args:
        result: The mapping's result.
        folder: The folder of the mapping, to which its paths are relative.

    Raises:
        MappingInvalid: The registry's address or the schema's file cannot be used.
        EngineUnusable: The package that decodes is not installed.
    """
    if result.format is RecordFormat.AVRO:
        return _Avro(*_schemas(result, folder)).fields
    if result.format is RecordFormat.PROTOBUF:
        return _Protobuf(*_schemas(result, folder), result.message).fields
    return partial(record_fields, has_header=result.format is RecordFormat.JSON_SCHEMA)


def _schemas(result: Result, folder: Path) -> tuple[_Read | None, str]:
    """Return what reads a registry's schema, or the text of the schema's file."""
    if result.schema_file is not None:
        try:
            return None, (folder / result.schema_file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            remedy = f"it cannot be read ({error}); name the file of the schema"
            raise MappingInvalid(_SCHEMA_FILE, result.schema_file, remedy) from None
    password, authority = (
        None if name is None else folder / name
        for name in (result.registry_password_file, result.registry_ca_file)
    )
    try:
        url, user = str(result.registry), result.registry_username
        return schema_reader(url, user, password, authority, _setting), ""
    except SimulationInvalid as error:
        raise _of_mapping(error) from None


def _of_mapping(error: SimulationInvalid) -> MappingInvalid:
    return MappingInvalid(error.path, None, str(error).removeprefix(f"{error.path}: "))


def _setting(option: str) -> str:
    """Return the mapping's field for an option of the generator."""
    return f"result.{option.removeprefix('--').replace('-', '_')}"


def _needed(module: str, extra: str) -> Any:  # noqa: ANN401  a module
    try:
        return import_module(module)
    except ImportError:
        remedy = f"install clickstream-judge[{extra}]"
        raise EngineUnusable("kafka", f"{module} is not installed", remedy) from None


class _Schemas:
    """Compiled schemas by the registry's number; a file's schema has no number."""

    kind = ""

    def __init__(self, read: _Read | None, text: str) -> None:
        self._read = read
        self._known: dict[int, Any] = {}
        self._own = None if read is not None else self._compiled(text, {}, _SCHEMA_FILE)

    def _found(self, value: bytes) -> tuple[Any, bytes]:
        """Return the schema of a record, or ``None``, and the record without its header."""
        if self._read is None:
            return self._own, value
        header = split_header(value)
        if header is None:
            return None, value
        number, body = header
        if number not in self._known:
            self._known[number] = self._registered(self._read, number)
        return self._known[number], body

    def _registered(self, read: _Read, number: int) -> Any:  # noqa: ANN401
        try:
            schema = read(number)
        except RegistryRefused as error:
            raise EngineUnusable(
                "schema registry", f"{error.place} {error.found}", error.remedy
            ) from None
        except SimulationInvalid as error:
            raise _of_mapping(error) from None
        if schema is None:  # a damaged header
            return None
        if schema.kind != self.kind:
            found = f"schema {number} of the registry has the type {schema.kind}"
            remedy = f"write the format of the records; this one reads {self.kind}"
            raise ResultUnfit("result.format", found, remedy)
        return self._compiled(schema.text, schema.references, f"schema {number} of the registry")

    def _compiled(self, text: str, references: Mapping[str, str], place: str) -> Any:  # noqa: ANN401
        raise NotImplementedError


class _Avro(_Schemas):
    """Records in Avro."""

    kind = "AVRO"

    def __init__(self, read: _Read | None, text: str) -> None:
        self._avro = _needed("fastavro", "avro")
        super().__init__(read, text)

    def _compiled(self, text: str, references: Mapping[str, str], place: str) -> Any:  # noqa: ANN401
        named: dict[str, Any] = {}
        try:
            for inner in references.values():
                self._avro.parse_schema(orjson.loads(inner), named_schemas=named)
            return self._avro.parse_schema(orjson.loads(text), named_schemas=named)
        except Exception as error:  # noqa: BLE001  fastavro has no root of its errors
            found = f"no schema of Avro ({_line(error)})"
            raise ResultUnfit(place, found, "name the schema of the records") from None

    def fields(self, value: bytes | None) -> Mapping[str, Any] | None:
        """Return the fields of a record; ``None`` unless the schema reads all its bytes."""
        schema, body = self._found(value or b"")
        if schema is None or value is None:
            return None
        stream = BytesIO(body)
        try:
            found = plain(self._avro.schemaless_reader(stream, schema, None))
        except Exception:  # noqa: BLE001  a damaged record raises errors of many types
            return None
        return found if isinstance(found, dict) and stream.tell() == len(body) else None


class _Protobuf(_Schemas):
    """Records in Protobuf; a schema is the classes of messages by their places in the file."""

    kind = "PROTOBUF"

    def __init__(self, read: _Read | None, text: str, message: str | None) -> None:
        self._protoc = _needed("grpc_tools.protoc", "protobuf")
        self._factory = import_module("google.protobuf.message_factory")
        self._json = import_module("google.protobuf.json_format")
        super().__init__(read, text)
        self._place = (0,) if read is not None else self._place_of(message)

    def _place_of(self, message: str | None) -> tuple[int, ...]:
        """Return the place of the message that the mapping names, or of the only one."""
        names: dict[str, tuple[int, ...]] = {
            row.DESCRIPTOR.full_name: place for place, row in (self._own or {}).items()
        }
        if message is None and len(names) == 1:
            return next(iter(names.values()))
        if message not in names:
            raise MappingInvalid("result.message", message, f"name one of {', '.join(names)}")
        return names[message]

    def _compiled(self, text: str, references: Mapping[str, str], place: str) -> Any:  # noqa: ANN401
        file, pool = self._parsed(text, references, place)
        found: dict[tuple[int, ...], Any] = {}

        def add(rows: Any, name: str, outer: tuple[int, ...]) -> None:  # noqa: ANN401
            for index, row in enumerate(rows):
                full, here = f"{name}.{row.name}".lstrip("."), (*outer, index)
                descriptor = pool.FindMessageTypeByName(full)
                found[here] = self._factory.GetMessageClass(descriptor)
                add(row.nested_type, full, here)

        add(file.message_type, file.package, ())
        return found

    def _parsed(self, text: str, references: Mapping[str, str], place: str) -> tuple[Any, Any]:
        """Return the parsed file, and a pool with its messages."""
        descriptors = import_module("google.protobuf.descriptor_pb2")
        pool = import_module("google.protobuf.descriptor_pool").DescriptorPool()
        main = "judged_schema.proto"
        with tempfile.TemporaryDirectory(prefix="clickstream-judge-") as name:
            folder = Path(name)
            for inner, content in {**references, main: text}.items():
                path = (folder / inner).resolve()
                if not path.is_relative_to(folder.resolve()):
                    found = f"it needs a file {inner!r} outside its folder"
                    raise ResultUnfit(place, found, "correct the registered schema")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
            known = Path(str(import_module("grpc_tools").__file__)).parent / "_proto"
            result = folder / "set"
            code = self._protoc.main(
                ["protoc", f"-I{folder}", f"-I{known}", f"--descriptor_set_out={result}",
                 "--include_imports", main]
            )  # fmt: skip
            if code:
                found = "protoc does not read it, for the reason above"
                raise ResultUnfit(place, found, "name the schema of the records")
            files = descriptors.FileDescriptorSet.FromString(result.read_bytes()).file
        for file in files:
            pool.Add(file)
        return files[-1], pool

    def fields(self, value: bytes | None) -> Mapping[str, Any] | None:
        """Return the fields of a record; ``None`` if it is not of the message."""
        messages, body = self._found(value or b"")
        if messages is None or value is None:
            return None
        place = self._place
        if self._read is not None:
            indexes = split_indexes(body)
            if indexes is None:
                return None
            place, body = indexes
        if place not in messages:
            return None
        try:
            return self._fields(messages[place].FromString(body))
        except Exception:  # noqa: BLE001  a damaged record raises errors of several types
            return None

    def _fields(self, message: Any) -> dict[str, Any]:  # noqa: ANN401  a message of any type
        """Return a message's fields; absent ones are left out."""
        found: dict[str, Any] = {}
        for field in message.DESCRIPTOR.fields:
            if field.has_presence and not message.HasField(field.name):
                continue
            value = getattr(message, field.name)
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                kind = field.message_type.fields_by_name["value"]
                found[field.name] = {str(key): self._value(kind, value[key]) for key in value}
            elif field.is_repeated:
                found[field.name] = [self._value(field, one) for one in value]
            elif field.has_presence or not _is_unset(field, value):
                found[field.name] = self._value(field, value)
        return found

    def _value(self, field: Any, value: Any) -> Any:  # noqa: ANN401  a value of any type
        if field.message_type is not None:
            is_known = field.message_type.full_name.startswith("google.protobuf.")
            return self._json.MessageToDict(value) if is_known else self._fields(value)
        if field.enum_type is not None:
            return _enum_name(field.enum_type, value)
        return plain(value)


def _is_unset(field: Any, value: Any) -> bool:  # noqa: ANN401  a descriptor, a value of any type
    """Return whether a field without presence has the value that proto3 gives an absent one.

    A zero is also a number, so only texts, bytes and ``..._UNSPECIFIED`` count as absent.
    """
    if field.enum_type is None:
        return value in ("", b"")
    first = field.enum_type.values_by_number.get(0)
    return value == 0 and first is not None and first.name.endswith("UNSPECIFIED")


def _enum_name(kind: Any, value: int) -> str:  # noqa: ANN401  a descriptor
    """Return the name of an enumeration's value, without the type's name as its prefix.

    ``EVENT_NAME_PAGE_VIEW`` of ``EventName`` is ``page_view``.
    """
    row = kind.values_by_number.get(value)
    if row is None:
        return str(value)
    letters = [f"_{letter}" if letter.isupper() else letter for letter in kind.name]
    prefix = "".join(letters).lstrip("_").upper() + "_"
    name: str = row.name
    return name.removeprefix(prefix).lower() if name.startswith(prefix) else name


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
