"""Encodings: foreign readers read the JSON records; faults and ledgers are the same in each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clickstream_contract import output
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.ledger import FAULT_NAMES
from clickstream_contract.schemas import schema_text
from clickstream_contract.simulation import Faults
from clickstream_generator.core.encodings import encoding_of, registry_header
from clickstream_generator.core.faults import FaultSource, fault_rng, plant_faults
from clickstream_generator.core.making import Maker
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from foreign_readers import READERS, Unreadable, message_type, object_of, object_of_message
from simulations import START_SECONDS, carried, simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_generator.core.encoding import Encoded
    from clickstream_generator.core.encodings import Encoding
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.faults import Planted
    from clickstream_generator.core.simulator import Simulator

SENT_MS = 1_764_000_000_123
BINARY = ("avro", "protobuf")
HEADED = pytest.mark.parametrize("name", list(READERS))


@pytest.fixture(scope="module")
def source() -> Simulator:
    """Return a simulator of a shop with few users."""
    return simulator("{eventsPerSecond: 20}", users=400)


@pytest.fixture(scope="module")
def events(source: Simulator) -> Events:
    """Return events from a time when sessions have reached every event name."""
    source.take_due(START_SECONDS + 500, 20_000)
    return source.take_due(START_SECONDS + 600, 20_000)


@pytest.fixture(scope="module")
def encoded(source: Simulator, events: Events) -> Encoded:
    """Return the events as JSON."""
    return source.encoder.encode(events, SENT_MS)


def _objects(encoded: Encoded) -> list[dict[str, Any]]:
    return [json.loads(value) for value in encoded.values]


@HEADED
def test_foreign_readers_read_json(
    name: str, source: Simulator, events: Events, encoded: Encoded
) -> None:
    """A record of each event name, decoded by another project, is the JSON field by field."""
    header = registry_header(name, 258)
    values = encoding_of(name, source.encoder, header).encode(events, encoded, SENT_MS)

    wanted = _objects(encoded)
    assert {event["event_name"] for event in wanted} == {*EVENT_NAMES}
    assert all(value.startswith(header) for value in values)
    assert [READERS[name](value[len(header) :]) for value in values] == wanted


def _confluent(name: str, client: SchemaRegistryClient) -> Callable[[bytes], object]:
    """Return Confluent's deserializer, as a function from a record to a JSON object."""
    context = SerializationContext("topic", MessageField.VALUE)
    if name == "avro":
        avro = AvroDeserializer(client)
        return lambda value: object_of(avro(value, context))
    if name == "protobuf":
        protobuf = ProtobufDeserializer(message_type(), {"use.deprecated.format": False})
        return lambda value: object_of_message(protobuf(value, context))
    plain = JSONDeserializer(schema_text(name))
    return lambda value: plain(value, context)


@pytest.mark.parametrize(
    ("name", "kind"), [("avro", "AVRO"), ("protobuf", "PROTOBUF"), ("json-schema", "JSON")]
)
def test_confluent_reads_json(
    name: str, kind: str, source: Simulator, events: Events, encoded: Encoded
) -> None:
    """Confluent's own deserializers find the schema by the header, and read the JSON records."""
    client = SchemaRegistryClient.new_client({"url": "mock://"})
    number = client.register_schema("topic-value", Schema(schema_text(name), kind))
    encoding = encoding_of(name, source.encoder, registry_header(name, number))

    read = _confluent(name, client)
    values = encoding.encode(events, encoded, SENT_MS)
    assert [read(value) for value in values[-200:]] == _objects(encoded)[-200:]


@pytest.mark.parametrize("name", [*output.Encoding])
def test_columns_are_single_events(
    name: str, source: Simulator, events: Events, encoded: Encoded
) -> None:
    """Events encoded as columns have the bytes of events encoded one by one, also no events."""
    encoding = encoding_of(name, source.encoder)
    none = source.encoder.encode(events.part(0, 0), SENT_MS)

    values = encoding.encode(events, encoded, SENT_MS)
    assert values == [encoding.encode_one(value) for value in encoded.values]
    assert encoding.encode(events.part(0, 0), none, SENT_MS) == []


