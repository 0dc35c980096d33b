"""What follows from the tables: schemas, columns and documentation of a few fields."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.currencies import CURRENCIES
from clickstream_contract.derive import (
    Column,
    event_json_schema,
    ledger_json_schema,
    markdown_table,
    postgres_columns,
    spark_schema,
)
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.ledger import LEDGER_FIELDS

FIELDS = (
    Field("name", FieldType.TEXT, "A name."),
    Field("run", FieldType.UUID, "A run.", required=False),
    Field("at", FieldType.TIMESTAMP, "A time.", since=2),
    Field("count", FieldType.INTEGER, "A count.", events=("search", "purchase")),
    Field("price", FieldType.BIGINT, "A price.", unit="cents"),
    Field("items", FieldType.ITEMS, "Lines.", required=False, events=("purchase",)),
)


def test_spark_reads_ids_as_text() -> None:
    """Spark reads ids and times as text, numbers by their size, and items as structures."""
    assert spark_schema(FIELDS) == (
        "`name` string, `run` string, `at` string, `count` int, `price` bigint, "
        "`items` array<struct<`product_id`: string, `product_name`: string, `brand`: string, "
        "`category`: string, `quantity`: int, `price_minor`: bigint>>"
    )


@pytest.mark.parametrize("row", [*EVENT_FIELDS, *LEDGER_FIELDS], ids=lambda row: str(row.name))
def test_spark_schema_has_every_field(row: Field) -> None:
    """No field of an event or a ledger record is left out."""
    assert spark_schema([row]).startswith(f"`{row.name}` ")


def test_columns_have_their_types() -> None:
    """A column is nullable where not every record has it, and its comment names the unit."""
    assert postgres_columns(FIELDS) == (
        Column("name", "text", nullable=False, comment="A name."),
        Column("run", "uuid", nullable=True, comment="A run."),
        Column("at", "timestamp with time zone", nullable=False, comment="A time."),
        Column("count", "integer", nullable=True, comment="A count."),
        Column("price", "bigint", nullable=False, comment="A price. Unit: cents."),
        Column("items", "jsonb", nullable=True, comment="Lines."),
    )


def test_table_documents_each_field() -> None:
    """The documentation has a row per field, with type, unit, events, version and meaning."""
    assert markdown_table(FIELDS).splitlines() == [
        "| Field | Type | In | Since | Meaning |",
        "|---|---|---|---|---|",
        "| `name` | text | every record | 1 | A name. |",
        "| `run` | uuid | every record (optional) | 1 | A run. |",
        "| `at` | timestamp | every record | 2 | A time. |",
        "| `count` | integer | search, purchase | 1 | A count. |",
        "| `price` | bigint, cents | every record | 1 | A price. |",
        "| `items` | items | purchase (optional) | 1 | Lines. |",
    ]


def test_event_schema_is_closed() -> None:
    """An event has the fields of the table and no others; those of every event are required."""
    schema = event_json_schema()

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Clickstream event, version 2"
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [row.name for row in EVENT_FIELDS]
    assert schema["required"] == [row.name for row in EVENT_FIELDS if not row.events]


def test_event_schema_is_exact_by_name() -> None:
    """Each name of an event requires its fields and forbids those of other events."""
    cases = event_json_schema()["allOf"][: len(EVENT_NAMES)]

    assert [case["if"]["properties"]["event_name"]["const"] for case in cases] == list(EVENT_NAMES)
    search = cases[EVENT_NAMES.index("search")]["then"]
    assert search["required"] == ["search_term"]
    assert "search_term" not in search["properties"]
    assert set(search["properties"].values()) == {False}
    assert len(search["properties"]) == len([row for row in EVENT_FIELDS if row.events]) - 1
    start = cases[EVENT_NAMES.index("session_start")]["then"]
    assert start["required"] == ["user_agent", "session_number"]
    assert not {"referrer", "campaign"} & start["properties"].keys()
    for name in ("view_cart", "purchase"):
        case = cases[EVENT_NAMES.index(name)]["then"]
        assert "items" not in case["properties"]
        assert ("items" in case["required"]) == (name == "purchase")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("shard", {"type": "integer", "minimum": 0, "maximum": 1_023}),
        ("shard_seq", {"type": "integer", "minimum": 1, "maximum": 1_000_000_000_000}),
        ("session_seq", {"type": "integer", "minimum": 1, "maximum": 2_147_483_647}),
        ("quantity", {"type": "integer", "minimum": 1, "maximum": 1_000_000}),
        ("schema_version", {"type": "integer", "maximum": 2_147_483_647, "enum": [1, 2]}),
        ("country", {"type": "string", "minLength": 1, "maxLength": 2}),
        (
            "currency",
            {"type": "string", "minLength": 1, "maxLength": 256, "enum": list(CURRENCIES)},
        ),
    ],
)
def test_values_have_bounds(name: str, shape: dict[str, object]) -> None:
    """A number has the bounds of the table or of its type, a text its length and its values."""
    found = event_json_schema()["properties"][name]

    assert found.pop("description")
    assert found == shape


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "event_id",
            "01234567-89ab-8def-8123-456789abcdef",
            "01234567-89AB-8def-8123-456789abcdef",
        ),
        ("event_time", "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00Z"),
    ],
)
def test_forms_are_patterns(name: str, good: str, bad: str) -> None:
    """Ids are UUIDs in small letters, times have milliseconds and a Z."""
    shape = event_json_schema()["properties"][name]

    assert shape["type"] == "string"
    assert re.search(shape["pattern"], good)
    for text in (bad, good + "0", "0" + good):
        assert not re.search(shape["pattern"], text)


def test_items_are_closed_objects() -> None:
    """An order has at least one line, each with the fields of a line and no others."""
    items = event_json_schema()["properties"]["items"]

    names = [row.name for row in ITEM_FIELDS]
    assert (items["type"], items["minItems"], items["maxItems"]) == ("array", 1, 50)
    assert items["items"]["additionalProperties"] is False
    assert items["items"]["required"] == [row.name for row in ITEM_FIELDS if row.since == 1]
    assert list(items["items"]["properties"]) == names


def test_newer_fields_need_their_version() -> None:
    """What came with a version is required of records of that version and later ones."""
    *_, newer = event_json_schema()["allOf"]

    assert newer == {
        "if": {"properties": {"schema_version": {"minimum": 2}}},
        "then": {"properties": {"items": {"items": {"required": ["product_name", "brand"]}}}},
    }


def test_ledger_schema_requires_all_figures() -> None:
    """A ledger record has all fields of its table and no others; the run record may be absent."""
    schema = ledger_json_schema()

    assert schema["title"] == "Clickstream ledger record, version 1"
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [row.name for row in LEDGER_FIELDS]
    assert [*schema["required"], "run_record"] == list(schema["properties"])
    assert "allOf" not in schema
