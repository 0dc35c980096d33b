"""The encodings of events: JSON, Avro, Protobuf and JSON with a schema.

Owns the header of a registry's wire format, and which encoder belongs to which encoding. Key and
checksum of an event are the same in every encoding: both follow from its JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Protocol

from clickstream_contract import output
from clickstream_contract.events import EVENT_FIELDS

from clickstream_generator.core.binary_encoding import BinaryEncoder
from clickstream_generator.core.breaks import break_binary, break_json, break_json_schema
from clickstream_generator.core.wire import AVRO, PROTOBUF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_generator.core.encoding import Encoded, Encoder
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.wire import Wire

__all__ = ["JSON", "Encoding", "encoding_of", "registry_header"]

_WIRES: Final[Mapping[str, Wire]] = {
    output.Encoding.AVRO: AVRO,
    output.Encoding.PROTOBUF: PROTOBUF,
}
_MAGIC: Final = b"\x00"
_FIRST_MESSAGE: Final = b"\x00"
"""Protobuf's list of message indexes that leads to the first message of the file."""


class Encoding(Protocol):
    """An encoding of one run's events."""

    def encode(self, events: Events, encoded: Encoded, sent_at_ms: int) -> list[bytes]:
        """Return events as records, in the same order.

        Args:
            events: The events.
            encoded: The same events as JSON.
            sent_at_ms: The ``sent_at`` of every record, Unix milliseconds.
        """

    def encode_one(self, value: bytes) -> bytes:
        """Return the record of one event from its JSON."""

    def corrupt(self, fault: str, value: bytes) -> bytes | None:
        """Return a broken record of one event from its JSON.

        Args:
            fault: One of :data:`clickstream_generator.core.breaks.CORRUPT_FAULTS`.
            value: The event's JSON.
        """


class _Json:
    """JSON as it is."""

    def encode(self, _events: Events, encoded: Encoded, _sent_at_ms: int) -> list[bytes]:
        return encoded.values

    def encode_one(self, value: bytes) -> bytes:
        return value

    def corrupt(self, fault: str, value: bytes) -> bytes | None:
        return break_json(fault, value)


class _JsonSchema:
    """JSON after a registry's header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def encode(self, _events: Events, encoded: Encoded, _sent_at_ms: int) -> list[bytes]:
        header = self._header
        return [header + value for value in encoded.values]

    def encode_one(self, value: bytes) -> bytes:
        return self._header + value

    def corrupt(self, fault: str, value: bytes) -> bytes | None:
        return break_json_schema(fault, value, self._header)


class _Binary:
    """A binary form, after a registry's header if there is one."""

    def __init__(self, wire: Wire, source: Encoder, header: bytes) -> None:
        self._wire, self._header = wire, header
        self._columns = BinaryEncoder(source, wire, header)

    def encode(self, events: Events, _encoded: Encoded, sent_at_ms: int) -> list[bytes]:
        return self._columns.encode(events, sent_at_ms)

    def encode_one(self, value: bytes) -> bytes:
        event = json.loads(value)
        return self._header + b"".join(
            self._wire.piece(row, event.get(row.name)) for row in EVENT_FIELDS
        )

    def corrupt(self, fault: str, value: bytes) -> bytes | None:
        return break_binary(fault, value, self._wire, self._header)


JSON: Final[Encoding] = _Json()


def encoding_of(name: str, source: Encoder, header: bytes = b"") -> Encoding:
    """Return an encoding of a run's events.

    Args:
        name: One of :class:`clickstream_contract.output.Encoding`.
        source: The run's JSON encoder.
        header: The registry's header (:func:`registry_header`); empty without a registry.
    """
    if name == output.Encoding.JSON:
        return JSON
    if name == output.Encoding.JSON_SCHEMA:
        return _JsonSchema(header)
    return _Binary(_WIRES[name], source, header)


def registry_header(name: str, schema_id: int) -> bytes:
    """Return the first bytes of a record in the wire format of Confluent's registry.

    Source: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop.

    Args:
        name: One of :class:`clickstream_contract.output.Encoding`, except ``json``.
        schema_id: The registry's number of the schema, 32 bits.
    """
    header = _MAGIC + schema_id.to_bytes(4, "big")
    return header + _FIRST_MESSAGE if name == output.Encoding.PROTOBUF else header