@pytest.mark.parametrize(
    ("name", "header"),
    [("avro", "0000000102"), ("json-schema", "0000000102"), ("protobuf", "000000010200")],
)
def test_header_has_the_schema(name: str, header: str) -> None:
    """A header is a zero, the schema's number in four bytes, and Protobuf's message index."""
    assert registry_header(name, 258).hex() == header


_SHARES = {
    "duplicatePermille": 300, "corruptPermille": 300, "latePermille": 50, "lossPermille": 50,
}  # fmt: skip


def _planted(
    encoding: Encoding,
    events: Events,
    encoded: Encoded,
    shares: Mapping[str, int] = _SHARES,
) -> Planted:
    faults = Faults.model_validate(shares)
    sources = {shard: FaultSource(fault_rng(42, shard), faults) for shard in range(4)}
    values = encoding.encode(events, encoded, SENT_MS)
    return plant_faults(events.rows, encoded, sources, encoding, values)


@HEADED
def test_ledger_is_the_same(name: str, source: Simulator, events: Events, encoded: Encoded) -> None:
    """Figures, faults, keys, order and late events do not depend on the encoding."""
    plain = _planted(encoding_of("json", source.encoder), events, encoded)
    other = _planted(encoding_of(name, source.encoder), events, encoded)

    assert [key for _, key in other.records] == [key for _, key in plain.records]
    assert other.tally.keys() == plain.tally.keys()
    for place, figures in plain.tally.items():
        assert np.array_equal(figures, other.tally[place])
    assert [late.record for late in other.late] == [late.record for late in plain.late]
    assert other.sent_by_shard == plain.sent_by_shard


@HEADED
@pytest.mark.parametrize("fault", [name for name in FAULT_NAMES if name.startswith("corrupt_")])
@pytest.mark.parametrize("schema_id", [None, 7])
def test_corrupt_records_are_unreadable(
    name: str, fault: str, schema_id: int | None, source: Simulator, encoded: Encoded
) -> None:
    """A corrupt record of each event name cannot be decoded, or breaks the schema."""
    header = b"" if schema_id is None else registry_header(name, schema_id)
    encoding = encoding_of(name, source.encoder, header)
    by_name = {
        event["event_name"]: value
        for event, value in zip(_objects(encoded), encoded.values, strict=True)
    }
    for value in by_name.values():
        broken = encoding.corrupt(fault, value)
        if broken is None:
            assert fault == "corrupt_no_value"
        elif broken.startswith(header):
            with pytest.raises(Unreadable):
                READERS[name](broken[len(header) :])


@HEADED
def test_changed_copies_stay_readable(
    name: str, source: Simulator, events: Events, encoded: Encoded
) -> None:
    """Conflicting duplicates and events of the future decode to what JSON has."""
    shares = {"duplicatePermille": 500, "futurePermille": 500}

    def copies(encoding_name: str) -> list[bytes]:
        encoding = encoding_of(encoding_name, source.encoder)
        return [value or b"" for value, _ in _planted(encoding, events, encoded, shares).records]

    wanted = [json.loads(value) for value in copies("json")]
    assert [READERS[name](value) for value in copies(name)] == wanted


def test_late_events_are_encoded_when_sent() -> None:
    """A late event is sent in its encoding, with the time at which it is sent."""
    faults = "  faults: {latePermille: 1000, maxLatenessSeconds: 5}\n"
    late_source, shards = carried("{eventsPerSecond: 20}", faults, users=40)
    maker = Maker(late_source, shards, encoding_of("avro", late_source.encoder))
    events = late_source.take_due(START_SECONDS + 2, 100)

    assert maker.make(events, SENT_MS).records == []
    late = list(maker.take_late(shards.values(), np.inf, SENT_MS + 1))
    read = [READERS["avro"](one.record[0] or b"") for one in late]
    assert {event["sent_at"] for event in read} == {"2025-11-24T16:00:00.124Z"}
    assert [event["shard_seq"] for event in read] == [one.shard_seq for one in late]
    assert len(read) == len(events) > 20
