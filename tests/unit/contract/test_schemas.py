"""The schemas of the encodings: fields, types, and numbers that never change."""

from __future__ import annotations

import json

from clickstream_contract.derive import event_json_schema
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.schemas import (
    EVENT_NAME_NUMBERS,
    EVENT_NUMBERS,
    ITEM_NUMBERS,
    SCHEMA_FILES,
    avro_schema,
    protobuf_schema,
    schema_text,
)

# Records with these numbers are in users' topics. Only add to the lists, at their end.
PUBLISHED_FIELDS = (
    "event_id", "session_id", "event_time", "schema_version", "simulation", "run_id", "event_name",
    "shard", "shard_seq", "session_seq", "user_id", "persona", "channel", "country", "city",
    "language", "device", "os", "browser", "page", "referrer", "campaign", "user_agent",
    "session_number", "search_term", "category", "product_id", "product_name", "brand",
    "price_minor", "quantity", "shipping_tier", "payment_type", "order_id", "items",
    "cart_quantity", "value_minor", "currency", "sent_at", "experiments",
)  # fmt: skip
PUBLISHED_ITEM_FIELDS = (
    "product_id", "product_name", "brand", "category", "quantity", "price_minor",
)  # fmt: skip
PUBLISHED_NAMES = (
    "session_start", "page_view", "search", "view_item_list", "view_item", "add_to_cart",
    "remove_from_cart", "view_cart", "begin_checkout", "add_shipping_info", "add_payment_info",
    "purchase",
)  # fmt: skip


def test_published_numbers_never_change() -> None:
    """A field or a name keeps its Protobuf number, and no number has two meanings."""
    for numbers, published in (
        (EVENT_NUMBERS, PUBLISHED_FIELDS),
        (ITEM_NUMBERS, PUBLISHED_ITEM_FIELDS),
        (EVENT_NAME_NUMBERS, PUBLISHED_NAMES),
    ):
        assert [numbers[name] for name in published] == list(range(1, len(published) + 1))
        assert len({*numbers.values()}) == len(numbers)


def test_every_field_has_a_number() -> None:
    """The numbers cover exactly the fields and names of the contract, without a gap."""
    assert EVENT_NUMBERS.keys() == {row.name for row in EVENT_FIELDS}
    assert list(ITEM_NUMBERS) == [row.name for row in ITEM_FIELDS]
    assert list(EVENT_NAME_NUMBERS) == list(EVENT_NAMES)
    assert list(EVENT_NUMBERS.values()) == list(range(1, len(EVENT_FIELDS) + 1))


def test_avro_fields_have_their_types() -> None:
    """Avro's types are logical where the contract's are; what may be absent is null by default."""
    fields = {row["name"]: row for row in avro_schema()["fields"]}

    assert list(fields) == [row.name for row in EVENT_FIELDS]
    assert fields["event_id"]["type"] == {"type": "string", "logicalType": "uuid"}
    assert fields["sent_at"]["type"] == {"type": "long", "logicalType": "timestamp-millis"}
    assert fields["event_name"]["type"]["symbols"] == list(EVENT_NAMES)
    assert (fields["shard"]["type"], fields["shard_seq"]["type"]) == ("int", "long")
    assert fields["referrer"]["type"] == ["null", "string"]
    assert fields["items"]["type"][1]["items"]["name"] == "Item"
    for row in EVENT_FIELDS:
        has_default = "default" in fields[row.name]
        assert has_default == bool(row.events or not row.required)


def test_protobuf_fields_have_presence() -> None:
    """Each scalar is optional, each line has its number, and comments have units and events."""
    lines = protobuf_schema().splitlines()

    assert "  optional string event_id = 1;" in lines
    assert "  google.protobuf.Timestamp event_time = 3;" in lines
    assert "  optional EventName event_name = 7;" in lines
    assert "  repeated Item items = 35;" in lines
    assert "  EVENT_NAME_PURCHASE = 12;" in lines
    assert "  // Price of one. Unit: minor units." in lines
    assert "  // What was searched for. In search." in lines
    assert "  // Version of this table. One of 1, 2." in lines


def test_files_have_the_schemas() -> None:
    """Each encoding's file is its schema; those of Avro and JSON Schema are JSON."""
    assert json.loads(schema_text("avro")) == avro_schema()
    assert json.loads(schema_text("json-schema")) == event_json_schema()
    assert schema_text("protobuf") == protobuf_schema()
    assert all(schema_text(name).endswith("\n") for name in SCHEMA_FILES)
