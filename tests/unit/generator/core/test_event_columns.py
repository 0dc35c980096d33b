"""Events as columns: nothing of a record is lost, and each column has the contract's type."""

from __future__ import annotations

import json
from datetime import datetime

import pyarrow as pa
import pytest
from clickstream_contract.events import EVENT_FIELDS
from clickstream_generator.core.event_columns import event_schema, event_table, flat_table
from simulations import START_SECONDS, simulator


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    """Events of every name."""
    source = simulator(users=400)
    events = source.take_due(START_SECONDS + 300, 20_000)
    return source.encoder.encode(events.part(17_000, 20_000), 0).values


def test_table_has_every_value(values: list[bytes]) -> None:
    """Each row says what its record says, times as moments."""
    table = event_table(values)

    assert table.schema == event_schema()
    for row, value in zip(table.to_pylist(), values, strict=True):
        wanted = json.loads(value)
        for name in ("event_time", "sent_at"):
            wanted[name] = datetime.fromisoformat(wanted[name])
        assert {name: row[name] for name in row if row[name] is not None} == wanted


def test_chosen_columns_are_the_same(values: list[bytes]) -> None:
    """Some columns alone have the values and types that they have among all."""
    names = ("event_id", "event_time", "value_minor")

    table = event_table(values, names)

    assert set(table.column_names) == set(names)
    assert table.select(names).equals(event_table(values).select(names))


def test_flat_table_has_every_value(values: list[bytes]) -> None:
    """Each row has its record's values, with times and order lines as text."""
    bought = 0
    for row, value in zip(flat_table(values).to_pylist(), values, strict=True):
        wanted = json.loads(value)
        if row["items"] is not None:
            row["items"] = json.loads(row["items"])
            bought += 1
        assert {name: row[name] for name in row if row[name] is not None} == wanted
    assert bought


def test_flat_lines_keep_their_letters(values: list[bytes]) -> None:
    """Order lines as text have letters of every language as they are."""
    event = next(event for event in map(json.loads, values) if "items" in event)
    event["items"][0]["product_name"] = "Grüne Lampe"

    (row,) = flat_table([json.dumps(event).encode()]).to_pylist()
    assert '"Grüne Lampe"' in row["items"]


def test_columns_are_the_contract_s() -> None:
    """Names and order are those of the contract; numbers are numbers."""
    schema = event_schema()

    assert schema.names == [row.name for row in EVENT_FIELDS]
    assert schema.field("event_time").type == pa.timestamp("ms", tz="UTC")
    assert schema.field("shard_seq").type == pa.int64()
    assert schema.field("session_seq").type == pa.int32()


def test_unknown_field_is_an_error(values: list[bytes]) -> None:
    """A field that the contract does not have is not dropped in silence."""
    with pytest.raises(pa.ArrowInvalid, match="unexpected field"):
        event_table([values[0][:-1] + b',"mood":"good"}'])
